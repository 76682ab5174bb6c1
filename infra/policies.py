"""IAM policies as pure functions from ARNs to documents, one verb each."""

from typing import Any

Policy = dict[str, Any]

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


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html#transit
def tls_only(bucket_arn: str) -> Policy:
    """Bucket policy: whoever does not use TLS is refused."""
    return document(
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket_arn, f"{bucket_arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def trust(service: str, *, account_id: str, source_arn: str | None = None) -> Policy:
    """Trust policy: the service may assume the role for this account only, and for one source if it names it."""
    condition: dict[str, Any] = {"StringEquals": {"aws:SourceAccount": account_id}}
    if source_arn:
        condition["ArnLike"] = {"aws:SourceArn": source_arn}
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": condition,
        }
    )


# A user's role is assumed in the context of the *user*; with `server/*` nobody could log in.
# https://docs.aws.amazon.com/transfer/latest/userguide/confused-deputy.html
def transfer_user_trust(account_id: str, region: str, server_id: str) -> Policy:
    """Trust policy of a client's role."""
    return trust(
        "transfer.amazonaws.com",
        account_id=account_id,
        source_arn=f"arn:aws:transfer:{region}:{account_id}:user/{server_id}/*",
    )


# https://docs.aws.amazon.com/transfer/latest/userguide/users-policies.html
def read_own_folder(bucket_arn: str, folder: str, kms_key_arn: str | None) -> Policy:
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
    if kms_key_arn:
        statements.append(allow("DecryptOwnFiles", ["kms:Decrypt"], kms_key_arn))
    return document(*statements)


def export_referrals(
    *,
    lake_arn: str,
    lake_prefix: str,
    bucket_arn: str,
    downloads_prefix: str,
    table_arn: str,
    log_group_arn: str,
    failure_queue_arn: str,
    kms_key_arn: str | None,
) -> Policy:
    """The function's access: read the lake, write downloads, keep the ledger, log, and report failures."""
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
    if kms_key_arn:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
        statements.append(allow("EncryptDownloads", ["kms:GenerateDataKey", "kms:Decrypt"], kms_key_arn))
    return document(*statements)


# The role authorises the call; a Lambda resource policy plays no part.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
def start_export(function_arn: str, dlq_arn: str) -> Policy:
    """The schedules' access: invoke the function, and say where that failed."""
    return document(
        allow("InvokeExport", ["lambda:InvokeFunction"], function_arn),
        allow("ReportFailures", ["sqs:SendMessage"], dlq_arn),
    )


# https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
def alarms_may_publish(topic_arn: str, account_id: str, region: str) -> Policy:
    """Topic policy: this account's CloudWatch alarms may publish."""
    return document(
        {
            "Sid": "AlarmsPublish",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account_id},
                "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{region}:{account_id}:alarm:*"},
            },
        }
    )
