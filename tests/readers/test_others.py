"""Every dialect in a reader of the JavaScript world; zips in unzip and 7-Zip; each format, encrypted, in GnuPG."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from referral_delivery.agreement.file_format import Compression, FileFormat, Format
from referral_delivery.agreement.recipient import Recipient
from referral_delivery.file.encrypt import encrypted
from referral_delivery.file.pack import packed
from tests.pgp import now, recipient
from tests.readers.gnupg import GnuPG
from tests.rows import HEADER, ROWS
from tests.unit import test_formats
from tests.unit.test_formats import DIALECTS, PACKED, Lakes, made, name_of, without

pytestmark = [pytest.mark.readers, pytest.mark.timeout(600)]
NAME = "referrals_acme_000001.csv"
NODE = Path(__file__).parent / "node"
BLOCK = b"".join(b"%016d,referral\n" % number for number in range(32_768))
# A zip of the old kind ends at 4 GiB.
BLOCKS_OF_MORE_THAN_4_GIB = 2**32 // len(BLOCK) + 2
con, lakes = test_formats.con, test_formats.lakes


def program(name: str, package: str) -> str:
    """A program's path; what to install where it is missing."""
    found = shutil.which(name)
    if not found:
        pytest.fail(f"{name} is not here; install Debian's {package}: apt-get install {package}")
    return found


@pytest.fixture(scope="session")
def csv_parse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JavaScript reader, installed from its lock."""
    program("node", "nodejs")
    folder = tmp_path_factory.mktemp("node")
    for file in NODE.iterdir():
        shutil.copy(file, folder)
    subprocess.run([program("npm", "npm"), "ci", "--silent"], cwd=folder, check=True)
    return folder / "read.js"


@pytest.mark.parametrize("dialect", DIALECTS, ids=name_of)
def test_every_dialect_is_read_back_by_csv_parse(
    con: duckdb.DuckDBPyConnection, lakes: Lakes, csv_parse: Path, dialect: dict[str, Any]
) -> None:
    file = FileFormat.model_validate(dialect)
    end = "\r\n" if file.line_ending == "crlf" else "\n"
    asked = json.dumps({"delimiter": file.between, "line_ending": end, "nothing": file.null})
    for kind in ("empty", "one", "nasty"):
        content = made(con, lakes[kind], **dialect)
        read = subprocess.run(["node", csv_parse, asked], input=content, capture_output=True, check=True).stdout
        assert json.loads(read) == ([HEADER] if file.header else []) + without(ROWS[kind])


def zipped(folder: Path, blocks: Iterable[bytes]) -> Path:
    path = folder / f"{NAME}.zip"
    with path.open("wb") as file:
        file.writelines(packed(blocks, Compression.ZIP, name=NAME))
    return path


def many() -> Iterator[bytes]:
    return (BLOCK for _ in range(BLOCKS_OF_MORE_THAN_4_GIB))


@pytest.mark.parametrize("blocks", [0, 3], ids=["nothing", "some"])
def test_a_zip_opens_in_unzip_and_in_7_zip(tmp_path: Path, blocks: int) -> None:
    path = zipped(tmp_path, [BLOCK] * blocks)
    for command in ([program("unzip", "unzip"), "-p", str(path)], [program("7z", "p7zip-full"), "x", "-so", str(path)]):
        assert subprocess.run(command, capture_output=True, check=True).stdout == BLOCK * blocks


def test_a_zip_of_more_than_4_gib_opens_in_unzip_and_in_7_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path, many())
    size = str(BLOCKS_OF_MORE_THAN_4_GIB * len(BLOCK))
    for command in ([program("unzip", "unzip"), "-lv", str(path)], [program("7z", "p7zip-full"), "l", str(path)]):
        assert size in subprocess.run(command, capture_output=True, check=True, text=True).stdout
    for command in ([program("unzip", "unzip"), "-tq", str(path)], [program("7z", "p7zip-full"), "t", str(path)]):
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def theirs(gpg: GnuPG) -> Recipient:
    """The client's key, which its GnuPG has made."""
    return recipient(gpg.export(gpg.make("Key-Type: RSA\nKey-Length: 2048\nKey-Usage: sign,cert,encrypt")))


@pytest.mark.parametrize(("format_", "compression"), PACKED)
def test_an_encrypted_file_of_each_format_and_packing_is_opened_by_gnupg(
    con: duckdb.DuckDBPyConnection,
    lakes: Lakes,
    gpg: GnuPG,
    theirs: Recipient,
    *,
    format_: Format,
    compression: Compression,
) -> None:
    for kind in ROWS:
        plain = made(con, lakes[kind], format=format_, compression=compression)
        message = b"".join(encrypted([plain], [theirs], signing_key=None, now=now()))
        assert gpg.run("--decrypt", stdin=message).stdout == plain
