"""The provider plugin as Pulumi's engine talks to it: over gRPC, with an emulator behind it."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local_aws.plugin import Provider, plugin_environment
from referralctl.local_system import LocalSystem

KEY = "arn:aws:kms:ap-southeast-2:000000000000:key/11111111-2222-3333-4444-555555555555"
GROUP, QUEUE, BUCKET = "aws:cloudwatch/logGroup:LogGroup", "aws:sqs/queue:Queue", "aws:s3/bucket:Bucket"
SOME, NONE = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
# What the engine sends in a preview for a value that is not known yet, and for an archive.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE, ARCHIVE = "4dabf18193072939515e22adb298388d", "0def7320c3a5731c473e5ecbe6d01bc7"


def struct(values: Mapping[str, Any]) -> Struct:
    """Values as the protocol has them."""
    made = Struct()
    made.update(values)
    return made


def urn(type_: str) -> dict[str, Any]:
    """How the engine names a resource."""
    return {"urn": f"urn:pulumi:test::referrals::{type_}::x", "type": type_, "name": "x"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a bare emulator."""
    local = LocalSystem(tmp_path_factory.mktemp("bare") / "local")
    try:
        yield plugin_environment(local.up_bare())
    finally:
        local.down()


@pytest.fixture
def plugin(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The plugin, configured."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server = grpc.server(ThreadPoolExecutor(4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        stub.Configure(provider_pb2.ConfigureRequest(variables={"aws:config:region": "eu-west-1"}))
        yield stub
    server.stop(0).wait()


def diff(plugin: Any, type_: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
    return plugin.Diff(provider_pb2.DiffRequest(id="x", old_inputs=struct(old), news=struct(new), **urn(type_)))


def test_a_resource_goes_its_round_over_the_protocol(plugin: Any) -> None:
    inputs = {"name": "round", "retentionInDays": 7, "kmsKeyId": KEY}
    made = plugin.Create(provider_pb2.CreateRequest(properties=struct(inputs), **urn(GROUP)))
    arn = "arn:aws:logs:eu-west-1:000000000000:log-group:round"
    assert (made.id, MessageToDict(made.properties)) == ("round", inputs | {"arn": arn})

    state = {"id": made.id, **urn(GROUP)}
    read = plugin.Read(provider_pb2.ReadRequest(properties=made.properties, inputs=struct(inputs), **state))
    assert (read.id, read.properties, read.inputs) == ("round", made.properties, struct(inputs))

    other = {"name": "round", "retentionInDays": 30}
    update = {"olds": made.properties, "old_inputs": struct(inputs), "news": struct(other)}
    changed = plugin.Update(provider_pb2.UpdateRequest(**update, **state))
    assert MessageToDict(changed.properties) == other | {"arn": arn}
    stale = plugin.Read(provider_pb2.ReadRequest(properties=made.properties, inputs=struct(inputs), **state))
    assert MessageToDict(stale.inputs) == {"name": "round", "retentionInDays": 30.0, "kmsKeyId": None}
    assert MessageToDict(stale.properties) == MessageToDict(stale.inputs) | {"arn": arn}

    gone = {"properties": changed.properties, "old_inputs": struct(other), **state}
    plugin.Delete(provider_pb2.DeleteRequest(**gone))
    read = plugin.Read(provider_pb2.ReadRequest(properties=changed.properties, inputs=struct(other), **state))
    assert (read.id, MessageToDict(read.properties)) == ("", {})


def test_a_preview_makes_and_changes_nothing(plugin: Any) -> None:
    inputs = {"name": "previewed", "kmsKeyId": UNKNOWN}
    made = plugin.Create(provider_pb2.CreateRequest(properties=struct(inputs), preview=True, **urn(GROUP)))
    assert (made.id, MessageToDict(made.properties)) == ("", inputs)
    state = {"id": "previewed", **urn(GROUP)}
    read = provider_pb2.ReadRequest(properties=struct(inputs), inputs=struct(inputs), **state)
    assert plugin.Read(read).id == ""
    old = {"name": "previewed", "arn": "arn"}
    update = {"olds": struct(old), "old_inputs": struct({"name": "previewed"}), "news": struct(inputs)}
    changed = plugin.Update(provider_pb2.UpdateRequest(preview=True, **update, **state))
    assert MessageToDict(changed.properties) == inputs | {"arn": "arn"}, "what AWS gave is still known"
    assert plugin.Read(read).id == ""


def test_a_difference_says_what_is_changed_and_for_what_the_resource_is_replaced(plugin: Any) -> None:
    old = {"name": "one", "retentionInDays": 7}
    same = diff(plugin, GROUP, old, old)
    assert (same.changes, list(same.diffs), list(same.replaces)) == (NONE, [], [])
    changed = diff(plugin, GROUP, old, {"name": "one", "kmsKeyId": UNKNOWN})
    assert (changed.changes, list(changed.diffs), list(changed.replaces)) == (SOME, ["kmsKeyId", "retentionInDays"], [])
    assert not changed.deleteBeforeReplace
    other = diff(plugin, GROUP, old, {"name": "two", "retentionInDays": 7})
    assert (other.changes, list(other.replaces), other.deleteBeforeReplace) == (SOME, ["name"], True)


def test_only_what_has_a_name_of_its_own_is_deleted_before_it_is_replaced(plugin: Any) -> None:
    given = diff(plugin, BUCKET, {"bucket": "one"}, {"bucket": "two"})
    made_up = diff(plugin, BUCKET, {"bucketPrefix": "one-"}, {"bucketPrefix": "two-"})
    assert (given.deleteBeforeReplace, made_up.deleteBeforeReplace) == (True, False)


def test_an_archive_is_compared_by_its_hash_and_not_by_where_it_lies(plugin: Any) -> None:
    type_ = "aws:lambda/function:Function"
    sent = {SIGNATURE: ARCHIVE, "hash": "one", "path": "/here/one.zip"}
    kept = {SIGNATURE: ARCHIVE, "hash": "one"}  # as the state has it
    assert diff(plugin, type_, {"name": "x", "code": kept}, {"name": "x", "code": sent}).changes == NONE
    other = diff(plugin, type_, {"name": "x", "code": kept}, {"name": "x", "code": sent | {"hash": "two"}})
    assert list(other.diffs) == ["code"]


def checked_and_made(plugin: Any, type_: str, inputs: Mapping[str, Any]) -> Any:
    plugin.Check(provider_pb2.CheckRequest(news=struct(inputs), **urn(type_)))
    return plugin.Create(provider_pb2.CreateRequest(properties=struct(inputs), **urn(type_)))


@pytest.mark.parametrize(
    ("type_", "inputs", "said"),
    [
        ("aws:ec2/vpc:Vpc", {}, "aws:ec2/vpc:Vpc (x): nothing in local_aws/makers makes it"),
        (QUEUE, {"name": "x", "colour": "red"}, "for the input 'colour'"),
        ("aws:scheduler/schedule:Schedule", {"name": "x", "groupName": "none"}, "Parameter validation failed"),
    ],
)
@pytest.mark.usefixtures("own_log")
def test_what_is_refused_is_an_error_with_its_message_and_no_traceback(
    plugin: Any, type_: str, inputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        checked_and_made(plugin, type_, inputs)
    assert said in str(refused.value.details())
    assert "Traceback" not in str(refused.value.details())


def test_the_account_of_the_caller_is_the_emulator_s_and_no_other_function_is_answered(plugin: Any) -> None:
    asked = provider_pb2.InvokeRequest(tok="aws:index/getCallerIdentity:getCallerIdentity")
    answer = MessageToDict(getattr(plugin.Invoke(asked), "return"))
    assert answer["accountId"] == "000000000000"
    with pytest.raises(grpc.RpcError, match="getRegion"):
        plugin.Invoke(provider_pb2.InvokeRequest(tok="aws:index/getRegion:getRegion"))


def test_without_an_emulator_nothing_is_done_and_the_way_to_one_is_said(
    plugin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_AWS_EMULATOR")
    with pytest.raises(grpc.RpcError, match=r"LOCAL_AWS_EMULATOR is not set.*referralctl local env"):
        plugin.Configure(provider_pb2.ConfigureRequest())
