"""What the page of deadlines shows: pilots by state of life; what is due next, day by day; what was missed and by whom;
complaints of users with the deadline of their answer. Pure.

What is listed is bounded by pages: the deadlines that ask for something are put in order by their records alone, and
only those of one page become rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from msgspec import Struct

from monitor.console.fleet_view import FleetView, PilotView
from monitor.lifecycle.names import State
from monitor.model.bounds import short
from monitor.model.clock_record import ClockRecord, ClockState, Owes
from monitor.projections.formats import day
from monitor.projections.user_complaints import answer_due

PAGE = 50  # deadlines on one page
MISSED = 50  # missed ones that are listed, the oldest; filters show the others
USER_COMPLAINT = "user_complaint"  # the kind of the fact that starts these clocks


class ClocksQuery(Struct, frozen=True):
    """What is asked for: the id of an authority, a firm, a pilot, who owes (`firm`, `authority`, `supplier`); "" for
    all."""

    authority: str = ""
    firm: str = ""
    pilot: str = ""
    owed_by: str = ""


class Deadline(Struct, frozen=True, kw_only=True):
    """A deadline of a pilot. `due` is the first instant that is too late (ms), `left` the time until then, both `None`
    without a date. `complaints`: of how many complaints of users the answer is owed, 0 for any other deadline;
    `standing`: the number of the decision on these complaints."""

    pilot: str
    participant: str
    authorities: tuple[str, ...]
    title: str
    about: str
    key: str
    owed_by: Owes
    basis: str
    missed: bool
    due: int | None = None
    left: int | None = None
    last_day: str = ""
    zone: str = ""
    complaints: int = 0
    standing: int = 0
    forbids: tuple[str, ...] = ()


class Day(Struct, frozen=True):
    """The deadlines of one day (UTC, "" for those without a date)."""

    day: str
    deadlines: tuple[Deadline, ...]


class ClocksView(Struct, frozen=True):
    """The whole page. `states` counts pilots by the state of their life, `running` and `missed_counts` deadlines that
    ask for something by who owes; `met` those that were met. `days` is page number `page` of `pages`."""

    states: dict[State, int]
    running: dict[Owes, int]
    missed_counts: dict[Owes, int]
    met: int
    missed: tuple[Deadline, ...]
    days: tuple[Day, ...]
    waiting: int
    page: int
    pages: int


EVERY = ClocksQuery()


def clocks_view(board: FleetView, now: int, query: ClocksQuery = EVERY, page: int = 1) -> ClocksView:
    """The deadlines at `now` (ms)."""
    views = [view for view in board.pilots.values() if _wanted(view, query)]
    states: Counter[State] = Counter(view.life.pilot for view in views)
    settled = sum(view.clocks.states[ClockState.MET] for view in views)
    found = [one for view in views for one in _asking(board, view, now) if query.owed_by in ("", one.owed_by)]
    missed = sorted((one for one in found if one.missed), key=_place_of)
    coming = sorted((one for one in found if not one.missed), key=_place_of)
    pages = max(1, -(-len(coming) // PAGE))
    page = min(max(1, page), pages)
    shown = [_made(one, now) for one in coming[(page - 1) * PAGE : page * PAGE]]
    return ClocksView(
        states={state: states[state] for state in State if states[state]},
        running=dict(Counter(one.owed_by for one in coming)),
        missed_counts=dict(Counter(one.owed_by for one in missed)),
        met=settled,
        missed=tuple(_made(one, now) for one in missed[:MISSED]),
        days=tuple(Day(name, tuple(those)) for name, those in groupby(shown, _day_of)),
        waiting=sum(len(one.ids) for view in views for one in board.complaints.of(view.pilot)),
        page=page,
        pages=pages,
    )


def deadlines_of(
    board: FleetView, views: Iterable[PilotView], now: int, owed_by: Owes | None = None, most: int = 1_000
) -> list[Deadline]:
    """What is owed about these pilots at `now` (ms), by everybody or by one side: what was missed, then by due date; at
    most so many."""
    found = [one for view in views for one in _asking(board, view, now) if owed_by in (None, one.owed_by)]
    return [_made(one, now) for one in sorted(found, key=_place_of)[:most]]


def owed_and_missed(board: FleetView, views: Iterable[PilotView], now: int, owed_by: Owes) -> tuple[int, int]:
    """How many deadlines one side owes about these pilots and has not missed, and how many it missed and still owes."""
    missed = [one.missed for view in views for one in _asking(board, view, now) if one.owed_by is owed_by]
    return len(missed) - sum(missed), sum(missed)


class _Asking(NamedTuple):
    """A deadline that asks for something, in short: what it is made from, and its place in the order."""

    place: tuple[int, int, str, str, str]
    missed: bool
    owed_by: Owes
    view: PilotView
    record: ClockRecord | None
    answer: tuple[int, int, int]  # of complaints of users: how many, due (ms), the number of the decision


_place_of = itemgetter(0)
_NO_ANSWER = (0, 0, 0)


def _asking(board: FleetView, view: PilotView, now: int) -> Iterator[_Asking]:
    """The deadlines of one pilot that ask for something."""
    for record in view.clocks.asking.values():
        missed = record.state is ClockState.MISSED
        kind = 0 if missed else 2 if record.due is None else 1
        place = (kind, record.due or 0, view.pilot, record.title, record.key)
        yield _Asking(place, missed, record.owed_by, view, record, _NO_ANSWER)
    reports = board.complaints.of(view.pilot)
    known = {key for starts, key, _ in view.clocks.records if starts == USER_COMPLAINT} if reports else set()
    for waiting in reports:
        due = answer_due(view.plan, waiting.filed)
        ids = [one for one in waiting.ids if short(one) not in known]
        if ids and due is not None:
            place = (0 if due <= now else 1, due, view.pilot, "", str(waiting.standing))
            yield _Asking(place, due <= now, Owes.FIRM, view, None, (len(ids), due, waiting.standing))


def _made(one: _Asking, now: int) -> Deadline:
    view, record = one.view, one.record
    if record is not None:
        return _of_record(view, record, now)
    count, due, standing = one.answer
    return Deadline(
        pilot=view.pilot,
        participant=view.participant,
        authorities=view.responsible,
        title="",
        about=USER_COMPLAINT,
        key="",
        owed_by=Owes.FIRM,
        basis="",
        missed=one.missed,
        due=due,
        left=due - now,
        last_day=day(due - 1),
        zone="UTC",
        complaints=count,
        standing=standing,
    )


def _of_record(view: PilotView, record: ClockRecord, now: int) -> Deadline:
    return Deadline(
        pilot=view.pilot,
        participant=view.participant,
        authorities=view.responsible,
        title=record.title,
        about=record.starts,
        key=record.key,
        owed_by=record.owed_by,
        basis=record.basis,
        missed=record.state is ClockState.MISSED,
        due=record.due,
        left=None if record.due is None else record.due - now,
        last_day=record.last_day,
        zone=record.zone,
        complaints=1 if record.starts == USER_COMPLAINT else 0,
        forbids=record.forbids,
    )


def _day_of(one: Deadline) -> str:
    return "" if one.due is None else day(one.due - 1)


def _wanted(view: PilotView, query: ClocksQuery) -> bool:
    return (
        query.firm in ("", view.participant)
        and query.pilot in ("", view.pilot)
        and (not query.authority or view.concerns(query.authority))
    )


def clocks_data(view: ClocksView) -> dict[str, object]:
    """The same facts as plain data; times in ms since 1970."""
    return {
        "pilots_by_state": {state.value: count for state, count in view.states.items()},
        "running_by_who_owes": {who.value: count for who, count in view.running.items()},
        "missed_by_who_owes": {who.value: count for who, count in view.missed_counts.items()},
        "met": view.met,
        "complaints_of_users_waiting": view.waiting,
        "missed": [deadline_data(one) for one in view.missed],
        "due": [deadline_data(one) for one in (one for day_ in view.days for one in day_.deadlines)],
        "page": view.page,
        "pages": view.pages,
    }


def deadline_data(one: Deadline) -> dict[str, object]:
    """One deadline as plain data."""
    return {
        "pilot": one.pilot, "participant": one.participant, "authorities": list(one.authorities), "title": one.title,
        "about": one.about, "key": one.key, "owed_by": one.owed_by.value, "basis": one.basis, "missed": one.missed,
        "due": one.due, "left": one.left, "last_day": one.last_day or None, "zone": one.zone or None,
        "complaints": one.complaints or None,
    }  # fmt: skip
