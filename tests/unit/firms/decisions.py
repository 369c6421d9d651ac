"""Decisions and evidence of made-up firms, for tests of records and classes."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.records import Decision, Evidence, Finding, Level, Reason, digest

DAY = 86_400_000
T0 = 1_767_225_600_000


class Pilot:
    """Emits the decisions of one pilot of a firm, numbered; `day` is the time of the next one."""

    def __init__(self, name: str, firm: str = "firm-1", *, admitted: bool = True) -> None:
        self.name, self.firm, self.standing, self.day = name, firm, 0, 0.0
        self.level, self.unknown = Level.NORMAL, ""  # `unknown`: the flag from the next decision on
        self.decisions: list[Decision] = []
        self.evidence: list[Evidence] = []
        if admitted:
            self.act(Reason.ADMITTED)

    @property
    def now(self) -> int:
        return T0 + int(self.day * DAY)

    def act(self, reason: Reason, **fields: Any) -> Decision:
        """A decision at an unchanged level. `states` are those of the pilot, as a decision has them."""
        states = fields.pop("states", UNSET)
        return self._decision(reason, "act", self.level, Finding(**fields), states)

    def to(self, level: Level, reason: Reason, **fields: Any) -> Decision:
        """A decision that changes the level."""
        before, self.level = self.level, level
        return self._decision(reason, "level", before, Finding(**fields))

    def halt(self, reason: Reason = Reason.LIMIT_EXCEEDED) -> Decision:
        """A halt."""
        return self.to(Level.HALT, reason)

    def release(self) -> Decision:
        """The release of a halt."""
        return self.to(Level.NORMAL, Reason.RELEASED)

    def clock(self, change: Change, owes: Owes = Owes.FIRM, key: str = "k-1") -> Decision:
        """A change of a legal deadline."""
        reasons = {Change.MET: Reason.CLOCK_MET, Change.MISSED: Reason.CLOCK_MISSED}
        record = ClockRecord(change=change, at=self.now, rule="report", title="t", starts="serious_incident", key=key,
                             owed_by=owes, basis="b", on_miss=OnMiss.RECORD, state=ClockState.RUNNING)  # fmt: skip
        return self.act(reasons.get(change, Reason.CLOCK_STARTED), rule="report", clock=record)

    def period(self, *, late: bool = False, unknown: str = "") -> Evidence:
        """One observation of the day before."""
        one = Evidence(
            pilot=self.name, participant=self.firm, vendor="", data_source="", model="", indicator="complaints",
            segment="", kind="count", start=self.now - DAY, end=self.now, k=0.0, m=1.0, late=late, unknown=unknown,
        )  # fmt: skip
        self.evidence.append(one)
        return one

    def _decision(self, reason: Reason, kind: Any, was: Level, finding: Finding, states: Any = UNSET) -> Decision:
        self.standing += 1
        made = Decision(
            id=digest(self.name, self.standing), pilot=self.name, participant=self.firm, charter="c", kind=kind,
            level=self.level, was=was, reason=reason, at=self.now, standing=self.standing, epoch=1,
            cause=f"control:{self.standing}", finding=finding, states=states,
            unknown=self.unknown,
        )  # fmt: skip
        self.decisions.append(made)
        return made


def annulment(firm: str, standing: int, decision: Decision) -> Decision:
    """The record that a decision counts no longer."""
    return Decision(
        id=digest(firm, standing), pilot=f"firm:{firm}", participant="", charter="c", kind="act", level=Level.NORMAL,
        was=Level.NORMAL, reason=Reason.DECISION_ANNULLED, at=T0, standing=standing, epoch=1, cause="control:a",
        finding=Finding(rule="annulment", content={"pilot": decision.pilot, "decision": decision.id}),
    )  # fmt: skip
