"""The legal deadlines of a pilot as a section of its page: what is due next, who owes it, on which basis."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from monitor.console.fleet_view import PilotView
from monitor.console.html import NONE, count, time_tag
from monitor.model.clock_record import ClockState
from monitor.projections.clock_board import ClockRow, time_left
from monitor.projections.clock_words import FORBIDDEN, OWED_BY, occurrence

_SIGNS = {ClockState.RUNNING: "▶", ClockState.MET: "✓", ClockState.MISSED: "✕", ClockState.STOPPED: "–"}


def clocks_section(view: PilotView, now: int) -> str:
    """The deadlines that ask for something at `now` (ms), most urgent first; settled ones are folded away. Empty for a
    pilot without any."""
    rows = view.clocks.rows(now)
    if not rows:
        return ""
    open_ = [row for row in rows if _open(row)]
    settled = [row for row in rows if not _open(row)]
    shown = _table(open_, "What is owed, most urgent first. A deadline is missed at the stated instant, not after it")
    if not open_:
        shown = "<p>Nothing is owed.</p>"
    folded = ""
    if settled:
        summary = count(len(settled), "settled deadline")
        folded = f"<details><summary>{summary}</summary>{_table(settled, 'Settled deadlines, newest first')}</details>"
    return f'<h2 id="deadlines">Legal deadlines</h2>{shown}{folded}'


def _open(row: ClockRow) -> bool:
    return row.state is ClockState.RUNNING or (row.state is ClockState.MISSED and row.done is None)


def _table(rows: Sequence[ClockRow], caption: str) -> str:
    body = "".join(map(_row, rows))
    return (
        f'<table class="clocks"><caption>{caption}</caption><thead><tr><th scope="col">State</th>'
        '<th scope="col">Deadline</th><th scope="col">Owed by</th><th scope="col">Due before (UTC)</th>'
        f'<th scope="col">Time left</th></tr></thead><tbody>{body}</tbody></table>'
    )


def _row(row: ClockRow) -> str:
    missed = row.state is ClockState.MISSED
    word = "broken" if missed and row.due is None else row.state.value
    state = f'<span><span aria-hidden="true">{_SIGNS[row.state]}</span> {word}</span>'
    notes = [row.basis]
    if row.forbids:
        notes.append("; ".join(FORBIDDEN.get(kind.value, kind.value) for kind in row.forbids) + " until then")
    if row.done is not None:
        late = " (too late)" if row.late or missed else ""
        notes.append(f"done {time_tag(row.done)} UTC{late}")
    if row.provisional:
        notes.append("holidays of that time are not known yet")
    escaped = "; ".join(note if note.startswith("done ") else escape(note) for note in notes)
    last = f'<span class="small">last day {row.last_day}, {escape(row.zone)}</span>'
    due = "no date" if row.due is None else f"<span>{time_tag(row.due)}{last}</span>"
    left = escape(time_left(row.left)) if _open(row) and row.due is not None else NONE
    return (
        f'<tr class="{"escalate" if missed and row.done is None else "normal"}">'
        f'<td data-head="State">{state}</td>'
        f'<td data-head="Deadline" class="why">{escape(row.title + occurrence(row.starts.value, row.key))}'
        f'<span class="small">{escaped}</span></td>'
        f'<td data-head="Owed by">{escape(OWED_BY[row.owed_by])}</td>'
        f'<td data-head="Due before" class="when">{due}</td>'
        f'<td data-head="Time left" class="when">{left}</td></tr>'
    )
