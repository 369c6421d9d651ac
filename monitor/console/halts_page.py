"""The page of halts: for each, what happened since its finding, how long each step took, what is missing and who owes
it; open commands; halts that ended."""

from __future__ import annotations

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.banners import banners
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.halts_view import EVERY, CommandRow, HaltRow, HaltsQuery, HaltsView, TimedStep, halts_view
from monitor.console.listing import address_of, entry_link, filters, lasting, pager
from monitor.console.parts import COMMANDS, Column, Row, command_state, link_to, pages, small, table, time_tag
from monitor.lifecycle.next_steps import NextStep
from monitor.projections.halt_story import HaltStep, StepKind
from monitor.projections.life_words import role_name
from monitor.translation import mark, tr, trm, trn

STEPS: dict[StepKind, str] = {
    StepKind.FOUND: mark("Finding: the period or event that the halt rests on"),
    StepKind.DECIDED: mark("Halt decided"),
    StepKind.COMMANDED: mark("Halt sent to the service"),
    StepKind.ACKNOWLEDGED: mark("The service says that it stopped (acknowledgement)"),
    StepKind.VERIFIED: mark("Stop confirmed by the heartbeats of the service"),
    StepKind.OVERDUE: mark("Overdue: no proof of the stop within the time of the charter"),
    StepKind.JOINED: mark("Further finding that halts"),
    StepKind.RECTIFIED: mark("Corrective action recorded"),
    StepKind.EVALUATED: mark("Re-evaluation passed"),
    StepKind.EVALUATION_FAILED: mark("Re-evaluation failed"),
    StepKind.APPROVED: mark("Release approved"),
    StepKind.RELEASED: mark("Halt released"),
    StepKind.RELEASE_ACKNOWLEDGED: mark("The service acknowledged the release"),
    StepKind.EXIT_PENDING: mark("Exit recorded; it waits for the stop"),
    StepKind.LEFT: mark("The pilot left the sandbox, halted"),
}
CONTRADICTED = mark("Contradicted: the service was active after it said that it stopped")
ACTIVE = mark("Contradicted: the service was active after the halt; it never said that it stopped")
STATES: dict[tuple[str, bool], str] = {
    ("contradicted", True): mark("Contradicted: active after it said that it stopped"),
    ("contradicted", False): mark("Contradicted: active after the halt"),
    ("overdue", True): mark("Overdue: acknowledged, no proof of the stop"),
    ("overdue", False): mark("Overdue: not acknowledged"),
    ("commanded", False): mark("Sent, not acknowledged; resent until it is"),
    ("commanded", True): mark("Resent: the first acknowledgement was disproved"),
    ("acknowledged", True): mark("The service says that it stopped; not yet confirmed"),
    ("verified", True): mark("Stopped; confirmed by heartbeats"),
    ("verified", False): mark("Stopped; confirmed by heartbeats"),
}
"""State of the command, and whether a service ever acknowledged it."""
OUTCOMES = {"released": mark("released"), "left": mark("left the sandbox")}


def halts_page(board: FleetView, now: int, query: HaltsQuery = EVERY) -> Markup:
    """The halts at `now` (ms) that `query` asks for."""
    view = halts_view(board, now, query)
    asked = {"authority": query.authority, "firm": query.firm}
    fields = [("authority", tr("Authority"), query.authority), ("firm", tr("Firm"), query.firm)]
    ended = {**asked, "force": str(view.force_page) if view.force_page > 1 else ""}
    body: list[Node] = [
        banners(board, now),
        h.h1[tr("Halts")],
        _lead(view),
        filters("/halts", fields),
        _section("front", tr("The service did not stop, or did not show it"), [r for r in view.standing if r.front]),
        _section("standing", tr("In force"), [row for row in view.standing if not row.front]),
        pages(view.force_page, view.force_pages, lambda number: address_of("/halts", {**asked, "force": str(number)})),
        _commands(view.commands),
        _ended(view, ended),
    ]
    return page(tr("Halts"), body, "halts", {name: value for name, value in asked.items() if value})


def _lead(view: HaltsView) -> h.Element:
    said = [
        trn("{n} halt is in force.", "{n} halts are in force.", view.in_force),
        trn("{n} of them is contradicted or overdue.", "{n} of them are contradicted or overdue.", view.front),
        trn("{n} has ended.", "{n} have ended.", view.ended_total),
    ]
    return h.p(".lead")[" ".join(said if view.in_force else [tr("No halt is in force."), said[2]])]


def _section(key: str, heading: str, rows: list[HaltRow]) -> Node:
    if not rows:
        return None
    return h.section(id=key)[h.h2[heading], (_halt(row) for row in rows)]


def _halt(row: HaltRow) -> h.Element:
    story = row.story
    state = tr(STATES[story.state, story.acknowledged or story.state == "acknowledged"])
    return h.article(class_=f"story {'halt' if row.front else 'calm'}", id=f"halt-{story.decision.id}")[
        h.h3[link_to("pilot", row.pilot), small([link_to("firm", row.participant)])],
        h.p(".state")[h.b[state], " ", _since(row)],
        h.p(".why")[tr("{sentence}.", sentence=row.why)],
        _annulled(row),
        _missing(row.missing),
        _steps(row),
    ]


