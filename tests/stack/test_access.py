"""Who may do what: the deployed roles, asked and tried, and real SFTP sessions."""

import hashlib
import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.sftp import host_key_fingerprint
from referralctl.local_system import generate_key, session
from referralctl.stacks import Stack
from tests.stack.conftest import CLIENTS

FILE = "file.csv"
ACTIONS = {"list": "s3:ListBucket", "get": "s3:GetObject", "put": "s3:PutObject", "delete": "s3:DeleteObject"}
MATRIX = list(itertools.product(CLIENTS, CLIENTS, ACTIONS))


def content(client: str) -> bytes:
    return f"referral_id\n{client}-1\n".encode()


@pytest.fixture(scope="module")
def iam(system: dict[str, Any]) -> Any:
    return session(system).client("iam", endpoint_url=system["endpoint_url"])


@pytest.fixture(scope="module", autouse=True)
def _a_file_for_everyone(stack: Stack) -> None:
    for client in CLIENTS:
        stack.s3.put_object(Bucket=stack["delivery_bucket"], Key=f"downloads/{client}/{FILE}", Body=content(client))


def role_name(stack: Stack, client: str) -> str:
    return f"{stack['schedule_group']}.{client}.sftp"


@pytest.fixture(scope="module")
def as_role(stack: Stack, system: dict[str, Any], iam: Any) -> Any:
    """S3 with the credentials of a client's role; only its trust is opened, to this account, for the test."""
    sts, made = session(system).client("sts", endpoint_url=system["endpoint_url"]), {}

    def s3(client: str) -> Any:
        if client not in made:
            name = role_name(stack, client)
            root = {"AWS": "arn:aws:iam::000000000000:root"}
            statement = {"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}
            iam.update_assume_role_policy(
                RoleName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            )
            arn = iam.get_role(RoleName=name)["Role"]["Arn"]
            given = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
            made[client] = session(system).client(
                "s3",
                endpoint_url=system["endpoint_url"],
                aws_access_key_id=given["AccessKeyId"],
                aws_secret_access_key=given["SecretAccessKey"],
                aws_session_token=given["SessionToken"],
            )
        return made[client]

    return s3


def test_clients_see_the_given_host_key(system: dict[str, Any], stack: Stack, host_key: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(host_key)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", file], capture_output=True, text=True, check=True).stdout.split()
    assert host_key_fingerprint(system["sftp"]["host"], system["sftp"]["port"]) == shown[1]
    assert stack.outputs["sftp_host_key_fingerprints"] == [shown[1]]


def may(client: str, other: str, action: str) -> bool:
    return client == other and action in ("list", "get")


@pytest.mark.parametrize(("client", "other", "action"), MATRIX)
def test_the_simulator_allows_a_client_to_read_its_own_folder_and_nothing_else(
    stack: Stack, iam: Any, client: str, other: str, action: str
) -> None:
    bucket = f"arn:aws:s3:::{stack['delivery_bucket']}"
    decision = iam.simulate_principal_policy(
        PolicySourceArn=iam.get_role(RoleName=role_name(stack, client))["Role"]["Arn"],
        ActionNames=[ACTIONS[action]],
        ResourceArns=[bucket if action == "list" else f"{bucket}/downloads/{other}/{FILE}"],
    )["EvaluationResults"][0]["EvalDecision"]
    # The emulator's simulator takes no context, and without s3:prefix nobody may list, not even the own folder;
    # that this is allowed is seen with the role's credentials below.
    allowed = may(client, other, action) and action != "list"
    assert decision == ("allowed" if allowed else "implicitDeny")


@pytest.mark.parametrize(("client", "other", "action"), MATRIX)
def test_a_roles_credentials_read_their_own_folder_and_nothing_else(
    stack: Stack, as_role: Any, client: str, other: str, action: str
) -> None:
    s3, bucket, key = as_role(client), stack["delivery_bucket"], f"downloads/{other}/{FILE}"
    calls = {
        "list": lambda: s3.list_objects_v2(Bucket=bucket, Prefix=f"downloads/{other}/")["KeyCount"] > 0,
        "get": lambda: s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content(other),
        "put": lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"changed"),
        "delete": lambda: s3.delete_object(Bucket=bucket, Key=key),
    }
    if may(client, other, action):
        assert calls[action]()
        return
    with pytest.raises(ClientError) as refused:
        calls[action]()
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert stack.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content(other)


@pytest.mark.parametrize("prefix", ["", "downloads", "downloads/", "downloads/acm"])
def test_a_role_may_not_list_above_or_beside_its_folder(stack: Stack, as_role: Any, prefix: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role("acme").list_objects_v2(Bucket=stack["delivery_bucket"], Prefix=prefix)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:DeleteObject", "{delivery_bucket}/downloads/acme/x"),
        ("s3:PutObject", "{delivery_bucket}/elsewhere/x"),
        ("s3:PutObject", "{lake_bucket}/referrals/client=acme/x"),
        ("s3:DeleteObject", "{lake_bucket}/referrals/client=acme/x"),
        ("s3:PutBucketPolicy", "{delivery_bucket}"),
    ],
)
def test_the_functions_role_may_not_do_more_than_its_work(stack: Stack, iam: Any, action: str, resource: str) -> None:
    role = iam.get_role(RoleName=f"{stack['schedule_group']}-export")["Role"]["Arn"]
    arn = "arn:aws:s3:::" + resource.format(**stack.outputs)
    asked = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[action], ResourceArns=[arn])
    assert asked["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_fetches_its_files_with_openssh(client: str, sftp: Any, tmp_path: Path) -> None:
    done = sftp(client).run("ls -1 /", "cd /downloads", f"get {FILE}", folder=tmp_path)
    assert (done.returncode, "downloads" in done.stdout) == (0, True), done.stderr
    digest = hashlib.sha256((tmp_path / FILE).read_bytes()).hexdigest()
    assert digest == hashlib.sha256(content(client)).hexdigest()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_does_not_see_another_ones_folder(client: str, sftp: Any, tmp_path: Path) -> None:
    for other in set(CLIENTS) - {client}:
        for path in (
            f"/downloads/../{other}",
            f"/downloads/{other}",
            f"/{other}",
            f"/downloads/../../downloads/{other}",
        ):
            assert sftp(client).run(f"get {path}/{FILE}", folder=tmp_path).returncode != 0
    listed = sftp(client).run("ls -1 /", "ls -1 /downloads").stdout
    assert not [other for other in set(CLIENTS) - {client} if other in listed]
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_was_not_given_is_refused(sftp: Any, tmp_path: Path) -> None:
    generate_key(tmp_path / "key")
    refused = sftp("acme", tmp_path / "key").run("ls")
    assert refused.returncode != 0
    assert "Permission denied (publickey" in refused.stderr


def test_another_clients_key_is_refused(sftp: Any, system: dict[str, Any]) -> None:
    assert sftp("acme", Path(system["clients"]["globex"]["private_key"])).run("ls").returncode != 0


def test_the_bucket_says_that_files_expire_after_14_days(stack: Stack) -> None:
    rules = stack.s3.get_bucket_lifecycle_configuration(Bucket=stack["delivery_bucket"])["Rules"]
    by_id = {rule["ID"]: rule for rule in rules}
    expire, abort = by_id["expire-downloads"], by_id["abort-incomplete-uploads"]
    assert (expire["Filter"], expire["Expiration"]) == ({"Prefix": "downloads/"}, {"Days": 14})
    assert abort["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
    assert "Expiration" not in abort
