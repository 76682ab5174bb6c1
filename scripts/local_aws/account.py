"""The emulator's account: its clients, and requests made of a resource's inputs."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

import boto3
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_aws.emulator import ACCOUNT_ID, REGION, Emulator
from local_aws.errors import CannotMake

Inputs = Mapping[str, Any]

_NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


class Account:
    """AWS as its account's root user sees it; the emulator takes the account's id as that user's access key."""

    def __init__(self, emulator: Emulator, *, region: str = REGION) -> None:
        self.emulator, self.region, self.account_id = emulator, region, ACCOUNT_ID
        self._clients: dict[str, Any] = {}
        self._making = Lock()  # a session makes one client at a time; clients are for every thread
        self._session = boto3.Session(
            aws_access_key_id=ACCOUNT_ID,
            aws_secret_access_key="local",  # noqa: S106 - the emulator asks for none
            region_name=region,
        )

    def client(self, service: str) -> Any:
        """A client of one AWS service, aimed at the emulator."""
        with self._making:
            if service not in self._clients:
                made = self._session.client(service, endpoint_url=self.emulator.endpoint_url)
                self._clients[service] = made
            return self._clients[service]

    def call(self, service: str, operation: str, values: Inputs) -> dict[str, Any]:
        """Call `CreateRole` and the like with a resource's inputs: camelCase, numbers as floats, tags as a map.

        Every value must find its parameter: CannotMake names the one that does not.
        """
        client = self.client(service)
        shape = client.meta.service_model.operation_model(operation).input_shape
        names = {api: method for method, api in client.meta.method_to_api_mapping.items()}
        request = as_request(shape, values, f"{service} {operation}")
        answer: dict[str, Any] = getattr(client, names[operation])(**request)
        return answer

    def find(self, service: str, operation: str, values: Inputs) -> dict[str, Any] | None:
        """What `call` answers, or None where AWS says that there is no such thing."""
        try:
            return self.call(service, operation, values)
        except ClientError as error:
            if is_missing(error):
                return None
            raise


def as_request(shape: Shape, value: Any, where: str) -> Any:
    """A value as the API's shape wants it; members are found whatever their case (`kmsKeyArn` is `KMSKeyArn`)."""
    match shape:
        case StructureShape():
            members = {name.lower(): (name, member) for name, member in shape.members.items()}
            request = {}
            for key, each in value.items():
                if key.lower() not in members:
                    raise CannotMake(f"{where} has no parameter for the input {key!r}")
                name, member = members[key.lower()]
                if each is not None:
                    request[name] = as_request(member, each, f"{where}.{name}")
            return request
        case ListShape() if isinstance(value, Mapping):
            # A map of Pulumi's is a list of pairs in most APIs: Key and Value, Name and Value.
            assert isinstance(shape.member, StructureShape)  # noqa: S101 - nothing else is a list of pairs
            key, *_ = sorted(set(shape.member.members) - {"Value", "value"})
            held = next(name for name in shape.member.members if name.lower() == "value")
            return [{key: name, held: each} for name, each in value.items()]
        case ListShape():
            return [as_request(shape.member, each, f"{where}[]") for each in value]
        case MapShape():
            return {key: as_request(shape.value, each, f"{where}.{key}") for key, each in value.items()}
        case _ if shape.type_name in _NUMBERS:
            return _NUMBERS[shape.type_name](value)
        case _:
            return value


def is_missing(error: ClientError) -> bool:
    """Whether AWS refused because the thing does not exist."""
    code = error.response["Error"]["Code"]
    return any(word in code for word in ("NotFound", "NoSuch", "NonExistent", "DoesNotExist", "404"))
