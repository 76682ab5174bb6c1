"""The manifest beside a file: what the file is, for a client that checks before it loads."""

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SUFFIX = ".manifest.json"


class Manifest(BaseModel):
    """Published after the file that it describes, under the file's name and `.manifest.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    version: Literal[1] = 1
    client: str
    file: str = Field(description="Name of the file in the same folder")
    occasion: str = Field(description="scheduled, manual, resend or backfill")
    sequence: int | None = Field(description="Number of the delivery; null for a backfill")
    previous_sequence: int | None = Field(description="Number of the delivery before; null for the first")
    window_start: str = Field(description="First moment of arrival, UTC, included")
    window_end: str = Field(description="Last moment of arrival, UTC, not included")
    rows: int = Field(description="Referrals in the file, without the header")
    size_bytes: int = Field(alias="bytes", description="Size of the file")
    sha256: str = Field(description="SHA-256 of the file's bytes, lower-case hex")
    columns: list[str] = Field(description="Headers, in order")
    created_at: str = Field(description="When this manifest was made, UTC")

    def to_bytes(self) -> bytes:
        """The manifest as it is published."""
        return (self.model_dump_json(indent=2) + "\n").encode()


def json_schema() -> str:
    """The JSON Schema of a manifest, as committed in docs/manifest.schema.json."""
    schema = Manifest.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2) + "\n"
