"""The process that encrypts: keys and then the plaintext on stdin, an OpenPGP message on stdout.

Sequoia holds Python's lock while it encrypts, so it cannot run beside the threads that feed it.
"""

import json
import os
import sys
from base64 import b64decode

# What stands before the keys: their length.
LENGTH_BYTES = 8
_STDIN, _STDOUT = 0, 1


def main() -> None:
    """Encrypt all of stdin; what is wrong is one line on stderr, and an exit code."""
    import pysequoia  # noqa: PLC0415 - in this process only: the one that starts it imports this module, too

    keys = json.loads(_read(int.from_bytes(_read(LENGTH_BYTES))))
    doing = "a recipient's key"
    try:
        recipients = [pysequoia.Cert.from_bytes(b64decode(each)) for each in keys["recipients"]]
        doing = "the signing key"
        signing_key = keys["signing_key"]
        signer = pysequoia.Tsk.from_bytes(b64decode(signing_key)).signer() if signing_key else None
        doing = "the file"
        pysequoia.encrypt_file(_path(_STDIN), _path(_STDOUT), recipients=recipients, signer=signer, armor=False)
    except RuntimeError as error:
        # Below its first line Sequoia adds a stack trace.
        first, _, _ = str(error).partition("\n")
        sys.exit(f"{doing}: {first}")


def _read(size: int) -> bytes:
    """Exactly so many bytes, none ahead: what follows is Sequoia's to read."""
    read = b""
    while len(read) < size:
        piece = os.read(_STDIN, size - len(read))
        if not piece:
            sys.exit("its input ended before the keys did")
        read += piece
    return read


def _path(descriptor: int) -> str:
    return f"/dev/fd/{descriptor}" if sys.platform == "darwin" else f"/proc/self/fd/{descriptor}"


if __name__ == "__main__":
    main()
