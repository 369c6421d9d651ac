"""What a participant's service imports: report telemetry, ask before working, acknowledge commands.

from monitor.sdk import Pilot
"""

from __future__ import annotations

from monitor.errors import Halted, Lapsed, Unavailable
from monitor.model.events import Harm, Severity
from monitor.sdk.build import BadEvent
from monitor.sdk.drain import Drain
from monitor.sdk.pilot import Pilot, Status
from monitor.sdk.spool import SpoolBroken, SpoolFull

__all__ = [
    "BadEvent",
    "Drain",
    "Halted",
    "Harm",
    "Lapsed",
    "Pilot",
    "Severity",
    "SpoolBroken",
    "SpoolFull",
    "Status",
    "Unavailable",
]
