"""Whether the exposure of a period is known in full, from what each source tallied, stated and last reported. Pure.

A period that closes on too small an exposure would halt wrongly. So every source of exposure that was active in this
period or the one before must have reported in the last twentieth of the period or later (a source delivers in order, so
nothing older is still in flight), and must have tallied what its last heartbeat of the period stated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.model.events import LAST_MS, Heartbeat, millis
from monitor.state.pilot import ExposureStatements, PilotState, Source

LAST_PART = 20  # a source that tallies once, in the last twentieth of each period, has reported all but that
SLACK = 1e-6  # relative: the sum of fractions depends on their order


def tally(source: Source, at: int, amount: float) -> None:
    """The source tallied `amount` more exposure (any unit) around `at` (ms)."""
    source.tallied += amount
    source.latest = max(source.latest, at)


def state_exposure(source: Source, at: int, counter: float, serving: bool, most: int) -> None:
    """A heartbeat of `at` (ms) stated `counter`. A counter of 0 states nothing; a source that was first seen after it
    had started is counted from its first statement on. A source that serves no more owes no exposure. At most `most`
    statements are kept: of more, every second one is dropped, so that they reach back far enough."""
    source.latest = max(source.latest, at)
    source.ended = not serving
    if counter <= 0:
        return
    if source.offset is None:
        source.offset = max(counter - source.tallied, 0.0)
    marks = source.statements
    marks.at.append(at)
    marks.stated.append(counter)
    marks.thin(most)


def state_exposures(source: Source, beats: Sequence[Heartbeat], most: int) -> None:
    """The same as `state_exposure` of each in order, for a source whose `offset` is known, or heartbeats that state
    nothing."""
    source.latest = max(source.latest, millis(max([beat.time for beat in beats])))
    source.ended = not beats[-1].data.serving
    stating = [beat for beat in beats if beat.data.exposure > 0]
    if not stating:
        return
    marks: list[Any] = [*source.statements.pairs()]
    at = 0
    while at < len(stating):  # most are dropped again, so only those that stay are read
        room = most + 1 - len(marks)
        marks += stating[at : at + room]
        at += room
        if len(marks) > most:
            del marks[::2]
    source.statements = ExposureStatements(
        [m if isinstance(m, tuple) else (millis(m.time), m.data.exposure) for m in marks]
    )


def exposure_unknown(pilot: PilotState, start: int, end: int) -> bool:
    """Whether exposure of the period from `start` to `end` (ms) may still be unknown.

    A source is active if it reported in this period or the one before. One that was silent for longer is taken to have
    ended; silence indicators report that.
    """
    nearly = end - (end - start) // LAST_PART
    for source in pilot.sources.values():
        if source.tallied and not source.ended and 2 * start - end <= source.latest < nearly:
            return True
        if exposure_missing(source, end):
            return True
    return False


def exposure_missing(source: Source, end: int = LAST_MS) -> bool:
    """Whether a source stated more exposure before `end` (ms) than it tallied: some of its events are missing."""
    stated = max((counter for at, counter in source.statements.pairs() if at < end), default=0.0)
    return stated - (source.offset or 0.0) > source.tallied * (1 + SLACK) + SLACK
