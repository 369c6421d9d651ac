"""A board with every situation that its pages must show, and its ledger: for tests of pages and for screenshots.

The decisions are those that the machine would write: numbered, in order, with the fields that readers use. They are
built by hand, so that a world takes a moment to make and every situation has a name (`HALTED`, `CONTRADICTED` ...).
The same arguments give the same world. `NOW` is the moment at which it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import UNSET, structs

from monitor.charter.spec import Authority, Charter, Model, UsersChannel, charter_hash
from monitor.console.fleet_view import FleetView
from monitor.firms.classes import firm_class, ground_words
from monitor.firms.content import record_fields, rule_fields
from monitor.firms.record import FirmRecord, record_digest
from monitor.firms.rules import SHIPPED_RULES, reference_to
from monitor.lifecycle.sandbox import Sandbox
from monitor.lifecycle.sandbox_acts import SandboxFounding, configuration_digest
from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.records import (
    Closed,
    Command,
    Content,
    Decision,
    Evidence,
    Finding,
    Level,
    Outputs,
    Reason,
    Rejected,
    command_of,
    digest,
)
from monitor.model.shadow_records import ShadowDifference, ShadowFinding, ShadowSummary
from monitor.notary.evidence_entries import EvidenceGatherer
from monitor.notary.notary import Notary
from monitor.projections.formats import day as day_of
from monitor.publication.desk import LedgerDesk
from monitor.publication.log_key import LogKey
from monitor.publication.publisher import PublicationSettings, Publisher
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import evidence
from tests.country.nation import sandbox as country_sandbox

HOUR, DAY = 3_600_000, 86_400_000
START = 1_767_225_600_000  # Thursday 1 January 2026, 00:00 UTC
NOW = START + 60 * DAY + 9 * HOUR + 30 * 60_000
LONG_PILOT, LONG_FIRM = ("pilot-" + "very-long-name-" * 13)[:200], ("firm-" + "extensive-company-" * 11)[:200]
HALTED, CONTRADICTED, OVERDUE = "credit-scoring-nord", "triage-assistant", "robotaxi-west"
WAITING, RELEASED, APPEALED, SUSPENDED = "benefit-eligibility", "tutor-bot", "claims-review", "crowd-camera"
EXITED, ROLLOUT, SHADOWED, COMPLAINTS = "chat-support", "eye-screening", "fraud-filter", "tenant-matching"
APPLICANT, PAUSED, UNKNOWN, CHINESE, CALM = "new-idea", "paused-pilot", "dark-pilot", "华康-药房问诊", "calm-pilot"
CHINESE_FIRM, MODEL, CHINESE_MODEL = "华康医疗科技", "triage-base", "huakang-llm"
AUTHORITY = "north"
ORIGIN = "sandbox.example/ledger"
_BAR = 5.1


class World(NamedTuple):
    """A board at `now` (ms), the directory of its ledger, and where that is published (`None`: it is not)."""

    board: FleetView
    ledger: Path
    published: Path | None
    now: int
    outputs: Outputs
    charters: dict[str, Charter]


class Story:
    """The decisions of one pilot in their order. Each call of `add` is one decision, at `day` days after `START`."""

    def __init__(
        self, pilot: str, firm: str, plan: Charter | None, authorities: tuple[str, ...] = (AUTHORITY,)
    ) -> None:
        self.pilot, self.firm, self.plan, self.authorities = pilot, firm, plan, authorities
        self.decisions: list[Decision] = []
        self.commands: list[Command] = []
        self.evidence: list[Evidence] = []
        self._level, self._unknown, self._states = Level.NORMAL, "", ""

    def add(
        self, reason: Reason, day: float, *, level: Level | None = None, author: str = "",
        finding: Finding | None = None, **more: Any,
    ) -> Decision:  # fmt: skip
        """Append a decision. A new `level` makes it one of kind `level`, an `author` an act that is signed; what a
        service stated names its `source`."""
        standing, was = len(self.decisions) + 1, self._level
        self._level = was if level is None else level
        self._unknown = more.pop("unknown", self._unknown)
        source = more.pop("source", "")
        self._states = more.pop("states", self._states)
        kind = "act" if author else "level" if self._level is not was else more.pop("kind", "finding")
        firm_acts = author == self.firm
        made = Decision(
            id=digest(self.pilot, standing, "decision"), pilot=self.pilot, participant=self.firm,
            charter=charter_hash(self.plan) if self.plan else "", kind=kind, level=self._level, was=was, reason=reason,
            at=round(START + day * DAY), standing=standing, epoch=1,
            cause=f"control:{self.pilot}/{standing}" if author else f"event:{self.firm}/svc#{standing}",
            finding=finding or Finding(), unknown=self._unknown, author=author or source,
            signed="" if not author else digest(author)[:16] if not firm_acts or self.firm != "firm-5" else "",
            addressed=(*(f"authority:{one}" for one in self.authorities), f"firm:{self.firm}"),
            responsible=self.authorities if standing == 1 else UNSET, states=self._states or UNSET, **more,
        )  # fmt: skip
        self.decisions.append(made)
        given = command_of(made)
        if given is not None:
            self.commands.append(given)
        return made

    def admitted(self, day: float = 0.5) -> Story:
        """Admit it by an officer."""
        self.add(Reason.ADMITTED, day, author="north-officer", finding=Finding(), states="running")
        return self

    def clock(self, day: float, change: Change, rule: str, **more: Any) -> Decision:
        """A decision about a legal deadline; `owed_by`, `due` (days) and the rest as in `ClockRecord`."""
        due, done = more.pop("due", None), more.pop("done", None)
        state = {Change.STARTED: ClockState.RUNNING, Change.MOVED: ClockState.RUNNING, Change.MET: ClockState.MET,
                 Change.MISSED: ClockState.MISSED, Change.DONE_LATE: ClockState.MISSED}[change]  # fmt: skip
        reason = {Change.STARTED: Reason.CLOCK_STARTED, Change.MOVED: Reason.CLOCK_MOVED, Change.MET: Reason.CLOCK_MET,
                  Change.MISSED: Reason.CLOCK_MISSED, Change.DONE_LATE: Reason.CLOCK_MET}[change]  # fmt: skip
        at = None if due is None else round(START + due * DAY)
        record = ClockRecord(
            change=change, at=round(START + day * DAY), rule=rule, state=state, due=at,
            done=None if done is None else round(START + done * DAY),
            last_day="" if at is None else day_of(at - 1), zone="UTC" if at else "", on_miss=OnMiss.ESCALATE, **more,
        )  # fmt: skip
        return self.add(reason, day, finding=Finding(rule=rule, clock=record))

    def hours(self, first: int, last: int, slope: float = 0.0) -> Story:
        """Evidence of the hours from `first` to `last` after `START`; the e-value grows by `slope` an hour."""
        shift = (START - evidence(0).start) // HOUR
        for hour in range(first, last):
            statistic = max(0.0, slope * (hour - first))
            k = 3.0 + (8.0 if slope and hour % 3 == 0 else 0.0)
            scores = {"limit_e_process": (statistic, _BAR), "cusum": (min(9.0, statistic * 1.7), 5.0)}
            self.evidence.append(
                evidence(hour + shift, self.pilot, participant=self.firm, k=k, scores=scores, allowed=2.0)
            )
        return self


def plan_of(pilot: str, firm: str, number: int, **more: Any) -> Charter:
    """The charter of a pilot of a firm; it names the authority `AUTHORITY` unless `more` says otherwise."""
    made = charter(pilot, number=number, period_ms=HOUR, cap=2000.0, dispersion=1.0, start=START, end=START + 300 * DAY)
    fields: dict[str, Any] = {
        "participant": structs.replace(made.participant, id=firm, name=firm),
        "authorities": (Authority(id=AUTHORITY, name="Authority of the north"),),
        "region": "north", "sector": "health", "vendor": f"maker-{number % 4 + 1}",
        "models": (Model(digest="m1", version="1.0"), Model(digest="m2", version="1.1")),
    }  # fmt: skip
    return structs.replace(made, **(fields | more))


LIMIT = Finding(
    indicator="incidents", rule="limit_e_process", statistic=7.4, bar=_BAR, observed=63.0, expected=26.5, alpha=0.003,
    alpha_spent=0.003, period_start=START + 33 * DAY, period_end=START + 33 * DAY + HOUR, ratio=2.38, ratio_low=1.83,
    ratio_high=3.04, events=63.0, exposure=1323.0, unit="decisions",
    explanation="63 in 1,323 decisions where at most 26.5 were allowed, "
    "2.38 times as many (95 % interval 1.83 to 3.04)",
)  # fmt: skip
DEATH = Finding(rule="death", detail="serious_incident, death, i-77", content={"incident": "i-77"})
"""What the halts rest on."""


def _limit(day: float, **more: Any) -> Finding:
    """An exceeded limit in the hour that ended some minutes before `day`."""
    end = (round(START + day * DAY) - 600_000) // HOUR * HOUR
    return structs.replace(LIMIT, period_start=end - HOUR, period_end=end, **more)


def _ack(story: Story, day: float, seconds: float) -> None:
    story.add(Reason.COMMAND_ACKNOWLEDGED, day, kind="act", source=f"{story.firm}/svc",
              finding=Finding(rule="acknowledge", observed=seconds))  # fmt: skip


def _verified(story: Story, day: float, seconds: float) -> None:
    story.add(
        Reason.HALT_VERIFIED,
        day,
        kind="act",
        source=f"{story.firm}/svc",
        finding=Finding(rule="heartbeats", observed=seconds),
    )


def _rectified(story: Story, day: float) -> None:
    story.add(Reason.RECTIFICATION_RECORDED, day, author=story.firm, finding=Finding(detail="Retrained on new data"))


def _evaluated(story: Story, day: float, passed: bool = True) -> None:
    story.add(Reason.EVALUATION_RECORDED, day, author="laboratory",
              finding=Finding(rule="evaluation", observed=1.0 if passed else 0.0))  # fmt: skip


def _halts() -> Iterator[Story]:
    """Halts in every state on the way to a release."""
    one = Story(HALTED, "firm-1", plan_of(HALTED, "firm-1", 0), ("north", "national")).admitted().hours(760, 800, 0.19)
    one.add(Reason.LIMIT_HALF_WAY, 32.9, level=Level.ESCALATE,
            finding=_limit(32.9, statistic=3.1, observed=31.0, expected=19.0, explanation=""))  # fmt: skip
    one.add(
        Reason.LIMIT_EXCEEDED, 33.2, level=Level.HALT, finding=_limit(33.2), first_out=True, states="running halted"
    )
    _ack(one, 33.2001, 8.6)
    _verified(one, 33.2004, 34.0)
    _rectified(one, 40)
    _evaluated(one, 44.5, passed=False)
    _rectified(one, 47.1)
    _evaluated(one, 51.5)
    one.add(Reason.APPROVAL_RECORDED, 58.2, author="north-approver-1")
    yield one
    two = Story(CONTRADICTED, "firm-2", plan_of(CONTRADICTED, "firm-2", 1, sector="health")).admitted()
    two.add(Reason.HARD_RULE, 58.4, level=Level.HALT, finding=DEATH, first_out=True, states="running halted")
    _ack(two, 58.4002, 17.2)
    two.add(Reason.HALT_CONTRADICTED, 58.6, finding=Finding(rule="exposure", observed=240.0, detail="firm-2/svc"))
    yield two
    three = Story(OVERDUE, "firm-3", plan_of(OVERDUE, "firm-3", 2, sector="driving"), ("north", "roads")).admitted()
    three.add(
        Reason.LIMIT_EXCEEDED, 60.1, level=Level.HALT, finding=_limit(60.1), first_out=True, states="running halted"
    )
    three.add(Reason.HALT_OVERDUE, 60.104, finding=Finding(rule="not_acknowledged", observed=345.0))
    yield three
    four = Story(WAITING, "firm-1", plan_of(WAITING, "firm-1", 3)).admitted()
    four.add(
        Reason.LIMIT_EXCEEDED, 60.39, level=Level.HALT, finding=_limit(60.39), first_out=True, states="running halted"
    )
    yield four
    five = Story(RELEASED, "firm-4", plan_of(RELEASED, "firm-4", 4)).admitted()
    for first in (12.0, 30.0):
        five.add(
            Reason.LIMIT_EXCEEDED,
            first,
            level=Level.HALT,
            finding=_limit(first),
            first_out=True,
            states="running halted",
        )
        _ack(five, first + 0.0001, 8.6)
        _verified(five, first + 0.0005, 43.0)
        _rectified(five, first + 3)
        _evaluated(five, first + 5)
        five.add(Reason.APPROVAL_RECORDED, first + 6, author="north-approver-1")
        five.add(Reason.APPROVAL_RECORDED, first + 6.4, author="north-approver-2")
        five.add(Reason.RELEASED, first + 7, level=Level.NORMAL, author="north-officer", states="running", restart=2)
        _ack(five, first + 7.001, 86.0)
    yield five
    six = Story(APPEALED, "firm-2", plan_of(APPEALED, "firm-2", 5)).admitted()
    six.add(Reason.HARD_RULE, 20, level=Level.HALT, finding=DEATH, first_out=True, states="running halted")
    _ack(six, 20.001, 86.0)
    _rectified(six, 22)
    _evaluated(six, 23)
    six.add(Reason.APPROVAL_RECORDED, 24, author="north-approver-1")
    six.add(Reason.APPROVAL_RECORDED, 24.5, author="north-approver-2")
    six.add(Reason.RELEASED, 25, level=Level.NORMAL, author="north-officer", states="running", restart=2)
    yield six
    seven = Story(SUSPENDED, "firm-6", plan_of(SUSPENDED, "firm-6", 6, region="south"), ("south",)).admitted()
    seven.add(Reason.SUSPENDED, 50, level=Level.HALT, author="south-officer", first_out=True,
              finding=Finding(rule="suspension", detail="Art. 57(11)"), states="running suspended")  # fmt: skip
    _ack(seven, 50.001, 86.0)
    _verified(seven, 50.002, 172.0)
    notice: dict[str, Any] = {"title": "Tell the AI Office of a suspension", "starts": "suspension", "key": "",
                              "owed_by": Owes.AUTHORITY, "basis": "EU AI Act, Art. 57(11)", "due": 57}  # fmt: skip
    seven.clock(50, Change.STARTED, "suspension-notice", **notice)
    seven.clock(57, Change.MISSED, "suspension-notice", **notice)
    yield seven


def _lives() -> Iterator[Story]:
    """Everything else that happens in the life of a pilot."""
    report: dict[str, Any] = {"title": "Report of a serious incident", "starts": "serious_incident", "key": "i-77",
                              "owed_by": Owes.FIRM, "basis": "EU AI Act, Art. 73(2)"}  # fmt: skip
    exited = Story(EXITED, "firm-3", plan_of(EXITED, "firm-3", 7)).admitted()
    exited.add(Reason.ASSESSED, 28, author="north-officer", finding=Finding(rule="continue"))
    exited.add(Reason.EXITED, 41, author="north-officer", finding=Finding(rule="exit", detail="done",
               content={"outcome": "stop"}), states="exited outcome=stop")  # fmt: skip
    exited.clock(41, Change.STARTED, "exit-report", title="Written proof and exit report", starts="exit", key="",
                 owed_by=Owes.AUTHORITY, basis="EU AI Act, Art. 57(7)", due=71)  # fmt: skip
    exited.add(Reason.REPORT_ISSUED, 52, author="north-officer", states="reported outcome=stop", finding=Finding(
        rule="exit_report", content={"report": "a" * 64, "proof": "b" * 64}))  # fmt: skip
    exited.clock(52, Change.MET, "exit-report", title="Written proof and exit report", starts="exit", key="",
                 owed_by=Owes.AUTHORITY, basis="EU AI Act, Art. 57(7)", due=71, done=52)  # fmt: skip
    exited.add(Reason.PUBLISHED, 54, author="firm-3", states="published outcome=stop")
    yield exited
    rollout = Story(ROLLOUT, "firm-4", plan_of(ROLLOUT, "firm-4", 8)).admitted()
    rollout.add(Reason.STEP_PASSED, 21, author="laboratory", finding=Finding(rule="step 1", content={"cap": 500.0}))
    rollout.add(Reason.STEP_FAILED, 43, author="laboratory", finding=Finding(rule="step 2", content={"cap": 200.0}))
    rollout.add(Reason.DRIFT_SUSPECTED, 59.8, level=Level.WATCH,
                finding=_limit(59.8, rule="cusum", statistic=6.0, bar=5.0, explanation=""))  # fmt: skip
    yield rollout
    shadowed = Story(SHADOWED, "firm-5", plan_of(SHADOWED, "firm-5", 9)).admitted()
    shadowed.add(Reason.SHADOW_STARTED, 30, author="north-officer", finding=Finding(rule="shadow-1"))
    yield shadowed.hours(1300, 1420)
    channel = UsersChannel(answer_within="10d", redress_within="30d")
    users = Story(COMPLAINTS, "firm-6", plan_of(COMPLAINTS, "firm-6", 10, users_channel=channel)).admitted()
    users.add(Reason.COMPLAINT_FILED, 52, author="public", finding=Finding(
        rule="complaints", observed=3.0, content={"complaints": ("a" * 32, "b" * 32, "c" * 32)}))  # fmt: skip
    users.add(Reason.COMPLAINT_FILED, 59, author="public", finding=Finding(
        rule="complaints", observed=1.0, content={"complaints": ("d" * 32,)}))  # fmt: skip
    users.add(Reason.COMPLAINT_ANSWERED, 59.5, author="firm-6", finding=Finding(
        rule="answered", observed=1.0, content={"complaints": ("a" * 32,)}))  # fmt: skip
    users.clock(58, Change.STARTED, "incident-report", **report, due=73)
    users.add(Reason.COUNTED_NOWHERE, 57, level=Level.WATCH, finding=Finding(
        indicator="incidents", segment="east", rule="segment", observed=41.0, detail="segment east"))  # fmt: skip
    yield users
    dark = Story(UNKNOWN, "firm-2", plan_of(UNKNOWN, "firm-2", 11)).admitted()
    dark.clock(30, Change.STARTED, "incident-report", **report, due=45)
    dark.clock(45, Change.MISSED, "incident-report", **report, due=45)
    dark.add(Reason.SILENCE, 59.2, kind="flag", unknown="silence", finding=Finding(rule="heartbeat/"))
    yield dark
    paused = Story(PAUSED, "firm-4", plan_of(PAUSED, "firm-4", 12)).admitted()
    paused.add(Reason.PAUSE_REQUESTED, 39, author="firm-4", states="running pause_requested")
    paused.add(Reason.PAUSE_GRANTED, 40, author="north-officer", states="paused")
    yield paused
    applicant = Story(APPLICANT, "firm-7", None)
    applicant.add(Reason.APPLICATION_SUBMITTED, 48, author="firm-7", states="submitted")
    applicant.clock(48, Change.STARTED, "application-decision", title="Decision on an application", key="",
                    starts="application", owed_by=Owes.AUTHORITY, basis="Sandbox rules, 4.2", due=63)  # fmt: skip
    yield applicant
    yield Story(CHINESE, CHINESE_FIRM, plan_of(CHINESE, CHINESE_FIRM, 13, region="south",
                models=(Model(digest="hk-2", version="2.0"),)), ("south",)).admitted().hours(1400, 1430)  # fmt: skip
    yield Story(LONG_PILOT, LONG_FIRM, plan_of(LONG_PILOT, LONG_FIRM, 14)).admitted().hours(1400, 1430)
    calm = Story(CALM, "firm-1", plan_of(CALM, "firm-1", 15), ("north", "national")).admitted().hours(1300, 1420)
    calm.clock(2, Change.STARTED, "supplier-documents", title="Documents of the base model", starts="model_changed",
               key="m2", owed_by=Owes.SUPPLIER, basis="EU AI Act, Art. 25(4)", due=64.5)  # fmt: skip
    yield calm


def _models() -> Iterator[tuple[str, list[Decision]]]:
    """The files of two models."""
    entries: dict[str, list[tuple[str, str, Content]]] = {
        MODEL: [
            ("supplier", "north-officer", {"supplier": "maker-1", "role": "base_model_developer",
                                           "name": "Maker One plc", "country": "FR"}),
            ("version", "maker-1", {"version": "1.0", "digest": "m1", "released": "2025-11-02",
                                    "architecture": "decoder-only transformer", "licence": "Apache-2.0"}),
            ("version", "maker-1", {"version": "1.1", "digest": "m2", "base": "open-base", "base_version": "7"}),
            ("scenario", "maker-1", {"scenario": "triage", "intended": "yes", "sector": "health"}),
            ("data_compliance", "maker-1", {"dataset": "notes-2024", "purpose": "training", "personal": "yes",
                                            "special": "yes", "legal_basis": "Art. 9(2)(j) GDPR"}),
            ("evaluation", "laboratory", {"version": "1.1", "scenario": "triage", "passed": "yes",
                                          "result/recall": 0.94, "result/false_positive_rate": 0.031}),
            ("evaluation", "laboratory", {"version": "1.0", "scenario": "triage", "passed": "no",
                                          "result/recall": 0.81}),
            ("limitation", "maker-1", {"limitation": "children", "harm": "serious_injury", "version": "1.0"}),
            ("inspection", "north-officer", {"scope": ("logs", "weights"), "findings": ("log-gap",)}),
        ],
        CHINESE_MODEL: [
            ("supplier", "south-officer", {"supplier": "huakang", "role": "downstream_developer",
                                           "name": "华康医疗科技有限公司", "country": "CN"}),
            ("version", "south-officer", {"version": "2.0", "digest": "hk-2"}),
        ],
    }  # fmt: skip
    for model, rows in entries.items():
        subject, made = f"model:{model}", list[Decision]()
        for number, (kind, author, fields) in enumerate(rows, 1):
            by = {"laboratory": "evaluator", "maker-1": "supplier"}.get(author, "officer")
            content: Content = {"kind": kind, "by": by, **fields, "entry": f"{model}/{number}"}
            made.append(_act(subject, number, number + 3, Reason.MODEL_ENTRY_ADDED, author, kind, content))
        if model == MODEL:
            gone: Content = {"kind": "limitation", "by": "supplier", "entry": f"{model}/8", "number": 8.0}
            made.append(_act(subject, 10, 30, Reason.MODEL_ENTRY_WITHDRAWN, "maker-1", "limitation", gone))
        yield subject, made


def _act(
    subject: str, standing: int, day: float, reason: Reason, author: str, rule: str, content: Content, charter: str = ""
) -> Decision:
    return Decision(
        id=digest(subject, standing, "decision"), pilot=subject, participant="", charter=charter, kind="act",
        level=Level.NORMAL, was=Level.NORMAL, reason=reason, at=round(START + day * DAY), standing=standing, epoch=1,
        cause=f"control:{subject}/{standing}", finding=Finding(rule=rule, content=content), author=author,
        signed=digest(author)[:16],
    )  # fmt: skip


def classified(firm: str, standing: int, day: float, was: str = "", **numbers: int) -> Decision:
    """The act that sets the class of a firm, from a record with these numbers, by the shipped rules."""
    fields = {"pilots": 3, "open": 3, "operated_ms": 3 * 365 * DAY, "observations": 9_000} | numbers
    record = FirmRecord(firm=firm, first=START, through=round(START + day * DAY), subject=standing - 1, **fields)
    found = firm_class(record, SHIPPED_RULES)
    content: Content = {
        "class": found.gives.value, "was": was, "record": record_digest(record), "rules": "shipped@1",
        "rules_digest": reference_to(SHIPPED_RULES).digest,
        "measures": tuple(one.measure.value if one.measure else one.reason.value for one in found.deciding),
        "reasons": tuple(one.reason.value for one in found.deciding),
        "grounds": tuple(ground_words(one) for one in found.deciding[:8]),
        **record_fields(record), **rule_fields(SHIPPED_RULES),
    }  # fmt: skip
    rule = f"class {found.gives.value}"
    return _act(f"firm:{firm}", standing, day, Reason.FIRM_CLASSIFIED, "national-officer", rule, content)


def _firms(appealed: Decision) -> Iterator[tuple[str, list[Decision]]]:
    annulled: Content = {"pilot": APPEALED, "decision": appealed.id}
    yield "firm:firm-1", [classified("firm-1", 1, 35, halts=16, operated_ms=2 * 365 * DAY)]
    yield (
        "firm:firm-2",
        [
            classified("firm-2", 1, 21, halts=3, contradictions=1),
            _act("firm:firm-2", 2, 27, Reason.DECISION_ANNULLED, "national-approver-1", "annulment", annulled),
        ],
    )
    yield "firm:firm-4", [classified("firm-4", 1, 50, operated_ms=7 * 365 * DAY, observations=90_000)]


def _founding(sandbox: Sandbox) -> tuple[SandboxFounding, Decision]:
    act = SandboxFounding(id="founding", pilot="sandbox", author="operator", sandbox=sandbox)
    made = _act("sandbox", 1, 0, Reason.FOUNDED, "operator", "version 1", {}, configuration_digest(sandbox))
    finding = Finding(rule="version 1", detail=f"{sandbox.id}: {len(sandbox.authorities)} authorities")
    return act, structs.replace(made, cause="control:founding", finding=finding)


def _rejections() -> list[Rejected]:
    def one(offset: int, pilot: str, field: str, reason: str, **more: Any) -> Rejected:
        fields: dict[str, Any] = {"topic": "telemetry", "partition": 0, "received": START + 58 * DAY + offset * HOUR}
        return Rejected(**(fields | {"offset": offset, "pilot": pilot, "field": field, "reason": reason} | more))

    return [
        one(1, COMPLAINTS, "data.unit", "unknown_value", detail="unit 'decision'; known: decisions", count=41),
        one(2, COMPLAINTS, "time", "time_in_future", detail="6 h after it was received"),
        one(3, CONTRADICTED, "", "forged", detail="no signature of a key of the firm", count=7),
        one(4, CALM, "data.incident", "not_an_id", detail="holds a blank"),
        one(5, HALTED, "author", "control_refused", topic="control",
            detail="firm_alone: The firm cannot release its own halt."),
        one(6, "", "key", "key_mismatch", detail="record key and subject differ"),
    ]  # fmt: skip


def _shadow() -> ShadowSummary:
    found = ShadowFinding(at=START + 50 * DAY, reason="limit_exceeded", level=3, was=0, asked=3, indicator="incidents",
                          statistic=5.3, threshold=5.1, observed=31.0, expected=19.0)  # fmt: skip
    return ShadowSummary(
        pilot=SHADOWED, participant="firm-5", shadow="shadow-1", candidate="d" * 64, version=2, live="c" * 64,
        start=START + 30 * DAY, through=START + 60 * DAY, until=START + 90 * DAY, tolerance=HOUR,
        **_summary_defaults(), differences=(ShadowDifference(side="only_shadow", finding=found),),
    )  # fmt: skip


def _summary_defaults() -> dict[str, Any]:
    """Zeros for the counts of a summary that have no default."""
    required = {f.name for f in structs.fields(ShadowSummary) if f.required}
    named = {"pilot", "participant", "shadow", "candidate", "version", "live", "start", "through", "until", "tolerance"}
    return dict.fromkeys(required - named - {"differences"}, 0)


def world(home: Path, *, publish: bool = False, now: int = NOW, ledger: bool = True) -> World:
    """The board of all situations at `now` (ms); its ledger in `home`/ledger, published in `home`/published with
    `publish`. Without `ledger` nothing is written, which is faster."""
    stories = [*_halts(), *_lives()]
    sandbox = structs.replace(country_sandbox(), firm_rules=reference_to(SHIPPED_RULES))
    founding, founded = _founding(sandbox)
    out = Outputs(decisions=[founded], rejected=_rejections(), shadows=[_shadow()])
    appealed = next(one.decisions[1] for one in stories if one.pilot == APPEALED)
    for story in stories:
        out.decisions += story.decisions
        out.commands += story.commands
        out.evidence += story.evidence
    for _, decisions in (*_models(), *_firms(appealed)):
        out.decisions += decisions
    charters = {story.pilot: story.plan for story in stories if story.plan is not None}
    where = home / "ledger"
    notary = Notary(where) if ledger else None
    if notary is not None:
        keyed = {(_act_of(story), charter_hash(story.plan)): story.plan for story in stories if story.plan is not None}
        notary.record(out.decisions, out.commands, charters=keyed)
        gatherer = EvidenceGatherer()
        closed = [*out.evidence, Closed(partition=0, through=now)]
        notary.record_evidence([group for place, one in enumerate(closed) for group in gatherer.take(place, one)])
    board = FleetView(ledger=_heads(notary))
    for plan in charters.values():
        board.learn(plan)
    board.act(founding)
    board.apply(out)
    for number in range(4):
        board.liveness.mark_alive(number, now - 1_000)
    published = _published(home, notary) if publish and notary is not None else None
    if notary is not None:
        heads = notary.logs
        board.desk = LedgerDesk(where, lambda: heads, None if published is None else (published, log_key()))
        notary.close()
    return World(board, where, published, now, out, charters)


def _act_of(story: Story) -> str:
    return story.decisions[0].cause.removeprefix("control:")


def _heads(notary: Notary | None) -> Callable[[str], tuple[int, str] | None]:
    heads: Mapping[str, tuple[int, str]] = {}
    if notary is not None:
        heads = {name: (head.size, head.root) for name, head in notary.heads.items()}
    return lambda pilot: heads.get(pilot)


def log_key() -> LogKey:
    """The key of the published logs; the same in every world."""
    return LogKey(ORIGIN, bytes(range(32)))


def _published(home: Path, notary: Notary) -> Path:
    where = home / "published"
    publisher = Publisher(notary.directory, lambda: notary.logs, PublicationSettings(directory=where, key=log_key()))
    publisher.round()
    publisher.close()
    return where
