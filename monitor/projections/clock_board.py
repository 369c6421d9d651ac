"""What is due next, who owes it, and how long is left: the clocks of a pilot as rows for board, status and metrics.
Pure."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, UnsetType

from monitor.deadlines.cases import Case, Clock, ClockState, basis_of
from monitor.deadlines.engine import CASES, COMPLAINTS, Clocks
from monitor.deadlines.facts import COUNTED_APART, FactKind
from monitor.deadlines.rules import RULES_PER_START, ClockRule, ClockTable, Owes
from monitor.model.clock_record import Change, ClockRecord, OnMiss
from monitor.model.records import Decision
from monitor.translation import mark, tr

MOST = (CASES + len(COUNTED_APART) * COMPLAINTS) * RULES_PER_START  # clocks of one pilot
UNITS = (mark("{n} d"), mark("{n} h"), mark("{n} min"))
_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


class ClockRow(Struct, frozen=True, kw_only=True):
    """One clock. `due` is the first instant that is too late, `left` the time until then: both in ms, `None` without a
    due instant; `left` is negative after it. `last_day` is the last local day on which it is in time, as YYYY-MM-DD.
    `forbids` are facts that would be a miss. `provisional`: the calendar is not pinned for the whole period."""

    rule: str
    title: str
    starts: FactKind
    key: str
    owed_by: Owes
    basis: str
    state: ClockState
    due: int | None = None
    left: int | None = None
    last_day: str = ""
    zone: str = ""
    done: int | None = None
    late: bool = False
    provisional: bool = False
    forbids: tuple[FactKind, ...] = ()


def clock_rows(clocks: Clocks, table: ClockTable, now: int) -> tuple[ClockRow, ...]:
    """Every clock at `now` (ms): what was missed and is still owed, then what runs by its due instant, then what runs
    without one, then the rest."""
    rows = [
        (_order(clock), _row(case, clock, rule, table, now))
        for case in clocks.cases.values()
        for clock in case.clocks
        if (rule := table.rule(clock.rule)) is not None
    ]
    rows.sort(key=lambda pair: (pair[0], pair[1].starts, pair[1].key, pair[1].rule))
    return tuple(row for _, row in rows)


class ClockFold:
    """The clocks of one pilot by its decisions, in order: the last record of each, at most `MOST`. Of what is settled
    the oldest is forgotten first, as in the machine. `asking` are the records that ask for something, `states` counts
    all by state; `put` alone changes them."""

    __slots__ = ("asking", "records", "states")

    def __init__(self) -> None:
        self.records: dict[tuple[str, str, str], ClockRecord] = {}
        self.asking: dict[tuple[str, str, str], ClockRecord] = {}
        self.states: Counter[ClockState | None] = Counter()

    def add(self, decision: Decision) -> None:
        """Take the change of a clock, if the decision is about one."""
        record = decision.finding.clock
        if isinstance(record, UnsetType) or record.state is None:
            return
        self.put(record)
        if len(self.records) > MOST:
            settled = (n for n in self.records if n not in self.asking)
            self._remove(next(settled, next(iter(self.records))))

    def put(self, record: ClockRecord) -> None:
        """Set the last record of a clock."""
        name = record.starts, record.key, record.rule
        self._remove(name)
        self.records[name] = record
        self.states[record.state] += 1
        if asks(record):
            self.asking[name] = record

    def _remove(self, name: tuple[str, str, str]) -> None:
        known = self.records.pop(name, None)
        self.asking.pop(name, None)
        if known is not None:
            self.states[known.state] -= 1

    def rows(self, now: int) -> tuple[ClockRow, ...]:
        """Every clock at `now` (ms), in the order of `clock_rows`."""
        return tuple(_row_of(record, now) for record in self.ordered())

    def ordered(self) -> list[ClockRecord]:
        """The records in the order of `clock_rows`."""
        return sorted(self.records.values(), key=lambda r: (_place(r), r.starts, r.key, r.rule))

    @property
    def open(self) -> bool:
        """Whether any clock asks for something."""
        return bool(self.asking)

    def due(self) -> dict[Owes, int]:
        """The first due instant (ms) of what runs, by who owes it."""
        found: dict[Owes, int] = {}
        for record in self.asking.values():
            if record.state is ClockState.RUNNING and record.due is not None:
                found[record.owed_by] = min(record.due, found.get(record.owed_by, record.due))
        return found

    def counts(self) -> Counter[tuple[Owes, ClockState]]:
        """How many clocks there are by who owes and state; missed ones only while something is owed."""
        found = Counter[tuple[Owes, ClockState]]()
        for record in self.records.values():
            if record.state is not None and (record.state is not ClockState.MISSED or asks(record)):
                found[record.owed_by, record.state] += 1
        return found


def restored_clocks(clocks: Clocks, table: ClockTable) -> ClockFold:
    """The fold of a pilot from the state of the machine, for a process that takes over a partition."""
    fold = ClockFold()
    for row in clock_rows(clocks, table, 0):
        if row.starts is FactKind.COMPLAINT and row.state is not ClockState.MISSED:
            continue  # that it is met is no decision
        restored = ClockRecord(
            change=Change.STARTED,
            at=row.due or 0,
            rule=row.rule,
            title=row.title,
            starts=row.starts.value,
            key=row.key,
            owed_by=row.owed_by,
            basis=row.basis,
            on_miss=OnMiss.RECORD,  # not shown
            state=row.state,
            due=row.due,
            done=row.done,
            last_day=row.last_day,
            zone=row.zone,
            forbids=tuple(kind.value for kind in row.forbids),
            late=row.late,
            provisional=row.provisional,
        )
        fold.put(restored)
    return fold


def asks(record: ClockRecord) -> bool:
    """Whether a clock asks for something: it runs, or was missed and nothing was done since."""
    return record.state is ClockState.RUNNING or (record.state is ClockState.MISSED and record.done is None)


def _place(record: ClockRecord) -> tuple[int, int]:
    if record.state is ClockState.RUNNING:
        return (2, 0) if record.due is None else (1, record.due)
    return (0, record.at) if asks(record) else (3, -record.at)


def _row_of(record: ClockRecord, now: int) -> ClockRow:
    assert record.state is not None
    return ClockRow(
        rule=record.rule,
        title=record.title,
        starts=FactKind(record.starts),
        key=record.key,
        owed_by=record.owed_by,
        basis=record.basis,
        state=record.state,
        due=record.due,
        left=None if record.due is None else record.due - now,
        last_day=record.last_day,
        zone=record.zone,
        done=record.done,
        late=record.late,
        provisional=record.provisional,
        forbids=tuple(FactKind(kind) for kind in record.forbids),
    )


def due_next(clocks: Clocks, table: ClockTable, now: int, owed_by: Owes | None = None) -> tuple[ClockRow, ...]:
    """The clocks that ask for something at `now` (ms), most urgent first; with `owed_by` only those that it owes."""
    rows = clock_rows(clocks, table, now)
    return tuple(row for row in rows if _owed(row) and owed_by in (None, row.owed_by))


def time_left(left: int | None) -> str:
    """`left` (ms) as text in the language that is spoken: two units at most, rounded down, seconds below one minute;
    "overdue" after the due instant.

    >>> [time_left(ms) for ms in (183_600_000, 3_540_000, 29_500, -90_000_000, None)]
    ['2 d 3 h', '59 min', '29 s', 'overdue by 1 d 1 h', 'no date']
    """
    if left is None:
        return tr("no date")
    if left <= 0:
        return tr("overdue by {time}", time=time_left(-left)) if left else tr("overdue")
    if left < _MINUTE:
        return tr("{n} s", n=left // _SECOND)
    days, rest = divmod(left, _DAY)
    hours, minutes = divmod(rest // _MINUTE, _HOUR // _MINUTE)
    units = [tr(unit, n=n) for n, unit in zip((days, hours, minutes), UNITS, strict=True) if n]
    return " ".join(units[:2])


def _owed(row: ClockRow) -> bool:
    return row.state is ClockState.RUNNING or (row.state is ClockState.MISSED and row.done is None)


def _order(clock: Clock) -> tuple[int, int]:
    if clock.running:
        return (2, 0) if clock.due is None else (1, clock.due)
    at = clock.ended or 0
    return (0, at) if clock.owed else (3, -at)


def _row(case: Case, clock: Clock, rule: ClockRule, table: ClockTable, now: int) -> ClockRow:
    calendar = table.calendar(rule)
    return ClockRow(
        rule=rule.name,
        title=rule.title,
        starts=case.starts,
        key=case.key,
        owed_by=rule.owed_by,
        basis=basis_of(case, rule),
        state=clock.state,
        due=clock.due,
        left=None if clock.due is None else clock.due - now,
        last_day="" if clock.due is None else calendar.day_of(clock.due - 1).isoformat(),
        zone=calendar.zone,
        done=clock.done,
        late=clock.late,
        provisional=clock.provisional,
        forbids=rule.broken_by if clock.running else (),
    )
