"""The emulator's process, with an SFTP server that does as AWS's where the emulator's own leaves something out, and a
mail service that asks for the right that AWS asks for.

The user's role decides what may be read and written, and each fetch is told on EventBridge's default bus with the
fields that AWS gives it. The emulator's program is not changed: this module runs it in place of `python -m ministack`.
"""

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, responses
from ministack.services import eventbridge, transfer

# https://docs.aws.amazon.com/transfer/latest/userguide/event-detail-server-events.html
_COMPLETED, _FAILED = "SFTP Server File Download Completed", "SFTP Server File Download Failed"
# Of a request to open a file: https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02#section-6.3
_WRITE = 0x02


@dataclass
class Fetch:
    """A file that a client has open; `spans` are what it has read, by their first byte."""

    bucket: str
    key: str
    size_bytes: int
    etag: str
    began: str
    spans: dict[int, int] = field(default_factory=dict)

    def read_bytes(self) -> int:
        """How much of the file has been read."""
        total = end = 0
        for first, size in sorted(self.spans.items()):
            total += max(0, first + size - max(first, end))
            end = max(end, first + size)
        return total


class AwsSftpServer:
    """Before the emulator's SFTP server in the order of classes: one client's session."""

    _user: dict[str, Any]
    _account_id: str
    _region: str
    _server_id: str

    def __init__(self, chan: Any, **options: Any) -> None:
        super().__init__(chan, **options)  # type: ignore[call-arg]  # the emulator's
        self._session_id = secrets.token_hex(8)
        self._client_ip = chan.get_extra_info("peername")[0]
        self._fetches: dict[int, Fetch] = {}

    def open(self, path: bytes, pflags: int, attrs: Any) -> int:
        """Open a file, which the role allows to read or to write."""
        bucket, key = self._allowed("PutObject" if pflags & _WRITE else "GetObject", path)
        handle: int = super().open(path, pflags, attrs)  # type: ignore[misc]
        if not pflags & _WRITE:
            found = transfer._sftp_s3_get_object(self._account_id, bucket, key)
            self._fetches[handle] = Fetch(bucket, key, len(found["body"]), found["etag"].strip('"'), _now())
        return handle

    def read(self, file_obj: int, offset: int, size: int) -> bytes:
        """Read, and note what has been read."""
        data: bytes = super().read(file_obj, offset, size)  # type: ignore[misc]
        if data and (fetch := self._fetches.get(file_obj)):
            fetch.spans[offset] = max(len(data), fetch.spans.get(offset, 0))
        return data

    def close(self, file_obj: int) -> None:
        """Close a file, as the end of a session does too, and tell of the fetch."""
        super().close(file_obj)  # type: ignore[misc]
        if fetch := self._fetches.pop(file_obj, None):
            self._tell(fetch)

    def mkdir(self, path: bytes, attrs: Any) -> None:
        """Make a folder, where the role allows it."""
        self._allowed("PutObject", path, suffix="/")
        super().mkdir(path, attrs)  # type: ignore[misc]

    def rmdir(self, path: bytes) -> None:
        """Remove a folder, where the role allows it."""
        self._allowed("DeleteObject", path, suffix="/")
        super().rmdir(path)  # type: ignore[misc]

    def remove(self, path: bytes) -> None:
        """Remove a file, where the role allows it."""
        self._allowed("DeleteObject", path)
        super().remove(path)  # type: ignore[misc]

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename a file, where the role allows all that S3 needs for it."""
        self._allowed_to_rename(oldpath, newpath)
        super().rename(oldpath, newpath)  # type: ignore[misc]

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Rename a file over another one, where the role allows all that S3 needs for it."""
        self._allowed_to_rename(oldpath, newpath)
        super().posix_rename(oldpath, newpath)  # type: ignore[misc]

    def _allowed_to_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._allowed("GetObject", oldpath)
        self._allowed("DeleteObject", oldpath)
        self._allowed("PutObject", newpath)

    def _allowed(self, action: str, path: bytes, *, suffix: str = "") -> tuple[str, str]:
        """Bucket and key of a path; SFTPPermissionDenied where the user's role does not allow the action on them.

        A path outside the user's folders has no bucket, and is left to the emulator to refuse.
        """
        bucket, key = self._resolve(path)  # type: ignore[attr-defined]
        if bucket and key:
            role = self._user["Role"]
            asked = iam_evaluator.EvalContext(
                principal_arn=role,
                principal_type="AssumedRole",
                principal_account=self._account_id,
                action=f"s3:{action}",
                resource_arn=f"arn:aws:s3:::{bucket}/{key}{suffix}",
                region=self._region,
                source_ip=self._client_ip,
                secure_transport=True,
            )
            policies = iam_evaluator._gather_role_policies(role.rsplit("/", 1)[1], self._account_id)
            if iam_evaluator.evaluate(asked, policies).decision != "Allow":
                raise transfer.asyncssh.SFTPPermissionDenied("Permission denied")
        return bucket, key

    def _tell(self, fetch: Fetch) -> None:
        """Put the event of a fetch on the default bus."""
        read = fetch.read_bytes()
        whole = read == fetch.size_bytes
        detail = {
            "status-code": "COMPLETED" if whole else "FAILED",
            "protocol": "SFTP",
            "bytes": read,
            "client-ip": self._client_ip,
            "failure-code": "" if whole else "PARTIAL_DOWNLOAD",
            "failure-message": "" if whole else "The file was closed before all of it had been read.",
            "end-timestamp": _now(),
            "etag": fetch.etag,
            "file-path": f"/{fetch.bucket}/{fetch.key}",
            "server-id": self._server_id,
            "username": self._user["UserName"],
            "session-id": self._session_id,
            "start-timestamp": fetch.began,
        }
        entry = {
            "Source": "aws.transfer",
            "DetailType": _COMPLETED if whole else _FAILED,
            "Detail": json.dumps(detail),
            "Resources": [f"arn:aws:transfer:{self._region}:{self._account_id}:server/{self._server_id}"],
        }
        responses.set_request_account_id(self._account_id)
        responses.set_request_region(self._region)
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _now() -> str:
    """Now, with the nanoseconds that AWS writes."""
    nanoseconds = time.time_ns()
    moment = datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"


def main() -> None:
    """Run the emulator; its SFTP server's classes are made with its first server."""
    make = transfer._ensure_sftp_runtime

    def make_and_extend() -> None:
        make()
        made = transfer._MiniStackSFTPServer
        if not issubclass(made, AwsSftpServer):
            transfer._MiniStackSFTPServer = type("SftpServer", (AwsSftpServer, made), {})

    transfer._ensure_sftp_runtime = make_and_extend
    # Sending is allowed by the identity of the sender, where the emulator asks for a right to everything.
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html
    iam_actions._SES_V2_RESOURCES["outbound-emails"] = ("identity", "FromEmailAddress")
    app.main()


if __name__ == "__main__":
    main()
