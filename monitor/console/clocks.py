"""The legal deadlines of a pilot as a section of its page: what is due next, who owes it, on which basis."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h
from htpy import Node

from monitor.console.fleet_view import PilotView
from monitor.console.parts import Column, Row, folded, none, small, table, time_tag
from monitor.model.clock_record import ClockState
from monitor.projections.clock_board import ClockRow, time_left
from monitor.projections.clock_words import FORBIDDEN, OWED_BY, occurrence
from monitor.translation import mark, tr, trm, trn

_SIGNS = {ClockState.RUNNING: "▶", ClockState.MET: "✓", ClockState.MISSED: "✕", ClockState.STOPPED: "–"}
STATES = {
    ClockState.RUNNING: mark("running"),
    ClockState.MET: mark("met"),
    ClockState.MISSED: mark("missed"),
    ClockState.STOPPED: mark("stopped"),
}


def clocks_section(view: PilotView, now: int) -> Node:
    """The deadlines that ask for something at `now` (ms), most urgent first; settled ones are folded away. Nothing for
    a pilot without any."""
    rows = view.clocks.rows(now)
    if not rows:
        return None
    open_ = [row for row in rows if still_owed(row)]
    settled = [row for row in rows if not still_owed(row)]
    caption = tr("What is owed, most urgent first. A deadline is missed at the stated instant, not after it")
    return [
        h.h2("#deadlines")[tr("Legal deadlines")],
        clock_table(open_, caption) if open_ else h.p[tr("Nothing is owed.")],
        folded(
            trn("{n} settled deadline", "{n} settled deadlines", len(settled)),
            clock_table(settled, tr("Settled deadlines, newest first")),
            "settled",
        )
        if settled
        else None,
    ]


def still_owed(row: ClockRow) -> bool:
    """Whether a deadline asks for something: it runs, or was missed and nothing was done since."""
    return row.state is ClockState.RUNNING or (row.state is ClockState.MISSED and row.done is None)


def clock_table(rows: Sequence[ClockRow], caption: str) -> h.Element:
    """A row for each deadline."""
    columns = (
        Column(tr("State"), kind="state"),
        Column(tr("Deadline"), kind="why"),
        Column(tr("Owed by"), kind="owner"),
        Column(tr("Due before (UTC)"), tr("Due before"), "when"),
        Column(tr("Time left"), kind="when"),
    )
    return table(caption, columns, map(_row, rows), "clocks")


def clock_state(row: ClockRow) -> h.Element:
    """The state with its sign."""
    word = tr("broken") if row.state is ClockState.MISSED and row.due is None else tr(STATES[row.state])
    return h.span[h.span(aria_hidden="true")[_SIGNS[row.state]], " ", word]


def _row(row: ClockRow) -> Row:
    missed = row.state is ClockState.MISSED
    due: Node = tr("no date")
    if row.due is not None:
        last = small(tr("last day {day}, {zone}", day=row.last_day, zone=row.zone))
        due = h.span[time_tag(row.due), last]
    cells = (
        clock_state(row),
        h.div[tr(row.title), occurrence(row.starts.value, row.key), small(_notes(row))],
        tr(OWED_BY[row.owed_by]),
        due,
        time_left(row.left) if still_owed(row) and row.due is not None else none(),
    )
    return Row(cells, "escalate" if missed and row.done is None else "normal")


def _notes(row: ClockRow) -> Node:
    notes: list[Node] = [tr(row.basis)]
    if row.forbids:
        kinds = "; ".join(tr(FORBIDDEN.get(kind.value, kind.value)) for kind in row.forbids)
        notes.append(tr("{kinds} until then", kinds=kinds))
    if row.done is not None:
        late = row.late or row.state is ClockState.MISSED
        when = time_tag(row.done)
        notes.append(trm("done {time} UTC (too late)", time=when) if late else trm("done {time} UTC", time=when))
    if row.provisional:
        notes.append(tr("holidays of that time are not known yet"))
    return [[note, "; " if place < len(notes) - 1 else None] for place, note in enumerate(notes)]
