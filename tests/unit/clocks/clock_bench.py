"""A real machine with a clock table, driven by the facts of hand-computed histories."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from monitor.charter.control import Admission, ControlBase, Withdrawal
from monitor.charter.incident_acts import ChangeNotice, IncidentReportAct, Reclassification
from monitor.charter.spec import Charter
from monitor.deadlines.cases import Clock
from monitor.deadlines.facts import Fact, FactKind, IncidentClass
from monitor.deadlines.rules import ClockTable
from monitor.deadlines.shipped import example_table
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, IncidentReported, Severity, encode, instant
from monitor.model.records import Decision, Outputs, Reason, Record
from monitor.simulation.fleet_charter import DAY_MS, charter

HARMS = {
    IncidentClass.DEATH: Harm.DEATH,
    IncidentClass.SERIOUS_INJURY: Harm.SERIOUS_INJURY,
    IncidentClass.CRITICAL_INFRASTRUCTURE: Harm.CRITICAL_INFRASTRUCTURE,
    IncidentClass.FUNDAMENTAL_RIGHTS: Harm.FUNDAMENTAL_RIGHTS,
    IncidentClass.PROPERTY_OR_ENVIRONMENT: Harm.PROPERTY,
    IncidentClass.OTHER: Harm.NONE,
}
STARTS = 1_767_225_600_000  # 2026-01-01
PERIOD = 30 * DAY_MS  # long, as nothing here is about rates
# What reaches a machine as telemetry or as an act of this part; the others come with their own acts.
SENT = {
    FactKind.SERIOUS_INCIDENT, FactKind.AWARENESS_STATED, FactKind.RECLASSIFIED, FactKind.INITIAL_REPORT,
    FactKind.COMPLETE_REPORT, FactKind.CHANGE_NOTICE, FactKind.MODEL_CHANGED, FactKind.EXIT,
}  # fmt: skip


def clock_charter(pilot: str = "p") -> Charter:
    """A charter without hard rules, under which a pilot may run for years."""
    made = charter(
        pilot, number=0, period_ms=PERIOD, cap=1e6, dispersion=1.0, start=STARTS - DAY_MS, end=STARTS + 1500 * DAY_MS
    )
    rates = tuple(spec for spec in made.indicators if spec.name in ("incidents", "complaints"))
    return structs.replace(made, hard_rules=(), drills=type(made.drills)(), indicators=rates)


class ClockBench:
    """One pilot, admitted at `admitted` (ms). `out` is everything that was emitted."""

    def __init__(self, machine: Machine | None = None, table: ClockTable | None = None, admitted: int = STARTS) -> None:
        self.machine = machine or Machine(journalled=False)
        self.machine.use_clock_table(example_table() if table is None else table)
        self.out, self.acts, self.records = Outputs(), 0, 0
        self.firm = Emitter("svc", "p", model="m1")
        self.charter = clock_charter()
        self.act(Admission(id="admit", pilot="p", author="anna", charter=self.charter), admitted)
        self.send(self.firm.heartbeat(admitted), admitted)

    def act(self, act: ControlBase, at: int) -> Outputs:
        """An act that the log receives at `at` (ms). Raises AssertionError when it is refused."""
        self.acts += 1
        out = self.machine.control(Record(self.acts, at, b"p", msgspec.json.encode(act)))
        assert not out.rejected, out.rejected
        self.out.extend(out)
        return out

    def send(self, event: Envelope, at: int) -> Outputs:
        """An event that the log receives at `at` (ms)."""
        self.records += 1
        out = self.machine.telemetry("telemetry", [Record(self.records, at, b"p", encode(event))])
        assert not out.rejected, out.rejected
        self.out.extend(out)
        return out

    def time(self, now: int) -> Outputs:
        """Time passes until `now` (ms)."""
        out = self.machine.time(now)
        self.out.extend(out)
        return out

    def incident(self, at: int, harm: Harm, key: str = "i-1", stated: int | None = None) -> IncidentReported:
        """The report of a serious incident, or of an ordinary one without harm."""
        event = self.firm.incident(at, Severity.SERIOUS_INCIDENT, harm, key)
        if stated is not None:
            event = structs.replace(event, data=structs.replace(event.data, aware=instant(stated)))
        return event

    def fact(self, fact: Fact) -> None:
        """Send what makes this fact."""
        by: dict[str, Any] = {"id": f"act-{self.acts}", "pilot": "p", "author": "anna"}
        firm = by | {"author": self.charter.participant.id}
        aware = None if fact.stated is None else instant(fact.stated)
        match fact.kind:
            case FactKind.SERIOUS_INCIDENT if not fact.classes:
                self.send(self.firm.incident(fact.at, Severity.INCIDENT, Harm.NONE, fact.key), fact.at)
            case FactKind.SERIOUS_INCIDENT if IncidentClass.WIDESPREAD_INFRINGEMENT in fact.classes:
                act = Reclassification(**by, incident=fact.key, classes=fact.classes, aware=aware, reason="r")
                self.act(act, fact.at)
            case FactKind.SERIOUS_INCIDENT:
                for name in fact.classes:
                    self.send(self.incident(fact.at, HARMS[name], fact.key, fact.stated), fact.at)
            case FactKind.AWARENESS_STATED:  # with a repeated report of the incident, as it was graded
                case = self.machine.pilots["p"].clocks.cases[f"serious_incident/{fact.key}"]
                (name, *_) = case.classes
                self.send(self.incident(fact.at, HARMS[name], fact.key, fact.stated), fact.at)
            case FactKind.RECLASSIFIED:
                act = Reclassification(**by, incident=fact.key, classes=fact.classes, aware=aware, reason="r")
                self.act(act, fact.at)
            case FactKind.INITIAL_REPORT | FactKind.COMPLETE_REPORT:
                complete = fact.kind is FactKind.COMPLETE_REPORT
                self.act(IncidentReportAct(**firm, incident=fact.key, report="r", complete=complete), fact.at)
            case FactKind.CHANGE_NOTICE:
                self.act(ChangeNotice(**firm, incident=fact.key, notice="n"), fact.at)
            case FactKind.MODEL_CHANGED:
                self.send(self.firm.model_changed(fact.at, f"m{self.records}"), fact.at)
            case FactKind.EXIT:
                self.act(Withdrawal(**by, reason="r"), fact.at)
            case _:
                raise AssertionError(fact.kind)

    def clock(self, rule: str, key: str | None = None) -> Clock:
        """The clock of a rule, of the occurrence `key` where there are several."""
        clocks = self.machine.pilots["p"].clocks
        (found,) = (
            clock
            for case in clocks.cases.values()
            for clock in case.clocks
            if clock.rule == rule and key in (None, case.key)
        )
        return found

    def decisions(self, *reasons: Reason) -> list[Decision]:
        """The decisions with one of these reasons."""
        return [d for d in self.out.decisions if d.reason in reasons]
