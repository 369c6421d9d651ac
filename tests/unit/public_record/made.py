"""Ledgers of a sandbox with many pilots, made at random: every kind of decision that an annual report counts, charters
with confidential parts, evidence over the turn of a year."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from msgspec import UNSET, structs

from monitor.charter.spec import Authority, Charter, Participant, charter_hash
from monitor.model.assessment import Assessment
from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.records import Closed, Decision, Evidence, Finding, Level, Reason, digest
from monitor.notary.charters import CharterKey
from monitor.notary.evidence_entries import EvidenceGatherer
from monitor.notary.notary import Notary
from monitor.public_record.annual import year_of
from monitor.testing.records import decision
from tests.unit.engine.test_machine import HANDLING, RATE, SILENCE, charter

YEAR = 2026
DAY = 86_400_000
SINCE, UNTIL = year_of(YEAR).since, year_of(YEAR).until
PLAIN = (
    "released", "suspended", "rectification_recorded", "assessment_missed", "report_issued", "published", "withheld",
    "graduated", "closed", "recalled", "drill_begun", "drill_passed", "drill_overdue", "inspected", "guidance_asked",
    "guidance_given", "guidance_followed", "change_registered", "change_proposed", "change_refused",
    "unregistered_model", "halt_overdue", "halt_contradicted", "trend_rising", "trend_steady", "evaluation_recorded",
    "step_passed", "step_inconclusive", "approval_recorded", "heard_again", "complaint_filed", "complaint_answered",
    "redress_recorded", "user_left",
)  # fmt: skip
STATES = (
    "running", "running halted", "paused", "exited outcome=stop", "exiting halted outcome=scale", "tracked", "closed",
    "terminated outcome=terminated", "running suspended",
)  # fmt: skip
DETECTORS = ("limit_e_process", "cusum", "glr")
CONFIDENTIAL = ("scenario", "sector", "region", "users", "data_boundary")
PEOPLE = ("Ada Lovelace", "Grace Hopper", "Alan Turing")
INDICATORS = (
    RATE,
    structs.replace(RATE, name="complaints", kind="complaint_rate", limit=50, segments=("north", "south")),
    structs.replace(RATE, name="rare", limit=400, variance_mean=1.5),
    structs.replace(RATE, name="shares", kind="false_positive_rate", limit=0.3, per=1.0, exposure=None),
    structs.replace(RATE, name="gain", kind="efficiency_gain", limit=0.2, per=1.0, exposure=None, direction="below"),
    HANDLING,
    SILENCE,
)


class Maker:
    """Makes the records of pilots with one source of chance."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def charter(self, pilot: str, version: int) -> Charter:
        """A charter; some list parts as confidential."""
        dice = self.dice
        return charter(
            *INDICATORS,
            version=version,
            pilot=pilot,
            participant=Participant(f"firm-{dice.randrange(4)}", contacts=("desk@firm.example",)),
            tier=dice.choice(("limited", "high", "critical")),
            sector=dice.choice(("health", "finance", "")),
            region=dice.choice(("north", "south")),
            alpha=dice.choice((0.01, 0.02)),
            scenario=f"scenario {dice.randrange(9)}",
            data_boundary=("no names",),
            authorities=(Authority(f"authority-{dice.randrange(3)}", approvers=PEOPLE[:2], officers=PEOPLE[2:]),),
            confidential=tuple(sorted(dice.sample(CONFIDENTIAL, dice.randrange(3)))) or UNSET,
        )

    def decisions(self, pilot: str, number: int) -> tuple[list[Decision], dict[CharterKey, Charter]]:
        """So many decisions over two and a half years, the second of which is the year, and the charters."""
        dice, made, charters = self.dice, list[Decision](), dict[CharterKey, Charter]()
        first = self.charter(pilot, 1)
        at, level, hashed, version = SINCE - 200 * DAY + dice.randrange(300 * DAY), Level.NORMAL, charter_hash(first), 1
        begins = ["application_submitted", "application_screened", "charter_agreed", "admitted"]
        begins = dice.choice((begins, begins, begins[3:], ["application_submitted", "application_refused"]))
        for standing in range(1, number + 1):
            at += dice.randrange(20 * DAY)
            reason = begins.pop(0) if begins else self.reason(level)
            was, level = level, self.level(reason, level)
            cause = f"control:{pilot}-{standing}" if self.by_person(reason) else f"event:firm/svc#{standing}"
            if reason in ("admitted", "amended"):
                version += 1
                current = self.charter(pilot, version)
                hashed = charter_hash(current)
                charters[cause.removeprefix("control:"), hashed] = current
            more: dict[str, Any] = {"states": dice.choice(STATES)} if dice.random() < 0.3 else {}
            if dice.random() < 0.1:
                more |= {"responsible": tuple(dice.sample(("authority-8", "authority-9"), dice.randrange(1, 3)))}
            if dice.random() < 0.1:
                more |= {"clauses": tuple(dice.sample(("eu-ai-act/57", "eu-ai-act/73"), dice.randrange(1, 3)))}
            if reason == "clock_missed" and dice.random() < 0.5:
                more |= {"addressed": ("firm:firm-1", "authority:authority-7", "role:approver")}
            made.append(
                decision(
                    standing,
                    pilot,
                    id=digest(pilot, standing),
                    participant=first.participant.id,
                    charter=hashed,
                    kind="act" if cause.startswith("control") else "finding",
                    level=level,
                    was=was,
                    reason=Reason(reason),
                    at=at,
                    cause=cause,
                    finding=self.finding(reason, standing),
                    author=dice.choice(PEOPLE) if cause.startswith("control") else "",
                    **more,
                )
            )
        return made, charters

    def by_person(self, reason: str) -> bool:
        """Whether an act causes such a decision."""
        acts = ("application", "admitted", "amended", "overridden", "released", "charter_agreed", "assessed", "exited")
        return reason.startswith(
            (*acts, "suspended", "incident_re", "shelved", "level_acc", "guidance", "rectification_r")
        )

    def reason(self, level: Level) -> str:
        """The next reason."""
        others = (
            "clock_met", "clock_missed", "clock_started", "limit_exceeded", "limit_exceeded", "hard_rule", "overridden",
            "assessed", "exited", "amended", "incident_reclassified", "incident_report_received", "limit_tolerated",
            "inspection_finding", "finding_overdue", "rectification_overdue", "change_detected", "cleared", "cleared",
            "shelved", "level_accepted", "admitted", "gauge_out_of_range",
        )  # fmt: skip
        if level == Level.HALT and self.dice.random() < 0.6:
            return self.dice.choice(("command_acknowledged", "halt_verified", "released"))
        return self.dice.choice(PLAIN + others * 2)

    def level(self, reason: str, level: Level) -> Level:
        """The level after a decision."""
        if reason == "released":
            return Level.NORMAL
        if reason in ("limit_exceeded", "suspended", "recalled", "hard_rule"):
            return Level.HALT if self.dice.random() < 0.7 else max(level, Level.ESCALATE)
        if reason == "overridden" and level < Level.HALT:
            return Level(self.dice.randrange(3))
        return level

    def finding(self, reason: str, standing: int) -> Finding:
        """A finding of the shape that such a decision has."""
        dice = self.dice
        incident = f"i-{dice.randrange(4)}"
        if reason.startswith("clock_"):
            return self.clock(reason.removeprefix("clock_"), incident)
        if reason == "hard_rule":
            return Finding(rule=dice.choice(("death", "injury")), detail=f"serious_incident, death, {incident}")
        if reason == "incident_reclassified":
            rule = dice.choice(("death", "death, serious_injury", "not serious"))
            return Finding(rule=rule, content={"incident": incident})
        if reason in ("inspection_finding", "finding_overdue"):
            return Finding(rule=f"inspection/{dice.randrange(3)}")
        if reason == "rectification_recorded" and dice.random() < 0.5:
            return Finding(rule="rectification", content={"rectified": (f"inspection/{dice.randrange(3)}",)})
        if reason in ("assessed", "exited"):
            numbers = Assessment(at=1, began=1, alpha=0.01, complaints_outside=dice.randrange(9))
            said = dice.choice(("continue", "scale", "stop"))
            return Finding(rule="exit", content={"outcome": said}, assessment=numbers)
        if reason.startswith(("complaint_", "user_left", "redress")):
            return Finding(rule=dice.choice(("given", "refused")), observed=float(dice.randrange(1, 5)))
        if reason in ("command_acknowledged", "halt_verified"):
            return Finding(rule="acknowledge", observed=dice.choice((None, dice.random() * 90)))
        if reason == "shelved":
            return Finding(rule=f"incidents//{dice.choice(DETECTORS)}")
        if reason in ("suspended", "recalled", "overridden"):
            return Finding(rule=reason, detail="words of a person")
        rule = "acceptance" if reason == "level_accepted" else dice.choice(DETECTORS)
        rule = "limit_e_process" if reason == "limit_exceeded" else rule
        return Finding(indicator=dice.choice(("incidents", "rare")), rule=rule, statistic=5.0, bar=4.6)

    def clock(self, change: str, incident: str) -> Finding:
        """A change of a legal deadline."""
        dice = self.dice
        starts, owes = dice.choice((
            ("serious_incident", Owes.FIRM), ("application", Owes.AUTHORITY), ("exit", Owes.AUTHORITY),
        ))  # fmt: skip
        record = ClockRecord(
            change=Change(change), at=1, rule=f"{starts}-rule", title="t", starts=starts, key=incident,
            owed_by=owes, basis="b", on_miss=OnMiss.RECORD, state=ClockState.RUNNING,
        )  # fmt: skip
        return Finding(rule=record.rule, clock=record)

    def firm(self, subject: str, halts: list[str]) -> list[Decision]:
        """The file of a firm: classes, and annulments of halts and of other decisions."""
        dice, made, at = self.dice, list[Decision](), SINCE - 50 * DAY
        for standing in range(1, 6):
            at += dice.randrange(150 * DAY)
            finding = Finding(rule="class B", content={"class": dice.choice("ABCD")})
            reason = dice.choice((Reason.FIRM_CLASSIFIED, Reason.DECISION_ANNULLED))
            if reason is Reason.DECISION_ANNULLED:
                finding = Finding(rule="annulment", content={"pilot": "p", "decision": dice.choice([*halts, "other"])})
            made.append(
                decision(
                    standing,
                    subject,
                    id=digest(subject, standing),
                    reason=reason,
                    finding=finding,
                    at=at,
                    kind="act",
                    level=Level.NORMAL,
                    cause=f"control:{subject}-{standing}",
                    participant="",
                    charter="",
                )
            )
        return made

    def evidence(self, pilot: str, days: int) -> list[Evidence]:
        """Daily periods of some indicators over the turn of the year."""
        dice, rows = self.dice, list[Evidence]()
        rate = {"incidents": dice.choice((0.001, 0.02)), "rare": 0.05, "shares": 0.2, "complaints": 0.04}
        begin = dice.choice((SINCE - 30 * DAY, UNTIL - (days - 3) * DAY))
        for day in range(days):
            start = begin + day * DAY
            for name, some in rate.items():
                for segment in ("north", "south") if name == "complaints" else ("",):
                    rows.append(self.row(pilot, name, segment, start, some))
            rows.append(structs.replace(rows[-1], indicator="gain", segment="", kind="gauge", k=dice.random(), m=1.0))
            if dice.random() < 0.1:
                rows.append(
                    structs.replace(rows[0], start=start, end=start + DAY, k=float(dice.randrange(5)), late=True)
                )
        return rows

    def row(self, pilot: str, name: str, segment: str, start: int, rate: float) -> Evidence:
        """One period."""
        m = 100.0 * self.dice.randrange(1, 5)
        return Evidence(
            pilot=pilot, participant="f", vendor="", data_source="", model="m1", indicator=name, segment=segment,
            kind="proportion" if name == "shares" else "count", start=start, end=start + DAY,
            k=float(sum(self.dice.random() < rate for _ in range(int(m)))), m=m,
            unknown="partial_data" if self.dice.random() < 0.05 else "",
        )  # fmt: skip


def make(directory: Path, seed: int, pilots: int = 6, decisions: int = 40, days: int = 40) -> list[str]:
    """Write ledgers; returns the ids of the pilots."""
    maker, notary = Maker(seed), Notary(directory)
    names = [f"pilot-{number:03}" for number in range(pilots)]
    founded = decision(
        1, "sandbox", id=digest("founded"), reason=Reason.FOUNDED, kind="act", level=Level.NORMAL, at=SINCE + 1,
        cause="control:found", participant="", charter="", finding=Finding(rule="version 1"),
    )  # fmt: skip
    notary.record([founded])
    halts = list[str]()
    for place, pilot in enumerate(names):
        made, charters = maker.decisions(pilot, decisions)
        halts += [one.id for one in made if one.level == Level.HALT > one.was]
        notary.record(made, charters=charters)
        gatherer = EvidenceGatherer()
        rows = sorted(maker.evidence(pilot, days if place % 5 else 0), key=lambda row: row.end)
        for number, row in enumerate((*rows, Closed(partition=0, through=1 << 50))):
            notary.record_evidence(gatherer.take(number, row))
    for firm in range(3):
        notary.record(maker.firm(f"firm:firm-{firm}", halts))
    notary.close()
    return names
