"""The functions that the emulator runs, in processes of its own, hold their requests against the API models too."""

import io
import json
import os
import uuid
import zipfile
from pathlib import Path
from typing import Any

import held_requests

from referral_delivery.delivery.event import ExportEvent
from tests.stack.conftest import Lab

BAD_REQUEST = """
import boto3

def handler(event, context):
    boto3.client("iam").get_role(RoleName="a role")
"""


def held_by(function: str, log: Path) -> list[dict[str, Any]]:
    noted = [json.loads(line) for line in log.read_text().splitlines()]
    return [each for each in noted if each["process"] == f"function {function}"]


def test_the_deployed_function_holds_each_request_of_a_delivery(lab: Lab) -> None:
    lab.put_referrals("2026-11-20 09", "a")
    lab.invoke(ExportEvent(contract=lab.contract(), scheduled_time="2026-11-20T10:00:00Z"))
    held = held_by(lab.stack["function_name"], Path(os.environ[held_requests.LOG]))
    assert {"dynamodb.UpdateItem", "dynamodb.TransactWriteItems", "s3.ListObjectsV2", "s3.UploadPart"} <= {
        each["operation"] for each in held
    }


def test_a_function_that_asks_for_what_aws_would_refuse_fails(lab: Lab, tmp_path: Path) -> None:
    code, log, name = io.BytesIO(), tmp_path / "held", f"bad-request-{uuid.uuid4().hex[:8]}"
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", BAD_REQUEST)
    functions = lab.stack.functions
    deployed = functions.get_function_configuration(FunctionName=lab.stack["function_name"])
    functions.create_function(
        FunctionName=name,
        Role=deployed["Role"],
        Runtime="python3.13",
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {held_requests.LOG: str(log)}},  # else this refusal would fail the whole run
    )
    answer = functions.invoke(FunctionName=name)
    assert answer["FunctionError"]
    assert "iam.GetRole: RoleName: found 'a role'" in json.loads(answer["Payload"].read())["errorMessage"]
    (noted,) = held_by(name, log)
    assert noted["findings"]
