"""What files' names end with, where a client file says it: it must not lie about what is to be done to open them."""

import re

from referral_delivery.agreement.refusal import Refused

EXTENSION = re.compile(r"(?:\.[A-Za-z0-9]{1,10}){0,4}")
_PACKED = {".gz": "gzip", ".zip": "zip"}
_ENCRYPTED = (".pgp", ".gpg", ".asc")


def check(extension: str, *, format_: str | None, compression: str | None) -> str:
    """The ending itself, or Refused; None for what is not known, because it was refused itself."""
    if not EXTENSION.fullmatch(extension):
        near = f".{extension}" if EXTENSION.fullmatch(f".{extension}") else ""
        near = '""' if extension in ("none", "no") else near
        raise Refused(
            expected="an ending such as .txt or .csv.gz, with at most 10 letters and digits behind each point",
            do=f"did you mean `{near}`?" if near else "write it like `extension: .txt`",
        )
    last = _last(extension)
    if compression and _PACKED.get(last, compression) != compression:
        raise Refused(
            expected=f"{last} for files that are packed so, and this client's say `compression: {compression}`",
            do=f"write `compression: {_PACKED[last]}`, or choose another ending",
        )
    if last == ".parquet" and format_ and format_ != "parquet":
        raise Refused(
            expected=f"{last} for that format, and this client's files say `format: {format_}`",
            do="write `format: parquet`, or choose another ending",
        )
    if extension.casefold().endswith(".manifest.json"):
        raise Refused(expected="another ending than that of manifests", do="choose another")
    return extension


def check_plain(extension: str) -> None:
    """Refuse the ending of encrypted files for those that are not."""
    if (last := _last(extension)) in _ENCRYPTED:
        raise Refused(
            found=f"`extension: {extension}`, and no `pgp`",
            expected=f"{last} for files that are encrypted",
            do="add `pgp:`, or choose another ending",
            at=("extension",),
        )


def _last(extension: str) -> str:
    return f".{extension.rpartition('.')[2].casefold()}"
