"""Outages of the monitor: no `time` for too long, a clock that was set back, telemetry that the log deleted unread.

They are faults of the monitor, never silence of a firm: deadlines are extended, and every pilot is flagged until time
goes on as it should.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from monitor.decide.context import DecisionContext
from monitor.detect.periods import TELEMETRY_LOST_KEY
from monitor.engine.partition import Partition
from monitor.model.records import Finding, Level, Outputs, Reason, Rejected
from monitor.state.pilot import PilotState
from monitor.state.timers import postpone
from monitor.validate.rejections import SENTENCES, RejectionReason

FLAG = "monitor"


class Outages:
    """Flags pilots for outages and clears the flags."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self.flagged: set[str] = set()

    def restored(self, pilot: PilotState) -> None:
        """Take note of the flag of a pilot that was restored."""
        if FLAG in pilot.standing.unknown:
            self.flagged.add(pilot.id)

    def begin(self, lasted: int, now: int, out: Outputs) -> None:
        """Flag every pilot for an outage that lasted `lasted` ms and ended `now` (ms), and extend its deadlines by as
        much. `lasted` 0: the clock was set back."""
        finding = (
            Finding(rule="monitor", period_start=now - lasted, period_end=now) if lasted else Finding(rule="monitor")
        )
        for name in sorted(self._partition.pilots):
            pilot = self._partition.pilots[name]
            if lasted and pilot.clocks.cases:
                postpone(pilot, "clock", "", now)
                self._partition.changed.add(name)
                self._partition.arm(pilot)
            if pilot.exited:
                continue
            _extend_deadlines(pilot, lasted, now)
            self._context(pilot, now, out).flag(FLAG, Reason.MONITOR_GAP, finding)
            self._flagged(pilot)

    def end(self, now: int, out: Outputs) -> None:
        """Clear the flags: time goes on without a gap again."""
        for name in sorted(self.flagged):
            pilot = self._partition.pilots[name]
            if FLAG in pilot.standing.unknown:
                self._context(pilot, now, out).unflag(FLAG)
                self._partition.arm(pilot)
        self.flagged.clear()

    def lost(self, topic: str, first: int, kept: int, owner: str | None, out: Outputs) -> None:
        """The log deleted the offsets from `first` to before `kept` of a telemetry topic unread: every pilot that may
        have sent some of them gets a finding, and is flagged. `owner`: the participant that alone may write the
        topic. No time passes."""
        where = f"{topic}/{self._partition.number} offsets {first} to {kept - 1}"
        finding = Finding(rule="telemetry", observed=float(kept - first), detail=where)
        self._find_lost(sorted(self._partition.pilots), owner, finding, f"lost:{topic}@{first}-{kept}", out)

    def skipped(self, topic: str, offset: int, key: str, owner: str | None, out: Outputs) -> None:
        """An operator skipped one record of a telemetry topic, which ended the worker each time it was stepped: it is
        rejected, and the pilot of its `key`, or without one every pilot that may have sent it, gets a finding and is
        flagged. `owner` as in `lost`. No time passes."""
        where = f"{topic}/{self._partition.number} offset {offset} (skipped by an operator)"
        finding = Finding(rule="telemetry", observed=1.0, detail=where)
        reason = RejectionReason.SKIPPED
        out.rejected.append(
            Rejected(
                topic=topic,
                partition=self._partition.number,
                offset=offset,
                field="",
                reason=reason.value,
                detail=SENTENCES[reason],
                pilot=key,
            )
        )
        pilots = self._partition.pilots
        names = ([key] if key in pilots else []) if key else sorted(pilots)
        self._find_lost(names, owner, finding, f"skipped:{topic}@{offset}", out)

    def _find_lost(self, names: Sequence[str], owner: str | None, finding: Finding, cause: str, out: Outputs) -> None:
        for name in names:
            pilot = self._partition.pilots[name]
            if pilot.exited or (owner is not None and owner != pilot.charter.participant.id):
                continue
            self._partition.changed.add(name)
            context = self._partition.context(pilot, pilot.received, cause, out)
            context.flag(FLAG, Reason.MONITOR_GAP, finding)
            if pilot.plan.slowest is not None:  # its quiet periods clear the finding
                level = Level[pilot.charter.responses.sequence_gap.upper()]
                context.raise_finding(TELEMETRY_LOST_KEY, level, Reason.TELEMETRY_LOST, finding)
            self._flagged(pilot)

    def _flagged(self, pilot: PilotState) -> None:
        self.flagged.add(pilot.id)
        self._partition.arm(pilot)
        self._partition.pilots.evict_excess()

    def _context(self, pilot: PilotState, now: int, out: Outputs) -> DecisionContext:
        self._partition.changed.add(pilot.id)
        pilot.received = max(pilot.received, now)
        return self._partition.context(pilot, pilot.received, f"timer:monitor_gap@{now}", out)


def _extend_deadlines(pilot: PilotState, lasted: int, now: int) -> None:
    pilot.heard = {indicator: min(now, at + lasted) for indicator, at in pilot.heard.items()}
    if lasted:
        pilot.outage = (now - lasted, now)
    standing = pilot.standing
    if standing.halt_state.due is not None:
        state = structs.replace(standing.halt_state, due=standing.halt_state.due + lasted)
        pilot.standing = structs.replace(standing, halt_state=state)
    resend = standing.retransmission
    # Resend once, now, instead of once for each missed attempt.
    if resend is not None and resend.due is not None and resend.due < now:
        pilot.standing = structs.replace(pilot.standing, retransmission=structs.replace(resend, due=now))
