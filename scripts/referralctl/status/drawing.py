"""A strip as SVG paths: one for each outcome, its shape and its height beside its colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from referralctl.status.strip import SPAN, Mark, Outcome

WIDTH, HEIGHT = 280, 20
_WIDEST, _NARROWEST, _SEEN = 8.0, 0.8, 2.5
# From the top and how high: what is amiss stands out above the others.
_SHAPES: dict[Outcome, tuple[tuple[float, float], ...]] = {
    Outcome.EMPTY: ((16, 4),),
    Outcome.DELIVERED: ((9, 11),),
    Outcome.COLLECTED: ((4, 16),),
    Outcome.LATE: ((4, 6), (13, 7)),
    Outcome.MISSING: ((0, 20),),
}


@dataclass(frozen=True)
class Path:
    """All bars of one outcome."""

    outcome: Outcome
    d: str


def paths(marks: Sequence[Mark], now: datetime) -> list[Path]:
    """The bars of a strip that ends now, those that are amiss last, which is on top."""
    start, width = now - SPAN, _bar_width(marks)
    bars: dict[Outcome, list[tuple[float, float]]] = {}
    previous: Outcome | None = None
    for mark in marks:
        x = (mark.due - start) / SPAN * WIDTH
        own = max(width, _SEEN) if mark.outcome in {Outcome.MISSING, Outcome.LATE} else width
        left, right = _inside(x, own)
        same = bars.setdefault(mark.outcome, [])
        # What touches its neighbour of the same outcome is one bar.
        if same and previous is mark.outcome and left - same[-1][1] < _NARROWEST / 2:
            same[-1] = (same[-1][0], right)
        else:
            same.append((left, right))
        previous = mark.outcome
    return [
        Path(outcome, "".join(_bar(left, right, shape) for left, right in bars[outcome] for shape in shapes))
        for outcome, shapes in _SHAPES.items()
        if outcome in bars
    ]


def _bar_width(marks: Sequence[Mark]) -> float:
    """What leaves a gap between most neighbours; none where it would not be seen."""
    gaps = sorted((later.due - mark.due) / SPAN * WIDTH for mark, later in pairwise(marks))
    usual = gaps[len(gaps) // 4] if gaps else _WIDEST
    return min(_WIDEST, usual * 0.7) if usual > _SEEN else max(usual, _NARROWEST)


def _inside(x: float, width: float) -> tuple[float, float]:
    left = min(max(x - width / 2, 0), WIDTH - width)
    return left, left + width


def _bar(left: float, right: float, shape: tuple[float, float]) -> str:
    top, height = shape
    return f"M{left:.1f} {top:g}H{right:.1f}V{top + height:g}H{left:.1f}z"


# A mark of each outcome, for the key.
KEY = {outcome: "".join(_bar(1, 9, shape) for shape in shapes) for outcome, shapes in _SHAPES.items()}
