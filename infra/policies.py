"""IAM policies as pure functions from ARNs to documents, one verb each."""

from typing import Any

Policy = dict[str, Any]
Statement = dict[str, Any]

VERSION = "2012-10-17"


def document(*statements: dict[str, Any]) -> Policy:
    """A policy document of these statements."""
    return {"Version": VERSION, "Statement": list(statements)}


def allow(sid: str, actions: list[str], *resources: str, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    """One Allow statement."""
    statement: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": list(resources),
    }
    return statement | ({"Condition": condition} if condition else {})


# The role itself cannot use the key on what it has got hold of elsewhere.
# https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
def via(*services: str) -> dict[str, Any]:
    """The condition that a key is used through these services."""
    return {"StringLike": {"kms:ViaService": [f"{service}.*.amazonaws.com*" for service in services]}}


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html#transit
def tls_only(bucket_arn: str) -> Statement:
    """A bucket policy's statement: whoever does not use TLS is refused."""
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html#grant-log-delivery-permissions-general
def access_logs_arrive(log_bucket_arn: str, source_arns: list[str], *, account_id: str) -> Statement:
    """A bucket policy's statement: S3 may put the access logs of these buckets of this account."""
    return {
        "Sid": "AccessLogsArrive",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{log_bucket_arn}/*",
        "Condition": {
            "ArnLike": {"aws:SourceArn": source_arns},
            "StringEquals": {"aws:SourceAccount": account_id},
        },
    }


def trust(service: str, *, account_id: str, source_arn: str) -> Policy:
    """Trust policy: the service may assume the role for one source of this account."""
    return _trust(
        service,
        {
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account_id},
                "ArnLike": {"aws:SourceArn": source_arn},
            }
        },
    )


# Lambda's page shows no condition, and nothing says that Lambda sends a source: one that it does not send would end
# the first deployment. https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
def function_trust() -> Policy:
    """Trust policy of the function's role: whoever may pass the role to a function decides."""
    return _trust("lambda.amazonaws.com", {})


def _trust(service: str, condition: dict[str, Any]) -> Policy:
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"} | condition)


# A user's role is assumed in the context of the *user*; with `server/*` nobody could log in.
# https://docs.aws.amazon.com/transfer/latest/userguide/confused-deputy.html
def transfer_user_trust(account_id: str, users_arn: str) -> Policy:
    """Trust policy of a client's role; `users_arn` is `…:user/<server-id>/*`."""
    return trust("transfer.amazonaws.com", account_id=account_id, source_arn=users_arn)


# https://docs.aws.amazon.com/transfer/latest/userguide/users-policies.html
def read_own_folder(bucket_arn: str, folder: str, key_arn: str | None) -> Policy:
    """A client's access: list its own prefix and get its own objects, nothing else."""
    statements = [
        allow(
            "ListOwnFolder",
            ["s3:ListBucket"],
            bucket_arn,
            condition={"StringLike": {"s3:prefix": [folder, f"{folder}/", f"{folder}/*"]}},
        ),
        allow("GetOwnFiles", ["s3:GetObject"], f"{bucket_arn}/{folder}/*"),
    ]
    if key_arn:
        statements.append(allow("DecryptOwnFiles", ["kms:Decrypt"], key_arn, condition=via("s3")))
    return document(*statements)


def export_referrals(
    *,
    lake_arn: str,
    lake_prefix: str,
    lake_kms_key_arn: str | None,
    bucket_arn: str,
    downloads_prefix: str,
    table_arn: str,
    log_group_arn: str,
    failure_queue_arn: str,
    signing_secret_arn: str | None,
    key_arn: str | None,
) -> Policy:
    """The function's access: read the lake, write downloads, keep the ledger, sign, log, and report failures."""
    statements = [
        allow(
            "ListLake",
            ["s3:ListBucket"],
            lake_arn,
            condition={"StringLike": {"s3:prefix": [f"{lake_prefix}/*"]}},
        ),
        allow("ReadLake", ["s3:GetObject"], f"{lake_arn}/{lake_prefix}/*"),
        allow(
            "WriteDownloads",
            ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"],
            f"{bucket_arn}/{downloads_prefix}/*",
        ),
        # HeadObject of a missing key answers 404 only to a caller that may list, else 403.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
        allow(
            "SeeDownloads",
            ["s3:ListBucket"],
            bucket_arn,
        ),
        allow(
            "KeepLedger",
            ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            table_arn,
        ),
        allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:*"),
        allow("ReportFailures", ["sqs:SendMessage"], failure_queue_arn),
    ]
    if signing_secret_arn:
        statements.append(allow("ReadSigningKey", ["secretsmanager:GetSecretValue"], signing_secret_arn))
    if key_arn:
        # Multipart uploads decrypt as well, and so does sending to a queue; the ledger opens with its caller's right.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
        statements.append(
            allow(
                "UseStacksKey",
                ["kms:GenerateDataKey", "kms:Decrypt"],
                key_arn,
                condition=via("s3", "dynamodb", "sqs", *(["secretsmanager"] if signing_secret_arn else [])),
            )
        )
    if lake_kms_key_arn:
        statements.append(allow("DecryptLake", ["kms:Decrypt"], lake_kms_key_arn, condition=via("s3")))
    return document(*statements)


# The role authorises the call; a Lambda resource policy plays no part.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
def start_functions(function_arns: list[str], dlq_arn: str, key_arn: str | None) -> Policy:
    """The schedules' access: invoke the functions, and say where that failed."""
    statements = [
        allow("InvokeFunctions", ["lambda:InvokeFunction"], *function_arns),
        allow("ReportFailures", ["sqs:SendMessage"], dlq_arn),
    ]
    if key_arn:
        # For the queue, and for the schedule itself, which Scheduler decrypts with this role when it is due.
        # https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
        statements.append(allow("UseStacksKey", ["kms:GenerateDataKey", "kms:Decrypt"], key_arn))
    return document(*statements)


def stack_key(account_id: str, *, root_arn: str, logs: str, log_group_arns: list[str]) -> Policy:
    """The policy of the stack's key: the account's roles as IAM allows them, and what acts in its own name."""
    return document(
        # https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam
        {
            "Sid": "IamDecides",
            "Effect": "Allow",
            "Principal": {"AWS": root_arn},
            "Action": "kms:*",
            "Resource": "*",
        },
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        {
            "Sid": "LogGroups",
            "Effect": "Allow",
            "Principal": {"Service": logs},
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_group_arns}},
        },
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
        {
            "Sid": "AlarmsPublish",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
        },
        # A rule's failed events go to a queue that lies under the key.
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html#compatibility-with-aws-services
        {
            "Sid": "RulesReportFailures",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
        },
    )


# https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
def alarms_may_publish(topic_arn: str, *, account_id: str, alarms_arn: str) -> Policy:
    """Topic policy: this account's CloudWatch alarms may publish; `alarms_arn` is `…:alarm:*`."""
    return document(
        {
            "Sid": "AlarmsPublish",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account_id},
                "ArnLike": {"aws:SourceArn": alarms_arn},
            },
        }
    )
