"""Do the running counters agree? A heartbeat states how much exposure its source has counted since it started.

By the close of a period a source must have tallied at least what its last heartbeat of that period stated. If it has not,
some exposure is still unknown, and the period must not close on too small a number: that would halt wrongly.
"""

from __future__ import annotations

from monitor.state import Pilot, Source

MARKS = 64  # heartbeats remembered per source; beyond that every second one is forgotten, so that they reach back far enough
SLACK = 1e-6  # relative: sums of fractions differ by their order


def tally(source: Source, amount: float) -> None:
    """The source tallied `amount` more exposure (any unit)."""
    source.tallied += amount


def mark(source: Source, at: int, counter: float) -> None:
    """A heartbeat of `at` (ms) stated `counter`. A counter of 0 states nothing; a source that was first heard of in its
    midst is counted from its first statement on."""
    if counter <= 0:
        return
    if source.offset < 0:
        source.offset = max(counter - source.tallied, 0.0)
    source.marks.append((at, counter))
    if len(source.marks) > MARKS:
        del source.marks[::2]


def behind(pilot: Pilot, end: int) -> bool:
    """Whether some source has tallied less than it stated in its last heartbeat before `end` (ms)."""
    for source in pilot.sources.values():
        stated = max((counter for at, counter in source.marks if at < end), default=0.0)
        if stated - max(source.offset, 0.0) > source.tallied * (1 + SLACK) + SLACK:
            return True
    return False
