"""The strip above all panels: the level of the pilot over time, and when its state was unknown. And the legend."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.console.svg.canvas import Canvas, date_axis
from monitor.console.svg.elements import node
from monitor.console.svg.lettering import width
from monitor.console.svg.marks import diamond, marks, shape
from monitor.console.svg.series import GONE, NOT_ADMITTED, PAUSED, UNKNOWN, Stretch, stretches, unknown_times
from monitor.model.records import Decision, Level, Reason
from monitor.projections.evidence_words import period_words
from monitor.projections.formats import when
from monitor.projections.open_commands import LEFT
from monitor.projections.wording import level_word
from monitor.translation import tr

_HEIGHT = 22.0


def strip(canvas: Canvas, decisions: Sequence[Decision], unplaced: Sequence[Decision], end: int) -> None:
    """The level of the pilot over time, and above it the decisions without a panel (hard rules, flags, acts). A time
    that is unknown is hatched and called so, never `normal`; a pause and the time after the pilot left likewise."""
    shown = [d for d in unplaced if d.reason is not Reason.ADMITTED or d.kind == "level"]
    top = marks(canvas, shown, canvas.y, _HEIGHT)
    layout = canvas.layout
    canvas.text(layout.left - 8, top + 15, tr("level"), "soft", "end")
    flags = sorted(_flags(decisions, int(canvas.x.low), end))
    for start, stop, level in _levels(decisions, int(canvas.x.low), end):
        for part in _cut(Stretch(start, stop, ""), flags):
            _part(canvas, part, level, top)
    if decisions and not layout.narrow:
        canvas.text(layout.right + 8, top + 15, _ends(decisions), "b")
    canvas.y = top + _HEIGHT
    date_axis(canvas, canvas.y)
    canvas.y += 22
    if decisions and layout.narrow:
        canvas.lines(_ends(decisions), "b", x=layout.left)
    canvas.y += 24


def _part(canvas: Canvas, part: Stretch, level: Level, top: float) -> None:
    """A piece of the strip: the colour of the level, or hatching where the state was unknown or the pilot away. A level
    above normal keeps its colour under the hatching, as a halt stands also while nothing is known."""
    x1, x2 = canvas.x(part.start), canvas.x(part.end)
    word, name = tr(part.word) if part.word else "", level_word(level)
    period = {"start": when(part.start, canvas.span), "end": when(part.end, canvas.span)}
    if not part.word:
        words, css = name, "onlevel"
        canvas.rect(x1, top, x2 - x1, _HEIGHT, level.word, tr("{level} from {start} to {end}", level=name, **period))
    else:
        plain = level is Level.NORMAL or part.word in (tr(GONE), GONE, NOT_ADMITTED)
        words = word if plain else tr("{level}, {state}", level=name, state=word)
        hint = tr("{level} from {start} to {end}", level=words, **period)
        if plain:
            canvas.hatched(x1, top, x2, _HEIGHT, hint, frame=True)
            css = "halo b"
        else:
            canvas.rect(x1, top, x2 - x1, _HEIGHT, level.word, hint)
            canvas.hatched(x1, top, x2, _HEIGHT, hint)
            css = "onlevel"
    if x2 - x1 > width(words, bold=True) + 8:
        canvas.text(x1 + 5, top + 15, words, css, room=x2 - x1)
    elif word and x2 - x1 > width(word, bold=True) + 8:
        canvas.text(x1 + 5, top + 15, word, css, room=x2 - x1)


def _ends(decisions: Sequence[Decision]) -> str:
    last = decisions[-1]
    if last.reason in LEFT:
        return tr("left the sandbox")
    if last.unknown:
        return tr("ends at {level}, unknown", level=level_word(last.level))
    return tr("ends at {level}", level=level_word(last.level))


def _levels(decisions: Sequence[Decision], low: int, end: int) -> list[tuple[int, int, Level]]:
    moves = [d for d in decisions if d.level is not d.was]
    edges = [low, *[d.at for d in moves], end]
    levels = [
        moves[0].was if moves else (decisions[-1].level if decisions else Level.NORMAL),
        *[d.level for d in moves],
    ]
    return [
        (start, stop, level) for start, stop, level in zip(edges[:-1], edges[1:], levels, strict=True) if start < stop
    ]


def _flags(decisions: Sequence[Decision], low: int, end: int) -> list[Stretch]:
    """When the state was unknown, and when the pilot was paused or not in the sandbox."""
    found = [one for one in stretches(decisions) if one.word in (PAUSED, GONE)]
    admitted = next((d.at for d in decisions if d.reason is Reason.ADMITTED), None)
    if admitted is not None and decisions[0].was is Level.NORMAL and decisions[0].standing <= 1:
        found.append(Stretch(low, admitted, NOT_ADMITTED))
    found += [
        piece
        for one in unknown_times(decisions, end)
        for piece in _cut(one, sorted(s for s in found if s.word != UNKNOWN))
        if piece.word == UNKNOWN
    ]
    return [Stretch(max(one.start, low), min(one.end, end), one.word) for one in found]


def _cut(whole: Stretch, flags: Sequence[Stretch]) -> list[Stretch]:
    """A stretch in pieces along others, which have precedence. These do not overlap."""
    pieces, at = [], whole.start
    for one in flags:
        start, stop = max(one.start, at), min(one.end, whole.end)
        if start >= stop:
            continue
        if start > at:
            pieces.append(Stretch(at, start, whole.word))
        pieces.append(Stretch(start, stop, one.word))
        at = stop
    return [*pieces, Stretch(at, whole.end, whole.word)] if at < whole.end else pieces


def legend(canvas: Canvas) -> None:
    """What the marks mean; wraps to the width of the picture."""
    layout = canvas.layout
    items = [
        (shape(level, 0, 0), words)
        for level, words in (
            (Level.WATCH, level_word(Level.WATCH)),
            (Level.ESCALATE, level_word(Level.ESCALATE)),
            (Level.HALT, level_word(Level.HALT)),
            (Level.NORMAL, tr("cleared or other")),
        )
    ]
    items.append((diamond(Level.NORMAL, 0, 0), tr("unknown begins or ends")))
    hatch = node("rect", x=-7, y=-6, width=14, height=12, fill=f"url(#{canvas.hatch})")
    items.append((hatch, tr("no data, data missing, unknown or paused")))
    x, y = layout.margin + 8, canvas.y
    for sign, words in items:
        room = 12 + width(words) + 18
        if x > layout.margin + 8 and x + room > layout.width:
            x, y = layout.margin + 8, y + 17
        canvas.parts.append(node("g", sign, transform=f"translate({x:g} {y:g})"))
        canvas.text(x + 12, y + 4, words, "soft")
        x += room
    canvas.y = y + 8
    canvas.lines(
        tr("Mark: time of the decision. Evidence: end of its period, which closes later, so a mark can come later.")
    )


def stretch_words(one: Stretch) -> str:
    """A time without data in words."""
    return tr("{what}: {when}", what=tr(one.word), when=period_words(one.start, one.end))
