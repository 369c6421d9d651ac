"""A service that obeys halts: it acknowledges, stops serving, and continues its heartbeats.

Pass the events of a simulated fleet through `SimulatedService` and give it each command; the fleet then obeys.
"""

from __future__ import annotations

from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Heartbeat, millis
from monitor.model.records import Command


class SimulatedService:
    """Passes events while a pilot may run; for a halted pilot only heartbeats, with `serving` false and constant
    exposure.

    Sequence numbers of a source continue without a gap. A halted pilot stays halted: resuming is not simulated.
    """

    def __init__(self) -> None:
        self._last: dict[str, Envelope] = {}  # the highest number of each pilot so far
        self._exposure: dict[str, float] = {}
        self._halted: dict[str, Emitter] = {}
        self._drilled: dict[str, Emitter] = {}

    def passes(self, event: Envelope) -> Envelope | None:
        """The event to send instead of `event`, `None` when a halted service would not send anything."""
        stopped = self._halted.get(event.subject)
        if stopped is not None:
            return stopped.heartbeat(event.time, serving=False) if isinstance(event, Heartbeat) else None
        last = self._last.get(event.subject)
        if last is None or int(last.sequence) < int(event.sequence):
            self._last[event.subject] = event
        if isinstance(event, Heartbeat):
            self._exposure[event.subject] = event.data.exposure
        return event

    def command(self, command: Command, now: int) -> Envelope | None:
        """Obey a halt at `now` (ms). Returns the acknowledgement to send, `None` when there is nothing new to obey.

        An acknowledgement is never dated before the last event of the pilot. A drill is acknowledged by a separate
        source, because the numbers of the source of the fleet are already assigned.
        """
        last = self._last.get(command.pilot)
        if command.dry_run and last is not None and command.pilot not in self._halted:
            new = Emitter(f"{last.source}/drills", last.subject, model=last.data.model)  # type: ignore[attr-defined]
            drills = self._drilled.setdefault(command.pilot, new)
            return drills.acknowledged(max(now, millis(last.time)), command.id, command.standing, command.decision)
        if command.action != "halt" or command.pilot in self._halted or last is None:
            return None
        model: str = last.data.model  # type: ignore[attr-defined]
        service = Emitter(last.source, last.subject, model=model, first=int(last.sequence) + 1)
        service.counter = self._exposure.get(command.pilot, 0.0)
        self._halted[command.pilot] = service
        return service.acknowledged(max(now, millis(last.time)), command.id, command.standing, command.decision)
