"""`referralctl preview` with other credentials than the account's own: what it needs, and what it cannot do with it."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from referralctl.local_system import session
from tests.stack.conftest import Lab

REFERRALCTL = str(Path(sys.executable).with_name("referralctl"))
# As docs/operations.md says.
READING = ["s3:ListBucket", "s3:GetObject", "dynamodb:GetItem", "dynamodb:Query", "lambda:GetFunctionConfiguration"]

Preview = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def preview(quiet: Lab, system: dict[str, Any], tmp_path: Path) -> Iterator[Preview]:
    """The preview of a deployed client by somebody who may do these things and nothing else, which is tried."""
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps(system["outputs"] | {"region": system["region"]}))
    command = [REFERRALCTL, "preview", quiet.client, "--deployed", "--outputs", str(outputs), "--json"]
    with ExitStack() as stack:

        def run(actions: Collection[str], on: str = "*") -> "subprocess.CompletedProcess[str]":
            rights = [
                {"Effect": "Allow", "Action": each, "Resource": on if each == "s3:GetObject" else "*"}
                for each in actions
            ]
            key = _key_of_a_user(system, rights, stack)
            refused = session(system).client(
                "s3", endpoint_url=system["endpoint_url"], aws_access_key_id=key[0], aws_secret_access_key=key[1]
            )
            with pytest.raises(ClientError, match="AccessDenied"):
                refused.put_object(Bucket=quiet.stack["lake_bucket"], Key="x", Body=b"")
            variables = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
            environment = os.environ | dict(zip(variables, (system["endpoint_url"], *key), strict=True))
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

        yield run


def _key_of_a_user(system: dict[str, Any], rights: list[dict[str, str]], stack: ExitStack) -> tuple[str, str]:
    """The key of a new user with these rights, who is gone when the test has ended."""
    iam, name = session(system).client("iam", endpoint_url=system["endpoint_url"]), f"reader-{uuid.uuid4().hex[:12]}"
    iam.create_user(UserName=name)
    stack.callback(iam.delete_user, UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": rights})
    iam.put_user_policy(UserName=name, PolicyName="read", PolicyDocument=document)
    stack.callback(iam.delete_user_policy, UserName=name, PolicyName="read")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    stack.callback(iam.delete_access_key, UserName=name, AccessKeyId=key["AccessKeyId"])
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_it_needs_the_right_to_read_alone_and_claims_nothing(quiet: Lab, preview: Preview) -> None:
    quiet.put_sources(f"{datetime.now(UTC):%Y-%m-%d %H}", "a")
    done = preview(READING)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["rows"] == [{"referral_id": "a", "source": "site"}]
    assert (quiet.cursor(), quiet.files()) == ({}, {})


@pytest.mark.parametrize("missing", READING)
def test_a_right_that_is_missing_is_one_line(quiet: Lab, preview: Preview, missing: str) -> None:
    quiet.put_sources(f"{datetime.now(UTC):%Y-%m-%d %H}", "a")
    done = preview({*READING} - {missing})
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
    assert done.stderr.startswith("error: AWS refused ")


def test_a_lake_that_may_be_listed_and_not_read_is_one_line(quiet: Lab, preview: Preview) -> None:
    quiet.put_sources(f"{datetime.now(UTC):%Y-%m-%d %H}", "a")
    done = preview(READING, on=f"arn:aws:s3:::{quiet.stack['delivery_bucket']}/*")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
    assert done.stderr.startswith("error: the lake could not be read: HTTP Error: ")
    assert "expected an S3 that answers, and the right to s3:GetObject on s3://" in done.stderr
