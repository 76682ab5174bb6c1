"""The buckets: where clients' files lie until they expire, where referrals arrive, and who asked for what."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policies
from infra.deployment import Deployment
from infra.private_bucket import BucketArgs, bucket_policy, lifecycle, private_bucket
from referral_delivery.file.upload import DOWNLOADS


@dataclass(frozen=True, kw_only=True)
class DeliveryBucketArgs:
    """`retention_days` as S3 counts them: expiry is at the first midnight UTC after."""

    bucket: BucketArgs
    retention_days: pulumi.Input[int]


class DeliveryBucket(pulumi.ComponentResource):
    """Private bucket that holds every client's files until they expire.

    Versioning is off, so that "deleted" is true of the bytes and not of a marker.
    """

    def __init__(self, name: str, args: DeliveryBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:storage:DeliveryBucket", name, None, opts)
        self.bucket = private_bucket(self, name, args.bucket)
        bucket_policy(self, name, self.bucket)
        lifecycle(self, name, self.bucket, rule="expire-downloads", prefix=f"{DOWNLOADS}/", days=args.retention_days)
        self.register_outputs({"bucket": self.bucket.id})


@dataclass(frozen=True, kw_only=True)
class LakeBucketArgs:
    """`existing` names a bucket that is not ours: then nothing is made, and its objects expire as its owner says."""

    bucket: BucketArgs
    existing: str | None
    prefix: str
    retention_days: pulumi.Input[int]


class LakeBucket(pulumi.ComponentResource):
    """The bucket where referrals arrive, ours or an existing one.

    Its objects never change, by contract: there is nothing that versions would keep.
    """

    def __init__(self, name: str, args: LakeBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:storage:LakeBucket", name, None, opts)
        self.bucket: aws.s3.Bucket | None = None
        if args.existing:
            self.bucket_name: pulumi.Output[str] = pulumi.Output.from_input(args.existing)
            self.arn: pulumi.Output[str] = pulumi.Output.from_input(
                f"arn:{args.bucket.deployment.partition}:s3:::{args.existing}"
            )
        else:
            self.bucket = private_bucket(self, name, args.bucket)
            bucket_policy(self, name, self.bucket)
            lifecycle(
                self, name, self.bucket, rule="expire-referrals", prefix=f"{args.prefix}/", days=args.retention_days
            )
            self.bucket_name, self.arn = self.bucket.id, self.bucket.arn
        self.register_outputs({"bucket": self.bucket_name})


@dataclass(frozen=True, kw_only=True)
class AccessLogsArgs:
    """`sources` are the buckets whose requests are logged, by the folder of their logs."""

    deployment: Deployment
    sources: Mapping[str, aws.s3.Bucket]
    retention_days: pulumi.Input[int]
    protect: bool


class AccessLogs(pulumi.ComponentResource):
    """S3's own record of each request to the other buckets, in a bucket where nothing else lies."""

    def __init__(self, name: str, args: AccessLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:storage:AccessLogs", name, None, opts)
        # Logs are not delivered to a bucket whose default encryption is a KMS key.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
        self.bucket = private_bucket(
            self, name, BucketArgs(deployment=args.deployment, key_arn=None, protect=args.protect)
        )
        policy = bucket_policy(
            self,
            name,
            self.bucket,
            pulumi.Output.all(self.bucket.arn, *(source.arn for source in args.sources.values())).apply(
                lambda arns: policies.access_logs_arrive(arns[0], arns[1:], account_id=args.deployment.account_id)
            ),
        )
        lifecycle(self, name, self.bucket, rule="expire-access-logs", prefix="", days=args.retention_days)
        for folder, source in args.sources.items():
            aws.s3.BucketLogging(
                f"{name}-of-{folder}",
                bucket=source.id,
                target_bucket=self.bucket.id,
                target_prefix=f"{folder}/",
                # By day, so that a question of one day reads that day alone.
                target_object_key_format=aws.s3.BucketLoggingTargetObjectKeyFormatArgs(
                    partitioned_prefix=aws.s3.BucketLoggingTargetObjectKeyFormatPartitionedPrefixArgs(
                        partition_date_source="EventTime"
                    )
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
            )
        self.register_outputs({"bucket": self.bucket.id})
