"""What lets one client in: a role that reads its folder, a user, and its keys."""

import json
from dataclasses import dataclass
from datetime import date

import pulumi
import pulumi_aws as aws

from infra import policies
from infra.deployment import Deployment
from referral_delivery.agreement.client import WARN_BEFORE_EXPIRY, Client
from referral_delivery.file.upload import DOWNLOADS
from referral_delivery.window import midnight

# What the client sees as its folder.
ENTRY = "/downloads"


@dataclass(frozen=True, kw_only=True)
class ClientAccessArgs:
    """`today` decides which keys are still deployed."""

    deployment: Deployment
    client: Client
    today: date
    server_id: pulumi.Input[str]
    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]


class ClientAccess(pulumi.ComponentResource):
    """One client's SFTP user, read-only and on its own folder by construction."""

    def __init__(self, name: str, args: ClientAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:access:ClientAccess", name, None, opts)
        deployment, client = args.deployment, args.client.client
        folder = f"{DOWNLOADS}/{client}"
        # Written in one step each: `Output.json_dumps` makes an output of every value, which adds up over clients.
        trust = pulumi.Output.from_input(args.server_id).apply(
            lambda server_id: json.dumps(
                policies.transfer_user_trust(deployment.account_id, deployment.arn("transfer", f"user/{server_id}/*"))
            )
        )
        tags = deployment.client_tags(client)
        role = deployment.role(
            f"{name}-role", deployment.of_client(client, suffix="sftp"), trust=trust, parent=self, tags=tags
        )
        policy = aws.iam.RolePolicy(
            f"{name}-read-own-folder",
            name="read-own-folder",
            role=role.name,
            policy=pulumi.Output.all(args.bucket_arn, deployment.key_arn).apply(
                lambda arns: json.dumps(policies.read_own_folder(arns[0], folder, arns[1]))
            ),
            opts=pulumi.ResourceOptions(parent=self),
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
            tags=tags,
            # Who logs in before the role may read sees an error, and an empty folder.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        for key in args.client.keys_on(args.today):
            public_key = key.parsed()
            # Named by fingerprint, so that removing one key shifts no other.
            aws.transfer.SshKey(
                f"{name}-key-{public_key.short_fingerprint}",
                server_id=args.server_id,
                user_name=user.user_name,
                body=public_key.body,
                # "When you delete a user from a server, the user's information is lost", its keys too.
                # https://docs.aws.amazon.com/transfer/latest/APIReference/API_DeleteUser.html
                opts=pulumi.ResourceOptions(parent=self, deleted_with=user),
            )
        _warn_of_expiry(args.client, args.today, self)
        self.register_outputs({"user": user.user_name})


def _warn_of_expiry(client: Client, today: date, resource: pulumi.Resource) -> None:
    for key in client.keys:
        if key.has_ended(today):
            pulumi.log.warn(f"{client.client}: key {key.label!r} expired on {key.expires}; not deployed", resource)
        elif key.ends_soon(today):
            pulumi.log.warn(f"{client.client}: key {key.label!r} expires on {key.expires}; ask for the next", resource)
    for recipient in client.recipients:
        if recipient.has_expired(midnight(today) + WARN_BEFORE_EXPIRY):
            pulumi.log.warn(
                f"{client.client}: PGP key {recipient.fingerprint} expires on {recipient.expires:%Y-%m-%d}; ask for it "
                "extended, or for the next",
                resource,
            )
    if not client.keys_on(today):
        pulumi.log.warn(f"{client.client}: no valid key; the client cannot log in", resource)
