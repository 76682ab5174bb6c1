"""The buckets: where clients' files lie until they expire, and where referrals arrive."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policies
from referral_delivery.export import DOWNLOADS

ABORT_UPLOADS_AFTER_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class DeliveryBucketArgs:
    """`retention_days` as S3 counts them: expiry is at the first midnight UTC after."""

    retention_days: int
    kms_key_arn: str | None
    protect: bool
    tags: dict[str, str]


class DeliveryBucket(pulumi.ComponentResource):
    """Private bucket that holds every client's files until they expire.

    Versioning is off, so that "deleted" is true of the bytes and not of a marker.
    """

    def __init__(self, name: str, args: DeliveryBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:storage:DeliveryBucket", name, None, opts)
        self.bucket = _private_bucket(self, name, kms_key_arn=args.kms_key_arn, protect=args.protect, tags=args.tags)
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=self.bucket.id,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="expire-downloads",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=f"{DOWNLOADS}/"),
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=args.retention_days),
                ),
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="abort-incomplete-uploads",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    abort_incomplete_multipart_upload=(
                        aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                            days_after_initiation=ABORT_UPLOADS_AFTER_DAYS
                        )
                    ),
                ),
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"bucket": self.bucket.id})


@dataclass(frozen=True, kw_only=True)
class LakeBucketArgs:
    """`existing` names a bucket that is not ours; then nothing is made."""

    existing: str | None
    protect: bool
    tags: dict[str, str]


class LakeBucket(pulumi.ComponentResource):
    """The bucket where referrals arrive, ours or an existing one."""

    def __init__(self, name: str, args: LakeBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("referrals:storage:LakeBucket", name, None, opts)
        if args.existing:
            self.bucket_name: pulumi.Output[str] = pulumi.Output.from_input(args.existing)
            self.arn: pulumi.Output[str] = pulumi.Output.from_input(f"arn:aws:s3:::{args.existing}")
        else:
            bucket = _private_bucket(self, name, kms_key_arn=None, protect=args.protect, tags=args.tags)
            self.bucket_name, self.arn = bucket.id, bucket.arn
        self.register_outputs({"bucket": self.bucket_name})


def _private_bucket(
    parent: pulumi.ComponentResource,
    name: str,
    *,
    kms_key_arn: str | None,
    protect: bool,
    tags: dict[str, str],
) -> aws.s3.Bucket:
    """Owner-enforced, encrypted, closed to the public, TLS only."""
    child = pulumi.ResourceOptions(parent=parent)
    bucket = aws.s3.Bucket(name, tags=tags, opts=pulumi.ResourceOptions(parent=parent, protect=protect))
    closed = aws.s3.BucketPublicAccessBlock(
        f"{name}-public-access",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    aws.s3.BucketOwnershipControls(
        f"{name}-ownership",
        bucket=bucket.id,
        rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
        opts=child,
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.id,
        rules=[
            aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=(
                    aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                        sse_algorithm="aws:kms" if kms_key_arn else "AES256", kms_master_key_id=kms_key_arn
                    )
                ),
                bucket_key_enabled=bool(kms_key_arn),
            )
        ],
        opts=child,
    )
    aws.s3.BucketPolicy(
        f"{name}-tls-only",
        bucket=bucket.id,
        policy=pulumi.Output.json_dumps(bucket.arn.apply(policies.tls_only)),
        # S3 refuses the two at once: OperationAborted, a conflicting operation is in progress.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[closed]),
    )
    return bucket
