"""Requests that AWS would refuse are refused before they are sent, in every process of the tests."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import api_model
import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, ParamValidationError

from infra import PROJECT_FOLDER

NOBODY = "http://127.0.0.1:9"  # discard: nothing is sent there, or it is refused at once
ROLE = "arn:aws:iam::000000000000:role/r"
TRUST: dict[str, Any] = {"AssumeRolePolicyDocument": "{}"}
FUNCTION: dict[str, Any] = {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": b"zip"}}
SCHEDULE: dict[str, Any] = {"Name": "s", "ScheduleExpression": "cron(0 6 * * ? *)"}
TARGET: dict[str, Any] = {"Arn": "arn:aws:lambda:eu-west-1:000000000000:function:f", "RoleArn": ROLE}

# Service, operation, parameters; and what is said of path, what was found, and what was expected.
REFUSED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "an enum": (
        "lambda",
        "create_function",
        FUNCTION | {"Runtime": "python9.9"},
        r"lambda\.CreateFunction: Runtime: found 'python9\.9', expected one of .*python3\.13",
    ),
    "an enum in a list": (
        "lambda",
        "create_function",
        FUNCTION | {"Architectures": ["arm46"]},
        r"Architectures\[0\]: found 'arm46', expected one of x86_64, arm64",
    ),
    "a name that is too long": (
        "iam",
        "create_role",
        TRUST | {"RoleName": "r" * 65},
        r"iam\.CreateRole: RoleName: found 65 characters, expected 1 to 64$",
    ),
    "a pattern": (
        "iam",
        "create_role",
        TRUST | {"RoleName": "a role"},
        r"RoleName: found 'a role', expected what matches \[\\w\+=,\.@-\]\+$",
    ),
    "a letter that Java's words have not": (
        "iam",
        "create_role",
        TRUST | {"RoleName": "rôle"},
        r"RoleName: found 'rôle', expected what matches",
    ),
    "a pattern of which only a part matches": (
        "scheduler",
        "delete_schedule",
        {"Name": "morning run"},
        r"scheduler\.DeleteSchedule: Name: found 'morning run', expected what matches",
    ),
    "a number": (
        "lambda",
        "create_function",
        FUNCTION | {"MemorySize": 99_999},
        r"lambda\.CreateFunction: MemorySize: found 99999, expected 128 to \d+$",
    ),
    "a number that is too large, far inside": (
        "scheduler",
        "create_schedule",
        SCHEDULE
        | {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": TARGET | {"RetryPolicy": {"MaximumRetryAttempts": 186}}},
        r"Target\.RetryPolicy\.MaximumRetryAttempts: found 186, expected 0 to 185$",
    ),
    "a list": (
        "iam",
        "create_role",
        TRUST | {"RoleName": "r", "Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]},
        r"iam\.CreateRole: Tags: found 51 entries, expected 0 to 50$",
    ),
    "an enum, one level down": (
        "scheduler",
        "create_schedule",
        SCHEDULE | {"FlexibleTimeWindow": {"Mode": "sometimes"}, "Target": TARGET},
        r"FlexibleTimeWindow\.Mode: found 'sometimes', expected one of OFF, FLEXIBLE$",
    ),
    "a key of a map": (
        "lambda",
        "create_function",
        FUNCTION | {"Environment": {"Variables": {"1ST": ""}}},
        r"Environment\.Variables \(key: 1ST\): found 3 characters that the model calls sensitive, expected",
    ),
    "a map": (
        "logs",
        "create_log_group",
        {"logGroupName": "g", "tags": {f"k{n}": "" for n in range(51)}},
        r"logs\.CreateLogGroup: tags: found 51 entries, expected 1 to 50$",
    ),
    "an empty map": (
        "dynamodb",
        "batch_write_item",
        {"RequestItems": {}},
        r"dynamodb\.BatchWriteItem: RequestItems: found 0 entries, expected 1 to 25$",
    ),
    "a blob": (
        "kms",
        "encrypt",
        {"KeyId": "k", "Plaintext": b"x" * 4_097},
        r"kms\.Encrypt: Plaintext: found 4097 bytes, expected 1 to 4096$",
    ),
    "an empty blob": ("kms", "encrypt", {"KeyId": "k", "Plaintext": b""}, r"Plaintext: found 0 bytes, expected 1 to"),
}


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def client(service: Any) -> Any:
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="eu-west-1")
    return session.client(service, endpoint_url=NOBODY)


@pytest.mark.parametrize(("service", "operation", "parameters", "said"), REFUSED.values(), ids=REFUSED)
def test_a_request_outside_the_model_is_refused_with_path_found_and_expected(
    service: str, operation: str, parameters: dict[str, Any], said: str, own_log: Path
) -> None:
    with pytest.raises(ParamValidationError) as refused:
        getattr(client(service), operation)(**parameters)
    assert re.search(said, str(refused.value), re.MULTILINE), refused.value
    (noted,) = lines(own_log)
    assert re.search(said, f"{noted['operation']}: {noted['findings'][0]}")


def test_a_request_within_the_model_is_sent_and_noted(own_log: Path) -> None:
    tags = [{"Key": "Straße", "Value": "Ærø 7"}]  # IAM's pattern has \p{L}: letters of all alphabets
    with pytest.raises(EndpointConnectionError):
        client("iam").create_role(RoleName="r" * 64, Tags=tags, **TRUST)
    (noted,) = lines(own_log)
    assert (noted["operation"], noted["findings"]) == ("iam.CreateRole", [])


def test_what_the_model_calls_sensitive_is_not_shown(own_log: Path) -> None:
    with pytest.raises(ParamValidationError) as refused:
        client("transfer").import_host_key(ServerId="s-01234567890abcdef", HostKeyBody="s3cret" * 1_000)
    assert "HostKeyBody: found 6000 characters, expected 0 to 4096" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Köln 50667", True),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "a;b", False),
        (r"[\p{Print}]*", "plain", True),
        (r"[\p{Print}]*", "é", False),
        (r"[\w-_]*", "a-b_c", True),
        (r"[\w-_]*", "é", False),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "beyond \U0001f680", True),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "\x07", False),
        (r"[a\x{0022}]+", 'a"', True),
    ],
)
def test_a_pattern_means_what_it_means_in_java(pattern: str, value: str, matches: bool) -> None:
    assert bool(api_model.java_pattern(pattern).fullmatch(value)) is matches


def test_every_pattern_of_the_services_in_use_can_be_read() -> None:
    session = boto3.Session()._session
    services = (
        "cloudwatch dynamodb ec2 events iam kms lambda logs s3 scheduler secretsmanager ses sns sqs ssm sts transfer"
    )
    for service in services.split():
        model = session.get_service_model(service)
        for name in model.shape_names:
            pattern = model.shape_for(name).metadata.get("pattern")
            assert pattern is None or api_model.java_pattern(pattern)


def test_referralctl_in_a_process_of_its_own_is_held_too(own_log: Path, tmp_path: Path) -> None:
    outputs = {"function_name": "f", "schedule_group": "no group!", "client_folders": {"acme": ""}}
    stack = {"endpoint_url": NOBODY, "region": "eu-west-1", "outputs": outputs}
    (tmp_path / "stack.json").write_text(json.dumps(stack))
    command = ["referralctl", "deliver", "acme", "--outputs", str(tmp_path / "stack.json")]
    command[0] = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "GroupName: found 'no group!'" in done.stdout + done.stderr
    (noted,) = lines(own_log)
    assert (noted["process"], bool(noted["findings"])) == ("referralctl", True)


def test_a_refused_request_that_is_swallowed_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_swallowed.py").write_text(
        "import boto3\n"
        "def test_passes():\n"
        "    try:\n"
        "        boto3.client('iam', region_name='eu-west-1').get_role(RoleName='a role')\n"
        "    except Exception:\n"
        "        pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-q", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=PROJECT_FOLDER, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert "1 passed" in done.stdout
    assert "iam.GetRole: RoleName: found 'a role'" in done.stdout
    assert done.returncode == 1
