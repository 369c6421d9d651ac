"""Missing sequence numbers, as ranges: a gap of any length takes the same few bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Range: TypeAlias = tuple[int, int, int]  # first and last number, when (ms) it was noticed that they are missing
LostCount: TypeAlias = tuple[int, int]  # when (ms) it was noticed, how many numbers

RANGES = 32  # of one source, at most
RANGES_OF_ALL = 512  # of all sources of a pilot, at most
LOST_ENTRIES = 16  # entries of numbers that are counted but no longer listed
LARGEST_COUNT = 10**18  # a count is capped at it


class Missing:
    """The numbers that are missing below the highest one of a source, as ranges in ascending order."""

    __slots__ = ("ranges",)

    def __init__(self, ranges: Sequence[Range] | Mapping[int, int] = ()) -> None:
        """From ranges, or (states up to version 5) from each missing number and when that was noticed."""
        if isinstance(ranges, Mapping):
            self.ranges: list[Range] = []
            for number, at in sorted(ranges.items()):
                if self.ranges and self.ranges[-1][1:] == (number - 1, at):
                    self.ranges[-1] = (self.ranges[-1][0], number, at)
                else:
                    self.ranges.append((number, number, at))
        else:
            self.ranges = [(first, last, at) for first, last, at in ranges]

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last, _ in self.ranges)

    def add(self, first: int, last: int, at: int) -> None:
        """The numbers from `first` to `last`, all above those missing already, were noticed to be missing at `at`
        (ms)."""
        self.ranges.append((first, last, at))

    def take(self, number: int) -> None:
        """Remove a missing number: it was received late."""
        for place, (first, last, at) in enumerate(self.ranges):
            if first <= number <= last:
                parts = [(first, number - 1, at), (number + 1, last, at)]
                self.ranges[place : place + 1] = [part for part in parts if part[0] <= part[1]]
                return

    def between(self, low: int, high: int) -> bool:
        """Whether a number above `low` and below `high` is missing."""
        return any(first < high and last > low for first, last, _ in self.ranges)

    def since(self, start: int) -> int:
        """How many numbers are missing that were noticed at or after `start` (ms)."""
        return sum([last - first + 1 for first, last, at in self.ranges if at >= start])

    def drop_first(self) -> LostCount:
        """Drop the lowest range; returns when it was noticed (ms) and how many numbers it had."""
        first, last, at = self.ranges.pop(0)
        return at, last - first + 1

    def forget(self, below: int, before: int) -> None:
        """Drop ranges that end at or below `below` and were noticed before `before` (ms)."""
        self.ranges = [r for r in self.ranges if r[1] > below or r[2] >= before]


def add_lost(lost: list[LostCount], more: LostCount) -> list[LostCount]:
    """Count numbers as lost. Beyond `LOST_ENTRIES` entries the two that were noticed first are merged, at the later
    time: a loss may count for longer than it must, never for a shorter time."""
    at, count = more
    kept = dict(lost)
    kept[at] = min(LARGEST_COUNT, kept.get(at, 0) + count)
    rows = sorted(kept.items())
    if len(rows) > LOST_ENTRIES:
        (_, first), (later, second) = rows[:2]
        rows[:2] = [(later, min(LARGEST_COUNT, first + second))]
    return rows
