"""A refused value in plain words, and the right names that are nearest to a wrong one."""

import difflib
from collections.abc import Iterable


class Refused(ValueError):
    """A rule of the agreement refused a value; `found` is None where the value speaks for itself.

    `at` is the place inside the value where it is to be mended.
    """

    def __init__(self, *, expected: str, do: str, found: str | None = None, at: tuple[int | str, ...] = ()) -> None:
        super().__init__(f"{'' if found is None else f'found {found}; '}expected {expected}; {do}")
        self.found, self.expected, self.do, self.at = found, expected, do, at


def nearest(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The one of `names` that was most likely meant: capitals, blanks and hyphens aside."""
    plain = {_plain(each): each for each in names}
    close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=cutoff)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return "_".join(name.casefold().replace("-", " ").replace("_", " ").split())
