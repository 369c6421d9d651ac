"""What `Pilot.status()` returns."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from monitor.model.notice import Notice
from monitor.model.telemetry_problems import TelemetryProblem, problems_of
from monitor.sdk.command_state import CommandState


class Status(Struct, frozen=True):
    """Health of the SDK in this process, for a service's own monitoring. A snapshot; taking it does not block.

    | field | meaning |
    |---|---|
    | `source` | `source` of this process's events, with its incarnation |
    | `waiting_bytes` | bytes in the spools of this process that are not delivered yet |
    | `send_error`, `follow_error` | why delivering, reading commands or permits fails; "" when it does not |
    | `standing` | the newest command and release; `standing.known` is False before commands were read |
    | `serving` | what heartbeats say |
    | `permits` | whether work needs a permit |
    | `permit_s` | seconds until the newest permit ends, negative afterwards; None before the first one |
    | `lapsed` | a permit is needed and none is valid |
    | `refused` | rejected commands and permits by word of `monitor.sdk.refusals.MessageRejection` |
    | `trust` | "given": keys given as `trust`; "pinned": the key of the first contact; "open": no key yet, so anybody
      who can write or respond is believed |
    | `trusted_keys` | the ids of those keys |
    | `leading` | this process reads commands and permits for all processes of the pilot on this machine |
    | `not_recorded` | reports, heartbeats included, that found no room in the spool |
    | `problems` | telemetry that was rejected, counts nowhere or came too late to count: reason, field, fix, number of
      events (`TelemetryProblem`); from `notice` |
    | `notice` | the monitor's newest answer about the pilot's telemetry: what it rejected and why, active findings
      (`counted_nowhere`: events were accepted but count nowhere), by when a tolerated crossing must be rectified. Kept
      during an outage of the monitor, over restarts and during a halt; None before the first one |
    """

    source: str
    waiting_bytes: int
    send_error: str
    follow_error: str
    standing: CommandState
    serving: bool
    permits: Literal["required", "off"]
    permit_s: float | None
    lapsed: bool
    refused: dict[str, int]
    leading: bool
    not_recorded: int
    notice: Notice | None = None
    trust: Literal["given", "pinned", "open"] = "open"
    trusted_keys: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[TelemetryProblem, ...]:
        """What of the pilot's telemetry has no effect, and how to correct it; the newest first."""
        return () if self.notice is None else problems_of(self.notice)
