"""The SFTP server, its users and their keys.

The emulator cannot change a server or a user, and keeps the tags that they were made with.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_aws.account import Account, Inputs
from local_aws.emulator import HOST
from local_aws.errors import CannotMake
from local_aws.makers.maker import Maker, Resource, renamed, retag
from local_aws.sftp import host_key_fingerprint


class Server(Maker):
    """Nothing of a server but its tags can be changed here."""

    type = "aws:transfer/server:Server"
    fixed = frozenset({"domain", "identityProviderType"})
    changeable = frozenset({"tags"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        if host_key := inputs.get("hostKey"):
            # The emulator takes no key from the request; its listener starts with the first server.
            path = aws.emulator.host_key_file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(host_key)
        server_id = aws.call("transfer", "CreateServer", inputs)["ServerId"]
        outputs = {
            "arn": f"arn:aws:transfer:{aws.region}:{aws.account_id}:server/{server_id}",
            # One listener serves all servers of the emulator, and has their host key.
            "endpoint": HOST,
            "hostKeyFingerprint": host_key_fingerprint(HOST, aws.emulator.sftp_port),
        }
        return Resource(server_id, dict(inputs), outputs)

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        try:
            retag(aws, "transfer", {"arn": old.outputs["arn"]}, old, inputs)
        except ClientError as error:
            # The emulator has neither TagResource nor UntagResource, and nothing in it asks for a server's tags: what
            # the request was checked for, AWS's own model of it, it has passed.
            if error.response["Error"]["Code"] != "InvalidAction":
                raise
        return Resource(old.id, dict(inputs), old.outputs)

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("transfer", "DeleteServer", {"serverId": old.id})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        return aws.find("transfer", "DescribeServer", {"serverId": old.id}) and {}


class HostKey(Maker):
    """A further host key of a server; the emulator shows one."""

    type = "aws:transfer/hostKey:HostKey"

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        raise CannotMake("the emulator's SFTP server shows one host key: leave `sftp_further_host_keys` out here")

    def delete(self, aws: Account, old: Resource) -> None:
        """Nothing was made."""

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        return None


class User(Maker):
    """A user and its folder. To change it here it is made anew, with the keys that it has."""

    type = "aws:transfer/user:User"
    fixed = frozenset({"serverId", "userName"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        aws.call("transfer", "CreateUser", inputs)
        for mapping in inputs["homeDirectoryMappings"]:
            # Listing optimisation makes a missing folder appear; the emulator has none, so it needs a marker.
            bucket, _, folder = mapping["target"].strip("/").partition("/")
            aws.client("s3").put_object(Bucket=bucket, Key=f"{folder}/")
        return Resource(self.id_of(aws, inputs), dict(inputs))

    def id_of(self, aws: Account, inputs: Inputs) -> str:
        return f"{inputs['serverId']}/{inputs['userName']}"

    def update(self, aws: Account, old: Resource, inputs: Inputs) -> Resource:
        keys = [] if (user := self.describe(aws, old)) is None else user["SshPublicKeys"]
        self.delete(aws, old)
        made = self.create(aws, "", inputs)
        for key in keys:
            aws.call("transfer", "ImportSshPublicKey", {**_user(inputs), "sshPublicKeyBody": key["SshPublicKeyBody"]})
        return made

    def delete(self, aws: Account, old: Resource) -> None:
        aws.find("transfer", "DeleteUser", _user(old.inputs))

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("transfer", "DescribeUser", _user(old.inputs))
        return answer and {name: value for name, value in answer["User"].items() if name != "Tags"}


class SshKey(Maker):
    """One public key of a user; the emulator's id of it changes when the user is made anew, its body does not."""

    type = "aws:transfer/sshKey:SshKey"
    fixed = frozenset({"serverId", "userName", "body"})

    def create(self, aws: Account, name: str, inputs: Inputs) -> Resource:
        request = renamed(inputs, body="sshPublicKeyBody")
        key_id = aws.call("transfer", "ImportSshPublicKey", request)["SshPublicKeyId"]
        return Resource(key_id, dict(inputs), {"sshKeyId": key_id})

    def id_of(self, aws: Account, inputs: Inputs) -> str | None:
        found = self.describe(aws, Resource("", dict(inputs)))
        return str(found["SshPublicKeyId"]) if found else None

    def delete(self, aws: Account, old: Resource) -> None:
        found = self.describe(aws, old)
        if found:
            aws.find("transfer", "DeleteSshPublicKey", {**_user(old.inputs), "sshPublicKeyId": found["SshPublicKeyId"]})

    def describe(self, aws: Account, old: Resource) -> Mapping[str, Any] | None:
        answer = aws.find("transfer", "DescribeUser", _user(old.inputs))
        keys = answer["User"]["SshPublicKeys"] if answer else []
        return next((key for key in keys if key["SshPublicKeyBody"] == old.inputs["body"]), None)


def _user(inputs: Inputs) -> dict[str, Any]:
    return {"serverId": inputs["serverId"], "userName": inputs["userName"]}


MAKERS: list[Maker] = [Server(), HostKey(), User(), SshKey()]
