"""The clock table: each rule says what starts a clock, what it allows, who owes, and on which legal basis. Pure data.

The table is part of the versioned configuration of a sandbox. Nothing here is known to the engine by name: a deployment
adds, changes and removes rules without code.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from monitor.charter.clauses import Clauses
from monitor.deadlines.calendars import Calendar
from monitor.deadlines.durations import MOST, Counting, Duration, Unit
from monitor.deadlines.facts import FactKind, IncidentClass
from monitor.errors import ClockTableError
from monitor.model.clock_record import OnMiss as OnMiss
from monitor.model.clock_record import Owes as Owes

MOST_RULES = 64
RULES_PER_START = 4  # clocks that one fact starts
KINDS_PER_START = 16  # kinds of facts that its clocks are met, stopped or broken by
_CLASSIFYING = (FactKind.SERIOUS_INCIDENT, FactKind.AWARENESS_STATED, FactKind.RECLASSIFIED)


class Shorter(Struct, frozen=True, forbid_unknown_fields=True):
    """A shorter period for incidents of any class in `classes`. It runs from the `awareness` of the serious incident or
    from the first report of the `classification`."""

    classes: Annotated[tuple[IncidentClass, ...], Meta(min_length=1)]
    within: Duration
    counts_from: Literal["awareness", "classification"] = "awareness"
    basis: str = ""
    clauses: Clauses | UnsetType = UNSET  # left out where it is not given, so that older tables keep their bytes


class ClockRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule.

    `within` is the period from the fact `starts`; with `due_given` the fact carries the date instead; with neither the
    clock stays open until it is met. Of `shorter` periods the earliest due instant wins. The clock is met by the first
    fact in `met_by`, and stopped, without effect, by one in `stopped_by`.

    With `keeps` the duty is to leave something as it is: a fact in `broken_by` before the due instant is the miss, and
    the clock is met when it is due or by a fact in `met_by`.

    `basis` names the legal basis in words, `clauses` by the ids of a catalogue (`monitor/basis`).
    """

    name: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}$")]
    title: Annotated[str, Meta(min_length=1, max_length=120)]
    starts: FactKind
    owed_by: Owes
    basis: Annotated[str, Meta(min_length=1, max_length=200)]
    calendar: str
    counting: str
    on_miss: OnMiss = OnMiss.ESCALATE
    within: Duration | None = None
    due_given: bool = False
    shorter: tuple[Shorter, ...] = ()
    met_by: tuple[FactKind, ...] = ()
    stopped_by: tuple[FactKind, ...] = ()
    broken_by: tuple[FactKind, ...] = ()
    keeps: bool = False
    clauses: Clauses | UnsetType = UNSET  # left out where it is not given, so that older tables keep their bytes


class ClockTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Rules with the calendars and conventions that they name."""

    schema: Literal["sandbox-clock-table/1"]
    calendars: Annotated[tuple[Calendar, ...], Meta(max_length=32)]
    countings: Annotated[tuple[Counting, ...], Meta(max_length=32)]
    rules: Annotated[tuple[ClockRule, ...], Meta(max_length=MOST_RULES)]
    note: str = ""

    def rule(self, name: str) -> ClockRule | None:
        """The rule with this name; `None` if the table has none."""
        return self._index.by_name.get(name)

    def started_by(self, kind: FactKind) -> tuple[ClockRule, ...]:
        """The rules whose clocks a fact of this kind starts."""
        return self._index.by_start.get(kind, ())

    def starts_touched_by(self, kind: FactKind) -> tuple[FactKind, ...]:
        """The kinds of cases that a fact of this kind concerns."""
        return self._index.touched.get(kind, ())

    def calendar(self, rule: ClockRule) -> Calendar:
        """The calendar of a rule."""
        return self._index.calendars[rule.calendar]

    def counting(self, rule: ClockRule) -> Counting:
        """The convention of a rule."""
        return self._index.countings[rule.counting]

    @functools.cached_property
    def _index(self) -> _Index:
        return _Index(self)


class _Index:
    """Look-ups of one table."""

    def __init__(self, table: ClockTable) -> None:
        self.by_name = {rule.name: rule for rule in table.rules}
        self.calendars = {calendar.name: calendar for calendar in table.calendars}
        self.countings = {counting.name: counting for counting in table.countings}
        starts = tuple(dict.fromkeys(rule.starts for rule in table.rules))
        self.by_start = {start: tuple(r for r in table.rules if r.starts is start) for start in starts}
        self.touched = {
            kind: tuple(start for start in starts if kind is start or kind in kinds_of(self.by_start[start]))
            for kind in FactKind
        }
        if FactKind.SERIOUS_INCIDENT in starts:
            self.touched |= dict.fromkeys(_CLASSIFYING, (FactKind.SERIOUS_INCIDENT,))


def kinds_of(rules: tuple[ClockRule, ...]) -> frozenset[FactKind]:
    """The kinds of facts that meet, stop or break clocks of these rules."""
    return frozenset(kind for rule in rules for kind in (*rule.met_by, *rule.stopped_by, *rule.broken_by))


def read_table(raw: bytes) -> ClockTable:
    """A table from JSON. Raises ClockTableError."""
    try:
        return table_of(msgspec.json.decode(raw))
    except msgspec.DecodeError as error:
        raise ClockTableError(f"clock table: no JSON: {error}") from None


def table_of(data: Any) -> ClockTable:
    """A table from plain values, such as parsed YAML. Raises ClockTableError."""
    try:
        table = msgspec.convert(data, ClockTable)
    except msgspec.ValidationError as error:
        raise ClockTableError(f"clock table: {error}") from None
    if found := list(flaws(table)):
        raise ClockTableError("clock table: " + "\n".join(found))
    return table


def flaws(table: ClockTable) -> Iterator[str]:
    """Yields each mistake in a table: field, what is wrong, and the fix."""
    yield from (f"calendars[{c.name}].{flaw}" for c in table.calendars for flaw in c.flaws())
    for field, every in (("calendars", table.calendars), ("countings", table.countings), ("rules", table.rules)):
        if len({one.name for one in every}) < len(every):
            yield f"{field}: two have the same name; rename one"
    known = {c.name for c in table.calendars}, {c.name for c in table.countings}
    for rule in table.rules:
        yield from (f"rules[{rule.name}].{flaw}" for flaw in _flaws(rule, *known))
    for start in dict.fromkeys(rule.starts for rule in table.rules):
        rules = tuple(rule for rule in table.rules if rule.starts is start)
        if len(rules) > RULES_PER_START:
            yield f"rules: {start} starts {len(rules)} clocks; at most {RULES_PER_START} are allowed"
        if len(kinds_of(rules)) > KINDS_PER_START:
            yield f"rules: clocks of {start} name more than {KINDS_PER_START} kinds of facts"


def _flaws(rule: ClockRule, calendars: set[str], countings: set[str]) -> Iterator[str]:
    if rule.calendar not in calendars:
        yield f"calendar: no calendar {rule.calendar!r}; known are {', '.join(sorted(calendars)) or 'none'}"
    if rule.counting not in countings:
        yield f"counting: no convention {rule.counting!r}; known are {', '.join(sorted(countings)) or 'none'}"
    for field, period in (("within", rule.within), *(("shorter.within", s.within) for s in rule.shorter)):
        if period is not None and period.count > MOST[period.unit]:
            yield f"{field}: {period} is too long; at most {Duration(MOST[period.unit], Unit(period.unit))}"
    if rule.due_given and (rule.within or rule.shorter):
        yield "due_given: the date comes with the fact; remove `within` and `shorter`"
    if rule.shorter and not rule.within:
        yield "shorter: needs `within`, the period of all other incidents"
    if rule.shorter and rule.starts is not FactKind.SERIOUS_INCIDENT:
        yield f"shorter: only clocks of {FactKind.SERIOUS_INCIDENT} have classes"
    if bool(rule.broken_by) != rule.keeps:
        yield "keeps: goes with `broken_by`; write both or none"
    if not rule.met_by and not (rule.keeps and rule.within):
        yield "met_by: nothing meets this clock; list a fact"
    if rule.starts in (*_CLASSIFYING[1:], *rule.met_by, *rule.stopped_by, *rule.broken_by):
        yield f"starts: {rule.starts} cannot start this clock; choose another fact"
    for kind in sorted(kinds_of((rule,)) & set(_CLASSIFYING)):
        yield f"met_by: {kind} only classifies an incident; remove it"
    if rule.on_miss is OnMiss.HALT and rule.owed_by is Owes.AUTHORITY:
        yield "on_miss: a miss of the authority does not halt a pilot; write escalate"
