"""Where a pilot stands in its life, from its decisions: states, level, what is open, the next step and who owes it,
legal deadlines. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, Struct, structs

from monitor.charter.spec import Charter
from monitor.deadlines.facts import FactKind
from monitor.lifecycle.life import Lifecycle, life_from_words, state_words
from monitor.lifecycle.names import Region
from monitor.lifecycle.next_steps import NextStep
from monitor.model.clock_record import ClockRecord, ClockState
from monitor.model.records import Decision, Level, Reason
from monitor.model.telemetry_problems import TelemetryProblem
from monitor.projections.evidence_words import evidence_sentence
from monitor.projections.open_commands import OpenCommand, after_decision
from monitor.projections.open_items import OpenFinding, OpenItems
from monitor.projections.problem_fold import ProblemFold
from monitor.projections.user_complaints import AnswerOwed, UserComplaintsFold, answer_due, answers_owed
from monitor.projections.wording import sentence

_KEPT_RECORDS = 3  # sentences of the newest ones
_RECORDS = 8  # the newest ones that are listed with their entries
_EVIDENCE = 64  # indicators and segments
_ANSWERS = 32  # reports with complaints of users that wait
_STEPS = (Reason.STEP_PASSED, Reason.STEP_FAILED, Reason.STEP_INCONCLUSIVE)


class StatusRecord(Struct, frozen=True, kw_only=True):
    """A recorded decision: its number (`standing`), when (ms), reason, author of an act, sentence, and the
    numbers that it rests on in words ("" where it has none)."""

    standing: int
    at: int
    level: str
    reason: str
    author: str
    sentence: str
    numbers: str = ""
    indicator: str = ""
    segment: str = ""


class PilotStatus(Struct, frozen=True, kw_only=True):
    """The status of a pilot. `states` are those of `Lifecycle` by region. `whole`: all its decisions were read, so no
    open finding or deadline is missing. `why` is the decision that brought it to its level, `records` the last ones,
    newest first; `evidence` the newest of the gravest findings of each indicator and segment; `command` the one in
    force; `step` the last evaluation of a step of the rollout, `cap` the most users since then; `shadow` the record of
    a shadow charter that runs; `problems` telemetry that was accepted and has no effect; `complaints`
    of users that wait for an answer, the oldest `_ANSWERS` reports, and how many further ones wait. Times in ms."""

    pilot: str
    participant: str
    charter: str  # hash
    standing: int
    at: int  # of the last decision
    level: str
    unknown: str
    states: dict[str, str]
    outcome: str
    steps: tuple[NextStep, ...]
    findings: tuple[OpenFinding, ...]
    clocks: tuple[ClockRecord, ...]
    open_mode: bool  # the last act was not signed
    newest: tuple[str, ...]  # sentences, the newest first
    authorities: tuple[str, ...] = ()  # ids of those responsible, where the sandbox computes them
    whole: bool = True
    why: StatusRecord | None = None
    records: tuple[StatusRecord, ...] = ()
    evidence: tuple[StatusRecord, ...] = ()
    command: OpenCommand | None = None
    step: StatusRecord | None = None
    cap: str = ""
    shadow: StatusRecord | None = None
    problems: tuple[TelemetryProblem, ...] = ()
    complaints: tuple[AnswerOwed, ...] = ()
    complaints_more: int = 0

    @property
    def life(self) -> Lifecycle:
        """The states as a life, without signatures."""
        return life_from_words(" ".join(self.states.values()))


class _Fold:
    """Decisions of one pilot, oldest first."""

    def __init__(self) -> None:
        self.last: Decision | None = None
        self.open = OpenItems()
        self.clocks: dict[tuple[str, str], ClockRecord] = {}
        self.act: Decision | None = None
        self.recent: list[Decision] = []
        self.authorities: tuple[str, ...] = ()
        self.why: Decision | None = None
        self.evidence: dict[tuple[str, str], Decision] = {}
        self.command: OpenCommand | None = None
        self.step: Decision | None = None
        self.shadow: Decision | None = None
        self.problems = ProblemFold()
        self.complaints = UserComplaintsFold()

    def take(self, d: Decision) -> None:
        if self.last is not None and d.standing <= self.last.standing:
            return
        self.last = d
        self.recent = [d, *self.recent][:_RECORDS]
        self.command = after_decision(self.command, d)
        self.problems.take(d)
        self.complaints.decide(d)
        self._named(d)
        if d.author and d.cause.startswith("control:"):
            self.act = d
        if d.responsible is not UNSET:
            self.authorities = d.responsible
        if d.finding.clock is not UNSET:
            self.clocks[d.finding.clock.rule, d.finding.clock.key] = d.finding.clock
        self.open.take(d)

    def _named(self, d: Decision) -> None:
        """What is kept of single decisions: those behind the level, an indicator, the rollout, the shadow charter."""
        if d.level is not d.was or self.why is None:
            self.why = d
        stream = (d.finding.indicator, d.finding.segment)
        before = self.evidence.get(stream)
        graver = before is None or (d.finding_level or d.level) >= (before.finding_level or before.level)
        if d.finding.indicator and d.reason is not Reason.CLEARED and graver:
            self.evidence.pop(stream, None)
            self.evidence[stream] = d
            if len(self.evidence) > _EVIDENCE:
                del self.evidence[next(iter(self.evidence))]
        if d.reason in _STEPS:
            self.step = d
        if d.reason is Reason.SHADOW_STARTED:
            self.shadow = d
        elif d.reason in (Reason.SHADOW_STOPPED, Reason.SHADOW_ENDED):
            self.shadow = None

    def answers(self, pilot: str) -> tuple[AnswerOwed, ...]:
        """Complaints of users that wait; those with a decision about their deadline are among the clocks."""
        known = {one.key for one in self.clocks.values() if one.starts == FactKind.USER_COMPLAINT.value}
        return answers_owed(self.complaints.of(pilot), known)


def pilot_status(decisions: Iterable[Decision], *, whole: bool = True, newest: bool = True) -> PilotStatus | None:
    """The status after the decisions of one pilot, oldest first; `None` without decisions. `newest`: with the newest
    decisions."""
    fold = _Fold()
    for decision in decisions:
        fold.take(decision)
    last = fold.last
    if last is None:
        return None
    life, recent = fold.open.life, fold.recent if newest else []
    answers = fold.answers(last.pilot)
    return PilotStatus(
        pilot=last.pilot,
        participant=last.participant,
        charter=last.charter,
        standing=last.standing,
        at=last.at,
        level=last.level.word,
        unknown=last.unknown,
        states={region.value: life.state(region).value for region in Region},
        outcome=life.outcome or "",
        steps=tuple(fold.open.steps()),
        findings=tuple(sorted(fold.open.findings.values(), key=lambda one: (-Level[one.level.upper()], one.since))),
        clocks=tuple(sorted(filter(_open, fold.clocks.values()), key=lambda one: (one.due is None, one.due or 0))),
        open_mode=fold.act is not None and not fold.act.signed,
        newest=tuple(sentence(one) for one in recent[:_KEPT_RECORDS]),
        why=status_record(fold.why),
        records=tuple(record for one in recent if (record := status_record(one)) is not None),
        evidence=tuple(record for one in fold.evidence.values() if (record := status_record(one)) is not None),
        command=fold.command,
        step=status_record(fold.step),
        cap=_cap(fold.step),
        shadow=status_record(fold.shadow),
        problems=fold.problems.rows(last.pilot),
        complaints=answers[:_ANSWERS],
        complaints_more=sum(one.complaints for one in answers[_ANSWERS:]) + fold.complaints.left_out,
        authorities=fold.authorities,
        whole=whole,
    )


def with_answers_due(status: PilotStatus, plan: Charter | None) -> PilotStatus:
    """The status with the deadlines of the answers that the charter in force promises to users."""
    dated = (structs.replace(one, due=answer_due(plan, one.filed)) for one in status.complaints)
    return structs.replace(status, complaints=tuple(dated))


def status_record(d: Decision | None) -> StatusRecord | None:
    """A decision as the status lists it."""
    if d is None:
        return None
    return StatusRecord(
        standing=d.standing,
        at=d.at,
        level=d.level.word,
        reason=d.reason.value,
        author=d.author,
        sentence=sentence(d),
        numbers=evidence_sentence(d) or "",
        indicator=d.finding.indicator,
        segment=d.finding.segment,
    )


def _cap(step: Decision | None) -> str:
    content = step.finding.content if step is not None else None
    return str(content.get("cap", "")) if isinstance(content, dict) else ""


def known_words(status: PilotStatus) -> str:
    """The states of a status in words, without those that say nothing."""
    return state_words(status.life)


def _open(clock: ClockRecord) -> bool:
    """Whether a deadline still asks for something."""
    return clock.state is ClockState.RUNNING or (clock.state is ClockState.MISSED and clock.done is None)
