"""The watch: a function that looks after all clients every five minutes, by a schedule of its own."""

from dataclasses import dataclass
from functools import partial

import pulumi

from infra import watch_policies
from infra.artifact import Artifact
from infra.deployment import Deployment
from infra.function import Function, FunctionArgs
from referral_delivery.settings import WatchSettings
from referral_delivery.watch.roster import FOLDER

HANDLER = "referral_delivery.handlers.watch.handler"
# The next round comes after five minutes anyway.
MEMORY_MB, TIMEOUT_SECONDS = 256, 240


@dataclass(frozen=True, kw_only=True)
class WatcherArgs:
    """What it reads, starts and tidies."""

    deployment: Deployment
    artifact: Artifact
    log_retention_days: pulumi.Input[int]
    retention_days: pulumi.Input[int]
    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    table_name: pulumi.Input[str]
    table_arn: pulumi.Input[str]
    export_name: pulumi.Input[str]
    export_arn: pulumi.Input[str]
    server_id: pulumi.Input[str]


class Watcher(pulumi.ComponentResource):
    """The watch function, with just the access that it needs."""

    def __init__(self, name: str, args: WatcherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:watcher:Watcher", name, None, opts)
        deployment = args.deployment
        users_arn = pulumi.Output.from_input(args.server_id).apply(
            lambda server_id: deployment.arn("transfer", f"user/{server_id}/*")
        )
        made = Function(
            self,
            name,
            FunctionArgs(
                deployment=deployment,
                artifact=args.artifact,
                purpose="watch",
                access="watch-clients",
                handler=HANDLER,
                memory_mb=MEMORY_MB,
                timeout_seconds=TIMEOUT_SECONDS,
                log_retention_days=args.log_retention_days,
                environment=pulumi.Output.all(
                    stack=deployment.prefix,
                    delivery_bucket=args.bucket_name,
                    ledger_table=args.table_name,
                    ledger_table_arn=args.table_arn,
                    export_function=args.export_name,
                    sftp_server_id=args.server_id,
                    retention_days=pulumi.Output.from_input(args.retention_days).apply(str),
                ).apply(lambda names: WatchSettings.model_validate(names).to_environment()),
                arns={
                    "bucket_arn": args.bucket_arn,
                    "table_arn": args.table_arn,
                    "export_arn": args.export_arn,
                    "users_arn": users_arn,
                },
                rights=partial(
                    watch_policies.watch_clients,
                    roster_prefix=FOLDER,
                    bus_arn=deployment.arn("events", "event-bus/default"),
                ),
            ),
        )
        self.function, self.failures = made.function, made.failures
        self.register_outputs({"function": self.function.name})
