"""A function of the stack's zip: its role and rights, its log group, and the queue of what failed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import policies, watch_policies
from infra.artifact import Artifact
from infra.deployment import Deployment

RUNTIME, ARCHITECTURE = "python3.13", "arm64"
# Lambda's own retries of an event whose run failed; after them it goes to the failure queue.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
RETRIES = 2
MAX_EVENT_AGE_SECONDS = 6 * 60 * 60
# The most that SQS allows, so that a failure is still there after a holiday.
QUEUE_RETENTION_SECONDS = 14 * 24 * 60 * 60


@dataclass(frozen=True, kw_only=True)
class FunctionArgs:
    """What a function is; `memory_mb` also decides the CPU, and no `concurrency` reserves none.

    `purpose` ends its name, and names its policy with `access`; `rights` makes the policy from what `arns` resolve to,
    `log_group_arn`, `failure_queue_arn` and `key_arn`. `reporting_rule` is the ARN of an EventBridge rule that may send
    to its failure queue too; `failures` is that queue where it is made already.
    """

    deployment: Deployment
    artifact: Artifact
    purpose: str
    access: str
    handler: str
    memory_mb: pulumi.Input[int]
    timeout_seconds: int
    log_retention_days: pulumi.Input[int]
    environment: pulumi.Input[dict[str, str]]
    arns: dict[str, pulumi.Input[str | None]]
    rights: Callable[..., policies.Policy]
    ephemeral_mb: pulumi.Input[int] | None = None
    concurrency: pulumi.Input[int] | None = None
    reporting_rule: str | None = None
    failures: aws.sqs.Queue | None = None


class Function:
    """The resources of a function, as children of the component that it belongs to."""

    def __init__(self, parent: pulumi.ComponentResource, name: str, args: FunctionArgs) -> None:
        deployment, child = args.deployment, pulumi.ResourceOptions(parent=parent)
        function_name = f"{deployment.prefix}-{args.purpose}"
        self.failures = args.failures or failure_queue(
            parent,
            f"{name}-failures",
            deployment,
            queue_name=f"{function_name}-failures",
            reporting_rule=args.reporting_rule,
        )
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/lambda/{function_name}",
            retention_in_days=args.log_retention_days,
            kms_key_id=deployment.key_arn,
            tags=deployment.tags,
            opts=child,
        )
        role = deployment.role(
            f"{name}-role", function_name, trust=json.dumps(policies.function_trust()), parent=parent
        )
        arns: dict[str, Any] = {
            **args.arns,
            "log_group_arn": logs.arn,
            "failure_queue_arn": self.failures.arn,
            "key_arn": deployment.key_arn,
        }
        # Whoever starts the function waits for its rights.
        self.policy = aws.iam.RolePolicy(
            f"{name}-policy",
            name=args.access,
            role=role.name,
            policy=pulumi.Output.json_dumps(pulumi.Output.all(**arns).apply(lambda found: args.rights(**found))),
            opts=child,
        )
        ephemeral = args.ephemeral_mb
        self.function = aws.lambda_.Function(
            f"{name}-function",
            name=function_name,
            role=role.arn,
            runtime=RUNTIME,
            architectures=[ARCHITECTURE],
            handler=args.handler,
            code=pulumi.FileArchive(str(args.artifact.path)),
            memory_size=args.memory_mb,
            ephemeral_storage=aws.lambda_.FunctionEphemeralStorageArgs(size=ephemeral) if ephemeral else None,
            reserved_concurrent_executions=args.concurrency,
            timeout=args.timeout_seconds,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=args.environment),
            kms_key_arn=deployment.key_arn,
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="Text", log_group=logs.name),
            tags=deployment.tags,
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
            opts=pulumi.ResourceOptions(parent=parent, depends_on=[self.policy]),
        )


def failure_queue(
    parent: pulumi.ComponentResource,
    name: str,
    deployment: Deployment,
    *,
    queue_name: str,
    reporting_rule: str | None = None,
) -> aws.sqs.Queue:
    """A standard queue that keeps what failed as long as SQS can; a rule (ARN) may report to it."""
    policy = watch_policies.rule_reports_failures(deployment.arn("sqs", queue_name), reporting_rule or "")
    return aws.sqs.Queue(
        name,
        name=queue_name,
        policy=json.dumps(policy) if reporting_rule else None,
        message_retention_seconds=QUEUE_RETENTION_SECONDS,
        # A queue takes one of the two.
        sqs_managed_sse_enabled=True if deployment.key_arn is None else None,
        kms_master_key_id=deployment.key_arn,
        tags=deployment.tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
