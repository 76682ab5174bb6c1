"""The columns of a file of referrals, as attributes of the catalogue."""

from collections.abc import Iterable
from pathlib import Path

from referral_delivery.agreement.attributes import CATALOGUE
from referral_delivery.agreement.refusal import nearest
from referralctl.errors import FileRefused

_FOLDED = {name.casefold(): name for name in CATALOGUE}


def attributes_of(file: Path, names: Iterable[str], *, place: str = "") -> list[str]:
    """The catalogue's names of a file's columns, in their order; capitals do not matter, all else does."""
    found: list[str] = []
    for name in names:
        attribute = _FOLDED.get(name.casefold())
        if attribute is None:
            meant = nearest(name, CATALOGUE)
            raise FileRefused(
                file,
                place=place,
                column=name,
                expected=f"attributes: {', '.join(CATALOGUE)}",
                do=f"did you mean {meant!r}?" if meant else "rename it or take it out",
            )
        if attribute in found:
            raise FileRefused(
                file,
                place=place,
                column=name,
                found="a second column of that name",
                expected="each attribute once, capitals aside",
                do="take one of them out",
            )
        found.append(attribute)
    return found


def require_identity(file: Path, attributes: Iterable[str]) -> None:
    """FileRefused where no column is referral_id."""
    if "referral_id" not in attributes:
        raise FileRefused(
            file,
            found="no column 'referral_id'",
            expected="an identity for every referral",
            do="add the column",
        )
