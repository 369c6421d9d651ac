"""Decision marks on a picture: a shape for each level, a label where there is room, a stem down to the panel."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from monitor.console.svg.canvas import CHARACTER, LEFT, RIGHT, WIDTH, Canvas
from monitor.model.records import Decision, Level, Reason
from monitor.projections.formats import figure, stamp, when
from monitor.projections.wording import plain

_ROW = 17.0  # of decision labels
_ROWS = 5


def legend(canvas: Canvas) -> None:
    x, y = LEFT - 44, canvas.y
    for level, words in (
        (Level.WATCH, "watch"),
        (Level.ESCALATE, "escalate"),
        (Level.HALT, "halt"),
        (Level.NORMAL, "cleared or other"),
    ):
        canvas.parts.append(_mark(level, x, y))
        canvas.text(x + 10, y + 4, words, "soft")
        x += 26 + len(words) * CHARACTER
    canvas.parts.append(_diamond(Level.NORMAL, x, y))
    canvas.text(x + 10, y + 4, "unknown begins or ends", "soft")
    x += 158
    canvas.parts.append(f'<rect x="{x - 7:g}" y="{y - 6:g}" width="14" height="12" fill="url(#{canvas.hatch})"/>')
    canvas.text(x + 12, y + 4, "unknown period", "soft")
    canvas.text(
        LEFT - 50,
        y + 21,
        "Mark: time of the decision. Evidence: end of its period, which closes later, so a mark can come later.",
        "soft",
    )
    canvas.y += 26


def marks(canvas: Canvas, decisions: Sequence[Decision], top: float, depth: float) -> float:
    """Draw each decision as a shape with a label and a stem of `depth` below it. Returns the lower edge.

    Circle = watch, triangle = escalate, octagon = halt, hollow diamond = the unknown flag, square = anything else.
    """
    if not decisions:
        return top + 6
    rows: list[float] = []  # the right edge of each row
    placed: list[tuple[Decision, int, bool, str]] = []
    wordless = 0
    for d in decisions:
        x, words = canvas.x(d.at), _mark_words(d, canvas.x.high - canvas.x.low)
        width = len(words) * CHARACTER + 14
        left = x + width > WIDTH - 8
        start, stop = (x - width, x + 8) if left else (x - 8, x + width)
        row = next((i for i, taken in enumerate(rows) if taken < start), None) if words else None
        if words and row is None and len(rows) < _ROWS:
            rows.append(0.0)
            row = len(rows) - 1
        if row is None:
            wordless += bool(words)
            placed.append((d, -1, left, ""))
        else:
            rows[row] = stop
            placed.append((d, row, left, words))
    last_row = any(row < 0 for _, row, _, _ in placed)
    bottom = top + (len(rows) + last_row) * _ROW + 2
    for d, row, left, words in placed:
        x, y = canvas.x(d.at), top + (row if row >= 0 else len(rows)) * _ROW + 9
        canvas.line(x, y + 5, x, bottom + depth, f"stem s-{d.level.word}")
        canvas.parts.append(f"<g><title>{escape(_mark_hint(d))}</title>{_shape(d, x, y)}</g>")
        if words:
            canvas.text(x - 9 if left else x + 9, y + 4, words, "halo", "end" if left else "start")
    if wordless:
        canvas.text(RIGHT + 8, bottom - 5, f"{wordless} without label", "soft")
    return bottom


def _mark_words(d: Decision, length: float) -> str:
    if d.reason is Reason.CLEARED:
        return ""  # the level strip shows it
    if d.kind == "flag":
        return f"{'unknown' if d.unknown else 'known again'} {when(d.at, length)}: {plain(d.reason)}"
    rule = f" {plain(d.finding.rule)}" if d.reason is Reason.HARD_RULE and d.finding.rule else ""
    joined = "" if d.kind == "level" else " (further finding)" if d.kind == "finding" else " (act)"
    return f"{d.level.word} {when(d.at, length)}: {plain(d.reason)}{rule}{joined}"


def _mark_hint(d: Decision) -> str:
    f = d.finding
    numbers = (
        f"; statistic {figure(f.statistic)}, threshold {figure(f.bar)}"
        if f.statistic is not None and f.bar is not None
        else ""
    )
    return f"{stamp(d.at)}: {d.was.word} to {d.level.word}, {plain(d.reason)}{numbers}"


def _shape(d: Decision, x: float, y: float) -> str:
    return _diamond(d.level, x, y) if d.kind == "flag" else _mark(d.level, x, y)


def _diamond(level: Level, x: float, y: float) -> str:
    return f'<path d="M{x:g} {y - 5:g}l5 5l-5 5l-5 -5z" class="outline s-{level.word}"/>'


def _mark(level: Level, x: float, y: float) -> str:
    if level is Level.HALT:
        corners = [
            (2.3, -5.5),
            (5.5, -2.3),
            (5.5, 2.3),
            (2.3, 5.5),
            (-2.3, 5.5),
            (-5.5, 2.3),
            (-5.5, -2.3),
            (-2.3, -5.5),
        ]
        ring = " ".join(f"{x + dx:g},{y + dy:g}" for dx, dy in corners)
        return f'<polygon points="{ring}" class="halt"/>'
    if level is Level.ESCALATE:
        return f'<path d="M{x:g} {y - 5.5:g}l5.8 10h-11.6z" class="escalate"/>'
    if level is Level.WATCH:
        return f'<circle cx="{x:g}" cy="{y:g}" r="4.6" class="watch"/>'
    return f'<rect x="{x - 4:g}" y="{y - 4:g}" width="8" height="8" class="normal"/>'
