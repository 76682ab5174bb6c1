"""A Pulumi provider plugin named `aws`, over the same makers: the real engine deploys into the local AWS.

Pulumi's engine takes any executable `pulumi-resource-aws` on PATH that prints its port and serves this protocol.
https://pulumi-developer-docs.readthedocs.io/latest/developer-docs/providers/implementers-guide.html
"""

import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local_aws.account import Account
from local_aws.emulator import ACCOUNT_ID, REGION, Emulator
from local_aws.engine import invoke
from local_aws.errors import LocalAwsError
from local_aws.makers import maker_of
from local_aws.makers.maker import Archive, Resource

EXECUTABLE = "pulumi-resource-aws"
EMULATOR = "LOCAL_AWS_EMULATOR"
# How the engine marks an archive. https://pkg.go.dev/github.com/pulumi/pulumi/sdk/v3/go/common/resource/sig
_SIGNATURE, _ARCHIVE = "4dabf18193072939515e22adb298388d", "0def7320c3a5731c473e5ecbe6d01bc7"
# The engine's own limit of a message. https://pkg.go.dev/github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil
_MAX_MESSAGE_BYTES = 400 * 1024 * 1024
# As many resources as the engine asks for at once, and some.
_THREADS = 32


def write_plugin(folder: Path) -> Path:
    """Write the executable that Pulumi's engine looks for; the answer is its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / EXECUTABLE
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m local_aws.plugin "$@"\n')
    path.chmod(0o755)
    return path


def plugin_environment(emulator: Emulator) -> dict[str, str]:
    """What the plugin, and every AWS tool beside it, needs to find the emulator."""
    return {
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": "local",
        EMULATOR: json.dumps(emulator.to_json()),
    }


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One run of the engine; resources are the makers' affair."""

    def __init__(self) -> None:
        self.aws: Account | None = None

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=version("pulumi-aws"))

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        if EMULATOR not in os.environ:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"{EMULATOR} is not set: this is the local AWS's stand-in for the AWS provider; "
                'run `eval "$(referralctl local env)"`, or take its folder off PATH to deploy to AWS',
            )
        emulator = Emulator.from_json(json.loads(os.environ[EMULATOR]))
        region = request.variables.get("aws:config:region") or os.environ.get("AWS_REGION") or REGION
        self.aws = Account(emulator, region=region)
        # Without secrets the engine hands them over as plain values, and marks what comes back by its own inputs.
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True, acceptResources=False)

    def Invoke(self, request: Any, context: Any) -> Any:
        answer = self._try(context, lambda aws: invoke(aws, request.tok))
        return provider_pb2.InvokeResponse(**{"return": _struct(answer)})

    def Check(self, request: Any, context: Any) -> Any:
        self._try(context, lambda _: maker_of(request.type, request.name))
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        old = Resource(request.id, _values(request.old_inputs))
        new = _values(request.news)
        found = self._try(context, lambda _: maker_of(request.type, request.name).compare(old, new))
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some if found.changed else none,
            diffs=sorted(found.changed),
            replaces=sorted(found.replacing),
            # A name that the program gave can exist once only.
            deleteBeforeReplace=bool(found.replacing) and "bucketPrefix" not in new,
        )

    def Create(self, request: Any, context: Any) -> Any:
        if request.preview:
            return provider_pb2.CreateResponse(properties=request.properties)
        inputs, maker = _values(request.properties), maker_of(request.type, request.name)
        made = self._try(context, lambda aws: maker.create(aws, request.name, inputs))
        return provider_pb2.CreateResponse(id=made.id, properties=_with(request.properties, made.outputs))

    def Update(self, request: Any, context: Any) -> Any:
        old = Resource(request.id, _values(request.old_inputs), _added(request.olds, request.old_inputs))
        if request.preview:
            return provider_pb2.UpdateResponse(properties=_with(request.news, old.outputs))
        maker, inputs = maker_of(request.type, request.name), _values(request.news)
        made = self._try(context, lambda aws: maker.update(aws, old, inputs))
        return provider_pb2.UpdateResponse(properties=_with(request.news, made.outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        old = Resource(request.id, _values(request.old_inputs), _added(request.properties, request.old_inputs))
        self._try(context, lambda aws: maker_of(request.type, request.name).delete(aws, old))
        return Empty()

    def Read(self, request: Any, context: Any) -> Any:
        old = Resource(request.id, _values(request.inputs), _added(request.properties, request.inputs))
        found = self._try(context, lambda aws: maker_of(request.type, request.name).read(aws, old))
        if found is None:
            return provider_pb2.ReadResponse()
        # Only what is different is put into the engine's own values: archives come back as they were sent.
        changed = {name: value for name, value in found.inputs.items() if value != old.inputs.get(name)}
        inputs = _with(request.inputs, changed)
        return provider_pb2.ReadResponse(id=found.id, properties=_with(inputs, found.outputs), inputs=inputs)

    def Cancel(self, request: Any, context: Any) -> Any:
        return Empty()

    def _try(self, context: Any, work: Callable[[Any], Any]) -> Any:
        """What the work answers; its expected errors reach the user as their messages."""
        try:
            return work(self.aws)
        except (LocalAwsError, BotoCoreError, ClientError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _values(struct: Struct) -> dict[str, Any]:
    """A struct as the makers' inputs."""
    return {name: _plain(value) for name, value in MessageToDict(struct).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _ARCHIVE:
            # In the state an archive is its hash alone.
            return Archive(value["hash"], Path(value["path"])) if "path" in value else value["hash"]
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _struct(values: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(values)
    return made


def _with(struct: Struct, values: dict[str, Any]) -> Struct:
    """A copy of a struct with some values set."""
    made = Struct()
    made.CopyFrom(struct)
    made.update(values)
    return made


def _added(outputs: Struct, inputs: Struct) -> dict[str, Any]:
    """What AWS added to the inputs."""
    return {name: value for name, value in MessageToDict(outputs).items() if name not in inputs.fields}


def serve() -> None:
    """Serve until the engine ends this process; the port is the first line of stdout."""
    limits = [("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(_THREADS), options=limits)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    serve()
