"""The list of firms: class in force, what the record gives now, and what counts for and against each firm."""

from __future__ import annotations

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.banners import banners
from monitor.console.class_words import class_badge, rules_section
from monitor.console.firms_view import FirmRow, FirmsView, firms_view
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.listing import pager
from monitor.console.parts import Column, Row, link_to, none, small, table
from monitor.firms.record import YEAR_MS, FirmRecord
from monitor.projections.firm_words import class_name
from monitor.projections.formats import day
from monitor.translation import mark, tr, trn

AGAINST = (
    ("halts", mark("Halts")), ("stops_overdue", mark("Stops overdue")), ("contradictions", mark("Contradictions")),
    ("clocks_missed", mark("Deadlines missed")), ("rectifications_late", mark("Rectified late")),
    ("conflicts", mark("Source conflicts")), ("refusals", mark("Refusals")),
)  # fmt: skip
FOR = (
    ("halts_stopped", mark("Stops shown in time")), ("rectifications_in_time", mark("Rectified in time")),
    ("clocks_met", mark("Deadlines met")), ("guidance_followed", mark("Guidance followed")),
    ("annulled", mark("Annulled")),
)  # fmt: skip


def firms_page(board: FleetView, now: int, number: int = 1) -> Markup:
    """The firms of one page. Read-only."""
    view = firms_view(board, now, number)
    columns = (
        Column(tr("Firm"), kind="name"),
        Column(tr("Class in force")),
        Column(tr("The record gives now"), tr("Record gives")),
        Column(tr("Pilots"), kind="number"),
        Column(tr("Pilot-years"), kind="number"),
        Column(tr("Counts against it"), kind="why"),
        Column(tr("Counts for it"), kind="why"),
        Column(tr("Missed and still owed"), tr("Still owed"), "number"),
    )
    caption = tr("What all pilots of a firm show; a class is set by an officer, with the record that it follows from")
    shown: Node = h.p(".empty")[tr("No firm has a pilot.")]
    if view.rows:
        shown = table(caption, columns, map(_row, view.rows), "firms-list")
    body: list[Node] = [
        banners(board, now), h.h1[tr("Firms")], _lead(view), shown, pager("/firms", {}, view.page, view.pages),
        rules_section(view.rules, view.reference),
    ]  # fmt: skip
    return page(tr("Firms"), body, "firms")


def _lead(view: FirmsView) -> h.Element:
    return h.p(".lead")[trn("{n} firm has or applies for a pilot.", "{n} firms have or apply for pilots.", view.total)]


def _row(row: FirmRow) -> Row:
    record, set_, now = row.record, row.in_force, row.now
    in_force: Node = none()
    if set_ is not None:
        in_force = [class_badge(set_.act.gives), small(tr("since {day}", day=day(set_.act.at)))]
    cells: tuple[Node, ...] = (
        link_to("firm", record.firm),
        in_force,
        none() if now is None else class_name(now.gives),
        record.pilots,
        f"{record.operated_ms / YEAR_MS:.2f}",
        counted(record, AGAINST) or none(),
        counted(record, FOR) or none(),
        row.missed or none(),
    )
    return Row(cells, "halt" if row.missed else "normal")


def counted(record: FirmRecord, names: tuple[tuple[str, str], ...]) -> str:
    """The numbers of a record that are not zero, with their names."""
    found = [(tr(text), f"{getattr(record, name):,}") for name, text in names if getattr(record, name)]
    return "; ".join(tr("{what}: {n}", what=what, n=number) for what, number in found)
