"""The folder `keys` beside the client files: the OpenPGP keys that they name."""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from referral_delivery.agreement import pgp_key
from referral_delivery.agreement.pgp_armour import MAX_FILE_BYTES
from referral_delivery.agreement.recipient import Recipient
from referral_delivery.agreement.refusal import Refused, nearest
from referral_delivery.errors import Finding

NAME = "keys"
_EXPECTED = f"the name of a key file in the folder {NAME} beside this file, or the fingerprint of a key in it"
_EXAMPLE = f"write it like `recipients: [{NAME}/acme.asc]`"
_FINGERPRINTS = (40, 64)
_KEY_IDS = (8, 16)


@dataclass(frozen=True)
class KeyFolder:
    """The key files of one folder of client files, each as it is at `moment`; it need not exist."""

    path: Path
    moment: datetime
    used: set[str] = field(default_factory=set)
    _read: dict[str, Recipient | Refused] = field(default_factory=dict)

    def recipient(self, name: str) -> Recipient:
        """The key that a client file names, by its file or by its fingerprint; Refused says what is wrong with it."""
        text = name.strip()
        hexadecimal = re.sub(r"\s", "", text).removeprefix("0x").upper()
        if re.fullmatch("[0-9A-F]+", hexadecimal) and text not in self._names():
            return self._of_fingerprint(hexadecimal)
        if text.startswith("-----BEGIN") or "\n" in text:
            raise Refused(found="the key itself", expected=_EXPECTED, do=f"put it into a file of its own; {_EXAMPLE}")
        file = text.removeprefix(f"{NAME}/")
        if file not in self._names():
            near = nearest(file, self._names())
            raise Refused(
                found=None if file == text else f"`{text}`, which does not exist",
                expected=_EXPECTED,
                do=f"did you mean `{NAME}/{near}`?" if near else _EXAMPLE,
            )
        self.used.add(file)
        read = self._key(file)
        if isinstance(read, Refused):
            raise Refused(found=f"in {NAME}/{file}: {read.found}", expected=read.expected, do=read.do)
        return read

    def strangers(self) -> Iterator[Finding]:
        """What lies in the folder and no client names, once all client files have been read."""
        for path in self._entries():
            if path.name not in self._names():
                yield Finding(
                    file=path,
                    found="a link to another file" if path.is_symlink() else "no file",
                    expected=f"only key files in the folder {NAME}",
                    do="put the key's file itself here" if path.is_symlink() else "remove it",
                )
            elif path.name not in self.used:
                read = self._key(path.name)
                if isinstance(read, Refused):
                    yield Finding(file=path, found=str(read.found), expected=read.expected, do=read.do)
                else:
                    yield Finding(
                        file=path,
                        found=f"the key {read}, which no client file names",
                        expected="each key to be a recipient of a client",
                        do=f"name it under `file:` as `pgp: {{recipients: [{NAME}/{path.name}]}}`, or remove the file",
                    )

    def _of_fingerprint(self, fingerprint: str) -> Recipient:
        keys = {file: key for file in self._names() if isinstance(key := self._key(file), Recipient)}
        if len(fingerprint) in _KEY_IDS:
            raise Refused(
                found=f"the key ID `{fingerprint}`, which several keys may have",
                expected=_EXPECTED,
                do=f"write the whole fingerprint, as `gpg --fingerprint` prints it; or {_EXAMPLE}",
            )
        for file, key in keys.items():
            if key.fingerprint == fingerprint:
                self.used.add(file)
                return key
        there = ", ".join(f"{key.fingerprint} in {file}" for file, key in keys.items()) or "no key that can be used"
        raise Refused(
            found=f"a fingerprint of {len(fingerprint)} digits" if len(fingerprint) not in _FINGERPRINTS else None,
            expected=f"{_EXPECTED}; there is {there}",
            do="correct it, or name the key's file",
        )

    def _key(self, file: str) -> Recipient | Refused:
        if file not in self._read:
            try:
                with (self.path / file).open("rb") as opened:
                    key = pgp_key.parse(opened.read(MAX_FILE_BYTES + 1), moment=self.moment)
            except Refused as refused:
                self._read[file] = refused
            else:
                self._read[file] = Recipient(
                    fingerprint=key.fingerprint,
                    user_id=next(iter(key.user_ids), ""),
                    expires=key.expires,
                    certificate=b64encode(key.certificate).decode(),
                )
        return self._read[file]

    def _entries(self) -> list[Path]:
        """All but dotfiles and a README."""
        found = self.path.iterdir() if self.path.is_dir() else ()
        return sorted(path for path in found if not re.match(r"\.|readme(\.md|\.txt)?$", path.name, re.IGNORECASE))

    def _names(self) -> list[str]:
        return [path.name for path in self._entries() if path.is_file() and not path.is_symlink()]
