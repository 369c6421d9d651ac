"""The alpha of a pilot as a table: what each limit may spend and has used, and how close it came to its threshold."""

from __future__ import annotations

from html import escape

from monitor.console.fleet_view import PilotView
from monitor.projections.alpha_budget import AlphaUse, alpha_use
from monitor.projections.formats import e_value, figure
from monitor.projections.wording import plain

HEADS = ("Limit", "Share of this run", "Threshold (e-value)", "Largest e-value", "p-value", "Used")


def alpha_words(uses: list[AlphaUse], alpha: float) -> str:
    """The alpha used, and what the thresholds in force may spend, as one clause."""
    used, may = sum(use.used for use in uses), sum(use.may_spend for use in uses)
    return f"alpha {figure(used)} of {figure(alpha)} is used; the thresholds in force may spend at most {figure(may)}"


def alpha_table(view: PilotView) -> str:
    """The section of a pilot's page; empty where the charter is not known or has no limit that spends alpha."""
    uses = alpha_use(view.plan, view.runs, view.evidence) if view.plan else []
    if view.plan is None or not uses:
        return ""
    text = alpha_words(uses, view.plan.alpha)
    return (
        '<h2 id="alpha">False-halt probability</h2>'
        f"<p>Run {view.runs.number} of the statistics: {text}.</p>{table(uses)}"
        '<p class="small">Alpha bounds the probability that the statistics halt a pilot that keeps every limit. '
        "The share of a run is used when its threshold is reached or the run ends (release, tolerated excess). "
        "The p-value is min(1, 1 / largest e-value) of this run. By Ville's inequality the p-value of a pilot that "
        "keeps the limit ever falls to p or below with probability at most p.</p>"
    )


def table(uses: list[AlphaUse]) -> str:
    """A row for each limit and segment."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    rows = "".join(f"<tr>{_row(use)}</tr>" for use in uses)
    return (
        '<table class="fleet alpha"><caption>What each limit may spend and has used</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(use: AlphaUse) -> str:
    name = plain(use.indicator) + (f", {use.segment}" if use.segment else "")
    largest = "none yet" if use.largest is None else e_value(use.largest)
    cells = (figure(use.alpha), e_value(use.threshold), largest, figure(use.p_value), figure(use.used))
    numbers = zip(HEADS[1:], cells, strict=True)
    return f'<th scope="row">{escape(name)}</th>' + "".join(
        f'<td data-head="{head}" class="number">{cell}</td>' for head, cell in numbers
    )
