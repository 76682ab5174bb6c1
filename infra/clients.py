"""Every client's access and schedules, on one platform."""

from dataclasses import replace
from datetime import date
from typing import Any

import pulumi

from infra.access import ENTRY, ClientAccess, ClientAccessArgs
from infra.deployment import Deployment
from infra.platform_stack import Platform
from infra.roster import RosterObject, RosterObjectArgs
from infra.schedules import ClientSchedule, ClientScheduleArgs, in_words
from referral_delivery.agreement.client import Client
from referral_delivery.file.upload import DOWNLOADS

# An account has 1,000 roles, and a client needs one: some are everybody's.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
ROLES_OF_AN_ACCOUNT = 1_000
WARN_FROM_CLIENTS = 900


def deploy_clients(
    clients: list[Client], platform: Platform, *, deployment: Deployment, spread_minutes: int, today: date
) -> dict[str, pulumi.Input[Any]]:
    """Make the clients' resources; the answer is their part of the stack's outputs."""
    if len(clients) >= WARN_FROM_CLIENTS:
        pulumi.log.warn(
            f"{len(clients):,} clients need as many IAM roles, and an account has {ROLES_OF_AN_ACCOUNT:,} unless asked "
            "for more: Service Quotas, IAM, roles per account (L-FE177D64)"
        )
    by_mail = [client.client for client in clients if client.notices and client.notices.email]
    signed = [client.client for client in clients if client.file.pgp and client.file.pgp.sign]
    of, deployment = platform.outputs, replace(deployment, key_arn=platform.key_arn)
    for client in clients:
        ClientAccess(
            client.client,
            ClientAccessArgs(
                deployment=deployment,
                client=client,
                today=today,
                server_id=of["sftp_server_id"],
                bucket_name=of["delivery_bucket"],
                bucket_arn=of["delivery_bucket_arn"],
            ),
        )
        ClientSchedule(
            client.client,
            ClientScheduleArgs(
                client=client,
                spread_minutes=spread_minutes,
                group_name=of["schedule_group"],
                role_arn=of["schedule_role_arn"],
                dlq_arn=of["schedule_dlq_arn"],
                function_arn=of["function_arn"],
                key_arn=platform.key_arn,
                group=platform.schedule_group,
            ),
        )
    roster = RosterObject(
        "roster",
        RosterObjectArgs(
            deployment=deployment, clients=clients, spread_minutes=spread_minutes, bucket_name=of["delivery_bucket"]
        ),
    )
    return {
        "roster": roster.key,
        "notice_sender": pulumi.Output.from_input(of["notice_sender"]).apply(lambda sender: _checked(sender, by_mail)),
        "pgp_signing_secret": pulumi.Output.from_input(of["pgp_signing_secret"]).apply(
            lambda secret: _signing(secret, signed)
        ),
        "client_folders": {client.client: f"{DOWNLOADS}/{client.client}" for client in clients},
        # In words that do not change with the day: a second `pulumi up` shows what is new, and nothing else.
        "clients": {
            client.client: f"user {client.client}, files in {ENTRY}, due {in_words(client.schedule)}"
            for client in clients
        },
    }


def _checked(sender: str, by_mail: list[str]) -> str:
    """The sender of mail; without one, a client who asked for mail would wait for it in vain."""
    if by_mail and not sender:
        raise pulumi.RunError(
            f"notice_sender: found nothing, and `notices.email` in the files of {', '.join(by_mail)}; expected an "
            "address that SES may send from; do `pulumi config set notice_sender files@example.com` where the server is"
        )
    return sender


def _signing(secret: str, signed: list[str]) -> str:
    """The signing key's secret; without one, no file of a client that asked for signatures could be written."""
    if signed and not secret:
        raise pulumi.RunError(
            f"pgp_signing_secret: found nothing, and `sign: true` in the files of {', '.join(signed)}; expected the "
            "name of the secret with the key that signs; do `pulumi config set pgp_signing_secret "
            "referrals/pgp-signing-key` where the server is, and then `referralctl pgp make-signing-key`"
        )
    return secret
