"""The clock engine: facts and the passage of time move clocks; what changed is returned. Pure, time is an argument.

`apply` takes one fact, `advance` the time. The caller advances to the time of a fact before applying it, as a timer
fires at its due time; when it does so later, or in other steps, the result is the same, as an end carries its due
instant. `next_due` is when to advance at the latest.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, structs

from monitor.deadlines.cases import Case, Clock, ClockState, basis_of, derived, elapsed, with_fact
from monitor.deadlines.facts import COUNTED_APART, OF_USERS, STARTED_BY_FIRM, Fact, FactKind
from monitor.deadlines.rules import ClockRule, ClockTable, OnMiss, Owes
from monitor.model.bounds import short
from monitor.model.clock_record import Change as Change
from monitor.model.events import LAST_MS

CASES = 64  # cases of one pilot, besides complaints and requests for redress
# Cases that a firm starts by itself; the rest is left for what authorities start, so that no flood displaces it.
CASES_OF_FIRM = 48
# Complaints that are followed one by one: no number of them takes the place of another case.
# The first that wait keep their places; a share of all complaints is what an indicator measures.
COMPLAINTS = 8
CLOCKS_BYTES = 132 * 1024  # of `Clocks` in msgpack, at most


class Clocks(Struct, frozen=True, array_like=True, gc=False):
    """The clocks of one pilot: its cases by `kind/key`, and how many facts were `refused` for want of space."""

    cases: dict[str, Case] = {}
    refused: int = 0


class ClockChange(Struct, frozen=True, kw_only=True, gc=False):
    """One change of one clock, addressed to `owed_by`. `at` (ms) is when it took effect, `due` (ms) the due instant
    after it and `was_due` before it. `on_miss` says what a miss does. `state` is that of the clock after the change
    (`None` where it was refused), `done` (ms) when its duty was done. `late`: met, but after what is now the due
    instant. `provisional`: the calendar does not cover the whole period, so the true due instant may be later.
    """

    change: Change
    at: int
    starts: FactKind
    key: str
    rule: str
    owed_by: Owes
    basis: str
    on_miss: OnMiss
    due: int | None = None
    was_due: int | None = None
    late: bool = False
    provisional: bool = False
    state: ClockState | None = None
    done: int | None = None


class Step(NamedTuple):
    """The clocks after a step, and what changed, in the order of time."""

    clocks: Clocks
    changes: tuple[ClockChange, ...]


def apply(clocks: Clocks, table: ClockTable, fact: Fact) -> Step:
    """Apply one fact to every case that it concerns. Never raises for what a firm sends; a fact for which there is no
    space is counted and reported as `refused`, unless it is of `COUNTED_APART`: then nothing changes."""
    if fact.kind is FactKind.SERIOUS_INCIDENT and not fact.classes:
        return Step(clocks, ())  # not serious
    fact = structs.replace(fact, stated=_clipped(fact.stated), due=_clipped(fact.due))
    changes: list[ClockChange] = []
    for start in table.starts_touched_by(fact.kind):
        keys = _concerned(clocks, start, fact)
        for key in keys:
            case = clocks.cases.get(key)
            if case is None:
                made = _with_space(clocks, start, begins=fact.kind is start)
                if made is None and start in COUNTED_APART:
                    continue
                if made is None:
                    clocks = structs.replace(clocks, refused=clocks.refused + 1)
                    changes.extend(_refused(table, start, fact))
                    continue
                clocks, case = made, Case(start, short(fact.key))
            case, found = _settled(case, with_fact(case, fact), table, fact.at)
            clocks = structs.replace(clocks, cases={**clocks.cases, key: case})
            changes.extend(found)
    return Step(clocks, tuple(changes))


def advance(clocks: Clocks, table: ClockTable, now: int) -> Step:
    """End every running clock whose period has ended by `now` (ms). The changes are ordered by the time of the end."""
    cases, changes = dict(clocks.cases), list[ClockChange]()
    for key, case in clocks.cases.items():
        ends = [(clock, elapsed(clock, table.rule(clock.rule), now)) for clock in case.clocks]
        if not any(after for _, after in ends):
            continue
        cases[key] = structs.replace(case, clocks=tuple(after or before for before, after in ends))
        for before, after in ends:
            if after is not None:
                changes.extend(_changes(before, after, case, table.rule(after.rule), now))
    if not changes:
        return Step(clocks, ())
    changes.sort(key=lambda c: (c.at, c.starts, c.key, c.rule))
    return Step(structs.replace(clocks, cases=cases), tuple(changes))


def next_due(clocks: Clocks) -> int | None:
    """When the next running clock is due (ms); `None` if none has a due instant."""
    dues = [c.due for case in clocks.cases.values() for c in case.clocks if c.running and c.due is not None]
    return min(dues, default=None)


def held_by(clocks: Clocks, table: ClockTable, kind: FactKind) -> tuple[tuple[Case, ClockRule], ...]:
    """The running clocks that a fact of this kind would break, such as MODEL_CHANGED an evidence hold."""
    found = []
    for case in clocks.cases.values():
        for clock in case.clocks:
            rule = table.rule(clock.rule)
            if clock.running and rule is not None and kind in rule.broken_by:
                found.append((case, rule))
    return tuple(found)


def with_table(clocks: Clocks, before: ClockTable, table: ClockTable, at: int) -> Step:
    """A new version of the table is in force from `at` (ms) on. Clocks of rules that are gone stop and are forgotten;
    those whose due instant was provisional are computed again. All others keep their due instant until a fact moves
    what it rests on, and rules that are new apply to new cases."""
    cases, changes = dict(clocks.cases), list[ClockChange]()
    for key, case in clocks.cases.items():
        kept = []
        for clock in case.clocks:
            rule, after = table.rule(clock.rule), clock
            if rule is None or rule.starts is not case.starts:
                if clock.owed:
                    gone = structs.replace(clock, state=ClockState.STOPPED, ended=at)
                    changes.extend(_changes(clock, gone, case, before.rule(clock.rule), at))
                continue
            if clock.provisional and clock.state is not ClockState.STOPPED:
                after = derived(clock, rule, case, table, at, True)
                changes.extend(_changes(clock, after, case, rule, at))
            kept.append(after)
        cases[key] = structs.replace(case, clocks=tuple(kept))
    return Step(structs.replace(clocks, cases=cases), tuple(changes))


def full(clocks: Clocks, start: FactKind) -> bool:
    """Whether there is no space for a new case of this kind."""
    return _with_space(clocks, start) is None


def case_key(starts: FactKind, key: str) -> str:
    """The name of a case in `Clocks.cases`."""
    return f"{starts}/{short(key)}"


def _clipped(time: int | None) -> int | None:
    return None if time is None else min(max(time, 0), LAST_MS)


def _concerned(clocks: Clocks, start: FactKind, fact: Fact) -> list[str]:
    """The cases of one kind that a fact concerns; one that is not there yet is to be made."""
    if fact.key:
        return [case_key(start, fact.key)]
    return [key for key, case in clocks.cases.items() if case.starts is start and case.open]


def _settled(before: Case, case: Case, table: ClockTable, at: int) -> tuple[Case, list[ClockChange]]:
    """`case` with its clocks derived again; `before` is the case without the last fact."""
    if case.opened is None:
        return case, []
    moved = before.basis != case.basis
    earlier = {clock.rule: clock for clock in case.clocks}
    clocks, changes = list[Clock](), list[ClockChange]()
    for rule in table.started_by(case.starts):
        clock = earlier.get(rule.name)
        if clock is None and before.opened is not None:
            continue  # a rule that is newer than the case
        clocks.append(derived(clock, rule, case, table, at, moved))
        changes.extend(_changes(clock, clocks[-1], case, rule, at))
    return structs.replace(case, clocks=tuple(clocks)), changes


def _changes(before: Clock | None, after: Clock, case: Case, rule: ClockRule | None, at: int) -> list[ClockChange]:
    if rule is None:
        return []
    kinds: list[tuple[Change, int]] = []
    if before is None:
        kinds.append((Change.STARTED, at))
    elif before.due != after.due:
        kinds.append((Change.MOVED, at))
    if before is not None and after.running and not before.running:
        kinds.append((Change.RESTARTED, at))
    if not after.running and (before is None or before.state is not after.state):
        kinds.append((Change(after.state), at if after.ended is None else after.ended))
    was_owed = before is None or before.owed
    if after.state is ClockState.MISSED and after.done is not None and was_owed:
        kinds.append((Change.DONE_LATE, after.done))
    return [
        ClockChange(
            change=change,
            at=when,
            starts=case.starts,
            key=case.key,
            rule=rule.name,
            owed_by=rule.owed_by,
            basis=basis_of(case, rule),
            on_miss=rule.on_miss,
            due=after.due,
            was_due=None if before is None else before.due,
            late=after.late,
            provisional=after.provisional,
            state=after.state,
            done=after.done,
        )
        for change, when in kinds
    ]


def _with_space(clocks: Clocks, start: FactKind, *, begins: bool = True) -> Clocks | None:
    """The clocks with space for one more case; `None` if there is none. The case that asks for nothing and was touched
    longest ago is forgotten first, of those without any clock before others. Each kind of `COUNTED_APART` has separate
    places. Of what users are owed a miss gives its place up for a case that `begins`, but the last one: who misses as
    many deadlines as there are places has deadlines all the same."""
    apart = start in COUNTED_APART
    group = (start,) if apart else frozenset(FactKind) - COUNTED_APART
    sharing = [key for key, case in clocks.cases.items() if case.starts in group]
    of_firm = [key for key in sharing if apart or clocks.cases[key].starts in STARTED_BY_FIRM]
    most = COMPLAINTS if apart else CASES_OF_FIRM
    full_of_firm = (apart or start in STARTED_BY_FIRM) and len(of_firm) >= most
    if len(sharing) < CASES and not full_of_firm:
        return clocks
    idle = [key for key in (of_firm if full_of_firm else sharing) if not clocks.cases[key].open]
    if not idle and begins and start in OF_USERS:
        missed = [key for key in sharing if not any(clock.running for clock in clocks.cases[key].clocks)]
        idle = missed if len(missed) > 1 else []
    if not idle:
        return None
    gone = min(idle, key=lambda k: (bool(clocks.cases[k].clocks), clocks.cases[k].touched, k))
    return structs.replace(clocks, cases={key: case for key, case in clocks.cases.items() if key != gone})


def _refused(table: ClockTable, start: FactKind, fact: Fact) -> list[ClockChange]:
    return [
        ClockChange(
            change=Change.REFUSED,
            at=fact.at,
            starts=start,
            key=short(fact.key),
            rule=rule.name,
            owed_by=rule.owed_by,
            basis=rule.basis,
            on_miss=rule.on_miss,
        )
        for rule in table.started_by(start)
    ]
