"""The SDK of a participant: report telemetry, ask the guard before working, obey and acknowledge halts.

    from monitor.sdk import Pilot

Errors, as a tree; the type says what to do. Those of the other side are shared with the rest of the package
(`monitor.errors`).

    SandboxMonitorError
    ├── SetAside
    │   └── BadEvent        an argument of a report is wrong: correct it; nothing was recorded
    ├── TryAgain
    │   ├── Unavailable     the monitor does not respond, or the state is not known yet: wait and repeat
    │   ├── Lapsed          no permit is valid: refuse work until the next one arrives; not a halt
    │   └── SpoolFull       the spool or its disk is full: free space or repeat later; nothing was recorded
    └── Refused
        ├── Halted          the pilot is halted, or released and not resumed: stop serving
        └── SpoolBroken     the disk failed: restart the process on a working disk

A wrong setting of `Pilot` raises ValueError; a spool directory that cannot be written raises OSError.
"""

from __future__ import annotations

from monitor.errors import Halted, Lapsed, Unavailable
from monitor.model.events import Harm, Severity
from monitor.model.telemetry_problems import TelemetryProblem
from monitor.sdk.build import BadEvent
from monitor.sdk.drain import Drain
from monitor.sdk.pilot import Pilot
from monitor.sdk.spool import SpoolBroken, SpoolFull
from monitor.sdk.status import Status

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
    "TelemetryProblem",
    "Unavailable",
]
