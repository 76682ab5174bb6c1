"""The platform: all that clients share, wired together."""

from dataclasses import replace
from typing import Any

import pulumi

from infra import encryption, sftp
from infra.alarms import Watched
from infra.announcer import Announcer, AnnouncerArgs
from infra.artifact import Artifact
from infra.deployment import Deployment
from infra.encryption import StackKeyArgs
from infra.exporter import Exporter, ExporterArgs
from infra.host_key import HostKey
from infra.ledger import Ledger, LedgerArgs
from infra.monitoring import Monitoring, MonitoringArgs
from infra.notifier import Notifier, NotifierArgs
from infra.platform_stack import Platform
from infra.private_bucket import BucketArgs
from infra.receiver import Receiver, ReceiverArgs
from infra.schedules import ScheduleGroup, ScheduleGroupArgs
from infra.settings import StackSettings
from infra.sftp import SftpServer, SftpServerArgs
from infra.storage import (
    AccessLogs,
    AccessLogsArgs,
    DeliveryBucket,
    DeliveryBucketArgs,
    LakeBucket,
    LakeBucketArgs,
)
from infra.watcher import Watcher, WatcherArgs


def deploy_platform(
    settings: StackSettings, artifact: Artifact, *, deployment: Deployment, host_keys: list[HostKey]
) -> Platform:
    """Make what all clients share."""
    protect = settings.production
    prefix, tags = deployment.prefix, deployment.tags
    key_arn = encryption.key_arn(settings.encryption, StackKeyArgs(deployment=deployment, protect=protect))
    deployment = replace(deployment, key_arn=key_arn)
    encrypted = BucketArgs(deployment=deployment, key_arn=key_arn, protect=protect)
    bucket = DeliveryBucket(
        "downloads", DeliveryBucketArgs(bucket=encrypted, retention_days=settings.retention_days)
    ).bucket
    lake = LakeBucket(
        "lake",
        LakeBucketArgs(
            bucket=encrypted,
            existing=settings.lake_bucket,
            prefix=settings.lake_prefix,
            retention_days=settings.lake_retention_days,
        ),
    )
    access_logs = AccessLogs(
        "access-logs",
        AccessLogsArgs(
            deployment=deployment,
            sources={"downloads": bucket} | ({"lake": lake.bucket} if lake.bucket else {}),
            retention_days=settings.access_log_retention_days,
            protect=protect,
        ),
    )
    table = Ledger(
        "ledger", LedgerArgs(table_name=f"{prefix}-ledger", key_arn=key_arn, protect=protect, tags=tags)
    ).table
    sftp_server = SftpServer(
        "sftp",
        SftpServerArgs(
            prefix=prefix,
            log_retention_days=settings.log_retention_days,
            host_keys=host_keys,
            key_arn=key_arn,
            protect=protect,
            tags=tags,
        ),
    )
    exporter = Exporter(
        "export",
        ExporterArgs(
            deployment=deployment,
            artifact=artifact,
            memory_mb=settings.function_memory_mb,
            ephemeral_mb=settings.function_ephemeral_mb,
            concurrency=settings.function_concurrency,
            log_retention_days=settings.log_retention_days,
            lake_name=lake.bucket_name,
            lake_arn=lake.arn,
            lake_prefix=settings.lake_prefix,
            lake_kms_key_arn=settings.lake_kms_key_arn,
            bucket_name=bucket.id,
            bucket_arn=bucket.arn,
            table_name=table.name,
            table_arn=table.arn,
            signing_secret=settings.pgp_signing_secret or "",
        ),
    )
    announcer = Announcer(
        "announce",
        AnnouncerArgs(
            deployment=deployment,
            artifact=artifact,
            log_retention_days=settings.log_retention_days,
            stream_arn=table.stream_arn,
        ),
    )
    watcher = Watcher(
        "watch",
        WatcherArgs(
            deployment=deployment,
            artifact=artifact,
            log_retention_days=settings.log_retention_days,
            retention_days=settings.retention_days,
            bucket_name=bucket.id,
            bucket_arn=bucket.arn,
            table_name=table.name,
            table_arn=table.arn,
            export_name=exporter.function.name,
            export_arn=exporter.function.arn,
            server_id=sftp_server.server.id,
        ),
    )
    receiver = Receiver(
        "receive",
        ReceiverArgs(
            deployment=deployment,
            artifact=artifact,
            log_retention_days=settings.log_retention_days,
            retention_days=settings.retention_days,
            server_id=sftp_server.server.id,
            bucket_name=bucket.id,
            table_name=table.name,
            table_arn=table.arn,
        ),
    )
    notifier = Notifier(
        "notify",
        NotifierArgs(
            deployment=deployment,
            artifact=artifact,
            log_retention_days=settings.log_retention_days,
            retention_days=settings.retention_days,
            sender=settings.notice_sender or "",
            bucket_name=bucket.id,
            bucket_arn=bucket.arn,
            table_name=table.name,
            table_arn=table.arn,
        ),
    )
    schedules = ScheduleGroup(
        "schedules",
        ScheduleGroupArgs(
            deployment=deployment,
            function_arn=exporter.function.arn,
            watch_arn=watcher.function.arn,
            notify_arn=notifier.function.arn,
        ),
    )
    monitoring = Monitoring(
        "monitoring",
        MonitoringArgs(
            deployment=deployment,
            watched=Watched(
                stack=prefix,
                export=exporter.function.name,
                watch=watcher.function.name,
                queues={
                    "export": exporter.failures.name,
                    "announce": announcer.failures.name,
                    "receive": receiver.failures.name,
                    "notify": notifier.failures.name,
                    "schedules": schedules.dlq.name,
                },
                schedule_group=schedules.group.name,
            ),
            email=settings.alarm_email,
            topic_arn=settings.alarm_topic_arn,
        ),
    )
    outputs: dict[str, pulumi.Input[Any]] = {
        "region": deployment.region,
        "sftp_host": sftp_server.server.endpoint,
        "sftp_port": sftp.PORT,
        "sftp_host_key_fingerprints": sftp_server.host_key_fingerprints,
        "sftp_server_id": sftp_server.server.id,
        "delivery_bucket": bucket.id,
        "delivery_bucket_arn": bucket.arn,
        "lake_bucket": lake.bucket_name,
        "lake_prefix": settings.lake_prefix,
        "access_log_bucket": access_logs.bucket.id,
        "function_name": exporter.function.name,
        "function_arn": exporter.function.arn,
        "watch_function_name": watcher.function.name,
        "ledger_table": table.name,
        "schedule_group": schedules.group.name,
        "schedule_role_arn": schedules.role_arn,
        "schedule_dlq_arn": schedules.dlq.arn,
        "schedule_dlq_url": schedules.dlq.url,
        "failure_queue_url": exporter.failures.url,
        "announce_failure_queue_url": announcer.failures.url,
        "receive_function_name": receiver.function.name,
        "receive_failure_queue_url": receiver.failures.url,
        "notify_function_name": notifier.function.name,
        "notify_failure_queue_url": notifier.failures.url,
        "notice_sender": settings.notice_sender or "",
        "pgp_signing_secret": settings.pgp_signing_secret or "",
        "alarm_topic_arn": monitoring.topic_arn,
    }
    if key_arn is not None:
        outputs["key_arn"] = key_arn
    return Platform(outputs=outputs, key_arn=key_arn, schedule_group=schedules.group)
