"""The SSH keys of this server's users, as far as the watch takes expired ones away."""

import base64
import binascii
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_transfer import TransferClient


@dataclass(frozen=True)
class ClientKeys:
    """Users of one Transfer Family server."""

    transfer: "TransferClient"
    server_id: str

    def remove(self, client: str, fingerprints: Collection[str]) -> set[str]:
        """Take the keys of these fingerprints from a user; the answer are those that were there."""
        try:
            user = self.transfer.describe_user(ServerId=self.server_id, UserName=client)["User"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return set()
            raise
        removed = set()
        for key in user.get("SshPublicKeys", ()):
            fingerprint = _fingerprint(key["SshPublicKeyBody"])
            if fingerprint in fingerprints:
                self.transfer.delete_ssh_public_key(
                    ServerId=self.server_id, UserName=client, SshPublicKeyId=key["SshPublicKeyId"]
                )
                removed.add(fingerprint)
        return removed


def _fingerprint(body: str) -> str:
    """As `PublicKey.fingerprint` makes it of the same key; empty for what somebody else has put there."""
    try:
        blob = base64.b64decode(body.split()[1], validate=True)
    except (IndexError, binascii.Error):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
