"""The timezones that EventBridge Scheduler knows: IANA's names of places, and UTC.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#time-zones
"""

from functools import lru_cache
from zoneinfo import available_timezones

from referral_delivery.agreement.refusal import Refused, nearest

# A zone database also holds these on a computer's disk; they are no places.
_NO_PLACES = frozenset({"localtime", "Factory", "posixrules"})
_COPIES = ("posix/", "right/")
# Their signs are the other way round: Etc/GMT+10 is ten hours behind UTC. Nobody who writes GMT+10 means it.
_INVERTED = "Etc/GMT"
# With less, AEST is like Brest, and localtime like Lome.
_ALIKE = 0.8


@lru_cache(maxsize=1)
def known() -> frozenset[str]:
    """Every name that a schedule may give."""
    return frozenset(name for name in available_timezones() - _NO_PLACES if not name.startswith(_COPIES))


def check(name: str) -> str:
    """The name itself, or ValueError with the one that was most likely meant."""
    if name in known():
        return name
    near = _nearest(name)
    raise Refused(
        expected="a timezone by the name of a place, such as Australia/Sydney, or UTC",
        do=f"did you mean `{near}`?" if near else "name the client's nearest large city as in IANA's list",
    )


def _nearest(name: str) -> str | None:
    name = name.removeprefix("posix/").removeprefix("right/")
    if name in known():
        return name
    offered = sorted(zone for zone in known() if not zone.startswith(_INVERTED))
    if "/" in name:
        return nearest(name, offered, cutoff=_ALIKE)
    cities = {zone.rpartition("/")[2]: zone for zone in reversed(offered) if "/" in zone}
    city = nearest(name.partition(",")[0], cities, cutoff=_ALIKE)
    return cities[city] if city else None
