"""The alpha of a pilot as a table: what each limit may spend and has used, and how close it came to its threshold."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h
from htpy import Node

from monitor.charter.spec import Charter
from monitor.console.fleet_view import PilotView
from monitor.console.parts import Column, Row, folded, small, table
from monitor.projections.alpha_budget import AlphaUse, alpha_use
from monitor.projections.formats import e_value, figure
from monitor.projections.guarantee_words import guarantee
from monitor.projections.wording import plain
from monitor.translation import tr


def alpha_words(uses: Sequence[AlphaUse], alpha: float) -> str:
    """The alpha used, and what the thresholds in force may spend, as one clause."""
    used, may = sum(use.used for use in uses), sum(use.may_spend for use in uses)
    return tr(
        "alpha {used} of {granted} is used; the thresholds in force may spend at most {may}",
        used=figure(used),
        granted=figure(alpha),
        may=figure(may),
    )


def alpha_section(view: PilotView) -> Node:
    """The section of a pilot's page; nothing where the charter is not known or has no limit that spends alpha."""
    uses = alpha_use(view.plan, view.runs, view.evidence) if view.plan else []
    if view.plan is None or not uses:
        return None
    return [
        h.h2("#alpha")[tr("False-halt probability")],
        guarantee_section(view.plan),
        h.p[
            tr(
                "Run {number} of the statistics: {words}.",
                number=view.runs.number,
                words=alpha_words(uses, view.plan.alpha),
            )
        ],
        alpha_table(uses),
        small(
            tr(
                "The share of a run is used when its threshold is reached or the run ends (release, tolerated excess). "
                "The p-value is min(1, 1 / largest e-value) of this run: by Ville's inequality that of a pilot that "
                "keeps the limit ever falls to p or below with probability at most p."
            )
        ),
    ]


def guarantee_section(charter: Charter) -> Node:
    """What the charter promises about false halts: the sentence, what alpha is, and its conditions behind it."""
    found = guarantee(charter)
    conditions = [
        [h.p[tr("It holds if:")], h.ul[(h.li[one] for one in found.holds_if)]] if found.holds_if else None,
        h.p[tr("These halts are not part of it:")],
        h.ul[(h.li[one] for one in found.not_covered)],
    ]
    return [
        h.p(".promise")[h.strong[found.promise]],
        h.p[found.alpha] if found.alpha else None,
        folded(tr("When this holds, and which halts it is not about"), conditions, "guarantee"),
    ]


def alpha_table(uses: Sequence[AlphaUse]) -> h.Element:
    """A row for each limit and segment."""
    columns = [
        Column(tr("Limit"), kind="name"),
        *(
            Column(head, kind="number")
            for head in (
                tr("Share of this run"), tr("Threshold (e-value)"), tr("Largest e-value"), tr("p-value"), tr("Used"),
            )
        ),
    ]  # fmt: skip
    rows = [Row(_cells(use)) for use in uses]
    return table(tr("What each limit may spend and has used"), columns, rows, "fleet alpha")


def _cells(use: AlphaUse) -> tuple[str, ...]:
    name = plain(use.indicator) + (f", {use.segment}" if use.segment else "")
    largest = tr("none yet") if use.largest is None else e_value(use.largest)
    return name, figure(use.alpha), e_value(use.threshold), largest, figure(use.p_value), figure(use.used)
