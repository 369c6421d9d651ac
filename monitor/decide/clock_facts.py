"""Facts for the legal deadlines ("clocks") of a pilot, and what each change of a clock does to its standing. Pure.

`clock_facts` is how every part of the machine tells of a fact: an incident, a report, an exit. Without a clock table
(`DecisionContext.table`; there is no sandbox) nothing happens. Each change of a clock is one decision with a
`ClockRecord`, addressed to who owes. A miss raises a finding, at the level that the table names; it is cleared when the
duty was done after all. See `monitor/deadlines/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.deadlines import engine
from monitor.deadlines.cases import Case, ClockState
from monitor.deadlines.engine import Change, ClockChange, Clocks, case_key, held_by, next_due
from monitor.deadlines.facts import Fact, FactKind
from monitor.deadlines.rules import ClockRule, ClockTable, OnMiss
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.lifecycle.arrows import Arrow
from monitor.lifecycle.life import refusal
from monitor.lifecycle.names import Event, State
from monitor.model.clock_record import ClockRecord
from monitor.model.records import Finding, Level, Reason

PREFIX = "clock/"
REFUSED = "clocks_refused"  # key of the finding that there was no space for a case
_LEVELS = {OnMiss.WATCH: Level.WATCH, OnMiss.ESCALATE: Level.ESCALATE, OnMiss.HALT: Level.HALT}
_REASONS = {
    Change.STARTED: Reason.CLOCK_STARTED,
    Change.RESTARTED: Reason.CLOCK_STARTED,
    Change.MOVED: Reason.CLOCK_MOVED,
    Change.MET: Reason.CLOCK_MET,
    Change.DONE_LATE: Reason.CLOCK_MET,
    Change.MISSED: Reason.CLOCK_MISSED,
    Change.STOPPED: Reason.CLOCK_STOPPED,
    Change.REFUSED: Reason.CLOCK_REFUSED,
}
# Of complaints only a miss and what follows it are decisions: else there would be as many of them as complaints. A
# request for redress is rarer: of it every change is one.
_QUIET = frozenset({Change.STARTED, Change.MET, Change.STOPPED})
# Facts that an arrow gives and that need neither a date nor classes: the occurrence is named by the act or event.
_STARTS_BY_ARROW = frozenset({FactKind.EXIT, FactKind.SUSPENSION, FactKind.SERVICE_CHANGED, FactKind.APPLICATION})
_ENDS_BY_ARROW = frozenset({
    FactKind.APPLICATION_DECIDED, FactKind.APPLICATION_WITHDRAWN, FactKind.EXIT_REPORT, FactKind.SUSPENSION_LIFTED,
    FactKind.PILOT_ENDED, FactKind.ASSESSMENT_DONE, FactKind.INSPECTION_DONE, FactKind.AI_OFFICE_TOLD,
})  # fmt: skip


def clock_facts(context: DecisionContext, fact: Fact, detail: str = "") -> None:
    """Give one fact to the clocks of the pilot, and record what changed. `fact.at` (ms) is when the log received it,
    also where that was before the time of the context; `detail` explains it in the decisions."""
    table, pilot = context.table, context.pilot
    if table is None:
        return
    _advance(context, table)
    pilot.clocks, changes = engine.apply(pilot.clocks, table, fact)
    _record(context, table, changes, detail)
    _advance(context, table)  # an earlier awareness, or a shorter period, may be over already


def arrow_facts(context: DecisionContext, arrows: Iterable[Arrow], key: str) -> None:
    """Give the facts of arrows that were taken (`Arrow.clocks`) and need neither date nor classes. `key` names the
    occurrence, such as the id of the act; what ends a clock concerns every open case."""
    for arrow in arrows:
        for kind in arrow.clocks:
            if kind in _STARTS_BY_ARROW:
                clock_facts(context, Fact(kind=kind, at=context.received, key=key))
            elif kind in _ENDS_BY_ARROW:
                clock_facts(context, Fact(kind=kind, at=context.received))


def clocks_due(context: DecisionContext) -> None:
    """The timer of the clocks: end those whose period is over."""
    table, pilot = context.table, context.pilot
    pilot.clocks_wait = None
    if table is None:  # there is no sandbox, so no duty
        pilot.clocks = Clocks()
        return
    _advance(context, table)
    due = next_due(pilot.clocks)
    if due is not None and due <= context.at:  # of a rule that the table does not have
        table_changed(context, table, table)


def table_changed(context: DecisionContext, before: ClockTable, table: ClockTable) -> None:
    """Another table is in force from the time of the context on."""
    pilot = context.pilot
    _advance(context, before)
    pilot.clocks, changes = engine.with_table(pilot.clocks, before, table, context.at)
    _record(context, before, changes, "")
    _advance(context, table)
    for name in sorted(pilot.standing.active):
        if name.startswith(PREFIX) and table.rule(name.removeprefix(PREFIX)) is None:
            context.clear(name, Finding(rule=name.removeprefix(PREFIX)))


def quiet(change: ClockChange) -> bool:
    """Whether a change of a clock is no decision."""
    return change.starts in (FactKind.COMPLAINT, FactKind.USER_COMPLAINT) and change.change in _QUIET


def breaks_hold(context: DecisionContext, at: int) -> bool:
    """Whether a change of the model at event time `at` (ms) would break an evidence hold."""
    table = context.table
    if table is None or not context.pilot.clocks.cases:
        return False
    held = held_by(context.pilot.clocks, table, FactKind.MODEL_CHANGED)
    return any(case.opened is not None and case.opened <= at for case, _ in held)


def known_case(clocks: Clocks, kind: FactKind, key: str) -> Case | None:
    """The case of this occurrence; `None` if there is none, or it was forgotten."""
    return clocks.cases.get(case_key(kind, key))


def _advance(context: DecisionContext, table: ClockTable) -> None:
    pilot = context.pilot
    if pilot.clocks_wait is not None and context.at < pilot.clocks_wait:
        return  # after an outage: a report that was sent in time may still be unread
    pilot.clocks, changes = engine.advance(pilot.clocks, table, context.at)
    _record(context, table, changes, "")


def _record(context: DecisionContext, table: ClockTable, changes: Sequence[ClockChange], detail: str) -> None:
    """One decision for each change; a miss raises its finding, and a duty that was done clears it."""
    if not changes:
        return
    settled: dict[str, Finding] = {}
    for change in changes:
        rule = table.rule(change.rule)
        if rule is None or quiet(change):
            continue
        finding = Finding(rule=change.rule, detail=detail, clock=_clock(change, rule, table))
        key = PREFIX + change.rule
        if change.change is Change.REFUSED:
            context.raise_finding(REFUSED, Level.ESCALATE, Reason.CLOCK_REFUSED, finding)
        elif change.change is Change.MISSED and change.on_miss is not OnMiss.RECORD:
            context.raise_finding(key, _level(context, change), _missed(rule), finding, "until_lowered")
        else:
            level = context.pilot.standing.level
            reason = _missed(rule) if change.change is Change.MISSED else _REASONS[change.change]
            context.record(Move("finding", level, level, reason, False), finding)
            settled[key] = finding
    _follow_hold(context, table, changes)
    for key, finding in settled.items():
        if key in context.pilot.standing.active and not _owed(context.pilot.clocks, table, key.removeprefix(PREFIX)):
            context.clear(key, Finding(rule=finding.rule))


def _follow_hold(context: DecisionContext, table: ClockTable, changes: Sequence[ClockChange]) -> None:
    """A clock that forbids a change of the model holds the system as evidence from its start until nothing is owed of
    it: the authority was told, or the incident is not serious (EU AI Act, Art. 73(6)). A hold of an officer stays."""
    forbids = {rule.name for rule in table.rules if FactKind.MODEL_CHANGED in rule.broken_by}
    about = [change for change in changes if change.rule in forbids]
    if not about:
        return
    held = any(c.owed and c.rule in forbids for case in context.pilot.clocks.cases.values() for c in case.clocks)
    if held and any(change.change in (Change.STARTED, Change.RESTARTED) for change in about):
        event, reason = Event.SERIOUS_INCIDENT, Reason.EVIDENCE_HELD
    elif not held and context.pilot.life.hold is State.INCIDENT_HOLD:
        event, reason = Event.AUTHORITY_TOLD, Reason.HOLD_LIFTED
    else:
        return
    before = context.pilot.life.hold
    if refusal(context.pilot.life, event) is None:  # after the end of a stay nothing changes any more
        context.advance(event)
    if context.pilot.life.hold is not before:
        level = context.pilot.standing.level
        finding = Finding(rule="evidence_hold", content={"incident": about[-1].key})
        context.record(Move("finding", level, level, reason, False), finding)


def clock_finding(change: ClockChange, table: ClockTable) -> tuple[Reason, Finding] | None:
    """The reason and finding of a change of a clock; `None` for one of a rule that the table no longer has."""
    rule = table.rule(change.rule)
    if rule is None:
        return None
    reason = _missed(rule) if change.change is Change.MISSED else _REASONS[change.change]
    return reason, Finding(rule=change.rule, clock=_clock(change, rule, table))


def _level(context: DecisionContext, change: ClockChange) -> Level:
    """The level that a miss asks for. After the exit there is nothing to watch or to stop."""
    return Level.NORMAL if context.pilot.exited else _LEVELS[change.on_miss]


def _missed(rule: ClockRule) -> Reason:
    return Reason.EVIDENCE_HOLD if FactKind.MODEL_CHANGED in rule.broken_by else Reason.CLOCK_MISSED


def _owed(clocks: Clocks, table: ClockTable, name: str) -> bool:
    """Whether the miss of a clock of this rule stands: its duty is not done, or was to leave something as it is."""
    rule = table.rule(name)
    return any(
        clock.rule == name and clock.state is ClockState.MISSED and (clock.done is None or (rule and rule.keeps))
        for case in clocks.cases.values()
        for clock in case.clocks
    )


def _clock(change: ClockChange, rule: ClockRule, table: ClockTable) -> ClockRecord:
    calendar = table.calendar(rule)
    return ClockRecord(
        change=change.change,
        at=change.at,
        rule=rule.name,
        title=rule.title,
        starts=change.starts.value,
        key=change.key,
        owed_by=change.owed_by,
        basis=change.basis,
        on_miss=change.on_miss,
        state=change.state,
        due=change.due,
        was_due=change.was_due,
        done=change.done,
        last_day="" if change.due is None else calendar.day_of(change.due - 1).isoformat(),
        zone=calendar.zone,
        forbids=tuple(kind.value for kind in rule.broken_by) if change.state is ClockState.RUNNING else (),
        late=change.late,
        provisional=change.provisional,
    )
