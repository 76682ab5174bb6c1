"""Records the resource graph that the program makes, without making anything."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs
from pulumi.runtime.mocks import MockMonitor

ACCOUNT_ID, REGION = "123456789012", "eu-west-1"


@dataclass(frozen=True)
class Recorded:
    """One registered resource."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    protect: bool
    custom: bool
    deleted_with: str
    dependencies: frozenset[str]

    def policy(self, field: str) -> Any:
        """An input that is a JSON document."""
        return json.loads(self.inputs[field])


class Recorder(pulumi.runtime.Mocks):
    """Answers as the engine would, with made-up ids."""

    def __init__(
        self, partition: str = "aws", region: str = REGION, referred: Mapping[str, dict[str, Any]] | None = None
    ) -> None:
        self.partition, self.region, self.referred = partition, region, referred or {}

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # type: ignore[override]
        assert args.token == "aws:index/getCallerIdentity:getCallerIdentity"
        return {"accountId": ACCOUNT_ID}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        arn = f"arn:{self.partition}:{args.typ.split(':')[1].split('/')[0]}:{self.region}:{ACCOUNT_ID}:{args.name}"
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {"name": args.name, "outputs": self.referred[args.name], "secretOutputNames": []}
        if args.typ == "aws:s3/bucket:Bucket":
            arn = f"arn:{self.partition}:s3:::{args.name}-id"
        made = {
            "arn": arn,
            "name": args.name,
            "streamArn": f"{arn}/stream/1",
            "url": f"https://{args.name}",
            "endpoint": "sftp.example",
        }
        return f"{args.name}-id", made | {"hostKeyFingerprint": "SHA256:x="} | args.inputs


class RecordingMonitor(MockMonitor):
    """Also keeps the options, which `Mocks` are not told."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self.graph: list[Recorded] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            inputs = pulumi.runtime.rpc.deserialize_properties(request.object)
            self.graph.append(
                Recorded(
                    answer.urn,
                    request.type,
                    request.name,
                    inputs,
                    request.parent,
                    request.protect,
                    request.custom,
                    request.deletedWith,
                    frozenset(request.dependencies),
                )
            )
        return answer
