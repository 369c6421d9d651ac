"""What both formats share: places of panels, links, and the settings of fields, computed from the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import common
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement

from monitor.projections.links import BOARD, PILOT_DASHBOARD, RUNBOOK

from .table import COLUMNS, TAG, Board, Marks, Page, Panel, Row

REFERENCES = "ABCDEF"
HIDDEN_ALWAYS = ("Time", "__name__", "job", "instance")
NAMED_PAGES: dict[Page, str] = {
    "fleet": "Fleet on the board", "halts": "Halts on the board", "clocks": "Deadlines on the board",
    "firms": "Firms on the board", "ledger": "Ledger on the board", "pilot": "This pilot on the board",
}  # fmt: skip


class Place(NamedTuple):
    """A panel with its number and its place in the grid of 24 columns, `y` counted from the top of the board."""

    panel: Panel
    number: int
    x: int
    y: int


class PlacedRow(NamedTuple):
    """A row with its number, the place of its heading, and its panels."""

    row: Row
    number: int
    y: int
    places: tuple[Place, ...]


class Link(NamedTuple):
    """A link; `url` may hold variables of Grafana."""

    title: str
    url: str


def placed(board: Board) -> Iterator[PlacedRow]:
    """Every row with its panels: from left to right, then below the highest panel of the line. Numbers are unique."""
    number, y = 1, 0
    for row in board.rows:
        heading, top, x, y, line = number, y, 0, y + 1, 0
        places: list[Place] = []
        for panel in row.panels:
            if x + panel.width > 24:
                x, y, line = 0, y + line, 0
            number += 1
            places.append(Place(panel, number, x, y))
            x, line = x + panel.width, max(line, panel.height)
        number, y = number + 1, y + line
        yield PlacedRow(row, heading, top, tuple(places))


def panel_links(panel: Panel) -> list[Link]:
    """The links in the corner of a panel: the page of the board, and the headings of the runbook."""
    found = []
    if panel.page:
        path = "pilot/${pilot:percentencode}" if panel.page == "pilot" else panel.page
        found.append(Link(NAMED_PAGES[panel.page], f"${{board:raw}}/{path}"))
    found += [Link(f"Runbook: {name}", f"${{runbook:raw}}#{name.lower()}") for name in panel.alerts]
    return found


SUBJECTS = {"pilot": "pilot", "participant": "firm", "firm": "firm", "authority": "authority"}
"""Label -> the kind of page on the board that is about its value."""


def subject_links(label: str, variable: str) -> list[Link]:
    """The links of a value that belongs to one pilot, firm or authority; `variable` of Grafana holds its id."""
    kind = SUBJECTS[label]
    found = [Link(f"This {kind} on the board", f"${{board:raw}}/{kind}/${{{variable}:percentencode}}")]
    if kind == "pilot":
        url = f"/d/{PILOT_DASHBOARD}?var-pilot=${{{variable}:percentencode}}&${{__url_time_range}}"
        found.append(Link("This pilot in Grafana", url))
    return found


def series_links(panel: Panel) -> list[Link]:
    """The links of each series of a panel: to the page of what all its legends name first."""
    legends = [query.legend for query in panel.queries]
    for label in SUBJECTS if panel.kind != "table" else ():
        if all(f"{{{{{label}}}}}" in legend for legend in legends):
            return subject_links(label, f"__field.labels.{label}")
    return []


def columns(panel: Panel) -> dict[str, str]:
    """Label -> heading, for a table; the column of values is `Value`."""
    return {**COLUMNS, "Value": panel.value}


def hidden(panel: Panel) -> dict[str, bool]:
    """The columns that a table leaves out. `job` and `instance` are shown where the query groups by them."""
    expr = " ".join(query.expr for query in panel.queries)
    always = [name for name in HIDDEN_ALWAYS if f"by ({name}" not in expr and f", {name}" not in expr]
    return dict.fromkeys((*always, *panel.hidden), True)


def column_links(panel: Panel) -> dict[str, list[Link]]:
    """Heading of a column of a table -> the links of its cells; of columns with pilots, firms and authorities."""
    found = {}
    for label in SUBJECTS if panel.kind == "table" else ():
        grouped = re.compile(rf"by \([^)]*\b{label}\b")
        if label not in panel.hidden and any(grouped.search(query.expr) for query in panel.queries):
            heading = COLUMNS[label]
            found[heading] = subject_links(label, f"__data.fields.{heading}")
    return found


ADDRESSES = {"board": BOARD, "runbook": RUNBOOK}
"""Hidden variables of every board that hold addresses, with their values as shipped; `dashboards push` and `dashboards
export` replace them (`monitor/cli/dashboards.py`)."""


def legend() -> Any:
    """The legend of lines: a list below them."""
    made = common.VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
    return made.placement(LegendPlacement.BOTTOM).calcs([])


def value_as_time(mark: Marks) -> dict[str, Any]:
    """Settings of Grafana's Prometheus data source for annotations whose values are times in ms."""
    if not mark.expr:
        return {}
    return {
        "useValueForTime": True,
        "titleFormat": mark.title,
        "textFormat": "",
        "tagKeys": "participant",
        "step": "60s",
    }


def other_boards() -> Link:
    """The link to all other boards, by their tag."""
    return Link("Sandbox monitor", TAG)
