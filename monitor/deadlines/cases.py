"""Cases and clocks: what is remembered of one incident, application or finding, and what follows from it. Pure.

A due instant and a state are derived from the facts of the case, of which the earliest time of each kind is stored, so
they do not depend on the order in which the facts arrived. One rule depends on it on purpose: a clock that was met
stays met, also when an earlier awareness, stated afterwards, moves its due instant before the report (`Clock.late`).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, structs

from monitor.deadlines.durations import Due, due_instant
from monitor.deadlines.facts import STARTED_BY_FIRM, Fact, FactKind, IncidentClass
from monitor.deadlines.rules import ClockRule, ClockTable
from monitor.model.clock_record import ClockState as ClockState


class Clock(Struct, frozen=True, array_like=True, gc=False):
    """One clock of a case. Times are ms since 1970, `None` where there is none.

    `due` is the first instant that is too late, `changed` when it was set, `ended` when the clock left `running`,
    `done` when the duty was done, also after a miss. `provisional`: the calendar does not cover the whole period.
    """

    rule: str
    state: ClockState
    due: int | None
    changed: int
    ended: int | None = None
    done: int | None = None
    provisional: bool = False

    @property
    def running(self) -> bool:
        """Whether the clock runs."""
        return self.state is ClockState.RUNNING

    @property
    def owed(self) -> bool:
        """Whether something is still to be done: the clock runs, or was missed and nothing was done since."""
        return self.running or (self.state is ClockState.MISSED and self.done is None)

    @property
    def late(self) -> bool:
        """Whether the clock was met by a fact that, as is known now, came too late."""
        return self.state is ClockState.MET and self.due is not None and self.done is not None and self.due <= self.done


class Case(Struct, frozen=True, array_like=True, gc=False):
    """What is known of one occurrence. Times are ms since 1970, `None` where there is none.

    `first` is the earliest fact that starts its clocks, `stated` the earliest time since when the firm is said to have
    known, `given` a date set at `given_at`. `classes` has the first and last report or decision of each class; `ruled`
    the classes that an officer decided on last, at `ruled_at`. `marks` has the earliest time of each other kind of
    fact. `touched` is the time of the last fact.
    """

    starts: FactKind
    key: str
    clocks: tuple[Clock, ...] = ()
    first: int | None = None
    stated: int | None = None
    given: int | None = None
    given_at: int | None = None
    classes: dict[IncidentClass, tuple[int, int]] = {}
    ruled: tuple[IncidentClass, ...] = ()
    ruled_at: int | None = None
    marks: dict[FactKind, int] = {}
    touched: int = 0

    @property
    def opened(self) -> int | None:
        """When the clocks started: the first qualifying fact, or the stated time if that is earlier."""
        return None if self.first is None else _least((self.first, self.stated))

    @property
    def effective(self) -> frozenset[IncidentClass]:
        """The classes of the incident: those of the last decision of an officer, and those reported after it."""
        ruled_at = self.ruled_at
        if ruled_at is None:
            return frozenset(self.classes)
        return frozenset({*self.ruled, *(name for name, (_, last) in self.classes.items() if last > ruled_at)})

    @property
    def withdrawn(self) -> bool:
        """Whether an officer decided that the incident is not serious."""
        return self.ruled_at is not None and not self.effective

    @property
    def open(self) -> bool:
        """Whether any of its clocks asks for something."""
        return any(clock.owed for clock in self.clocks)

    @property
    def basis(self) -> tuple[object, ...]:
        """What the due instants of its clocks rest on."""
        return self.opened, self.given, [(name, self.classes[name][0]) for name in sorted(self.effective)]

    def first_of(self, kinds: Iterable[FactKind]) -> int | None:
        """The earliest time of a fact of any of these kinds."""
        return _least(self.marks.get(kind) for kind in kinds)


def basis_of(case: Case, rule: ClockRule) -> str:
    """The legal basis of a clock, with that of each shorter period that applies to the case."""
    shorter = [s.basis for s in rule.shorter if s.basis and case.effective.intersection(s.classes)]
    return "; ".join((rule.basis, *shorter))


def with_fact(case: Case, fact: Fact) -> Case:
    """The case with one more fact; its clocks are not derived again."""
    case = structs.replace(case, touched=max(case.touched, fact.at))
    if case.starts is FactKind.SERIOUS_INCIDENT and fact.key:
        case = structs.replace(case, stated=_least((case.stated, fact.stated)))
    if fact.kind is FactKind.AWARENESS_STATED:
        return case
    if fact.kind is FactKind.RECLASSIFIED:
        return _with_ruling(case, fact)
    if fact.kind is not case.starts:
        return structs.replace(case, marks={**case.marks, fact.kind: min(fact.at, case.marks.get(fact.kind, fact.at))})
    if case.starts is FactKind.SERIOUS_INCIDENT and not fact.classes:
        return case
    return _with_date(_with_classes(case, fact), fact)


def derived(clock: Clock | None, rule: ClockRule, case: Case, table: ClockTable, at: int, moved: bool) -> Clock:
    """The clock of `rule` in `case` after a fact at `at` (ms); `clock` is as it was before, `None` if it is new. The
    due instant is computed again if the fact `moved` what it rests on. A period that has ended by `at` is left to
    `elapsed`. Requires `case.opened`."""
    due, provisional = _due(rule, case, table) if clock is None or moved else (clock.due, clock.provisional)
    changed = at if clock is None or clock.due != due else clock.changed
    done = case.first_of(rule.met_by)
    new = Clock(rule.name, ClockState.RUNNING, due, changed, None, done, provisional)
    if clock is not None and clock.state is ClockState.MET:
        return structs.replace(new, state=ClockState.MET, ended=clock.ended)
    if case.withdrawn:
        return structs.replace(new, state=ClockState.STOPPED, ended=case.ruled_at)
    ends = [(done, 0, ClockState.MET), (case.first_of(rule.stopped_by), 1, ClockState.STOPPED)]
    ends.append((case.first_of(rule.broken_by), 2, ClockState.MISSED))
    # At one instant the duty that was done counts first, and a period ends before what happens at its end.
    happened = [(when, rank, state) for when, rank, state in ends if when is not None and (due is None or when < due)]
    if happened:
        when, _, state = min(happened)
        return structs.replace(new, state=state, ended=when)
    if clock is not None and clock.state is ClockState.MISSED and due is not None and due <= at:
        return structs.replace(new, state=ClockState.MISSED, ended=clock.ended)
    return new


def elapsed(clock: Clock, rule: ClockRule | None, now: int) -> Clock | None:
    """The clock if its period has ended by `now` (ms): met where the duty was to keep something, else missed. `None` if
    it goes on as it is. The end is the due instant, or, if that was moved into the past, the time at which it was."""
    if not clock.running or clock.due is None or clock.due > now:
        return None
    state = ClockState.MET if rule is not None and rule.keeps else ClockState.MISSED
    return structs.replace(clock, state=state, ended=max(clock.due, clock.changed))


def _due(rule: ClockRule, case: Case, table: ClockTable) -> tuple[int | None, bool]:
    opened = case.opened
    assert opened is not None
    if rule.within is None:
        return (case.given if rule.due_given else None), False
    calendar, counting, effective = table.calendar(rule), table.counting(rule), case.effective
    found: list[Due] = [due_instant(opened, rule.within, calendar, counting)]
    for shorter in rule.shorter:
        for name in effective.intersection(shorter.classes):
            since = opened
            if shorter.counts_from == "classification":
                since = max(opened, case.classes[name][0])
            found.append(due_instant(since, shorter.within, calendar, counting))
    return min(found)


def _with_ruling(case: Case, fact: Fact) -> Case:
    ruled = tuple(sorted(set(fact.classes)))
    if case.ruled_at is None or (fact.at, ruled) > (case.ruled_at, case.ruled):
        case = structs.replace(case, ruled=ruled, ruled_at=fact.at)
    # The firm knows of the incident from the decision on.
    return _with_classes(case, fact) if ruled else case


def _with_classes(case: Case, fact: Fact) -> Case:
    classes = dict(case.classes)
    for name in fact.classes:
        first, last = classes.get(name, (fact.at, fact.at))
        classes[name] = min(first, fact.at), max(last, fact.at)
    return structs.replace(case, first=_least((case.first, fact.at)), classes=classes)


def _with_date(case: Case, fact: Fact) -> Case:
    """The date that was set first where a firm starts the case, else the one that was set last."""
    if fact.due is None:
        return case
    if case.given is not None and case.given_at is not None:
        sign = -1 if case.starts in STARTED_BY_FIRM else 1
        if (sign * fact.at, -fact.due) <= (sign * case.given_at, -case.given):
            return case
    return structs.replace(case, given=fact.due, given_at=fact.at)


def _least(times: Iterable[int | None]) -> int | None:
    return min((time for time in times if time is not None), default=None)
