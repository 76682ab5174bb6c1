"""The rights of whoever deploys: per type of resource the IAM actions that its provider calls, in one policy.

`python -m infra.deployer > docs/deployer-policy.json`; from the services' API references, not tried on an account.
"""

import json

from infra.policies import Policy, allow, document

_TAGS = ("ListTagsForResource", "TagResource", "UntagResource")
_QUEUE_TAGS = ("ListQueueTags", "TagQueue", "UntagQueue")
# What is set on a bucket, of which the provider reads all; in one word, because a policy has its limit.
_BUCKET_READS = (
    "GetBucket*",
    "GetAccelerateConfiguration",
    "GetEncryptionConfiguration",
    "GetLifecycleConfiguration",
    "GetReplicationConfiguration",
)

# Type of resource → service, and the actions that create, read, change and delete one.
ACTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "aws:s3/bucket:Bucket": (
        "s3",
        # The last three empty a trial stack's bucket before it is deleted.
        (
            "CreateBucket",
            "DeleteBucket",
            "PutBucketTagging",
            *_BUCKET_READS,
            *_TAGS,
            "ListBucket",
            "ListBucketVersions",
            "DeleteObject",
        ),
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        "s3",
        ("GetLifecycleConfiguration", "PutLifecycleConfiguration"),
    ),
    "aws:s3/bucketLogging:BucketLogging": ("s3", ("GetBucket*", "PutBucketLogging")),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (
        "s3",
        ("GetBucket*", "PutBucketOwnershipControls"),
    ),
    "aws:s3/bucketPolicy:BucketPolicy": ("s3", ("DeleteBucketPolicy", "GetBucket*", "PutBucketPolicy")),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        "s3",
        ("GetBucket*", "PutBucketPublicAccessBlock"),
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "s3",
        ("GetEncryptionConfiguration", "PutEncryptionConfiguration"),
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": (
        "s3",
        ("DeleteObject", "GetObject", "GetObjectTagging", "PutObject"),
    ),
    "aws:dynamodb/table:Table": (
        "dynamodb",
        (
            "CreateTable",
            "DeleteTable",
            "DescribeTable",
            "UpdateTable",
            "ListTagsOfResource",
            "TagResource",
            "UntagResource",
            "DescribeContinuousBackups",
            "UpdateContinuousBackups",
            "DescribeTimeToLive",
        ),
    ),
    "aws:iam/role:Role": (
        "iam",
        (
            "CreateRole",
            "DeleteRole",
            "GetRole",
            "UpdateRole",
            "UpdateRoleDescription",
            "UpdateAssumeRolePolicy",
            "TagRole",
            "UntagRole",
            "ListRolePolicies",
            "ListAttachedRolePolicies",
            "ListInstanceProfilesForRole",
            "PutRolePermissionsBoundary",
            "DeleteRolePermissionsBoundary",
        ),
    ),
    "aws:iam/rolePolicy:RolePolicy": ("iam", ("DeleteRolePolicy", "GetRolePolicy", "PutRolePolicy")),
    "aws:lambda/function:Function": (
        "lambda",
        (
            "CreateFunction",
            "DeleteFunction",
            "GetFunction",
            "GetFunctionCodeSigningConfig",
            "ListVersionsByFunction",
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
            "PutFunctionConcurrency",
            "DeleteFunctionConcurrency",
            "ListTags",
            "TagResource",
            "UntagResource",
        ),
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": (
        "lambda",
        ("DeleteFunctionEventInvokeConfig", "GetFunctionEventInvokeConfig", "PutFunctionEventInvokeConfig"),
    ),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        "lambda",
        (
            "CreateEventSourceMapping",
            "DeleteEventSourceMapping",
            "GetEventSourceMapping",
            "UpdateEventSourceMapping",
            "ListTags",
            "TagResource",
            "UntagResource",
        ),
    ),
    "aws:lambda/permission:Permission": ("lambda", ("AddPermission", "GetPolicy", "RemovePermission")),
    "aws:cloudwatch/eventRule:EventRule": (
        "events",
        ("DeleteRule", "DescribeRule", "PutRule", *_TAGS),
    ),
    "aws:cloudwatch/eventTarget:EventTarget": ("events", ("ListTargetsByRule", "PutTargets", "RemoveTargets")),
    "aws:cloudwatch/logGroup:LogGroup": (
        "logs",
        (
            "AssociateKmsKey",
            "CreateLogGroup",
            "DeleteLogGroup",
            "DisassociateKmsKey",
            "PutRetentionPolicy",
            "DeleteRetentionPolicy",
            *_TAGS,
        ),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch", ("DeleteAlarms", "PutMetricAlarm", *_TAGS)),
    "aws:cloudwatch/dashboard:Dashboard": ("cloudwatch", ("DeleteDashboards", "GetDashboard", "PutDashboard")),
    "aws:sns/topic:Topic": (
        "sns",
        ("CreateTopic", "DeleteTopic", "GetTopicAttributes", "SetTopicAttributes", *_TAGS),
    ),
    "aws:sns/topicPolicy:TopicPolicy": ("sns", ("GetTopicAttributes", "SetTopicAttributes")),
    "aws:sns/topicSubscription:TopicSubscription": (
        "sns",
        ("GetSubscriptionAttributes", "SetSubscriptionAttributes", "Subscribe", "Unsubscribe"),
    ),
    "aws:sqs/queue:Queue": (
        "sqs",
        ("CreateQueue", "DeleteQueue", "GetQueueAttributes", "GetQueueUrl", "SetQueueAttributes", *_QUEUE_TAGS),
    ),
    "aws:scheduler/scheduleGroup:ScheduleGroup": (
        "scheduler",
        ("CreateScheduleGroup", "DeleteScheduleGroup", "GetScheduleGroup", *_TAGS),
    ),
    "aws:scheduler/schedule:Schedule": (
        "scheduler",
        ("CreateSchedule", "DeleteSchedule", "GetSchedule", "UpdateSchedule"),
    ),
    "aws:transfer/server:Server": (
        "transfer",
        ("CreateServer", "DeleteServer", "DescribeServer", "UpdateServer", "StartServer", "StopServer", *_TAGS),
    ),
    "aws:transfer/hostKey:HostKey": (
        "transfer",
        ("DeleteHostKey", "DescribeHostKey", "ImportHostKey", "UpdateHostKey", *_TAGS),
    ),
    "aws:transfer/user:User": ("transfer", ("CreateUser", "DeleteUser", "DescribeUser", "UpdateUser", *_TAGS)),
    "aws:transfer/sshKey:SshKey": ("transfer", ("DeleteSshPublicKey", "DescribeUser", "ImportSshPublicKey")),
    "aws:kms/key:Key": (
        "kms",
        (
            "CreateKey",
            "DescribeKey",
            "EnableKeyRotation",
            "DisableKeyRotation",
            "GetKeyPolicy",
            "GetKeyRotationStatus",
            "PutKeyPolicy",
            "ScheduleKeyDeletion",
            "UpdateKeyDescription",
            "ListResourceTags",
            "TagResource",
            "UntagResource",
            "CreateGrant",
            "Decrypt",
            "GenerateDataKey",
        ),
    ),
    "aws:kms/alias:Alias": ("kms", ("CreateAlias", "DeleteAlias", "ListAliases", "UpdateAlias")),
}

