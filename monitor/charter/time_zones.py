"""Time zones as tables: when a zone's offset from UTC changes, taken from the pinned package `tzdata`, never from the
machine.

So a replay gives the same result on every machine with the same version of the package; no clock and no local zone is
read.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from importlib.resources import files
from zoneinfo import ZoneInfo

import msgspec

FIRST, LAST = 1_990, 2_200  # years that a table covers; before and after, the offset is that of the nearest
_STEP = timedelta(days=5)  # no zone changes its offset twice and back within as long


class Zone(msgspec.Struct, frozen=True):
    """From `changes[i]` (seconds since 1970) on, local time is UTC plus `offsets[i + 1]` seconds; `offsets[0]` before
    all."""

    name: str
    changes: tuple[int, ...]
    offsets: tuple[int, ...]

    def offset(self, moment: float) -> int:
        """Seconds that local time is ahead of UTC at `moment` (seconds since 1970).

        >>> berlin = zone("Europe/Berlin")
        >>> [berlin.offset(datetime(2026, 10, 25, hour, tzinfo=UTC).timestamp()) for hour in (0, 1)]
        [7200, 3600]
        """
        return self.offsets[bisect_right(self.changes, moment)]


@functools.cache
def names() -> frozenset[str]:
    """Every IANA name that the package knows."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


def near(name: str) -> str:
    """The fix for a name that is not in `names()`."""
    close = get_close_matches(name, sorted(names()), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else "write an IANA name such as Europe/Berlin"


@functools.lru_cache(maxsize=64)
def zone(name: str) -> Zone:
    """The table of a zone. Raises KeyError for a name that is not in `names()`."""
    if name not in names():
        raise KeyError(name)
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        rules = ZoneInfo.from_file(file, key=name)
    at, last = datetime(FIRST, 1, 1, tzinfo=UTC), datetime(LAST, 1, 1, tzinfo=UTC)
    offsets, changes = [_offset(rules, at)], list[int]()
    while at < last:
        after = at + _STEP
        if _offset(rules, after) != offsets[-1]:
            changes.append(_change(rules, at, after))
            offsets.append(_offset(rules, after))
        at = after
    return Zone(name, tuple(changes), tuple(offsets))


def _offset(rules: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(rules).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _change(rules: ZoneInfo, before: datetime, after: datetime) -> int:
    """The first second of the offset that holds at `after`, which is not that at `before`."""
    low, high = int(before.timestamp()), int(after.timestamp())
    old = _offset(rules, before)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(rules, datetime.fromtimestamp(middle, UTC)) == old:
            low = middle
        else:
            high = middle
    return high
