"""The manifest beside a file."""

import hashlib

from referral_delivery.file.manifest import Manifest
from tests.stack.conftest import Command, Lab


def test_a_manifest_describes_the_file_beside_it(quiet: Lab, command: Command) -> None:
    quiet.put_sources("2026-11-05 03", "a", "b")
    command("deliver", quiet.client)
    ((name, content),) = quiet.csv_files().items()
    manifest = Manifest.model_validate_json(quiet.files()[f"{name}.manifest.json"])
    assert (manifest.file, manifest.sequence, manifest.previous_sequence) == (name, 1, None)
    assert (manifest.rows, manifest.size_bytes, manifest.columns) == (2, len(content), ["referral_id", "source"])
    assert manifest.sha256 == hashlib.sha256(content).hexdigest()
    assert b'"bytes": ' in quiet.files()[f"{name}.manifest.json"]
