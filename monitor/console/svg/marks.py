"""Decision marks on a picture: a shape for each level, a label where there is room, a stem down to the panel."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from monitor.console.svg.canvas import Canvas
from monitor.console.svg.elements import node
from monitor.console.svg.lettering import fit, width
from monitor.model.records import Decision, Level, Reason
from monitor.projections.evidence_words import evidence_sentence
from monitor.projections.formats import stamp, when
from monitor.projections.wording import REASONS, level_word, plain
from monitor.translation import mark, tr

_ROW = 17.0  # of decision labels
_ROWS = 5  # of labels; halts may have up to _HALT_ROWS
_HALT_ROWS = 12
_LISTED = 6  # decisions that a narrow panel lists, and halts up to twice as many
_ROOM = 520.0  # of a label

SHORT: dict[Reason, str] = {
    Reason.LIMIT_HALF_WAY: mark("half-way to the threshold"),
    Reason.UNREGISTERED_MODEL: mark("model not in the charter"),
    Reason.BASELINE_UNUSABLE: mark("baseline varies too much"),
    Reason.SOURCE_CONFLICT: mark("two emitters share one source"),
    Reason.LATE_SHARE: mark("too many late events"),
    Reason.UNKNOWN_TOO_LONG: mark("state unknown for too long"),
}
"""Reasons whose sentence is too long for a label."""


def short_reason(reason: Reason) -> str:
    """A reason in a few words: its sentence up to the first semicolon, in lower case."""
    if reason in SHORT:
        return tr(SHORT[reason])
    words = tr(REASONS[reason]).split(";")[0].split("；")[0]
    return words[:1].lower() + words[1:]


def marks(canvas: Canvas, decisions: Sequence[Decision], top: float, depth: float) -> float:
    """Draw each decision as a shape with a label and a stem of `depth` below it. Returns the lower edge.

    Circle = watch, triangle = escalate, octagon = halt, hollow diamond = the unknown flag, square = anything else, such
    as an act under a halt.
    Where there is not room for all labels, halts have theirs first, then escalations; the others are counted.
    """
    if not decisions:
        return top + 6
    if canvas.layout.narrow:
        return _listed(canvas, decisions, top, depth)
    rows, placed = _placed(canvas, decisions)
    silent = [d for d in decisions if _mark_words(d, canvas.span) and d.id not in placed]
    extra = len(placed) < len(decisions)
    bottom = top + (rows + extra) * _ROW + 2
    for d in decisions:
        row, left, words = placed.get(d.id, (rows, False, ""))
        x, y = canvas.x(d.at), top + row * _ROW + 9
        canvas.line(x, y + 5, x, bottom + depth, f"stem s-{d.level.word}")
        canvas.parts.append(node("g", node("title", _mark_hint(d)), _shape(d, x, y)))
        if words:
            canvas.text(x - 9 if left else x + 9, y + 4, words, "halo", "end" if left else "start")
    if silent:
        canvas.text(canvas.layout.right + 8, bottom - 5, _unlabelled(silent), "soft")
    return bottom


def _placed(canvas: Canvas, decisions: Sequence[Decision]) -> tuple[int, dict[str, tuple[int, bool, str]]]:
    """How many rows of labels there are, and row, side and words of each label that has room: halts first."""
    taken: list[list[tuple[float, float]]] = []
    placed: dict[str, tuple[int, bool, str]] = {}
    for d in sorted(decisions, key=lambda d: (-_weight(d), d.at, d.standing)):
        words = _mark_words(d, canvas.span)
        if not words:
            continue
        words = fit(words, _ROOM)
        x, wide = canvas.x(d.at), width(words) + 14
        left = x + wide > canvas.layout.width - 8
        start, stop = (x - wide, x + 8) if left else (x - 8, x + wide)
        row = next((i for i, r in enumerate(taken) if all(stop <= a or b <= start for a, b in r)), len(taken))
        if row == len(taken):
            if row >= (_HALT_ROWS if d.level is Level.HALT and d.kind != "act" else _ROWS):
                continue
            taken.append([])
        taken[row].append((start, stop))
        placed[d.id] = row, left, words
    # Rows in order of time: what comes first stands highest, so that stems cross few labels.
    firsts = sorted(range(len(taken)), key=lambda i: min(taken[i]))
    order = {row: at for at, row in enumerate(firsts)}
    return len(taken), {name: (order[row], left, words) for name, (row, left, words) in placed.items()}


def _listed(canvas: Canvas, decisions: Sequence[Decision], top: float, depth: float) -> float:
    """In a narrow picture: the labels as lines, and below them one row of shapes."""
    said = [d for d in decisions if _mark_words(d, canvas.span)]
    first = sorted(said, key=lambda d: (-_weight(d), -d.at))
    halts = sum(d.level is Level.HALT and d.kind != "act" for d in said)
    shown = {d.id for d in first[: max(_LISTED, min(halts, 2 * _LISTED))]}
    canvas.y = top
    for d in decisions:
        if d.id in shown:
            canvas.parts.append(_shape(d, canvas.layout.margin + 6, canvas.y + 8))
            canvas.lines(_mark_words(d, canvas.span), "", 2, canvas.layout.margin + 16)
    silent = [d for d in said if d.id not in shown]
    if silent:
        canvas.lines(_unlabelled(silent), x=canvas.layout.margin + 16)
    bottom = canvas.y + _ROW + 2
    for d in decisions:
        x = canvas.x(d.at)
        canvas.line(x, canvas.y + 14, x, bottom + depth, f"stem s-{d.level.word}")
        canvas.parts.append(node("g", node("title", _mark_hint(d)), _shape(d, x, canvas.y + 9)))
    return bottom


def _unlabelled(silent: Sequence[Decision]) -> str:
    """How many decisions have no label; halts among them are named."""
    halts = sum(d.level is Level.HALT and d.kind != "act" for d in silent)
    if halts:
        return tr("{n} without label, {halts} of a halt", n=len(silent), halts=halts)
    return tr("{n} without label", n=len(silent))


def _weight(d: Decision) -> int:
    """What has its label first: changes of the level to a halt, other findings of a halt, escalations, the rest."""
    if d.kind == "act":
        return 1 if d.level < d.was else 0
    rank = {Level.HALT: 6, Level.ESCALATE: 4, Level.WATCH: 2, Level.NORMAL: 1}[d.level]
    return rank + (1 if d.kind == "level" else 0)


def _mark_words(d: Decision, length: float) -> str:
    if d.reason is Reason.CLEARED:
        return ""  # the level strip shows it
    names = {"when": when(d.at, length), "reason": short_reason(d.reason), "level": level_word(d.level)}
    if d.kind == "flag":
        if d.unknown:
            return tr("unknown {when}: {reason}", when=names["when"], reason=names["reason"])
        return tr("known again {when}: {reason}", when=names["when"], reason=names["reason"])
    if d.reason is Reason.HARD_RULE and d.finding.rule:
        names["reason"] = tr("hard rule {rule}", rule=plain(d.finding.rule))
    if d.kind == "finding":
        return tr("{level} {when}: {reason} (further finding)", **names)
    if d.kind == "act" and d.level is d.was:  # on record, and the level stayed as it was
        return tr("{when}: {reason}", when=names["when"], reason=names["reason"])
    return tr("{level} {when}: {reason}", **names)


def _mark_hint(d: Decision) -> str:
    text = tr(
        "{when}: {was} to {level}, {reason}",
        when=stamp(d.at), was=level_word(d.was), level=level_word(d.level), reason=tr(REASONS[d.reason]),
    )  # fmt: skip
    numbers = evidence_sentence(d)
    return tr("{what}; {numbers}", what=text, numbers=numbers) if numbers else text


def _shape(d: Decision, x: float, y: float) -> Element:
    if d.kind == "flag":
        return diamond(d.level, x, y)
    stays = d.kind == "act" and d.level is d.was
    return node("rect", x=x - 4, y=y - 4, width=8, height=8, class_=d.level.word) if stays else shape(d.level, x, y)


def diamond(level: Level, x: float, y: float) -> Element:
    """The mark of the unknown flag."""
    return node("path", d=f"M{x:g} {y - 5:g}l5 5l-5 5l-5 -5z", class_=f"outline s-{level.word}")


def shape(level: Level, x: float, y: float) -> Element:
    """The mark of a level: its form differs, not only its colour."""
    if level is Level.HALT:
        corners = (
            (2.3, -5.5), (5.5, -2.3), (5.5, 2.3), (2.3, 5.5), (-2.3, 5.5), (-5.5, 2.3), (-5.5, -2.3), (-2.3, -5.5),
        )  # fmt: skip
        return node("polygon", points=" ".join(f"{x + dx:g},{y + dy:g}" for dx, dy in corners), class_="halt")
    if level is Level.ESCALATE:
        return node("path", d=f"M{x:g} {y - 5.5:g}l5.8 10h-11.6z", class_="escalate")
    if level is Level.WATCH:
        return node("circle", cx=x, cy=y, r=4.6, class_="watch")
    return node("rect", x=x - 4, y=y - 4, width=8, height=8, class_="normal")
