"""The plots of evidence: e-values with their threshold, and quick detectors in per cent of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from monitor.charter.spec import Charter, IndicatorSpec
from monitor.console.svg.canvas import Canvas, Label, labels_of_lines
from monitor.console.svg.lettering import width, wrap
from monitor.console.svg.scales import Scale, decades
from monitor.console.svg.series import Point, Stretch, runs, unscored
from monitor.projections.detector_words import detector_words
from monitor.projections.evidence_words import period_words
from monitor.projections.formats import LN10, e_value, percent
from monitor.projections.measures import spec_of
from monitor.projections.wording import LEVEL_WORDS
from monitor.translation import tr

EVIDENCE_HEIGHT, QUICK_HEIGHT = 150.0, 56.0
_BEYOND = 3.0  # the axis of evidence reaches to this multiple (in log) of the highest threshold


def heading(canvas: Canvas, words: str) -> None:
    """The heading of a plot, above it; moves `y` below it."""
    layout = canvas.layout
    x = layout.margin if layout.narrow else layout.left
    for line in wrap(words, layout.width - x - 8, 2):
        canvas.text(x, canvas.y + 12, line, "soft")
        canvas.y += 15
    canvas.y += 3


def evidence_plot(
    canvas: Canvas,
    names: Sequence[str],
    points: Sequence[Point],
    gaps: Sequence[Stretch],
    indicator: str,
    charter: Charter | None,
) -> None:
    """The e-values of detectors on a logarithmic axis, each with its threshold. A line breaks where a period is missing
    and where a statistic began again, and is dotted over periods with data missing."""
    heading(canvas, tr("Evidence (e-value, logarithmic axis; 1 = no evidence, 10 times the value = 10 times as much)"))
    layout, spec = canvas.layout, spec_of(charter, indicator)
    top, bottom = canvas.y, canvas.y + EVIDENCE_HEIGHT
    values = [s for p in points for n, s in p.scores.items() if n in names]
    low = max(min(min(s[0] for s in values), log(0.1)), -3 * LN10)
    high = max(max(max(s) for s in values), LN10)
    # Evidence far above its threshold is drawn at the edge, so that threshold and crossing stay readable.
    high = min(high, _BEYOND * max(bar for _, bar in values))
    high += (high - low) * 0.12  # room for a label above the highest point
    y = Scale(low, high, bottom, top)
    for value, label in decades(low, high):
        canvas.line(layout.left, y(value), layout.right, y(value), "grid")
        canvas.text(layout.left - 6, y(value) + 4, label, "soft", "end")
    for stretch in (*gaps, *unscored(points, names)):
        shade(canvas, stretch, top, bottom - top)
    labels: list[Label] = []
    for number, name in enumerate(names, start=1):
        pieces = runs(points, name)
        _thresholds(canvas, y, pieces, name, spec, charter, labels)
        ink = min(number, 3)
        for piece in pieces:
            line_of(canvas, [(canvas.x(p.end), y(p.scores[name][0]), bool(p.unknown)) for p in piece], f"line{ink}")
        if len(names) > 1:
            labels.append(Label(y(pieces[-1][-1].scores[name][0]), detector_words(name), f"ink{ink}", f"line{ink}"))
    if len(names) == 1 or any("e_process" in name for name in names):  # two labels would hide each other
        number, name = next((i, n) for i, n in enumerate(names, start=1) if len(names) == 1 or "e_process" in n)
        _highest(canvas, y, [p for p in points if name in p.scores], name, number)
    canvas.line(layout.left, bottom, layout.right, bottom, "axis")
    labels_of_lines(canvas, labels, top, bottom)
    canvas.y += 4


def _thresholds(
    canvas: Canvas,
    y: Scale,
    pieces: Sequence[Sequence[Point]],
    name: str,
    spec: IndicatorSpec | None,
    charter: Charter | None,
    labels: list[Label],
) -> None:
    """The threshold of a detector as steps, and half of it (in log) where that is a finding."""
    steps: list[tuple[float, float]] = []
    for piece in pieces:
        bar = piece[0].scores[name][1]
        if steps:
            steps.append((canvas.x(piece[0].start), steps[-1][1]))
        steps += [(canvas.x(piece[0].start), bar), (canvas.x(piece[-1].end), bar)]
    leads = next((w.level for w in spec.detectors if w.name == name), "") if spec else ""
    css = f"bar s-{leads}" if leads else "bar"
    canvas.path([(x, y(bar)) for x, bar in steps], css)
    last = steps[-1][1]
    words = tr("threshold {value}", value=e_value(last))
    if leads:
        words = tr("threshold {value} → {level}", value=e_value(last), level=tr(LEVEL_WORDS[leads]))
    labels.append(Label(y(last), words, "b", css))
    if "e_process" not in name:
        return
    canvas.path([(x, y(bar / 2)) for x, bar in steps], "half")
    words = tr("half-way {value}", value=e_value(last / 2))
    if charter is not None:
        level = tr(LEVEL_WORDS[charter.responses.half_way])
        words = tr("half-way {value} → {level}", value=e_value(last / 2), level=level)
    labels.append(Label(y(last / 2), words, "", "half"))


def _highest(canvas: Canvas, y: Scale, line: Sequence[Point], name: str, number: int) -> None:
    """A dot and a label at the highest value of a line."""
    layout, ink = canvas.layout, f"ink{min(number, 3)}"
    peak = max(line, key=lambda p: p.scores[name][0])
    best, bar = peak.scores[name]
    at, height = canvas.x(peak.end), y(best)
    canvas.dot(at, height, ink)
    names = {"value": e_value(best), "period": period_words(peak.start, peak.end)}
    words = tr("highest {value}, {period}", **names)
    if best > y.high:
        words = tr("highest {value}, above this scale, {period}", **names)
    if width(words, bold=True) > layout.right - layout.left:
        words = tr("highest {value}", value=names["value"])
    below = 0 <= height - y(bar) < 22 or best > y.high  # where a label above would lie on the threshold
    room = width(words, bold=True)
    x = at - room - 8 if at > layout.left + 150 else at + 8
    x = max(min(x, layout.right - room), layout.left + 2)
    canvas.text(x, height + (14 if below else -6), words, f"b halo {ink}")


def quick_plot(canvas: Canvas, names: Sequence[str], points: Sequence[Point], gaps: Sequence[Stretch]) -> None:
    """The statistics of quick detectors in per cent of their thresholds."""
    heading(canvas, tr("Quick detectors (statistic in % of its threshold)"))
    layout = canvas.layout
    top, bottom = canvas.y, canvas.y + QUICK_HEIGHT
    shares = {
        n: [[(p, p.scores[n][0] / p.scores[n][1]) for p in piece if p.scores[n][1] > 0] for piece in runs(points, n)]
        for n in names
    }
    every = [share for pieces in shares.values() for piece in pieces for _, share in piece]
    y = Scale(0, max([1.2, *every]), bottom, top)
    for stretch in gaps:
        shade(canvas, stretch, top, bottom - top)
    canvas.line(layout.left, y(1), layout.right, y(1), "bar")
    labels = [Label(y(1), tr("threshold"), "b", "bar")]
    for number, (name, pieces) in enumerate(shares.items(), start=1):
        ink = (number + 1) % 3 + 1
        for piece in pieces:
            line_of(canvas, [(canvas.x(p.end), y(share), bool(p.unknown)) for p, share in piece], f"line{ink}")
        if pieces and pieces[-1]:
            labels.append(Label(y(pieces[-1][-1][1]), detector_words(name), f"ink{ink}", f"line{ink}"))
    for value in (0.0, 1.0) if y(0) - y(1) > 12 else (1.0,):
        canvas.text(layout.left - 6, y(value) + 4, percent(value), "soft", "end")
    canvas.line(layout.left, bottom, layout.right, bottom, "axis")
    labels_of_lines(canvas, labels, top, bottom)
    canvas.y += 4


def shade(canvas: Canvas, stretch: Stretch, top: float, height: float) -> None:
    """Hatch a time without data, with its word where there is room."""
    x1, x2 = canvas.x(stretch.start), canvas.x(stretch.end)
    words = tr(stretch.word)
    when = period_words(stretch.start, int(min(stretch.end, canvas.x.high)))
    canvas.hatched(x1, top, x2, height, tr("{what}: {when}", what=words, when=when))
    if x2 - x1 > width(words) + 6:
        canvas.text((x1 + x2) / 2, top + height / 2 + 4, words, "soft halo", "middle")


def line_of(canvas: Canvas, points: Sequence[tuple[float, float, bool]], css: str) -> None:
    """A line through (x, y, unknown): dotted towards an unknown point, thinned to a bounded number of points."""
    start = 0
    for at in range(1, len(points) + 1):
        if at < len(points) and (at == start + 1 or points[at][2] == points[at - 1][2]):
            continue
        piece = points[start:at]
        dotted = " part" if piece[-1][2] else ""
        canvas.path(_thin([(x, y) for x, y, _ in piece], canvas.layout.right - canvas.layout.left), css + dotted)
        start = at - 1
        if at == len(points):
            return


def _thin(line: Sequence[tuple[float, float]], columns: float) -> list[tuple[float, float]]:
    """First, highest, lowest and last point of each pixel column: the same picture from a bounded number of points."""
    if len(line) <= 2 * columns:
        return list(line)
    found: dict[int, list[tuple[float, float]]] = {}
    for point in line:
        found.setdefault(int(point[0]), []).append(point)
    thin: list[tuple[float, float]] = []
    for column in found.values():
        keep = {0, len(column) - 1}
        keep |= {
            min(range(len(column)), key=lambda i: column[i][1]),
            max(range(len(column)), key=lambda i: column[i][1]),
        }
        thin += [column[i] for i in sorted(keep)]
    return thin
