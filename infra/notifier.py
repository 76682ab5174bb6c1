"""The function that sends notices, the queue that feeds it, and the rule that fills it with the stack's events."""

import json
from dataclasses import dataclass
from functools import partial

import pulumi
import pulumi_aws as aws

from infra import watch_policies
from infra.artifact import Artifact
from infra.deployment import Deployment
from infra.function import QUEUE_RETENTION_SECONDS, Function, FunctionArgs, failure_queue
from referral_delivery.agreement.notices import SECRETS
from referral_delivery.settings import NotifySettings
from referral_delivery.watch.events import SOURCE
from referral_delivery.watch.notices import TRIES
from referral_delivery.watch.roster import FOLDER

HANDLER = "referral_delivery.handlers.notify.handler"
MEMORY_MB, TIMEOUT_SECONDS = 256, 60
# A message is hidden for as long as a run and its retries by Lambda may take.
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_SECONDS = 6 * TIMEOUT_SECONDS
# So many runs at once, and no more: notices take no concurrency from the export.
BATCH_SIZE, MOST_AT_ONCE = 10, 5


@dataclass(frozen=True, kw_only=True)
class NotifierArgs:
    """`sender` is the address that mail comes from, an identity of SES; empty sends none."""

    deployment: Deployment
    artifact: Artifact
    log_retention_days: pulumi.Input[int]
    retention_days: int
    sender: str
    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    table_name: pulumi.Input[str]
    table_arn: pulumi.Input[str]


class Notifier(pulumi.ComponentResource):
    """Events of this stack become messages of a queue; what of them cannot be told lies in the function's own queue."""

    def __init__(self, name: str, args: NotifierArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:notifier:Notifier", name, None, opts)
        deployment = args.deployment
        rule_name = queue_name = f"{deployment.prefix}-notices"
        rule_arn = deployment.arn("events", f"rule/{rule_name}")
        self.failures = failure_queue(
            self,
            f"{name}-failures",
            deployment,
            queue_name=f"{deployment.prefix}-notify-failures",
            reporting_rule=rule_arn,
        )
        queue = aws.sqs.Queue(
            f"{name}-queue",
            name=queue_name,
            policy=json.dumps(watch_policies.rule_sends(deployment.arn("sqs", queue_name), rule_arn)),
            message_retention_seconds=QUEUE_RETENTION_SECONDS,
            visibility_timeout_seconds=VISIBILITY_SECONDS,
            redrive_policy=pulumi.Output.json_dumps(
                {"deadLetterTargetArn": self.failures.arn, "maxReceiveCount": TRIES}
            ),
            # A queue takes one of the two.
            sqs_managed_sse_enabled=True if deployment.key_arn is None else None,
            kms_master_key_id=deployment.key_arn,
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        made = Function(
            self,
            name,
            FunctionArgs(
                deployment=deployment,
                artifact=args.artifact,
                purpose="notify",
                access="send-notices",
                handler=HANDLER,
                memory_mb=MEMORY_MB,
                timeout_seconds=TIMEOUT_SECONDS,
                log_retention_days=args.log_retention_days,
                environment=pulumi.Output.all(
                    stack=deployment.prefix,
                    delivery_bucket=args.bucket_name,
                    ledger_table=args.table_name,
                    notices_queue_url=queue.url,
                    notice_sender=args.sender,
                    retention_days=str(args.retention_days),
                ).apply(lambda names: NotifySettings.model_validate(names).to_environment()),
                arns={"bucket_arn": args.bucket_arn, "table_arn": args.table_arn, "queue_arn": queue.arn},
                rights=partial(
                    watch_policies.send_notices,
                    roster_prefix=FOLDER,
                    secrets_arn=deployment.arn("ssm", f"parameter{SECRETS}/*"),
                    sender_arns=[
                        deployment.arn("ses", f"identity/{each}")
                        for each in ((args.sender, args.sender.rpartition("@")[2]) if args.sender else ())
                    ],
                ),
                failures=self.failures,
            ),
        )
        self.function = made.function
        rule = aws.cloudwatch.EventRule(
            f"{name}-rule",
            name=rule_name,
            description="What clients may be told",
            event_pattern=pulumi.Output.json_dumps(
                {"source": [SOURCE], "resources": [pulumi.Output.from_input(args.table_arn)]}
            ),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            f"{name}-target",
            rule=rule.name,
            target_id="notices",
            arn=queue.arn,
            dead_letter_config=aws.cloudwatch.EventTargetDeadLetterConfigArgs(arn=self.failures.arn),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.lambda_.EventSourceMapping(
            f"{name}-messages",
            event_source_arn=queue.arn,
            function_name=self.function.name,
            batch_size=BATCH_SIZE,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=aws.lambda_.EventSourceMappingScalingConfigArgs(maximum_concurrency=MOST_AT_ONCE),
            tags=deployment.tags,
            # Lambda reads the queue with the function's role.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[made.policy]),
        )
        self.register_outputs({"function": self.function.name})
