"""How long halts take: from the decision to the acknowledgement, to the verified stop and to the release. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from monitor.model.records import Decision, Level, Reason
from monitor.model.subjects import is_pilot

Duration = tuple[str, float]
"""Name of the histogram without prefix, and seconds."""


class _Halt(Struct):
    at: int
    acknowledged: bool = False
    verified: bool = False


class HaltTimes:
    """Standing halts, at most `most`. A halt whose beginning was not seen gives no duration."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._halts: dict[str, _Halt] = {}

    def seed(self, pilot: str, at: int, *, acknowledged: bool, verified: bool) -> None:
        """A halt that stands since `at` (ms), for a process that takes over a partition."""
        self._put(pilot, _Halt(at, acknowledged, verified))

    def forget(self, pilot: str) -> None:
        """Remove a pilot."""
        self._halts.pop(pilot, None)

    def add_decision(self, decision: Decision) -> Iterator[Duration]:
        """Apply a new decision, and yield what it ends. A further acknowledgement or verification of one halt, such as
        that of another instance of the service, yields nothing."""
        if not is_pilot(decision.pilot):
            return
        if decision.level is Level.HALT and decision.was is not Level.HALT:
            self._put(decision.pilot, _Halt(decision.at))
            return
        halt = self._halts.get(decision.pilot)
        if halt is None:
            return
        took = max(0, decision.at - halt.at) / 1000
        match decision.reason:
            case Reason.COMMAND_ACKNOWLEDGED if not halt.acknowledged:
                halt.acknowledged = True
                yield "halt_acknowledge_seconds", took
            case Reason.HALT_VERIFIED if not halt.verified:
                halt.verified = True
                yield "halt_verify_seconds", took
            case Reason.RELEASED:
                del self._halts[decision.pilot]
                yield "halt_release_seconds", took
            case Reason.EXITED | Reason.CLOSED:
                del self._halts[decision.pilot]

    def _put(self, pilot: str, halt: _Halt) -> None:
        if pilot in self._halts or len(self._halts) < self._most:
            self._halts[pilot] = halt
