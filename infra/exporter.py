"""The function that makes deliveries, with its role, log group and failure queue."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policies
from infra.artifact import Artifact
from referral_delivery.export import DOWNLOADS
from referral_delivery.lake import PREFIX
from referral_delivery.settings import Settings

HANDLER = "referral_delivery.handlers.export.handler"
RUNTIME, ARCHITECTURE = "python3.13", "arm64"
# The most that Lambda allows; a delivery that takes longer needs more memory, hence CPU.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
TIMEOUT_SECONDS = 900
# Lambda's own retries of an event whose run failed; after them it goes to the failure queue.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
RETRIES = 2
MAX_EVENT_AGE_SECONDS = 6 * 60 * 60
# The most that SQS allows, so that a failure is still there after a holiday.
QUEUE_RETENTION_SECONDS = 14 * 24 * 60 * 60


@dataclass(frozen=True, kw_only=True)
class ExporterArgs:
    """`memory_mb` also decides the CPU, and DuckDB's limits (query.py)."""

    prefix: str
    artifact: Artifact
    memory_mb: int
    log_retention_days: int
    account_id: str
    lake_name: pulumi.Output[str]
    lake_arn: pulumi.Output[str]
    bucket_name: pulumi.Output[str]
    bucket_arn: pulumi.Output[str]
    table_name: pulumi.Output[str]
    table_arn: pulumi.Output[str]
    kms_key_arn: str | None
    tags: dict[str, str]


class Exporter(pulumi.ComponentResource):
    """The export function, with just the access that it needs."""

    def __init__(self, name: str, args: ExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:exporter:Exporter", name, None, opts)
        child, function_name = pulumi.ResourceOptions(parent=self), f"{args.prefix}-export"
        self.failures = failure_queue(f"{name}-failures", f"{args.prefix}-export-failures", self, args.tags)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/lambda/{function_name}",
            retention_in_days=args.log_retention_days,
            tags=args.tags,
            opts=child,
        )
        role, policy = self._role(name, args, logs)
        self.function = aws.lambda_.Function(
            f"{name}-function",
            name=function_name,
            role=role.arn,
            runtime=RUNTIME,
            architectures=[ARCHITECTURE],
            handler=HANDLER,
            code=pulumi.FileArchive(str(args.artifact.path)),
            memory_size=args.memory_mb,
            timeout=TIMEOUT_SECONDS,
            environment=aws.lambda_.FunctionEnvironmentArgs(
                variables=pulumi.Output.all(
                    lake_bucket=args.lake_name, delivery_bucket=args.bucket_name, ledger_table=args.table_name
                ).apply(lambda names: Settings.model_validate(names).to_environment())
            ),
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="Text", log_group=logs.name),
            tags=args.tags,
            opts=child,
        )
        aws.lambda_.FunctionEventInvokeConfig(
            f"{name}-retries",
            function_name=self.function.name,
            maximum_retry_attempts=RETRIES,
            maximum_event_age_in_seconds=MAX_EVENT_AGE_SECONDS,
            destination_config=aws.lambda_.FunctionEventInvokeConfigDestinationConfigArgs(
                on_failure=aws.lambda_.FunctionEventInvokeConfigDestinationConfigOnFailureArgs(
                    destination=self.failures.arn
                )
            ),
            # Lambda refuses a destination that the role may not send to yet.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.register_outputs({"function": self.function.name})

    def _role(
        self, name: str, args: ExporterArgs, logs: aws.cloudwatch.LogGroup
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        """The function's role, and the policy that gives it its rights."""
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-role",
            name=f"{args.prefix}-export",
            # Lambda assumes the role before the function exists, so the account is all that can be asked for.
            assume_role_policy=pulumi.Output.json_dumps(
                policies.trust("lambda.amazonaws.com", account_id=args.account_id)
            ),
            tags=args.tags,
            opts=child,
        )
        statements = pulumi.Output.all(
            lake_arn=args.lake_arn,
            bucket_arn=args.bucket_arn,
            table_arn=args.table_arn,
            log_group_arn=logs.arn,
            failure_queue_arn=self.failures.arn,
        ).apply(
            lambda arns: policies.export_referrals(
                **arns, lake_prefix=PREFIX, downloads_prefix=DOWNLOADS, kms_key_arn=args.kms_key_arn
            )
        )
        policy = aws.iam.RolePolicy(
            f"{name}-policy",
            name="export-referrals",
            role=role.name,
            policy=pulumi.Output.json_dumps(statements),
            opts=child,
        )
        return role, policy


def failure_queue(name: str, queue_name: str, parent: pulumi.ComponentResource, tags: dict[str, str]) -> aws.sqs.Queue:
    """A standard queue that keeps what failed as long as SQS can."""
    return aws.sqs.Queue(
        name,
        name=queue_name,
        message_retention_seconds=QUEUE_RETENTION_SECONDS,
        sqs_managed_sse_enabled=True,
        tags=tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
