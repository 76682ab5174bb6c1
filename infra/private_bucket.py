"""What all buckets of the stack have in common: closed, encrypted, TLS only, one owner."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import policies
from infra.deployment import Deployment

# A published file's upload lives for minutes; two days leave room for a sealed one whose run was cut off.
ABORT_UPLOADS_AFTER_DAYS = 2


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """`key_arn` of None is SSE-S3. A protected bucket is never emptied by a deployment."""

    deployment: Deployment
    key_arn: pulumi.Input[str] | None
    protect: bool


def private_bucket(parent: pulumi.ComponentResource, name: str, args: BucketArgs) -> aws.s3.Bucket:
    """An unversioned bucket; its policy and lifecycle are the caller's to give."""
    child = pulumi.ResourceOptions(parent=parent)
    bucket = aws.s3.Bucket(
        name,
        # The provider adds 26 characters, of 63. https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        bucket_prefix=f"{args.deployment.prefix}-{name}-".lower(),
        # A trial stack can be destroyed with what was delivered in it.
        force_destroy=not args.protect,
        tags=args.deployment.tags,
        opts=pulumi.ResourceOptions(parent=parent, protect=args.protect),
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
                        sse_algorithm="AES256" if args.key_arn is None else "aws:kms", kms_master_key_id=args.key_arn
                    )
                ),
                bucket_key_enabled=args.key_arn is not None,
                # Whoever holds stolen credentials could overwrite objects under a key of his own.
                # https://docs.aws.amazon.com/AmazonS3/latest/userguide/blocking-unblocking-s3-c-encryption-gpb.html
                blocked_encryption_types=["SSE-C"],
            )
        ],
        opts=child,
    )
    return bucket


def bucket_policy(
    parent: pulumi.ComponentResource, name: str, bucket: aws.s3.Bucket, *statements: pulumi.Input[dict[str, Any]]
) -> aws.s3.BucketPolicy:
    """Close a bucket to the public and to whoever does not use TLS; `statements` are what else its policy says."""
    closed = aws.s3.BucketPublicAccessBlock(
        f"{name}-public-access",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return aws.s3.BucketPolicy(
        f"{name}-policy",
        bucket=bucket.id,
        policy=pulumi.Output.json_dumps(
            pulumi.Output.all(bucket.arn.apply(policies.tls_only), *statements).apply(
                lambda said: policies.document(*said)
            )
        ),
        # S3 refuses the two at once: OperationAborted, a conflicting operation is in progress.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[closed]),
    )


def lifecycle(
    parent: pulumi.ComponentResource,
    name: str,
    bucket: aws.s3.Bucket,
    *,
    rule: str,
    prefix: str,
    days: pulumi.Input[int],
) -> None:
    """Expire what lies below a prefix, and sweep uploads that nobody completed; S3 takes one such resource a bucket."""
    aws.s3.BucketLifecycleConfiguration(
        f"{name}-lifecycle",
        bucket=bucket.id,
        rules=[
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id=rule,
                status="Enabled",
                filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=prefix),
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
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
        opts=pulumi.ResourceOptions(parent=parent),
    )
