"""All components of a stack, wired together."""

from datetime import date

import pulumi

from infra import sftp
from infra.access import ClientAccess, ClientAccessArgs
from infra.artifact import Artifact
from infra.exporter import Exporter, ExporterArgs
from infra.ledger import Ledger, LedgerArgs
from infra.monitoring import Monitoring, MonitoringArgs
from infra.schedules import ClientSchedule, ScheduleGroup, ScheduleGroupArgs
from infra.settings import StackSettings
from infra.sftp import SftpServer, SftpServerArgs
from infra.storage import DeliveryBucket, DeliveryBucketArgs, LakeBucket, LakeBucketArgs
from referral_delivery.client import Client
from referral_delivery.export import DOWNLOADS


def deploy(
    settings: StackSettings,
    clients: list[Client],
    artifact: Artifact,
    *,
    prefix: str,
    host_key: pulumi.Output[str] | None,
    account_id: str,
    region: str,
    today: date,
) -> dict[str, pulumi.Input[object]]:
    """Make the stack's resources; the answer is its outputs."""
    protect, kms = settings.production, settings.kms_key_arn
    tags = {"project": pulumi.get_project(), "stack": pulumi.get_stack()}
    bucket = DeliveryBucket(
        "downloads",
        DeliveryBucketArgs(retention_days=settings.retention_days, kms_key_arn=kms, protect=protect, tags=tags),
    ).bucket
    lake = LakeBucket("lake", LakeBucketArgs(existing=settings.lake_bucket, protect=protect, tags=tags))
    table = Ledger("ledger", LedgerArgs(table_name=f"{prefix}-ledger", protect=protect, tags=tags)).table
    server = SftpServer(
        "sftp",
        SftpServerArgs(
            prefix=prefix,
            log_retention_days=settings.log_retention_days,
            host_key=host_key,
            protect=protect,
            tags=tags,
        ),
    ).server
    exporter = Exporter(
        "export",
        ExporterArgs(
            prefix=prefix,
            artifact=artifact,
            memory_mb=settings.function_memory_mb,
            log_retention_days=settings.log_retention_days,
            account_id=account_id,
            lake_name=lake.bucket_name,
            lake_arn=lake.arn,
            bucket_name=bucket.id,
            bucket_arn=bucket.arn,
            table_name=table.name,
            table_arn=table.arn,
            kms_key_arn=kms,
            tags=tags,
        ),
    )
    schedules = ScheduleGroup(
        "schedules",
        ScheduleGroupArgs(
            prefix=prefix, account_id=account_id, region=region, function_arn=exporter.function.arn, tags=tags
        ),
    )
    monitoring = Monitoring(
        "monitoring",
        MonitoringArgs(
            prefix=prefix,
            account_id=account_id,
            region=region,
            function_name=exporter.function.name,
            failure_queue_name=exporter.failures.name,
            schedule_dlq_name=schedules.dlq.name,
            email=settings.alarm_email,
            tags=tags,
        ),
    )
    for client in clients:
        ClientAccess(
            client.client,
            ClientAccessArgs(
                prefix=prefix,
                client=client,
                today=today,
                account_id=account_id,
                region=region,
                server_id=server.id,
                bucket_name=bucket.id,
                bucket_arn=bucket.arn,
                kms_key_arn=kms,
                tags=tags | {"client": client.client},
            ),
        )
        ClientSchedule(client.client, client, schedules)
    return {
        "sftp_host": server.endpoint,
        "sftp_port": sftp.PORT,
        "sftp_host_key_fingerprint": server.host_key_fingerprint,
        "sftp_server_id": server.id,
        "delivery_bucket": bucket.id,
        "lake_bucket": lake.bucket_name,
        "function_name": exporter.function.name,
        "ledger_table": table.name,
        "schedule_group": schedules.group.name,
        "failure_queue_url": exporter.failures.url,
        "schedule_dlq_url": schedules.dlq.url,
        "alarm_topic_arn": monitoring.topic.arn,
        "client_folders": {client.client: f"{DOWNLOADS}/{client.client}" for client in clients},
    }