# Whatever is named begins with "<project>-<stack>"; servers, their users and KMS keys have ids of AWS's making.
_RESOURCES = {
    "s3": ["arn:aws:s3:::{project}-*"],
    "dynamodb": ["arn:aws:dynamodb:*:{account}:table/{project}-*"],
    "iam": ["arn:aws:iam::{account}:role/{project}-*"],
    # What feeds a function has an id of AWS's making.
    "lambda": [
        "arn:aws:lambda:*:{account}:function:{project}-*",
        "arn:aws:lambda:*:{account}:event-source-mapping:*",
    ],
    "logs": [
        "arn:aws:logs:*:{account}:log-group:/aws/lambda/{project}-*",
        "arn:aws:logs:*:{account}:log-group:/aws/transfer/{project}-*",
    ],
    "cloudwatch": [
        "arn:aws:cloudwatch:*:{account}:alarm:{project}-*",
        "arn:aws:cloudwatch::{account}:dashboard/{project}-*",
    ],
    "events": ["arn:aws:events:*:{account}:rule/{project}-*"],
    "sns": ["arn:aws:sns:*:{account}:{project}-*"],
    "sqs": ["arn:aws:sqs:*:{account}:{project}-*"],
    "scheduler": [
        "arn:aws:scheduler:*:{account}:schedule-group/{project}-*",
        "arn:aws:scheduler:*:{account}:schedule/{project}-*",
    ],
    "transfer": ["arn:aws:transfer:*:{account}:*"],
    "kms": ["*"],
}

# Actions that AWS checks on no resource of a name.
_UNNAMED = {
    "cloudwatch:DescribeAlarms",
    "logs:DescribeLogGroups",
    # A server with structured logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
    *(f"logs:{action}LogDelivery" for action in ("Create", "Delete", "Get", "Update")),
    "logs:DescribeResourcePolicies",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
}

# Services that are handed a role, which the deployer must be allowed to pass to them.
_ROLES_OF = ["lambda.amazonaws.com", "scheduler.amazonaws.com", "transfer.amazonaws.com"]


def policy(*, account: str, project: str) -> Policy:
    """What deploys every stack of a project in an account."""
    needed: dict[str, set[str]] = {}
    for service, actions in ACTIONS.values():
        needed.setdefault(service, set()).update(f"{service}:{action}" for action in actions)
    return document(
        *(
            allow(
                service.capitalize(),
                sorted(actions),
                *(resource.format(account=account, project=project) for resource in _RESOURCES[service]),
            )
            for service, actions in sorted(needed.items())
        ),
        allow(
            "PassRoles",
            ["iam:PassRole"],
            *(resource.format(account=account, project=project) for resource in _RESOURCES["iam"]),
            condition={"StringEquals": {"iam:PassedToService": _ROLES_OF}},
        ),
        allow("Unnamed", sorted(_UNNAMED), "*"),
    )


if __name__ == "__main__":
    print(json.dumps(policy(account="ACCOUNT", project="referrals"), indent=2))
