"""Telemetry that is late: the key of its finding, and what is late because the monitor was unavailable. Pure."""

from __future__ import annotations

from monitor.state.pilot import PilotState

LATE_KEY = "late_dropped"  # of the finding that events count nowhere because they are late


def excused(pilot: PilotState, closes: int, received: int) -> bool:
    """Whether an event that was due until `closes` (ms) is late because the monitor was unavailable: it was so at that
    time, or has been back for less time than it was unavailable, which the service has to send its backlog."""
    if pilot.outage is None:
        return False
    since, until = pilot.outage
    return closes >= since and received <= 2 * until - since
