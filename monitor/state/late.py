"""Telemetry that is late: the key of its finding, what is late because the monitor was unavailable, and what waits to
be put on record. Pure."""

from __future__ import annotations

from monitor.state.pilot import HeldLate, PilotState

LATE_KEY = "late_dropped"  # of the finding that events count nowhere because they are late


def excused(pilot: PilotState, closes: int, received: int) -> bool:
    """Whether an event that was due until `closes` (ms) is late because the monitor was unavailable: it was so at that
    time, or has been back for less time than it was unavailable, which the service has to send its backlog."""
    if pilot.outage is None:
        return False
    since, until = pilot.outage
    return closes >= since and received <= 2 * until - since


def hold(pilot: PilotState, stream: str, start: int, end: int, k: float, m: float) -> bool:
    """Whether late events of a stream, of the period from `start` to `end` (ms), wait until its next period closes. The
    first since the last close do not: they are put on record at once."""
    held = pilot.late_held.get(stream)
    if held is None:
        pilot.late_held[stream] = HeldLate()
        return False
    held.start, held.end = (min(held.start, start), max(held.end, end)) if held.count else (start, end)
    held.count, held.k, held.m = held.count + 1, held.k + k, held.m + m
    return True
