"""What is set on a bucket: its makers' whole round in an emulator."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from local_aws.account import Account
from local_aws.makers import MAKERS
from referralctl.local_system import LocalSystem

KEY = "arn:aws:kms:ap-southeast-2:000000000000:key/11111111-2222-3333-4444-555555555555"
# What a bucket can be told, and the same told otherwise.
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "bucketPublicAccessBlock:BucketPublicAccessBlock": (
        dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True),
        {"blockPublicAcls": False, "blockPublicPolicy": True, "ignorePublicAcls": True, "restrictPublicBuckets": True},
    ),
    "bucketOwnershipControls:BucketOwnershipControls": (
        {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "ObjectWriter"}},
    ),
    "bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        {
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"},
                    "bucketKeyEnabled": False,
                    "blockedEncryptionTypes": ["SSE-C"],
                }
            ]
        },
        {
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY},
                    "bucketKeyEnabled": True,
                    "blockedEncryptionTypes": ["NONE"],
                }
            ]
        },
    ),
    "bucketPolicy:BucketPolicy": tuple(
        {
            "policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": action,
                            "Resource": "arn:aws:s3:::of-settings/*",
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                }
            )
        }
        for action in ("s3:*", "s3:GetObject")
    ),
    "bucketLogging:BucketLogging": (
        {"targetBucket": "of-settings", "targetPrefix": "one/"},
        {"targetBucket": "of-settings", "targetPrefix": "two/"},
    ),
    "bucketLifecycleConfiguration:BucketLifecycleConfiguration": tuple(
        {"rules": [{"id": "x", "status": "Enabled", "filter": {"prefix": "x/"}, "expiration": {"days": days}}]}
        for days in (14.0, 7.0)
    ),
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An emulator with nothing in it."""
    local = LocalSystem(tmp_path_factory.mktemp("bare") / "local")
    try:
        yield Account(local.up_bare())
    finally:
        local.down()


@pytest.fixture(scope="module")
def bucket(aws: Account) -> str:
    """A bucket with nothing set on it."""
    location = {"LocationConstraint": aws.region}
    aws.client("s3").create_bucket(Bucket="of-settings", CreateBucketConfiguration=location)
    return "of-settings"


@pytest.mark.parametrize("type_", SETTINGS)
def test_what_is_set_on_a_bucket_goes_its_round(aws: Account, bucket: str, type_: str) -> None:
    maker, (before, after) = MAKERS[f"aws:s3/{type_}"], SETTINGS[type_]
    made = maker.create(aws, "x", {"bucket": bucket, **before})
    assert maker.read(aws, made) == made
    assert maker.compare(made, {"bucket": "other", **before}).replacing == {"bucket"}
    changed = maker.update(aws, made, {"bucket": bucket, **after})
    stale = maker.read(aws, made)
    assert stale is not None
    assert {name for name in after if stale.inputs[name] != before[name]} == set(after) - _same(before, after)
    maker.delete(aws, changed)
    gone = maker.read(aws, changed)
    assert gone is None or gone.inputs != changed.inputs


def test_an_object_goes_its_round(aws: Account, bucket: str) -> None:
    maker, place = MAKERS["aws:s3/bucketObjectv2:BucketObjectv2"], {"bucket": bucket, "key": "roster/x.json"}
    before = place | {"content": "{}", "contentType": "application/json"}
    after = place | {"content": "[ü]", "contentType": "text/plain"}
    made = maker.create(aws, "x", before)
    assert maker.read(aws, made) == made
    assert maker.compare(made, before | {"key": "roster/y.json"}).replacing == {"key"}
    changed = maker.update(aws, made, after)
    stale = maker.read(aws, made)
    assert stale is not None
    assert stale.inputs == after
    maker.delete(aws, changed)
    assert maker.read(aws, changed) is None
    maker.delete(aws, changed)


def _same(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {name for name in before if before[name] == after[name]}
