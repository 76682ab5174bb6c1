"""What one run delivers next: a window, and the lake's objects that it reads. It promises nothing until it is sealed.

Each row is taken by exactly one delivery. Let j be the first delivery that reads the row's object; then the object is
named in j's record. If the row's time is before j's end, j takes it, and no later one does: their windows start at j's
end or after it, and the object is not new to them. Else the one later window that holds its time takes it. Nothing in
this rests on which objects a delivery reads: what it leaves unread stays new for the next. So a plan may be cut to what
a run can do in two ways: at an hour, and where a single hour is too much, in the middle of its objects.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from math import ldexp

from referral_delivery.lake.connection import MEMORY_MB_PER_VCPU
from referral_delivery.lake.objects import LakeObject, Selection, first_hour
from referral_delivery.window import HOUR, Window, floor_to_hour

# A DynamoDB item holds 400 KB, and the sealed delivery is part of the cursor's: 20,000 hashes of objects are 160 KB;
# the ETags of MAX_PARTS parts (file/upload.py) are 175 KB.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_NAMED_OBJECTS = 20_000

# 20,000 objects of 20 rows took 78 s at 40 ms a request, 258 a second (benchmarks/small_objects.py). A tenth of that is
# still as many in an invocation as a record can name.
_OBJECTS_PER_SECOND = 25.0
# Of Parquet: well below what the export of large objects reads (benchmarks/): S3 may be slower than the emulator.
_BYTES_PER_SECOND_PER_VCPU = 20e6


@dataclass(frozen=True)
class Budget:
    """What one delivery may read."""

    objects: int
    size_bytes: int


@dataclass(frozen=True)
class Pace:
    """What a function reads in a second, on the safe side."""

    objects_per_second: float
    bytes_per_second: float

    @classmethod
    def of(cls, memory_mb: int) -> "Pace":
        """The pace of a function of that memory."""
        vcpus = memory_mb / MEMORY_MB_PER_VCPU
        return cls(_OBJECTS_PER_SECOND, _BYTES_PER_SECOND_PER_VCPU * vcpus)

    def budget(self, seconds: float, *, attempt: int) -> Budget:
        """What can be read in that time.

        Half as much at each further attempt: whatever is slower than it was measured to be, a delivery that runs out
        of time again and again shrinks until it fits.
        """
        share = ldexp(seconds, 1 - attempt)
        return Budget(max(1, int(share * self.objects_per_second)), max(1, int(share * self.bytes_per_second)))


@dataclass(frozen=True)
class Plan:
    """The next delivery; `left` counts the objects of its window that are left to the one after it."""

    selection: Selection
    left: int = 0

    @property
    def window(self) -> Window:
        """The window of the delivery."""
        return self.selection.window


def plan(
    listed: Iterable[LakeObject],
    whole: Window,
    *,
    already_read: Collection[bytes],
    budget: Budget,
    named: int = MAX_NAMED_OBJECTS,
) -> Plan:
    """As much of the `whole` window as the budget allows, and at least one new object, where there is one.

    `already_read` has the hashes of what earlier deliveries were the first to read; `named` is how many a record holds.
    """
    seen, new = _divided(listed, whole, already_read)
    hour = _first_too_much(seen, new, budget, named)
    if hour is None:
        return _plan(whole, seen, new)
    earlier = Window(whole.start, hour)
    if hour > whole.start and any(found.hour < hour for found in (*seen, *new)):
        return _plan(earlier, seen, new)
    # One hour, or what landed late, is too much: the oldest of it now, the rest with the next delivery.
    window = Window(whole.start, min(whole.end, max(hour, floor_to_hour(whole.start)) + HOUR))
    inside = Plan(Selection(window, _before(window, seen), _before(window, new)))
    return _cut(inside, budget, named)


def _plan(window: Window, seen: list[LakeObject], new: list[LakeObject]) -> Plan:
    return Plan(Selection(window, _before(window, seen), _before(window, new)))


def _before(window: Window, objects: list[LakeObject]) -> list[LakeObject]:
    return [found for found in objects if found.hour < window.end]


def _divided(
    listed: Iterable[LakeObject], window: Window, already_read: Collection[bytes]
) -> tuple[list[LakeObject], list[LakeObject]]:
    """What earlier deliveries have read, as far as its hour touches the window, and what is new; each in key order."""
    seen, new = [], []
    for found in sorted(listed):
        if found.name_hash not in already_read:
            new.append(found)
        elif window.touches(found.hour):
            seen.append(found)
    return seen, new


def _first_too_much(seen: list[LakeObject], new: list[LakeObject], budget: Budget, named: int) -> datetime | None:
    """The first hour with which the objects up to it are more than the budget, or than a record can name."""
    reads: dict[datetime, list[int]] = defaultdict(lambda: [0, 0, 0])
    for objects, names in ((seen, 0), (new, 1)):
        for found in objects:
            tally = reads[found.hour]
            tally[0] += 1
            tally[1] += found.size_bytes
            tally[2] += names
    objects_, size_bytes, names_ = 0, 0, 0
    for hour in sorted(reads):
        objects_ += reads[hour][0]
        size_bytes += reads[hour][1]
        names_ += reads[hour][2]
        if objects_ > budget.objects or size_bytes > budget.size_bytes or names_ > named:
            return hour
    return None


def _cut(whole: Plan, budget: Budget, named: int) -> Plan:
    """The plan without its newest objects, so that it keeps to the budget; at least one object stays.

    What was read before has to be read again in any case: it leaves half of the budget to what is new, or a busy hour
    would be delivered in files of one object. What the next delivery would no longer list has to stay as well, as far
    as a record can name it.
    """
    window, seen, new = whole.window, whole.selection.seen, whole.selection.new
    out_of_reach = first_hour(Window(window.end, window.end))
    most_objects = max(budget.objects - len(seen), budget.objects // 2)
    most_bytes = max(budget.size_bytes - sum(found.size_bytes for found in seen), budget.size_bytes // 2)
    taken = size_bytes = 0
    for found in new[:named]:
        size_bytes += found.size_bytes
        fits = taken < most_objects and size_bytes <= most_bytes
        if taken and not fits and found.hour >= out_of_reach:
            break
        taken += 1
    return Plan(Selection(window, seen, new[:taken]), left=len(new) - taken)
