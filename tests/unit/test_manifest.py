"""A manifest's bytes, and the schema that says what is in them."""

import pytest
from pydantic import ValidationError

from infra import PROJECT_FOLDER
from referral_delivery.file.manifest import Manifest, json_schema

MANIFEST = """\
{
  "version": 1,
  "client": "acme",
  "file": "referrals_acme_7.csv",
  "occasion": "scheduled",
  "sequence": 7,
  "previous_sequence": null,
  "window_start": "2026-11-20T09:00:00Z",
  "window_end": "2026-11-20T10:00:00Z",
  "rows": 2,
  "bytes": 16,
  "sha256": "ab",
  "columns": [
    "referral_id"
  ],
  "created_at": "2026-11-20T10:01:00Z"
}
"""


def test_a_manifest_is_indented_by_two_blanks_and_ends_with_its_line() -> None:
    assert Manifest.model_validate_json(MANIFEST).to_bytes() == MANIFEST.encode()


@pytest.mark.parametrize("version", [0, 2])
def test_a_manifest_of_another_version_is_none(version: int) -> None:
    with pytest.raises(ValidationError, match="version\n  Input should be 1 "):
        Manifest.model_validate_json(MANIFEST.replace('"version": 1', f'"version": {version}'))


def test_the_committed_schema_of_the_manifest_is_current() -> None:
    committed = PROJECT_FOLDER / "docs" / "manifest.schema.json"
    assert committed.read_text(encoding="utf-8") == json_schema()
