"""Buckets, and what is set on them."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.account import Account, Inputs
from local_aws.makers.maker import Maker, Resource, split

# What the provider leaves of a logical name and adds to it. https://www.pulumi.com/docs/iac/concepts/resources/names/
_SUFFIX_BYTES = 4


class Bucket(Maker):
    """Deleted with its objects where `forceDestroy` says so; else AWS refuses a bucket that is not empty."""

    type = "aws:s3/bucket:Bucket"
    fixed = frozenset({"bucket", "bucketPrefix"})
    changeable = frozenset({"tags", "forceDestroy"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, given, prefix, tags, _ = split(inputs, "bucket", "bucketPrefix", "tags", "forceDestroy")
        bucket = given.get("bucket") or f"{prefix.get('bucketPrefix', f'{name}-')}{secrets.token_hex(_SUFFIX_BYTES)}"
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html: the default region has no constraint
        if aws.region != "us-east-1":
            rest["createBucketConfiguration"] = {"locationConstraint": aws.region}
        aws.call("s3", "CreateBucket", {"bucket": bucket, **rest})
        self._tag(aws, bucket, tags)
        return Resource(bucket, dict(inputs), {"bucket": bucket, "arn": f"arn:aws:s3:::{bucket}"})

    def id_of(self, aws: Account, inputs: Inputs) -> str | None:
        return inputs.get("bucket")

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        self._tag(aws, old.id, {"tags": inputs.get("tags", {})})
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        if old.inputs.get("forceDestroy") and aws.find("s3", "HeadBucket", {"bucket": old.id}) is not None:
            self._empty(aws, old.id)
        aws.find("s3", "DeleteBucket", {"bucket": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        if aws.find("s3", "HeadBucket", {"bucket": old.id}) is None:
            return None
        tagged = aws.find("s3", "GetBucketTagging", {"bucket": old.id}) or {"TagSet": []}
        return {"tags": tagged["TagSet"]}

    def _tag(self, aws: Account, bucket: str, tags: Inputs) -> None:
        if tags:
            aws.call("s3", "PutBucketTagging", {"bucket": bucket, "tagging": {"tagSet": tags["tags"]}})

    def _empty(self, aws: Account, bucket: str) -> None:
        s3 = aws.client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if keys := [{"Key": entry["Key"]} for entry in page.get("Contents", ())]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
        for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


@dataclass(frozen=True)
class BucketSetting(Maker):
    """One setting of a bucket: put whole, and put again to change it. `wrapper` is the parameter that holds it."""

    type: str  # type: ignore[misc]  # of the object here, not of the class
    put: str
    get: str
    drop: str
    wrapper: str
    fixed = frozenset({"bucket"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        rest, bucket = split(inputs, "bucket")
        aws.call("s3", self.put, {**bucket, self.wrapper: self.body(rest)})
        return Resource(inputs["bucket"], dict(inputs))

    def id_of(self, aws: Account, inputs: Inputs) -> str | None:
        return str(inputs["bucket"])

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        return self.create(aws, "", inputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("s3", self.drop, {"bucket": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("s3", self.get, {"bucket": old.id})
        return None if answer is None else self.found(answer.get(self.wrapper, answer))

    def body(self, inputs: dict[str, Any]) -> Any:
        """The setting as the API takes it."""
        return inputs

    def found(self, answer: Any) -> Mapping[str, Any]:
        """The API's answer under the names of the inputs."""
        return dict(answer)


class Ownership(BucketSetting):
    """One rule in Pulumi, a list of one in the API."""

    def body(self, inputs: dict[str, Any]) -> Any:
        rest, rule = split(inputs, "rule")
        return {**rest, "rules": [rule["rule"]]}

    def found(self, answer: Any) -> Mapping[str, Any]:
        return {"rule": answer["Rules"][0]}


class Encryption(BucketSetting):
    """What is blocked is a list in Pulumi, and a list in a structure in the API."""

    def body(self, inputs: dict[str, Any]) -> Any:
        rules = []
        for each in inputs["rules"]:
            rule, blocked = split(each, "blockedEncryptionTypes")
            types = {name: {"encryptionType": names} for name, names in blocked.items()}
            rules.append(rule | types)
        return {**inputs, "rules": rules}

    def found(self, answer: Any) -> Mapping[str, Any]:
        rules = []
        for each in answer["Rules"]:
            rule, blocked = split(each, "BlockedEncryptionTypes")
            types = [type_ for found in blocked.values() for type_ in found["EncryptionType"]]
            rules.append(rule | {"blockedEncryptionTypes": types})
        return {"rules": rules}


class Logging(BucketSetting):
    """There is no call that ends it: an empty status does."""

    def body(self, inputs: dict[str, Any]) -> Any:
        return {"loggingEnabled": inputs}

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("s3", self.put, {"bucket": old.id, self.wrapper: {}})

    def found(self, answer: Any) -> Mapping[str, Any]:
        return dict(answer.get("LoggingEnabled", {"targetBucket": None}))


class BucketPolicy(BucketSetting):
    """The emulator enforces "TLS only", and its own endpoint is plain HTTP on the loopback interface."""

    def body(self, inputs: dict[str, Any]) -> Any:
        policy = json.loads(inputs["policy"])
        for statement in policy["Statement"]:
            if "aws:SecureTransport" in statement.get("Condition", {}).get("Bool", {}):
                statement["Condition"]["NotIpAddress"] = {"aws:SourceIp": "127.0.0.0/8"}
        return json.dumps(policy)

    def found(self, answer: Any) -> Mapping[str, Any]:
        policy = json.loads(answer)
        for statement in policy["Statement"]:
            statement.get("Condition", {}).pop("NotIpAddress", None)
        return {"policy": json.dumps(policy)}


MAKERS: list[Maker] = [
    Bucket(),
    BucketSetting(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        *("PutPublicAccessBlock", "GetPublicAccessBlock", "DeletePublicAccessBlock"),
        "PublicAccessBlockConfiguration",
    ),
    Ownership(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        *("PutBucketOwnershipControls", "GetBucketOwnershipControls", "DeleteBucketOwnershipControls"),
        "OwnershipControls",
    ),
    Encryption(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        *("PutBucketEncryption", "GetBucketEncryption", "DeleteBucketEncryption"),
        "ServerSideEncryptionConfiguration",
    ),
    BucketPolicy(
        "aws:s3/bucketPolicy:BucketPolicy",
        *("PutBucketPolicy", "GetBucketPolicy", "DeleteBucketPolicy"),
        "Policy",
    ),
    Logging(
        "aws:s3/bucketLogging:BucketLogging",
        *("PutBucketLogging", "GetBucketLogging", "PutBucketLogging"),
        "BucketLoggingStatus",
    ),
    BucketSetting(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        *("PutBucketLifecycleConfiguration", "GetBucketLifecycleConfiguration", "DeleteBucketLifecycle"),
        "LifecycleConfiguration",
    ),
]
