"""Each function's environment as a model; its component in infra/ sets exactly these.

`stack` is what leads the names of its resources, and tells its metrics from another stack's.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict


class _Environment(BaseModel):
    model_config = ConfigDict(frozen=True)

    stack: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read LEDGER_TABLE and so on; a missing one is a ValidationError that names it."""
        return cls.model_validate(
            {name: environment[name.upper()] for name in cls.model_fields if name.upper() in environment}
        )

    def to_environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads."""
        return {name.upper(): value for name, value in self.model_dump().items()}


class Settings(_Environment):
    """Names of what the export works on; no `pgp_signing_secret` signs no file."""

    lake_bucket: str
    lake_prefix: str
    delivery_bucket: str
    ledger_table: str
    pgp_signing_secret: str


class WatchSettings(_Environment):
    """Names of what the watch reads, starts and tidies; `retention_days` is how long a file lies there."""

    delivery_bucket: str
    ledger_table: str
    ledger_table_arn: str
    export_function: str
    sftp_server_id: str
    retention_days: str


class ReceiverSettings(_Environment):
    """What receipts are read from and written to; `retention_days` is how long a file lies there."""

    delivery_bucket: str
    ledger_table: str
    retention_days: str


class NotifySettings(_Environment):
    """What notices are read from and sent by; no `notice_sender` sends no mail."""

    delivery_bucket: str
    ledger_table: str
    notices_queue_url: str
    notice_sender: str
    retention_days: str
