"""`referralctl lake`: referrals from a file into the lake, under the lake's contract."""

import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import duckdb
import typer
from botocore.exceptions import ClientError
from rich.progress import Progress

from referral_delivery.attributes import CATALOGUE, AttributeType
from referral_delivery.errors import DataError
from referral_delivery.lake import PREFIX
from referralctl import stacks
from referralctl.output import AsJson, errors_reported, facts, print_json, talk
from referralctl.stacks import OutputsFile

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

app = typer.Typer(help="The referral lake.", no_args_is_help=True)

_DUCKDB_TYPES = {
    AttributeType.TEXT: "VARCHAR",
    AttributeType.INTEGER: "BIGINT",
    AttributeType.DECIMAL: "DECIMAL(18, 6)",
    AttributeType.DATE: "DATE",
    AttributeType.TIMESTAMP: "TIMESTAMP",
}
_READERS = {
    # Text as it stands: a guessed type would lose leading zeros. "" is empty, nothing at all is null.
    ".csv": "read_csv($file, header = true, all_varchar = true, nullstr = '', allow_quoted_nulls = false)",
    ".parquet": "read_parquet($file)",
}
_UPLOADS_AT_ONCE = 8


@app.callback()
def _group() -> None:
    """Keep `load` a sub-command."""


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file of referrals; columns are attribute names")],
    client: Annotated[str, typer.Option(help="Name of the client whose referrals these are")],
    outputs: OutputsFile = None,
    as_json: AsJson = False,
) -> None:
    """Put the referrals of FILE into the lake; a second load of the same file adds nothing.

    Without a received_at column, they are stamped as arriving now; referral_id is required.
    """
    with errors_reported():
        stack = stacks.find(outputs)
        stack.check_client(client)
        with tempfile.TemporaryDirectory(prefix="lake-load-") as folder:
            rows = write_partitions(file, Path(folder), received_at=datetime.now(UTC))
            objects, added = upload_partitions(stack.s3, stack["lake_bucket"], Path(folder), client, file)
    if as_json:
        print_json({"client": client, "rows": rows, "objects": objects, "added": added})
    else:
        facts.print(f"{rows:,} referrals of {client} in {len(objects):,} objects of the lake, {added:,} of them new")


def write_partitions(file: Path, folder: Path, *, received_at: datetime) -> int:
    """Write the file's rows as `dt=…/hr=…/*.parquet` below a folder; the answer is their number.

    Raises DataError, naming the column or line, where the file does not fit the lake's contract.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None or not file.is_file():
        raise DataError(f"{file}: expected an existing .csv or .parquet file of referrals")
    # One thread: the same file gives the same objects.
    with duckdb.connect(config={"threads": 1}) as con:
        try:
            con.execute("SET TimeZone = 'UTC'")
            found = [
                name for name, *_ in con.execute(f"DESCRIBE SELECT * FROM {reader}", {"file": str(file)}).fetchall()
            ]
            columns = _columns(file, found, received_at)
            copied = con.execute(
                f"COPY (SELECT *, strftime(received_at, '%Y-%m-%d') AS dt, strftime(received_at, '%H') AS hr "
                f"FROM (SELECT {columns} FROM {reader})) TO '{folder}' "
                f"(FORMAT parquet, PARTITION_BY (dt, hr), OVERWRITE_OR_IGNORE true)",
                {"file": str(file)},
            ).fetchone()
        except duckdb.Error as error:
            # The message may quote a value of a row; its first line says which column and line.
            raise DataError(f"{file}: {str(error).splitlines()[0]}") from error
    if any(path.name.startswith("dt=__HIVE") for path in folder.iterdir()):
        raise DataError(f"{file}: a row has no received_at; give every row one, or leave the column out")
    return int(copied[0]) if copied else 0


def upload_partitions(s3: "S3Client", bucket: str, folder: Path, client: str, file: Path) -> tuple[list[str], int]:
    """Upload what `write_partitions` wrote; the answer is all keys, and how many of them are new."""
    with file.open("rb") as content:
        name = hashlib.file_digest(content, "sha256").hexdigest()[:16]
    paths = sorted(path for path in folder.rglob("*.parquet"))
    keys = [
        f"{PREFIX}/client={client}/{path.parent.relative_to(folder).as_posix()}/{name}-{path.stem}.parquet"
        for path in paths
    ]
    with (
        Progress(console=talk, transient=True, disable=not talk.is_terminal) as progress,
        ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool,
    ):
        added = progress.track(
            pool.map(lambda pair: _put_new(s3, bucket, *pair), zip(keys, paths, strict=True)),
            total=len(keys),
            description="uploading",
        )
        return keys, sum(added)


def _put_new(s3: "S3Client", bucket: str, key: str, path: Path) -> bool:
    """Put an object unless it is there: objects of the lake never change."""
    try:
        with path.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] == "PreconditionFailed":
            return False
        raise
    return True


def _columns(file: Path, found: list[str], received_at: datetime) -> str:
    """The SELECT list that casts the file's columns to the catalogue's types."""
    if unknown := [name for name in found if name not in CATALOGUE]:
        raise DataError(f"{file}: unknown column {unknown[0]!r}; expected attribute names: {', '.join(CATALOGUE)}")
    if "referral_id" not in found:
        raise DataError(f"{file}: no column 'referral_id'; every referral needs an identity of its own")
    selected = [f'"{name}"::{_DUCKDB_TYPES[CATALOGUE[name].type]} AS "{name}"' for name in found]
    if "received_at" not in found:
        selected.append(f"TIMESTAMP '{received_at:%Y-%m-%d %H:%M:%S.%f}' AS received_at")
    return ", ".join(selected)
