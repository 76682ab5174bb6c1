"""A client file's bytes → text; what editors on other systems save instead of UTF-8 is named."""

import codecs
import re
from pathlib import Path

from referral_delivery.agreement.client_file.shown import source_line
from referral_delivery.agreement.client_file.unreadable import Cause, UnreadableFile

# A client file with the 50 keys that a user may have is a tenth of this.
MAX_BYTES = 1024 * 1024
# https://yaml.org/spec/1.2.2/#51-character-set
# … but for the byte order mark, which joined files have in their middle.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_UTF8 = Cause("a file in UTF-8", "save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8)")


def read_text(path: Path) -> str:
    """The text of a file; a UTF-8 byte order mark is dropped."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(
            None, f"a file that cannot be read ({error.strerror})", Cause("a readable file", "correct its permissions")
        ) from error
    if len(content) > MAX_BYTES:
        raise UnreadableFile(
            None,
            f"a file of {len(content):,} bytes",
            Cause(f"a client file, of at most {MAX_BYTES:,} bytes", "move it out of this folder"),
        )
    return _checked(_decoded(content))


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:4]:
        raise UnreadableFile(None, "a file in UTF-16 (Notepad calls it Unicode)", _UTF8)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        # Every byte means something in Latin-1, so the line can be shown; on Windows it is most likely right.
        found = source_line(content.decode("cp1252", errors="replace").split("\n"), line)
        raise UnreadableFile(line, f"{found}, saved in another encoding (such as Windows-1252)", _UTF8) from error


def _checked(text: str) -> str:
    if control := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise UnreadableFile(
            line,
            f"an invisible control character (U+{ord(control[0]):04X})",
            Cause("plain text", "delete the line and type it again"),
        )
    return text
