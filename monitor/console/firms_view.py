"""What the pages of firms show: records, the class in force and how it follows, pilots, deadlines, acts. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET, Struct

from monitor.console.clocks_view import Deadline, deadline_data, deadlines_of, owed_and_missed
from monitor.console.fleet_view import FleetView, PilotView
from monitor.firms.classes import Classified, Ground, firm_class
from monitor.firms.record import YEAR_MS, FirmRecord
from monitor.firms.rules import SHIPPED_RULES, FirmRules, RulesReference, reference_to
from monitor.model.clock_record import Owes
from monitor.projections.firm_acts import FirmAct, SetClass
from monitor.projections.halt_story import HaltStory

PAGE = 50  # firms, or pilots of one firm, on one page


class FirmRow(Struct, frozen=True):
    """A firm in the list: its record, the class in force, the class that the record gives now by the same rules (`None`
    where the rules are not known), how many of its pilots are halted now, and what of its deadlines is missed."""

    record: FirmRecord
    in_force: SetClass | None
    now: Classified | None
    missed: int


class FirmView(Struct, frozen=True):
    """One firm. `pilots` are those of one page, worst first; `deadlines` what the firm owes, missed ones first; `halts`
    those in force; `acts` what officers and approvers did about the firm, newest first; `rules` by which `row.now`
    follows."""

    firm: str
    row: FirmRow
    pilots: tuple[PilotView, ...]
    pilots_total: int
    page: int
    pages: int
    deadlines: tuple[Deadline, ...]
    deadlines_more: int
    halts: tuple[HaltStory, ...]
    acts: tuple[FirmAct, ...]
    rules: FirmRules | None


class FirmsView(Struct, frozen=True):
    """The firms of one page, by name, the number of this page and of all pages, and of all firms."""

    rows: tuple[FirmRow, ...]
    total: int
    page: int
    pages: int
    rules: FirmRules | None
    reference: RulesReference | None


def firms_view(board: FleetView, now: int, page: int = 1) -> FirmsView:
    """The list of firms at `now` (ms)."""
    names = sorted(board.firms.firms.keys() | board.firm_names())
    pages = max(1, -(-len(names) // PAGE))
    page = min(max(1, page), pages)
    shown = names[(page - 1) * PAGE : page * PAGE]
    rows = tuple(_row(board, name, board.of_firm(name), now) for name in shown)
    return FirmsView(rows, len(names), page, pages, rules_in_force(board), _reference(board))


def firm_view(board: FleetView, firm: str, now: int, page: int = 1) -> FirmView | None:
    """One firm at `now` (ms); `None` for one of which nothing is known."""
    views = views_of(board, firm)
    if not views and firm not in board.firms.firms:
        return None
    pages = max(1, -(-len(views) // PAGE))
    page = min(max(1, page), pages)
    deadlines = deadlines_of(board, views, now, Owes.FIRM, PAGE)
    newest = (board.halts.newest.get(view.pilot) for view in views)
    return FirmView(
        firm=firm,
        row=_row(board, firm, views, now),
        pilots=tuple(views[(page - 1) * PAGE : page * PAGE]),
        pilots_total=len(views),
        page=page,
        pages=pages,
        deadlines=tuple(deadlines),
        deadlines_more=sum(owed_and_missed(board, views, now, Owes.FIRM)) - len(deadlines),
        halts=tuple(one for one in newest if one is not None and one.stands),
        acts=tuple(reversed(board.firm_acts.of(firm).acts)),
        rules=rules_in_force(board, firm),
    )


def views_of(board: FleetView, firm: str) -> list[PilotView]:
    """The pilots of a firm, worst first."""
    return board.of_firm(firm)


def rules_in_force(board: FleetView, firm: str = "") -> FirmRules | None:
    """The rules that the sandbox names, where the board has their numbers: the shipped ones, or those of an act that
    set a class. Without a configuration, those by which the class of the firm was set."""
    reference, acts = _reference(board), board.firm_acts.firms
    used = [acts[firm].in_force] if firm in acts else [one.in_force for one in acts.values()]
    if reference is None:
        return next((one.rules for one in used if one is not None and firm), None)
    if reference == reference_to(SHIPPED_RULES):
        return SHIPPED_RULES
    wanted = (one.in_force for one in acts.values())
    return next((one.rules for one in wanted if one is not None and one.rules_digest == reference.digest), None)


def _reference(board: FleetView) -> RulesReference | None:
    sandbox = board.sandbox.in_force
    return None if sandbox is None or sandbox.firm_rules is UNSET else sandbox.firm_rules


def _row(board: FleetView, firm: str, views: Iterable[PilotView], now: int) -> FirmRow:
    record, rules = board.firms.record(firm), rules_in_force(board, firm)
    return FirmRow(
        record=record,
        in_force=board.firm_acts.of(firm).in_force,
        now=None if rules is None else firm_class(record, rules),
        missed=owed_and_missed(board, views, now, Owes.FIRM)[1],
    )


def firms_data(view: FirmsView) -> dict[str, object]:
    """The list as plain data."""
    return {
        "firms": [_row_data(row) for row in view.rows], "total": view.total, "page": view.page, "pages": view.pages,
        "rules": None if view.reference is None else f"{view.reference.id}@{view.reference.version}",
    }  # fmt: skip


def firm_data(view: FirmView) -> dict[str, object]:
    """One firm as plain data; times in ms since 1970."""
    return {
        **_row_data(view.row),
        "grounds": [] if view.row.now is None else [_ground_data(one) for one in view.row.now.grounds],
        "pilots": [
            {"pilot": one.pilot, "level": one.level.word, "exited": one.exited, "since": one.since}
            for one in view.pilots
        ],
        "pilots_total": view.pilots_total,
        "page": view.page,
        "pages": view.pages,
        "deadlines": [deadline_data(one) for one in view.deadlines],
        "deadlines_more": view.deadlines_more,
        "acts": [
            {
                "at": one.at, "number": one.number, "id": one.id, "what": one.reason.value, "author": one.author,
                "signed": one.signed, "class": one.gives or None, "was": one.was or None, "pilot": one.pilot or None,
                "decision": one.decision or None,
            }
            for one in view.acts
        ],
    }  # fmt: skip


def _row_data(row: FirmRow) -> dict[str, object]:
    record, set_ = row.record, row.in_force
    return {
        "firm": record.firm,
        "class": None if set_ is None else set_.act.gives,
        "class_set": None if set_ is None else set_.act.at,
        "class_set_by": None if set_ is None else set_.act.author,
        "class_grounds": [] if set_ is None else list(set_.grounds),
        "record_gives_now": None if row.now is None else row.now.gives.value,
        "pilot_years": record.operated_ms / YEAR_MS,
        "deadlines_missed_and_owed": row.missed,
        "record": {name: getattr(record, name) for name in record.__struct_fields__ if name != "positions"},
    }


def _ground_data(one: Ground) -> dict[str, object]:
    return {
        "measure": None if one.measure is None else one.measure.value, "gives": one.gives.value,
        "reason": one.reason.value, "events": one.events, "exposure": one.exposure, "lower": one.lower,
        "upper": one.upper, "limit": one.limit,
    }  # fmt: skip
