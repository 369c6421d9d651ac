"""The table that says how much of a pilot's alpha may be spent, how much was used, and how near each limit came."""

from __future__ import annotations

from html import escape

from monitor.console.fleet_view import PilotView
from monitor.projections.alpha_budget import Use, alpha_use
from monitor.projections.formats import e_value, figure
from monitor.projections.wording import plain

HEADS = ("Limit", "Share of this run", "Threshold (e-value)", "Largest e-value", "p-value", "Used")


def alpha_words(uses: list[Use], alpha: float) -> str:
    """What was used of alpha, and what the thresholds in force may spend, as one sentence."""
    used, may = sum(use.used for use in uses), sum(use.may_spend for use in uses)
    return f"alpha {figure(used)} of {figure(alpha)} is used; the thresholds in force may spend at most {figure(may)}"


def alpha_table(view: PilotView) -> str:
    """The section of a pilot's page; empty where the charter is not known or has no limit that spends alpha."""
    uses = alpha_use(view.plan, view.runs, view.evidence) if view.plan else []
    if view.plan is None or not uses:
        return ""
    said = alpha_words(uses, view.plan.alpha)
    return (
        f'<h2 id="alpha">False-halt probability</h2><p>Run {view.runs.number} of the statistics: {said}.</p>{table(uses)}'
        '<p class="small">Alpha bounds the probability that a pilot which keeps every limit is ever halted by its statistics. '
        "The share of a run is used when its threshold is reached or the run ends (a release, a tolerated crossing). The p-value is "
        "min(1, 1 / largest e-value) of this run; by Ville's inequality a pilot that keeps the limit ever falls to p or below with "
        "probability at most p.</p>"
    )


def table(uses: list[Use]) -> str:
    """A row for each limit and segment."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in HEADS)
    rows = "".join(f"<tr>{_row(use)}</tr>" for use in uses)
    return (
        '<table class="fleet alpha"><caption>What each limit may spend and has used</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(use: Use) -> str:
    name = plain(use.indicator) + (f", {use.segment}" if use.segment else "")
    largest = "none yet" if use.largest is None else e_value(use.largest)
    cells = (figure(use.alpha), e_value(use.threshold), largest, figure(use.p_value), figure(use.used))
    numbers = zip(HEADS[1:], cells, strict=True)
    return f'<th scope="row">{escape(name)}</th>' + "".join(
        f'<td data-head="{head}" class="number">{cell}</td>' for head, cell in numbers
    )
