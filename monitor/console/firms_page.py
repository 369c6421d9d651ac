"""The records of firms as a page of the board: the class in force, and what counts for and against each firm."""

from __future__ import annotations

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.banners import banners
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.parts import Column, Row, link_to, none, table, time_tag
from monitor.firms.record import YEAR_MS, FirmRecord
from monitor.words import mark, tr

COLUMNS = (
    ("halts", mark("Halts")), ("stops_overdue", mark("Stops overdue")), ("contradictions", mark("Contradictions")),
    ("clocks_missed", mark("Deadlines missed")), ("rectifications_late", mark("Rectified late")),
    ("refusals", mark("Refusals")), ("rectifications_in_time", mark("Rectified in time")),
    ("annulled", mark("Annulled")),
)  # fmt: skip


def firms_page(board: FleetView, now: int = 0) -> Markup:
    """A row for each firm. Read-only."""
    records = board.firms.records()
    columns = [
        Column(tr("Firm"), kind="name"),
        *(Column(tr(text)) for text in (mark("Class in force"), mark("Pilots"), mark("Pilot-years"))),
        *(Column(tr(text)) for _, text in COLUMNS),
        Column(tr("Through")),
    ]
    caption = tr("What all pilots of a firm show; a class is set by an officer, with the record that it follows from")
    rows = (Row(_cells(one, board.firms.class_in_force(one.firm))) for one in records)
    shown = table(caption, columns, rows) if records else h.p[tr("No firm has a pilot.")]
    return page(tr("Firms"), [banners(board, now), h.h1[tr("Firms")], shown], "firms")


def _cells(record: FirmRecord, in_force: str) -> list[Node]:
    return [
        link_to("firm", record.firm),
        in_force.replace("_", " ") or none(),
        str(record.pilots),
        f"{record.operated_ms / YEAR_MS:.2f}",
        *(str(getattr(record, name)) for name, _ in COLUMNS),
        time_tag(record.through),
    ]
