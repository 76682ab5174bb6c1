"""The rights of the functions that watch and tell, as pure functions from ARNs to documents, one a function."""

from infra.policies import Policy, Statement, allow, document, via
from referral_delivery.watch.events import SOURCE


def announce_files(
    *, stream_arn: str, bus_arn: str, log_group_arn: str, failure_queue_arn: str, key_arn: str | None
) -> Policy:
    """The announce function's access: read the ledger's stream, put events, log, and report failures."""
    statements = [
        # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
        allow(
            "ReadStream",
            ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
            stream_arn,
        ),
        allow("FindStream", ["dynamodb:ListStreams"], f"{stream_arn.rpartition('/')[0]}/*"),
        _put_events(bus_arn),
        *_log_and_report(log_group_arn, failure_queue_arn),
    ]
    if key_arn:
        statements.append(_use_key(key_arn, "dynamodb", "sqs"))
    return document(*statements)


def watch_clients(
    *,
    bucket_arn: str,
    roster_prefix: str,
    table_arn: str,
    export_arn: str,
    users_arn: str,
    bus_arn: str,
    log_group_arn: str,
    failure_queue_arn: str,
    key_arn: str | None,
) -> Policy:
    """The watch's access: read roster and ledger, keep its own items there, start exports, end keys, put events."""
    statements = [
        *_read_rosters(bucket_arn, roster_prefix),
        # Single items cannot be named in a policy but by their partition, which is a client's.
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
        allow("ReadLedger", ["dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem"], table_arn),
        allow("StartExport", ["lambda:InvokeFunction"], export_arn),
        allow("EndExpiredKeys", ["transfer:DescribeUser", "transfer:DeleteSshPublicKey"], users_arn),
        _put_events(bus_arn),
        *_log_and_report(log_group_arn, failure_queue_arn),
    ]
    if key_arn:
        statements.append(_use_key(key_arn, "s3", "dynamodb", "sqs"))
    return document(*statements)


def take_receipts(*, table_arn: str, log_group_arn: str, failure_queue_arn: str, key_arn: str | None) -> Policy:
    """The receiver's access: find a file's record and change it, log, and report failures."""
    statements = [
        allow("KeepReceipts", ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], table_arn),
        *_log_and_report(log_group_arn, failure_queue_arn),
    ]
    if key_arn:
        statements.append(_use_key(key_arn, "dynamodb", "sqs"))
    return document(*statements)


def send_notices(
    *,
    bucket_arn: str,
    roster_prefix: str,
    table_arn: str,
    queue_arn: str,
    secrets_arn: str,
    sender_arns: list[str],
    log_group_arn: str,
    failure_queue_arn: str,
    key_arn: str | None,
) -> Policy:
    """The notifier's access: read roster, ledger and secrets, work off its queue, send mail as the stack's sender."""
    statements = [
        *_read_rosters(bucket_arn, roster_prefix),
        allow("ReadLedger", ["dynamodb:Query"], table_arn),
        # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
        allow(
            "WorkOffNotices",
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ChangeMessageVisibility",
                "sqs:SendMessage",
            ],
            queue_arn,
        ),
        allow("ReadSecrets", ["ssm:GetParameter"], secrets_arn),
        *_log_and_report(log_group_arn, failure_queue_arn),
    ]
    if sender_arns:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html
        statements.append(allow("SendMail", ["ses:SendEmail"], *sender_arns))
    if key_arn:
        statements.append(_use_key(key_arn, "s3", "dynamodb", "sqs", "ssm"))
    return document(*statements)


# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html#eb-dlq-perms
def rule_reports_failures(queue_arn: str, rule_arn: str) -> Policy:
    """Queue policy: a rule may send what its target did not take."""
    return rule_sends(queue_arn, rule_arn, sid="RuleReportsFailures")


def rule_sends(queue_arn: str, rule_arn: str, *, sid: str = "RuleSendsEvents") -> Policy:
    """Queue policy: a rule may send to it."""
    return document(
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        }
    )


def _read_rosters(bucket_arn: str, roster_prefix: str) -> list[Statement]:
    of_rosters = {"StringLike": {"s3:prefix": [f"{roster_prefix}/*"]}}
    return [
        allow("ListRosters", ["s3:ListBucket"], bucket_arn, condition=of_rosters),
        allow("ReadRosters", ["s3:GetObject"], f"{bucket_arn}/{roster_prefix}/*"),
    ]


def _put_events(bus_arn: str) -> Statement:
    """Events of ours, and in nobody else's name."""
    return allow(
        "PutEvents", ["events:PutEvents"], bus_arn, condition={"StringEqualsIfExists": {"events:source": SOURCE}}
    )


def _log_and_report(log_group_arn: str, failure_queue_arn: str) -> list[Statement]:
    return [
        allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:*"),
        allow("ReportFailures", ["sqs:SendMessage"], failure_queue_arn),
    ]


def _use_key(key_arn: str, *services: str) -> Statement:
    return allow("UseStacksKey", ["kms:GenerateDataKey", "kms:Decrypt"], key_arn, condition=via(*services))
