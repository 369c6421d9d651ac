"""The types of the table from which all dashboards are built: boards, rows, panels, queries, variables, annotations.

Nothing here is a Grafana type. `classic.py` and `schema_v2.py` turn the same values into the two formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

M = "sandbox_monitor_"
WHO = "max by (pilot, participant)"
SELECTED = (
    f' and on (pilot) {M}pilot_scope{{authority=~"$authority", sector=~"$sector", region=~"$region", tier=~"$tier"}}'
)
"""Restricts a vector with a label `pilot` to the pilots that the variables of a board select."""

Kind = Literal["stat", "table", "lines", "states", "gauges"]
Page = Literal["", "fleet", "halts", "clocks", "pilot", "firms", "ledger"]
Step = tuple[float, str]
"""From this value on, this colour."""

LEVELS = ((0, "normal", "green"), (1, "watch", "yellow"), (2, "escalate", "orange"), (3, "halt", "red"))
YES = ((0, "no", "green"), (1, "yes", "red"))
RED_FROM_ONE: tuple[Step, ...] = ((1, "red"),)
ORANGE_FROM_ONE: tuple[Step, ...] = ((1, "orange"),)
CLOSE: tuple[Step, ...] = ((0.5, "orange"), (1.0, "red"))
OVERDUE: tuple[Step, ...] = ((0, "orange"), (86_400, "yellow"), (604_800, "green"))
"""Of a time that is left (s); what is below 0 is red (`Panel.first`)."""

COLUMNS = {
    "pilot": "Pilot", "participant": "Firm", "reason": "Reason", "state": "State", "authority": "Authority",
    "sector": "Sector", "region": "Region", "tier": "Tier", "owed_by": "Owed by", "action": "Command",
    "indicator": "Indicator", "segment": "Segment", "detector": "Detector", "alert": "Finding",
    "severity": "Severity", "vendor": "Vendor", "firm": "Firm", "firm_class": "Class", "partition": "Partition",
    "topic": "Topic", "instance": "Process", "job": "Job", "level": "Level",
}  # fmt: skip
"""Label -> heading of its column."""


@dataclass(frozen=True)
class Query:
    """A PromQL expression; `legend` names each series for a reader (`{{label}}`), unused in tables."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One question, and the queries that answer it.

    `text` says what is shown and how to read it. `steps` are thresholds above `first`; `mapping` shows values as words.
    `value` heads the column of values of a table, `hidden` names labels that get no column. `page` is the page of the
    board that a click opens; where rows or series are of a pilot, firm or authority, each also links to its page.
    `alerts` are headings of the runbook. `by_name` shows the name of the series in place of its value.
    """

    question: str
    text: str
    kind: Kind
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 12
    height: int = 8
    steps: tuple[Step, ...] = ()
    first: str = "green"
    mapping: tuple[tuple[int, str, str], ...] = ()
    value: str = "Value"
    hidden: tuple[str, ...] = ()
    page: Page = ""
    alerts: tuple[str, ...] = ()
    by_name: bool = False
    decimals: int | None = None


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a board: the values of `label` of `metric`. `several`: more than one, or all."""

    name: str
    label: str
    metric: str
    of: str
    several: bool = True

    @property
    def query(self) -> str:
        """As Grafana's Prometheus data source reads it."""
        return f"label_values({self.metric}, {self.of})"


@dataclass(frozen=True)
class Marks:
    """Annotations. With `tags` those of Grafana that have all of them (the actor `annotations` writes them); with
    `expr` a query whose values are times in ms."""

    name: str
    colour: str
    tags: tuple[str, ...] = ()
    expr: str = ""
    title: str = ""
    on: bool = True


@dataclass(frozen=True)
class Board:
    """One dashboard. `uid` never changes; `file` is the name of its files without ending; `text` says whom it is for
    and which question it answers."""

    uid: str
    file: str
    title: str
    text: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    marks: tuple[Marks, ...] = ()
    since: str = "now-24h"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, in their order."""
        return tuple(panel for row in self.rows for panel in row.panels)


def scope(name: str, label: str) -> Variable:
    """A variable over a label of the charters in force."""
    return Variable(name, label, f"{M}pilot_scope", name)


SCOPES = (
    scope("authority", "Authority"), scope("sector", "Sector"), scope("region", "Region"), scope("tier", "Tier")
)  # fmt: skip
TAG = "sandbox-monitor"


def marks(*more: str) -> tuple[Marks, ...]:
    """The annotations of the actor `annotations`, by kind of event, restricted to those with the tags `more`."""
    return (
        Marks("Changes of level", "red", (TAG, "event:level", *more)),
        Marks("Stops of the service", "dark-red", (TAG, "event:stop", *more)),
        Marks("Releases", "green", (TAG, "event:release", *more)),
        Marks("Changes of the pilot", "blue", (TAG, "event:change", *more)),
        Marks("Deadlines", "orange", (TAG, "event:deadline", *more)),
        Marks("Acts of people", "purple", (TAG, "event:act", *more), on=False),
    )
