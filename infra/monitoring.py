"""Alarms, each with an action: what did not reach a client must reach a person."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policies

PERIOD_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """`email` is subscribed to the topic; it must confirm the mail that AWS sends."""

    prefix: str
    account_id: str
    region: str
    function_name: pulumi.Output[str]
    failure_queue_name: pulumi.Output[str]
    schedule_dlq_name: pulumi.Output[str]
    email: str | None
    tags: dict[str, str]


class Monitoring(pulumi.ComponentResource):
    """A topic, and the alarms that publish to it."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:monitoring:Monitoring", name, None, opts)
        self._name, self._args = name, args
        child = pulumi.ResourceOptions(parent=self)
        self.topic = aws.sns.Topic(f"{name}-topic", name=f"{args.prefix}-alarms", tags=args.tags, opts=child)
        aws.sns.TopicPolicy(
            f"{name}-topic-policy",
            arn=self.topic.arn,
            policy=pulumi.Output.json_dumps(
                self.topic.arn.apply(lambda arn: policies.alarms_may_publish(arn, args.account_id, args.region))
            ),
            opts=child,
        )
        if args.email:
            aws.sns.TopicSubscription(
                f"{name}-email", topic=self.topic.arn, protocol="email", endpoint=args.email, opts=child
            )
        self._alarm(
            "failure-queue",
            "A delivery failed after its retries: read the queue, mend the cause, `referralctl deliver CLIENT`",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": args.failure_queue_name},
            statistic="Maximum",
        )
        self._alarm(
            "schedule-dlq",
            "A schedule could not invoke the function: read the queue for the reason",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": args.schedule_dlq_name},
            statistic="Maximum",
        )
        self._alarm(
            "function-errors",
            "A run of the export function failed; Lambda retries it twice",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions={"FunctionName": args.function_name},
            statistic="Sum",
        )
        self.register_outputs({"topic": self.topic.arn})

    def _alarm(
        self,
        suffix: str,
        description: str,
        *,
        namespace: str,
        metric: str,
        dimensions: dict[str, pulumi.Output[str]],
        statistic: str,
    ) -> None:
        aws.cloudwatch.MetricAlarm(
            f"{self._name}-{suffix}",
            name=f"{self._args.prefix}-{suffix}",
            alarm_description=description,
            namespace=namespace,
            metric_name=metric,
            dimensions=dimensions,
            statistic=statistic,
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            period=PERIOD_SECONDS,
            evaluation_periods=1,
            # An idle queue or function reports nothing, which is no alarm.
            treat_missing_data="notBreaching",
            alarm_actions=[self.topic.arn],
            ok_actions=[self.topic.arn],
            tags=self._args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
