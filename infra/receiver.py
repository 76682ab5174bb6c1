"""The function that takes receipts, and the rule that hands it what the SFTP server tells of fetches."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import watch_policies
from infra.artifact import Artifact
from infra.deployment import Deployment
from infra.function import Function, FunctionArgs
from referral_delivery.settings import ReceiverSettings
from referral_delivery.watch.receipts import COMPLETED, FAILED, SOURCE

HANDLER = "referral_delivery.handlers.receive.handler"
MEMORY_MB, TIMEOUT_SECONDS = 256, 30
# Retries of the call to Lambda, not of a run: a receipt that comes a day later is still one.
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
RETRIES, MAX_EVENT_AGE_SECONDS = 185, 24 * 60 * 60


@dataclass(frozen=True, kw_only=True)
class ReceiverArgs:
    """`server_id` is the SFTP server's, whose fetches count."""

    deployment: Deployment
    artifact: Artifact
    log_retention_days: pulumi.Input[int]
    retention_days: int
    server_id: pulumi.Input[str]
    bucket_name: pulumi.Input[str]
    table_name: pulumi.Input[str]
    table_arn: pulumi.Input[str]


class Receiver(pulumi.ComponentResource):
    """The receipts' function, called by events of one server, with just the access that it needs."""

    def __init__(self, name: str, args: ReceiverArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:receiver:Receiver", name, None, opts)
        deployment, child = args.deployment, pulumi.ResourceOptions(parent=self)
        rule_name = f"{deployment.prefix}-fetches"
        made = Function(
            self,
            name,
            FunctionArgs(
                deployment=deployment,
                artifact=args.artifact,
                purpose="receive",
                access="take-receipts",
                handler=HANDLER,
                memory_mb=MEMORY_MB,
                timeout_seconds=TIMEOUT_SECONDS,
                log_retention_days=args.log_retention_days,
                environment=pulumi.Output.all(
                    stack=deployment.prefix,
                    delivery_bucket=args.bucket_name,
                    ledger_table=args.table_name,
                    retention_days=str(args.retention_days),
                ).apply(lambda values: ReceiverSettings.model_validate(values).to_environment()),
                arns={"table_arn": args.table_arn},
                rights=watch_policies.take_receipts,
                reporting_rule=deployment.arn("events", f"rule/{rule_name}"),
            ),
        )
        self.function, self.failures = made.function, made.failures
        rule = aws.cloudwatch.EventRule(
            f"{name}-rule",
            name=rule_name,
            description="Fetches of the SFTP server's clients",
            event_pattern=pulumi.Output.from_input(args.server_id).apply(_pattern),
            tags=deployment.tags,
            opts=child,
        )
        permission = aws.lambda_.Permission(
            f"{name}-permission",
            statement_id="FetchesAreTold",
            action="lambda:InvokeFunction",
            function=self.function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=child,
        )
        aws.cloudwatch.EventTarget(
            f"{name}-target",
            rule=rule.name,
            target_id="receive",
            arn=self.function.arn,
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=MAX_EVENT_AGE_SECONDS, maximum_retry_attempts=RETRIES
            ),
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(arn=self.failures.arn),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )
        self.register_outputs({"function": self.function.name})


# https://docs.aws.amazon.com/transfer/latest/userguide/event-detail-server-events.html
def _pattern(server_id: str) -> str:
    return json.dumps({"source": [SOURCE], "detail-type": [COMPLETED, FAILED], "detail": {"server-id": [server_id]}})
