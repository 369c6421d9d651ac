"""What a participant's service imports: report telemetry, ask before working, acknowledge commands.

from monitor.sdk import Pilot
"""

from __future__ import annotations

from monitor.errors import Halted, Lapsed, Unavailable
from monitor.sdk.build import BadEvent
from monitor.sdk.drain import Drain
from monitor.sdk.pilot import Pilot, Status
from monitor.sdk.spool import SpoolBroken, SpoolFull
from monitor.telemetry import Harm, Severity

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
