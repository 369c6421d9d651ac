"""The records of firms as a page of the board: the class in force, and what counts for and against each firm."""

from __future__ import annotations

from html import escape

from monitor.console.fleet_view import FleetView
from monitor.console.html import NONE, page, time_tag
from monitor.firms.record import YEAR_MS, FirmRecord

COLUMNS = (
    ("halts", "Halts"), ("stops_overdue", "Stops overdue"), ("contradictions", "Contradictions"),
    ("clocks_missed", "Deadlines missed"), ("rectifications_late", "Rectified late"), ("refusals", "Refusals"),
    ("rectifications_in_time", "Rectified in time"), ("annulled", "Annulled"),
)  # fmt: skip


def firms_page(board: FleetView) -> str:
    """A row for each firm. Read-only."""
    records = board.firms.records()
    rows = "".join(_row(one, board.firms.class_in_force(one.firm)) for one in records)
    heads = "".join(f'<th scope="col">{text}</th>' for _, text in COLUMNS)
    table = (
        "<table><caption>What all pilots of a firm show; a class is set by an officer, with the record that it follows "
        'from</caption><thead><tr><th scope="col">Firm</th><th scope="col">Class in force</th><th scope="col">Pilots'
        f'</th><th scope="col">Pilot-years</th>{heads}<th scope="col">Through</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    return page("Firms", f"<h1>Firms</h1>{table if records else '<p>No firm has a pilot.</p>'}", "firms")


def _row(record: FirmRecord, in_force: str) -> str:
    values = (
        ("Class in force", escape(in_force.replace("_", " ")) or NONE),
        ("Pilots", str(record.pilots)),
        ("Pilot-years", f"{record.operated_ms / YEAR_MS:.2f}"),
        *((text, str(getattr(record, name))) for name, text in COLUMNS),
        ("Through", time_tag(record.through)),
    )
    cells = "".join(f'<td data-head="{head}">{value}</td>' for head, value in values)
    return f'<tr><th scope="row">{escape(record.firm)}</th>{cells}</tr>'
