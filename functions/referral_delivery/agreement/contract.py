"""The delivery contract: the part of a client's agreement that the function carries out.

It travels in the schedule's Input. The ledger keeps each one that a delivery was made under, as plain data under its
hash, and recalls it as it was: what was delivered does not change with today's catalogue or today's rules.
"""

import hashlib
import json
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from referral_delivery.agreement.column import Column
from referral_delivery.agreement.file_format import FileFormat
from referral_delivery.agreement.recipient import Pgp, Recipient
from referral_delivery.agreement.refusal import Refused

CLIENT_NAME = r"[a-z][a-z0-9-]{2,31}"
_HASH_CHARACTERS = 16
# Scheduler hands it to Lambda in an event, of which 256 KB are taken, and the ledger keeps it in an item of 400 KB.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_CONTRACT_CHARACTERS = 128 * 1024


class Contract(BaseModel):
    """All that the function must know of a client to deliver to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: str = Field(pattern=f"^{CLIENT_NAME}$", description="SFTP user name and folder")
    deliver_from: date = Field(description="First day, UTC, whose referrals are delivered")
    attributes: tuple[Column, ...] = Field(min_length=1, description="The file's columns, in order")
    file: FileFormat = FileFormat()

    def to_plain(self) -> dict[str, Any]:
        """The contract as JSON values, with each column's type: all that its files can be made again from."""
        plain = self.model_dump(mode="json", warnings=False)
        plain["attributes"] = [each.to_plain() for each in self.attributes]
        return plain

    @classmethod
    def recalled(cls, plain: dict[str, Any]) -> "Contract":
        """A contract that `to_plain` wrote, at any version: what is not known is left out, nothing is checked."""
        file = {name: value for name, value in plain["file"].items() if name in FileFormat.model_fields}
        if file.get("pgp"):
            file["pgp"] = Pgp.recalled(file["pgp"])
        return cls.model_construct(
            client=plain["client"],
            deliver_from=date.fromisoformat(plain["deliver_from"]),
            attributes=tuple(Column.recalled(each) for each in plain["attributes"]),
            file=FileFormat.model_construct(**file),
        )

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """Whom its files are encrypted to; none where they are not."""
        return self.file.pgp.recipients if self.file.pgp else ()

    @property
    def hash(self) -> str:
        """What the ledger keeps this contract under: the same for the same plain data."""
        text = json.dumps(self.to_plain(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARACTERS]

    @field_validator("attributes")
    @classmethod
    def _distinct_columns(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        seen: set[str] = set()
        for position, column in enumerate(columns):
            if column.name.lower() in seen:
                raise Refused(
                    found=f"the column `{column.name}` twice",
                    expected="each column once",
                    do="rename or remove one of them",
                    at=(position, "name"),
                )
            seen.add(column.name.lower())
        return columns

    @field_validator("attributes")
    @classmethod
    def _of_the_lake(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        if all(column.source is None for column in columns):
            raise Refused(
                found="nothing but values that are the same in every row",
                expected="at least one attribute",
                do="add one, such as `referral_id`",
            )
        size = sum(len(json.dumps(column.to_plain(), ensure_ascii=False).encode()) for column in columns)
        if size > MAX_CONTRACT_CHARACTERS:
            raise Refused(
                found=f"attributes and maps of {size:,} bytes",
                expected=f"at most {MAX_CONTRACT_CHARACTERS:,}",
                do="shorten the maps",
            )
        return columns
