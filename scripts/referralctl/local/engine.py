"""Stands in for the Pulumi engine and the AWS provider, with the emulator behind them."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import boto3
import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs

Inputs = dict[str, Any]
Made = tuple[str, Inputs]
# Makes one resource: from its logical name and its inputs (camelCase, as the program gave them) to id and outputs.
Maker = Callable[["EmulatedAws", str, Inputs], Made]


class UnknownResourceType(Exception):
    """The program has a resource type that no function here makes."""


class EmulatedAws(pulumi.runtime.Mocks):
    """Makes each resource of the program in the emulator, through the AWS API; `makers` by type token."""

    def __init__(self, makers: dict[str, Maker], *, endpoint_url: str, region: str, account_id: str) -> None:
        self._makers = makers
        self.endpoint_url, self.region, self.account_id = endpoint_url, region, account_id

    @cached_property
    def session(self) -> boto3.Session:
        """The emulator takes an account's id as the access key of its root user."""
        return boto3.Session(
            aws_access_key_id=self.account_id,
            aws_secret_access_key="local",  # noqa: S106 - the emulator asks for none
            region_name=self.region,
        )

    def client(self, service: Any) -> Any:
        """A client of one AWS service, aimed at the emulator."""
        return self.session.client(service, endpoint_url=self.endpoint_url)

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # type: ignore[override]  # a tuple of None breaks it
        """Answer a function of the provider."""
        if args.token == "aws:index/getCallerIdentity:getCallerIdentity":  # noqa: S105 - a type token
            return {"accountId": self.account_id}
        raise UnknownResourceType(f"the program calls {args.token}, and referralctl/local has no answer for it")

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, Inputs]:
        """Make one resource; components are only containers."""
        if not args.custom:
            return "", args.inputs
        if args.typ not in self._makers:
            raise UnknownResourceType(f"{args.typ} ({args.name}): no function in referralctl/local makes it; add one")
        made_id, outputs = self._makers[args.typ](self, args.name, args.inputs)
        return made_id, args.inputs | outputs


def tags_of(inputs: Inputs) -> list[dict[str, str]]:
    """The tags of a resource as most AWS APIs take them."""
    return [{"Key": key, "Value": value} for key, value in inputs.get("tags", {}).items()]
