"""What the pages of authorities show: for which pilots each is responsible, what waits for it, deadlines that it owes
and missed, and the levels above and below. Pure."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct

from monitor.console.clocks_view import Deadline, deadline_data, deadlines_of, owed_and_missed
from monitor.console.fleet_view import FleetView, PilotView
from monitor.lifecycle.acts import Role
from monitor.lifecycle.life import Lifecycle
from monitor.lifecycle.next_steps import NextStep, next_steps
from monitor.lifecycle.sandbox import SandboxAuthority
from monitor.model.clock_record import Owes
from monitor.model.records import Level
from monitor.network.responsibility import CENTRAL

PAGE = 50  # pilots of one authority on one page
LISTED = 100  # steps that wait, and deadlines
_OF_AUTHORITY = (Role.OFFICER, Role.APPROVER)


class Waiting(Struct, frozen=True):
    """A step that an officer or approver owes about a pilot, since a time (ms; `None`: not known)."""

    pilot: str
    participant: str
    step: NextStep
    since: int | None
    halted: bool


class AuthorityRow(Struct, frozen=True):
    """An authority in the list. `known`: the configuration of the sandbox has it; else only charters name it. `people`
    counts those of its people who act by role."""

    id: str
    name: str
    level: str
    region: str
    sectors: tuple[str, ...]
    known: bool
    people: dict[str, int]
    pilots: int
    levels: dict[Level, int]
    waiting: int
    owed: int
    missed: int


class AuthorityView(Struct, frozen=True):
    """One authority: `pilots` of one page, worst first; `waiting` for its people, oldest first; `deadlines` that it
    owes, missed ones first; `above` and `below` are the ids of the levels next to it."""

    row: AuthorityRow
    above: tuple[str, ...]
    below: tuple[str, ...]
    pilots: tuple[PilotView, ...]
    page: int
    pages: int
    waiting: tuple[Waiting, ...]
    deadlines: tuple[Deadline, ...]


def authorities_view(board: FleetView, now: int) -> tuple[AuthorityRow, ...]:
    """Every authority of the sandbox, from the central level down; then those that only charters name."""
    known = _known(board)
    levels = {CENTRAL: 0, "provincial": 1, "sectoral": 2}
    names = sorted(known.keys() | board.authority_names(), key=lambda name: _order(known.get(name), name, levels))
    return tuple(_row(board, name, board.of_authority(name), now) for name in names)


def authority_view(board: FleetView, name: str, now: int, page: int = 1) -> AuthorityView | None:
    """One authority at `now` (ms); `None` where neither the sandbox nor a charter names it."""
    views, known = board.of_authority(name), _known(board)
    if not views and name not in known:
        return None
    pages = max(1, -(-len(views) // PAGE))
    page = min(max(1, page), pages)
    me = known.get(name)
    central = me is not None and me.level == CENTRAL
    others = [one for one in known.values() if one.id != name]
    waiting = sorted(waits(board, views), key=lambda one: (one.since or 0, one.pilot))
    return AuthorityView(
        row=_row(board, name, views, now),
        above=() if central or me is None else tuple(sorted(one.id for one in others if one.level == CENTRAL)),
        below=tuple(sorted(one.id for one in others if one.level != CENTRAL)) if central else (),
        pilots=tuple(views[(page - 1) * PAGE : page * PAGE]),
        page=page,
        pages=pages,
        waiting=tuple(waiting[:LISTED]),
        deadlines=tuple(deadlines_of(board, views, now, Owes.AUTHORITY, LISTED)),
    )


def waits(board: FleetView, views: Iterable[PilotView]) -> Iterator[Waiting]:
    """The steps that officers and approvers owe about these pilots."""
    for view in views:
        story = board.halts.newest.get(view.pilot)
        if story is not None and story.stands and not view.exited:
            for step in story.missing:
                if step.who in _OF_AUTHORITY:
                    yield Waiting(view.pilot, view.participant, step, story.steps[-1].at, True)
        for step in _owed_by_authority(view.life):
            yield Waiting(view.pilot, view.participant, step, _since(view), False)


@functools.lru_cache(maxsize=1_024)
def _owed_by_authority(life: Lifecycle) -> tuple[NextStep, ...]:
    return tuple(step for step in next_steps(life) if step.who in _OF_AUTHORITY)


def _since(view: PilotView) -> int | None:
    """Since when the pilot has the states that it has."""
    since: int | None = None
    for decision in reversed(view.decisions):
        if isinstance(decision.states, str) and decision.states != view.states:
            break
        since = decision.at
    return since


def _known(board: FleetView) -> dict[str, SandboxAuthority]:
    sandbox = board.sandbox.in_force
    return {} if sandbox is None else {one.id: one for one in sandbox.authorities}


def _order(one: SandboxAuthority | None, name: str, levels: dict[str, int]) -> tuple[int, str]:
    return (3 if one is None else levels.get(one.level, 3), name)


def _row(board: FleetView, name: str, views: list[PilotView], now: int) -> AuthorityRow:
    one, sandbox = _known(board).get(name), board.sandbox.in_force
    people = [] if sandbox is None else [person for person in sandbox.people if person.authority == name]
    owed, missed = owed_and_missed(board, views, now, Owes.AUTHORITY)
    charter_name = next((a.name for v in views if v.plan for a in v.plan.authorities if a.id == name and a.name), "")
    inside = [view for view in views if not view.exited]
    return AuthorityRow(
        id=name,
        name=(one.name if one is not None else "") or charter_name,
        level="" if one is None else one.level,
        region="" if one is None else one.region,
        sectors=() if one is None else one.sectors,
        known=one is not None,
        people=dict(Counter(role.value for person in people for role in person.roles)),
        pilots=len(inside),
        levels=dict(Counter(view.level for view in inside if not view.applicant)),
        waiting=sum(1 for _ in waits(board, views)),
        owed=owed,
        missed=missed,
    )


def authorities_data(rows: Iterable[AuthorityRow]) -> dict[str, object]:
    """The list as plain data."""
    return {"authorities": [_row_data(row) for row in rows]}


def authority_data(view: AuthorityView) -> dict[str, object]:
    """One authority as plain data; times in ms since 1970."""
    return {
        **_row_data(view.row),
        "above": list(view.above),
        "below": list(view.below),
        "pilots_listed": [
            {"pilot": one.pilot, "participant": one.participant, "level": one.level.word} for one in view.pilots
        ],
        "page": view.page,
        "pages": view.pages,
        "waiting": [
            {
                "pilot": one.pilot, "participant": one.participant, "who": one.step.who, "act": one.step.act,
                "what": one.step.what, "since": one.since,
            }
            for one in view.waiting
        ],
        "deadlines": [deadline_data(one) for one in view.deadlines],
    }  # fmt: skip


def _row_data(row: AuthorityRow) -> dict[str, object]:
    return {
        "authority": row.id, "name": row.name or None, "level": row.level or None, "region": row.region or None,
        "sectors": list(row.sectors), "in_configuration": row.known, "people": row.people, "pilots": row.pilots,
        "levels": {level.word: count for level, count in row.levels.items()}, "waiting_for_it": row.waiting,
        "deadlines_owed": row.owed, "deadlines_missed": row.missed,
    }  # fmt: skip