def _since(row: HaltRow) -> Node:
    if row.story.stands:
        return trm("in force for {time}, since {at} UTC", time=lasting(row.lasts), at=time_tag(row.story.decision.at))
    outcome = tr(OUTCOMES[row.story.outcome])
    return trm("{outcome} after {time}, at {at} UTC", outcome=outcome, time=lasting(row.lasts),
               at=time_tag(row.story.ended))  # fmt: skip


def _annulled(row: HaltRow) -> Node:
    act = row.annulled
    if act is None:
        return None
    said = trm("Annulled by {author} at {time} UTC, as after an appeal: it counts no longer against the firm.",
               author=act.author, time=time_tag(act.at))  # fmt: skip
    return h.p(".note")[said]


def _missing(steps: tuple[NextStep, ...]) -> Node:
    if not steps:
        return None
    return h.div(".missing")[
        h.b[tr("Missing now:")],
        h.ul[(h.li[tr("{who}: {what}", who=role_name(step.who), what=tr(step.what))] for step in steps)],
    ]


def _steps(row: HaltRow) -> h.Element:
    columns = (
        Column(tr("Step"), kind="why"),
        Column(tr("At (UTC)"), tr("At"), "when"),
        Column(tr("Took"), kind="when"),
        Column(tr("By"), kind="who"),
        Column(tr("Ledger")),
    )
    said = any(one.step.kind is StepKind.ACKNOWLEDGED for one in row.steps)
    rows = [_step(row, one, said) for one in row.steps]
    caption = tr("What happened, in order")
    if row.story.left_out:
        caption = trn("What happened, in order; {n} step in the middle is left out",
                      "What happened, in order; {n} steps in the middle are left out", row.story.left_out)  # fmt: skip
    return table(caption, columns, rows, "steps")


def _step(row: HaltRow, timed: TimedStep, said: bool) -> Row:
    step = timed.step
    bad = step.kind in (StepKind.OVERDUE, StepKind.CONTRADICTED, StepKind.EVALUATION_FAILED)
    cells: tuple[Node, ...] = (
        [_words(step, said), _attempts(row, step)],
        time_tag(step.at),
        lasting(timed.took) if timed.took else "",
        _who(step),
        _entry(row, step),
    )
    return Row(cells, "halt" if bad else "normal")


def _words(step: HaltStep, said: bool) -> str:
    if step.kind is StepKind.CONTRADICTED:
        return tr(CONTRADICTED if said else ACTIVE)
    return tr(STEPS[step.kind])


def _attempts(row: HaltRow, step: HaltStep) -> Node:
    if step.kind is not StepKind.COMMANDED or row.story.attempts < 2:
        return None
    return small(trn("sent {n} time", "sent {n} times", row.story.attempts))


def _who(step: HaltStep) -> Node:
    if not step.who:
        return tr("the monitor")
    if step.kind in (StepKind.ACKNOWLEDGED, StepKind.VERIFIED, StepKind.RELEASE_ACKNOWLEDGED):
        return [tr("the service"), small(step.who)]
    return [step.who, small(tr("signed") if step.signed else tr("not signed"))]


def _entry(row: HaltRow, step: HaltStep) -> Node:
    if step.kind in (StepKind.FOUND, StepKind.COMMANDED):
        return ""
    return entry_link(row.pilot, step.decision, tr("decision {number}", number=step.standing))


def _commands(rows: tuple[CommandRow, ...]) -> Node:
    if not rows:
        return None
    columns = (
        Column(tr("Pilot"), kind="name"),
        Column(tr("Command")),
        Column(tr("State"), kind="why"),
        Column(tr("Given (UTC)"), tr("Given"), "when"),
        Column(tr("Attempts"), kind="number"),
    )
    caption = trn("{n} open release or drill, oldest first", "{n} open releases and drills, oldest first", len(rows))
    shown = [
        Row(
            (
                [link_to("pilot", row.pilot), small(row.participant)],
                tr(COMMANDS[row.command.action]),
                command_state(row.command),
                time_tag(row.command.at),
                row.command.attempts,
            )
        )
        for row in rows
    ]
    return h.section("#commands")[h.h2[tr("Other open commands")], table(caption, columns, shown, "orders")]


def _ended(view: HaltsView, query: dict[str, str]) -> Node:
    if not view.ended:
        return None
    return h.section("#ended")[
        h.h2[tr("Ended")],
        h.p(".small")[tr("Newest first.")],
        (
            h.details(class_="story-folded", id=f"ended-{row.story.decision.id}")[
                h.summary[
                    h.b[row.pilot], " ", _since(row), small(tr("{sentence}.", sentence=row.why)),
                ],
                _halt(row),
            ]
            for row in view.ended
        ),
        pager("/halts", query, view.page, view.pages),
    ]  # fmt: skip
