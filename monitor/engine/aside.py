"""Pilots that are set aside: their stored state is damaged, and the partition goes on without them.

A worker that cannot read one snapshot would otherwise end, and with it the monitoring of every other firm. What a pilot
may do stays as it was: a halt is in force as the newest command that its service reads, no permit is granted, and only
a new admission is accepted. That pilot begins halted, whether it was halted before or not, as that is not known: a
release ends it, with all its steps. The journal has the moment at which a pilot is set aside, so a replay does the
same; the damaged bytes stay where they are until the admission.
"""

from __future__ import annotations

from collections.abc import Collection

from monitor.charter.control import Admission
from monitor.decide.context import DecisionContext
from monitor.engine.partition import MOST_ASIDE, Partition
from monitor.errors import ControlRefused, LogBroken
from monitor.model.records import Finding, Level, Outputs, Reason, Rejected
from monitor.model.refusals import REFUSALS, Refusal
from monitor.state.pilot import PilotState
from monitor.state.snapshots import restore_whole
from monitor.validate.rejections import SENTENCES, RejectionReason

LOST_KEY = "state_lost"  # of the finding that holds the halt
STATE_TOPIC = "state"  # the log of what cannot be read, in the rejection of it


class PilotsAside:
    """The pilots of a partition that are set aside, and those that are to be (`unreadable`)."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self.unreadable: set[str] = set()

    def restore(self, name: str, raw: bytes) -> PilotState | None:
        """A pilot from its snapshot; `None` when it is set aside, or its snapshot is damaged. Raises LogBroken for too
        many damaged ones, and for snapshots of another version."""
        if name in self._partition.state.aside:
            return None
        pilot = restore_whole(name, raw)
        if pilot is None:
            self.unreadable.add(name)
            if len(self.unreadable) > MOST_ASIDE:
                raise LogBroken(
                    f"more than {MOST_ASIDE} state snapshots of partition {self._partition.number} are damaged; "
                    "restore the state from a backup"
                )
        return pilot

    def restored(self) -> None:
        """The state of the partition was restored: which pilots are set aside is known now."""
        for name in self._partition.state.aside:
            self._partition.drop(name)
        self.unreadable -= set(self._partition.state.aside)

    def why(self, name: str) -> RejectionReason:
        """Why an event of a pilot that is not here is rejected."""
        aside = name in self.unreadable or name in self._partition.state.aside
        return RejectionReason.STATE_UNREADABLE if aside else RejectionReason.NOT_ADMITTED

    def set_aside(self, pilots: Collection[str]) -> Outputs:
        """Continue without these pilots; each is one rejection, of its stored state."""
        out, state = Outputs(), self._partition.state
        self.unreadable -= set(pilots)
        for name in sorted(set(pilots) - set(state.aside)):
            self._partition.drop(name)
            state.aside = sorted([*state.aside, name])
            out.rejected.append(
                Rejected(
                    topic=STATE_TOPIC,
                    partition=self._partition.number,
                    offset=state.aside.index(name),
                    field="",
                    reason=RejectionReason.STATE_UNREADABLE.value,
                    detail=SENTENCES[RejectionReason.STATE_UNREADABLE],
                    pilot=name,
                    received=state.last_time,
                )
            )
        return out

    def standing_of(self, act: Admission) -> int | None:
        """The standing from which an admitted pilot counts on; `None` when the pilot is not set aside. Raises
        ControlRefused when the act must state the standing and does not: commands of a lower one are void."""
        if act.pilot not in self._partition.state.aside:
            return None
        if not act.expected_standing:
            raise ControlRefused(
                "expected_standing",
                Refusal.VALIDITY_MISSING,
                "the stored state of the pilot cannot be read; state the standing of its last record (see the board)",
            )
        return act.expected_standing

    def refuse(self, name: str) -> None:
        """Raises ControlRefused for an act on a pilot that is set aside."""
        if self.why(name) is RejectionReason.STATE_UNREADABLE:
            raise ControlRefused("pilot", Refusal.STATE_UNREADABLE, REFUSALS[Refusal.STATE_UNREADABLE])

    def admitted(self, context: DecisionContext) -> None:
        """A pilot that was set aside is admitted again: it begins halted."""
        pilot = context.pilot
        self._partition.state.aside = [name for name in self._partition.state.aside if name != pilot.id]
        finding = Finding(rule=LOST_KEY, detail="its stored state could not be read")
        context.raise_finding(LOST_KEY, Level.HALT, Reason.STATE_LOST, finding, "until_lowered")
