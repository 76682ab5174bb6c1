"""Makes the program's S3 resources in the emulator: one function per resource type."""

import json
import secrets

from referralctl.local.engine import EmulatedAws, Inputs, Made, Maker


def _bucket(aws: EmulatedAws, name: str, inputs: Inputs) -> Made:  # noqa: ARG001 - the engine names it too
    bucket = f"{name}-{secrets.token_hex(4)}"
    where = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    aws.client("s3").create_bucket(Bucket=bucket, **where)
    return bucket, {"bucket": bucket, "arn": f"arn:aws:s3:::{bucket}"}


def _public_access_block(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    aws.client("s3").put_public_access_block(
        Bucket=inputs["bucket"],
        PublicAccessBlockConfiguration={name[0].upper() + name[1:]: inputs[name] for name in names},
    )
    return inputs["bucket"], {}


def _ownership(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    aws.client("s3").put_bucket_ownership_controls(
        Bucket=inputs["bucket"],
        OwnershipControls={"Rules": [{"ObjectOwnership": inputs["rule"]["objectOwnership"]}]},
    )
    return inputs["bucket"], {}


def _encryption(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    rules = []
    for rule in inputs["rules"]:
        default = rule["applyServerSideEncryptionByDefault"]
        by_default = {"SSEAlgorithm": default["sseAlgorithm"]}
        if key := default.get("kmsMasterKeyId"):
            by_default["KMSMasterKeyID"] = key
        rules.append({"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": rule["bucketKeyEnabled"]})
    aws.client("s3").put_bucket_encryption(Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules})
    return inputs["bucket"], {}


def _bucket_policy(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    policy = json.loads(inputs["policy"])
    for statement in policy["Statement"]:
        # The emulator enforces "TLS only", and its own endpoint is plain HTTP on the loopback interface.
        if "aws:SecureTransport" in statement.get("Condition", {}).get("Bool", {}):
            statement["Condition"]["NotIpAddress"] = {"aws:SourceIp": "127.0.0.0/8"}
    aws.client("s3").put_bucket_policy(Bucket=inputs["bucket"], Policy=json.dumps(policy))
    return inputs["bucket"], {}


def _lifecycle(aws: EmulatedAws, _: str, inputs: Inputs) -> Made:
    rules = []
    for rule in inputs["rules"]:
        made = {"ID": rule["id"], "Status": rule["status"], "Filter": {"Prefix": rule["filter"]["prefix"]}}
        if expiration := rule.get("expiration"):
            made["Expiration"] = {"Days": int(expiration["days"])}
        if abort := rule.get("abortIncompleteMultipartUpload"):
            made["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": int(abort["daysAfterInitiation"])}
        rules.append(made)
    aws.client("s3").put_bucket_lifecycle_configuration(
        Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules}
    )
    return inputs["bucket"], {}


MAKERS: dict[str, Maker] = {
    "aws:s3/bucket:Bucket": _bucket,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _public_access_block,
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _ownership,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _encryption,
    "aws:s3/bucketPolicy:BucketPolicy": _bucket_policy,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _lifecycle,
}
