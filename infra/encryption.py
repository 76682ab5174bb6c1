"""Under which key the stack's data lies: AWS's own keys, a key of the stack, or a given one."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policies
from infra.deployment import Deployment

# Deleting a key deletes what lies under it: production keeps the longest time to change one's mind, a trial the least.
# https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
DELETION_WINDOW_DAYS, TRIAL_DELETION_WINDOW_DAYS = 30, 7


@dataclass(frozen=True, kw_only=True)
class StackKeyArgs:
    """A protected key is kept by a deployment, and its deletion takes the longest that KMS allows."""

    deployment: Deployment
    protect: bool


class StackKey(pulumi.ComponentResource):
    """A KMS key of the stack's own, rotated every year.

    What acts with a role of this account (S3, DynamoDB, SQS, Lambda, Scheduler) needs the role's right alone; what acts
    in its own name (CloudWatch, its logs) stands in the key's policy.
    """

    def __init__(self, name: str, args: StackKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:encryption:StackKey", name, None, opts)
        deployment = args.deployment
        self.key = aws.kms.Key(
            f"{name}-key",
            description=f"All that {deployment.prefix} stores",
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_WINDOW_DAYS if args.protect else TRIAL_DELETION_WINDOW_DAYS,
            policy=json.dumps(self._policy(deployment)),
            tags=deployment.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{deployment.prefix}",
            target_key_id=self.key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"key": self.key.arn})

    def _policy(self, deployment: Deployment) -> policies.Policy:
        groups = (f"/aws/lambda/{deployment.prefix}-*", f"/aws/transfer/{deployment.prefix}")
        return policies.stack_key(
            deployment.account_id,
            root_arn=f"arn:{deployment.partition}:iam::{deployment.account_id}:root",
            # https://docs.amazonaws.cn/en_us/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
            logs=f"logs.{deployment.region}.amazonaws.com{'.cn' if deployment.partition == 'aws-cn' else ''}",
            log_group_arns=[deployment.arn("logs", f"log-group:{group}") for group in groups],
        )


def key_arn(setting: str, args: StackKeyArgs) -> pulumi.Input[str] | None:
    """The key that the setting `encryption` means, made where it is to be; None is each service's own."""
    match setting:
        case "aws":
            return None
        case "stack":
            return StackKey("encryption", args).key.arn
        case arn:
            return arn
