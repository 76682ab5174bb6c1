"""The roster: what the watch and `referralctl` know of the deployed clients."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.deployment import Deployment
from referral_delivery.agreement.client import Client
from referral_delivery.watch.roster import FOLDER, Entry, Roster, RosterKey


@dataclass(frozen=True, kw_only=True)
class RosterObjectArgs:
    """`bucket_name` is the delivery bucket's, whichever stack has made it."""

    deployment: Deployment
    clients: Sequence[Client]
    spread_minutes: int
    bucket_name: pulumi.Input[str]


def entry(client: Client, *, spread_minutes: int) -> Entry:
    """A client file's part of the roster."""
    return Entry(
        contract=client.contract,
        contact=client.contact,
        schedule=client.schedule,
        spread_minutes=spread_minutes,
        keys=tuple(
            RosterKey(label=key.label, fingerprint=key.parsed().fingerprint, expires=key.expires) for key in client.keys
        ),
        expect_within=client.expect_within,
        collect_within=client.collect_within,
        notices=client.notices,
    )


class RosterObject(pulumi.ComponentResource):
    """The clients of this stack as one object, under a name that no other stack's has."""

    def __init__(self, name: str, args: RosterObjectArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:roster:RosterObject", name, None, opts)
        self.key = f"{FOLDER}/{args.deployment.prefix}.json"
        clients = sorted(args.clients, key=lambda client: client.client)
        roster = Roster(clients=tuple(entry(each, spread_minutes=args.spread_minutes) for each in clients))
        # Without tags: an object takes ten, and a stack may have more.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
        aws.s3.BucketObjectv2(
            f"{name}-object",
            bucket=args.bucket_name,
            key=self.key,
            content=roster.to_bytes().decode(),
            content_type="application/json",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"key": self.key})
