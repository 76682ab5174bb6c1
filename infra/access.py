"""What lets one client in: a role that reads its folder, a user, and its keys."""

import json
from dataclasses import dataclass
from datetime import date, timedelta

import pulumi
import pulumi_aws as aws

from infra import policies
from referral_delivery.client import Client
from referral_delivery.export import DOWNLOADS

# What the client sees as its folder.
ENTRY = "/downloads"
WARN_BEFORE_EXPIRY = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class ClientAccessArgs:
    """`today` decides which keys are still deployed."""

    prefix: str
    client: Client
    today: date
    account_id: str
    region: str
    server_id: pulumi.Input[str]
    bucket_name: pulumi.Output[str]
    bucket_arn: pulumi.Output[str]
    kms_key_arn: str | None
    tags: dict[str, str]


class ClientAccess(pulumi.ComponentResource):
    """One client's SFTP user, read-only and on its own folder by construction."""

    def __init__(self, name: str, args: ClientAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:access:ClientAccess", name, None, opts)
        client, child = args.client.client, pulumi.ResourceOptions(parent=self)
        folder = f"{DOWNLOADS}/{client}"
        # Written in one step each: `Output.json_dumps` makes an output of every value, which adds up over clients.
        trust = pulumi.Output.from_input(args.server_id).apply(
            lambda server_id: json.dumps(policies.transfer_user_trust(args.account_id, args.region, server_id))
        )
        role = aws.iam.Role(
            f"{name}-role",
            name=f"{args.prefix}-{client}-sftp",
            assume_role_policy=trust,
            tags=args.tags,
            opts=child,
        )
        aws.iam.RolePolicy(
            f"{name}-read-own-folder",
            name="read-own-folder",
            role=role.name,
            policy=args.bucket_arn.apply(
                lambda arn: json.dumps(policies.read_own_folder(arn, folder, args.kms_key_arn))
            ),
            opts=child,
        )
        user = aws.transfer.User(
            f"{name}-user",
            server_id=args.server_id,
            user_name=client,
            role=role.arn,
            home_directory_type="LOGICAL",
            # Literal: a `${Transfer:UserName}` comes back expanded, and would differ for ever.
            home_directory_mappings=[
                aws.transfer.UserHomeDirectoryMappingArgs(
                    entry=ENTRY, target=pulumi.Output.concat("/", args.bucket_name, "/", folder)
                )
            ],
            tags=args.tags,
            opts=child,
        )
        for key in args.client.keys_on(args.today):
            public_key = key.parsed()
            # Named by fingerprint, so that removing one key shifts no other.
            aws.transfer.SshKey(
                f"{name}-key-{public_key.short_fingerprint}",
                server_id=args.server_id,
                user_name=user.user_name,
                body=public_key.body,
                opts=child,
            )
        _warn_of_expiry(args.client, args.today, self)
        self.register_outputs({"user": user.user_name})


def _warn_of_expiry(client: Client, today: date, resource: pulumi.Resource) -> None:
    for key in client.keys:
        if key.expires and key.expires <= today:
            pulumi.log.warn(f"{client.client}: key {key.label!r} expired on {key.expires}; not deployed", resource)
        elif key.expires and key.expires <= today + WARN_BEFORE_EXPIRY:
            pulumi.log.warn(f"{client.client}: key {key.label!r} expires on {key.expires}; ask for the next", resource)
    if not client.keys_on(today):
        pulumi.log.warn(f"{client.client}: no valid key; the client cannot log in", resource)
