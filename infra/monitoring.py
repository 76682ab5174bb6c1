"""Alarms with an action each, and the dashboard: what did not reach a client must reach a person."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import dashboard, policies
from infra.alarms import Alarm, Watched, alarms
from infra.deployment import Deployment

PERIOD_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """`email` is subscribed to the topic, and must confirm the mail that AWS sends; `topic_arn` is one that exists."""

    deployment: Deployment
    watched: Watched
    email: pulumi.Input[str] | None
    topic_arn: str | None


class Monitoring(pulumi.ComponentResource):
    """A topic, the alarms that publish to it, and a dashboard of the same."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:monitoring:Monitoring", name, None, opts)
        self._name, self._args = name, args
        self.topic_arn: pulumi.Output[str] = (
            pulumi.Output.from_input(args.topic_arn) if args.topic_arn else self._topic().arn
        )
        made = [self._alarm(each) for each in alarms(args.watched)]
        deployment, watched = args.deployment, args.watched
        aws.cloudwatch.Dashboard(
            f"{name}-dashboard",
            dashboard_name=deployment.prefix,
            dashboard_body=pulumi.Output.json_dumps(
                pulumi.Output.all(
                    alarm_arns=[alarm.arn for alarm in made],
                    functions={"export": watched.export, "watch": watched.watch},
                    queues=watched.queues,
                    schedule_group=watched.schedule_group,
                ).apply(lambda found: dashboard.body(deployment.prefix, deployment.region, **found))
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"topic": self.topic_arn})

    def _topic(self) -> aws.sns.Topic:
        """The stack's own topic, with its policy and its subscriber."""
        name, deployment = self._name, self._args.deployment
        child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(
            f"{name}-topic",
            name=f"{deployment.prefix}-alarms",
            # Not SNS's own key where none is given: alarms may not use that one, and would tell nobody.
            # https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
            kms_master_key_id=deployment.key_arn,
            tags=deployment.tags,
            opts=child,
        )
        aws.sns.TopicPolicy(
            f"{name}-topic-policy",
            arn=topic.arn,
            policy=pulumi.Output.json_dumps(
                topic.arn.apply(
                    lambda arn: policies.alarms_may_publish(
                        arn, account_id=deployment.account_id, alarms_arn=deployment.arn("cloudwatch", "alarm:*")
                    )
                )
            ),
            opts=child,
        )
        if self._args.email:
            aws.sns.TopicSubscription(
                f"{name}-email", topic=topic.arn, protocol="email", endpoint=self._args.email, opts=child
            )
        return topic

    def _alarm(self, alarm: Alarm) -> aws.cloudwatch.MetricAlarm:
        return aws.cloudwatch.MetricAlarm(
            f"{self._name}-{alarm.name}",
            name=f"{self._args.deployment.prefix}-{alarm.name}",
            alarm_description=alarm.description,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=dict(alarm.dimensions),
            statistic=alarm.statistic,
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            period=PERIOD_SECONDS,
            evaluation_periods=alarm.periods,
            treat_missing_data=alarm.missing,
            alarm_actions=[self.topic_arn],
            ok_actions=[self.topic_arn],
            tags=self._args.deployment.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
