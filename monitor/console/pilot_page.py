"""The pages of one pilot: level and why, facts, decisions with their numbers, alpha, evidence picture; and its
charter."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from monitor.console.alpha import alpha_table
from monitor.console.charter_page import charter_body
from monitor.console.clocks import clocks_section
from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.html import (
    alpha_used,
    badge,
    banners,
    command_state,
    count,
    flag_text,
    level_badge,
    link,
    page,
    time_tag,
    why,
)
from monitor.console.shadow_section import shadow_section
from monitor.console.svg.picture import picture
from monitor.lifecycle.next_steps import NextStep, next_steps
from monitor.model.clock_record import ClockState
from monitor.model.records import Decision, Reason
from monitor.projections.clock_board import time_left
from monitor.projections.clock_words import OWED_BY
from monitor.projections.formats import span
from monitor.projections.wording import TIMED, budget_words, numbers, plain

SHOWN = 10  # decisions above the picture; earlier ones are folded away
_BACK = '<p class="back"><a href="/">← Fleet</a></p>'


def pilot_page(board: FleetView, pilot: str, now: int = 0) -> str | None:
    """The page of one pilot at `now` (ms); `None` for a pilot that the board does not know."""
    view = board.pilots.get(pilot)
    if view is None:
        return None
    body = (
        f"{banners(board, now)}{_BACK}<h1>{escape(view.pilot)}</h1>"
        f'<p class="lead">{badge(view)} {why(view)}</p>{_unknown_note(view)}'
        + _facts(board, view, now)
        + clocks_section(view, now)
        + shadow_section(view)
        + _decisions(view)
        + alpha_table(view)
        + _picture(view)
    )
    return page(view.pilot, body, "pilot")


def charter_page(board: FleetView, pilot: str) -> str | None:
    """The charter under which a pilot runs; `None` for a pilot that the board does not know."""
    view = board.pilots.get(pilot)
    if view is None:
        return None
    back = f'<p class="back"><a href="{escape(link(pilot))}">← {escape(pilot)}</a></p>'
    return page(f"Charter of {pilot}", f"{back}<h1>Charter of {escape(pilot)}</h1>{charter_body(view)}", "charter")


def missing_page(pilot: str) -> str:
    """The page for a pilot that the board does not know."""
    body = f"{_BACK}<h1>No such pilot</h1><p>The board has no pilot <b>{escape(pilot)}</b>.</p>"
    return page("No such pilot", body, "missing")


def _unknown_note(view: PilotView) -> str:
    if not view.unknown:
        return ""
    since = f" Since {time_tag(view.unknown_since)} UTC." if view.unknown_since is not None else ""
    text = escape(flag_text(view.unknown))
    return f'<p class="note">? State unknown: {text}.{since} Unknown does not count as normal.</p>'


def _facts(board: FleetView, view: PilotView, now: int) -> str:
    plan = view.plan
    facts = [
        ("Participant", escape((plan.participant.name if plan else "") or view.participant)),
        ("Tier", escape(plan.tier) if plan else ""),
        ("State", escape(plain(view.states)) if view.states else ""),
        ("Next step", escape("; ".join(_step(step) for step in next_steps(view.life)))),
        ("At this level since", time_tag(view.since) + " UTC" if view.since is not None else ""),
        ("Last evidence", time_tag(view.last_evidence) + " UTC" if view.last_evidence is not None else ""),
        ("Too late to count", count(view.late_events, "event") if view.late_events else ""),
        ("Open command", _command(view)),
        ("Next deadline", _deadline(view, now)),
        ("Alpha used", f'<a href="#alpha">{alpha_used(view)}</a>' if plan else ""),
        ("Scenario", escape(plan.scenario) if plan else ""),
        ("Authority", escape(", ".join(a.name or a.id for a in plan.authorities)) if plan else ""),
        ("Charter", _charter(view)),
        ("Ledger", _ledger(board, view)),
    ]
    items = "".join(
        f'<div class="{"wide" if "<code>" in value else "short"}"><dt>{name}</dt><dd>{value}</dd></div>'
        for name, value in facts
        if value
    )
    return f'<dl class="facts">{items}</dl>'


def _step(step: NextStep) -> str:
    """Who owes which step."""
    return f"{step.who} owes {plain(step.act)}" if step.who else step.what


def _deadline(view: PilotView, now: int) -> str:
    """The most urgent legal deadline and who owes it; empty while nothing is owed."""
    found = next((row for row in view.clocks.rows(now) if row.due is not None and row.done is None), None)
    if found is None or found.state not in (ClockState.RUNNING, ClockState.MISSED):
        return ""
    words = f"{found.rule}, {time_left(found.left)}, owed by {OWED_BY[found.owed_by]}"
    return f'<a href="#deadlines">{escape(words)}</a>'


def _command(view: PilotView) -> str:
    command = view.command
    if command is None or not command.open:
        return ""
    sent = count(command.attempts, "attempt")
    return f"{command.action}, {command_state(command)}; given {time_tag(command.at)} UTC; {sent}"


def _charter(view: PilotView) -> str:
    version = ""
    if view.plan is not None:
        version = f' (<a href="/charter/{quote(view.pilot, safe="")}">version {view.plan.version}</a>)'
    return f"<code>{escape(view.charter)}</code>{version}"


def _ledger(board: FleetView, view: PilotView) -> str:
    head = board.ledger(view.pilot)
    return f"{count(head[0], 'entry', 'entries')}, root <code>{escape(head[1])}</code>" if head else ""


def _picture(view: PilotView) -> str:
    drawn = picture(view.pilot, view.evidence, list(view.decisions), view.plan)
    return (
        '<h2 id="evidence">Evidence</h2><p class="sideways">Wider than the screen: scroll sideways.</p>'
        f'<div class="picture" role="region" aria-labelledby="evidence" tabindex="0">{drawn}</div>'
    )


def _decisions(view: PilotView) -> str:
    latest = list(reversed(view.decisions))
    if not latest:
        return "<h2>Decisions</h2><p>None yet.</p>"
    caption = "Latest first. No. is the standing of the pilot, as in the ledger"
    shown, folded = _decision_table(view, latest[:SHOWN], caption), ""
    if len(latest) > SHOWN:
        table = _decision_table(view, latest[SHOWN:], "Earlier decisions")
        summary = count(len(latest) - SHOWN, "earlier decision")
        folded = f'<details id="earlier"><summary>{summary}</summary>{table}</details>'
    return f"<h2>Decisions</h2>{shown}{folded}"


def _decision_table(view: PilotView, decisions: Sequence[Decision], caption: str) -> str:
    rows = "".join(_decision(view, decision) for decision in decisions)
    return (
        f'<table class="decisions"><caption>{caption}</caption><thead><tr><th scope="col">No.</th>'
        '<th scope="col">Time (UTC)</th><th scope="col">Level</th><th scope="col">Decision and its numbers</th>'
        f"</tr></thead><tbody>{rows}</tbody></table>"
    )


def _decision(view: PilotView, decision: Decision) -> str:
    level = level_badge(decision.level)
    if decision.level != decision.was:
        level = f'{level_badge(decision.was)} <span aria-label="to">→</span> {level}'
    return (
        f'<tr class="{decision.level.word}"><td data-head="No." class="number">{decision.standing}</td>'
        f'<td data-head="Time" class="when">{time_tag(decision.at)}</td><td data-head="Level">{level}</td>'
        f'<td data-head="Decision" class="why">{escape(view.say(decision))}.'
        f'<span class="small">{escape("; ".join(_details(decision)))}</span></td></tr>'
    )


def _details(decision: Decision) -> list[str]:
    """Who and what a decision rests on, beyond its sentence."""
    finding = decision.finding
    details = []
    if decision.kind == "flag":
        details.append("state unknown" if decision.unknown else "state known")
    if decision.author:
        details.append(f"by {decision.author}")
    if decision.cause.startswith("control:"):
        details.append(f"signed by key {decision.signed}" if decision.signed else "not signed")
    if decision.first_out:
        details.append("first cause")
    if finding.rule and numbers(decision) and decision.reason not in TIMED:  # times are measured, not detected
        # With an indicator it is the key by which the finding is shelved.
        key = f"finding {finding.indicator}/{finding.segment}/{finding.rule}"
        details.append(key if finding.indicator else f"detector {plain(finding.rule)}")
    in_sentence = decision.reason in (Reason.SHELVED, Reason.MONITOR_GAP)  # its sentence has the period
    if not in_sentence and finding.period_start is not None and finding.period_end is not None:
        details.append(f"period {span(finding.period_start, finding.period_end)}")
    told = [f"addressed to {', '.join(decision.addressed)}"] if decision.addressed else []
    return [*details, *budget_words(finding), f"cause {decision.cause}", *told]
