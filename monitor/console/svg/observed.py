"""The plot of what was observed: a column for each period, in the unit of the indicator, with what the limit allows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from monitor.charter.spec import IndicatorSpec
from monitor.console.svg.canvas import Canvas, Label, date_axis, labels_of_lines
from monitor.console.svg.plots import heading, shade
from monitor.console.svg.scales import Scale, round_ticks
from monitor.console.svg.series import Point, Stretch, connected
from monitor.projections.evidence_words import period_words
from monitor.projections.formats import figure, percent
from monitor.projections.measures import (
    Measure,
    MeasureKind,
    Scaled,
    compares_segments,
    duration_scale,
    measure_of,
    unit_words,
)
from monitor.translation import mark, tr

OBSERVED_HEIGHT = 84.0
COLUMNS = 380  # more periods are added up, so that a year of hours stays readable
_DAY = 86_400_000

_ALLOWS = mark("{observed}, limit allows {limit}")
HEADINGS: dict[MeasureKind, str] = {
    "count": mark("Count {per}"),
    "share": mark("Share {per}"),
    "duration": mark("Mean time {per}, in {unit}"),
    "money": mark("Amount {per}, in {unit}"),
    "gain": mark("Gain {per}"),
    "value": mark("Value {per}"),
}


def observed_plot(canvas: Canvas, points: Sequence[Point], gaps: Sequence[Stretch], spec: IndicatorSpec | None) -> None:
    """Draw the columns; those on the wrong side of the limit in another colour, with a hint of their numbers."""
    measure, layout = measure_of(spec, points[0].kind), canvas.layout
    columns = merged(points)
    tall = [(p, measure.value(p.k, p.m), measure.allowed(p.m)) for p in columns]
    values = [v for _, seen, allowed in tall for v in (seen, allowed) if v is not None] or [0.0]
    scale = measure.scale(values)
    words = tr(HEADINGS[measure.kind], per=length_words(points, columns), unit=scale.unit)
    if measure.limit is not None:
        words = (
            tr("{what}; line: the least that the limit requires", what=words)
            if measure.below
            else tr("{what}; line: the most that the limit allows", what=words)
        )
    heading(canvas, words)
    top, bottom = canvas.y, canvas.y + OBSERVED_HEIGHT
    low, high = min(0.0, *values) * 1.08, max(0.0, *values) * 1.08
    y = Scale(low, high if high > low else 1.0, bottom, top)
    for tick in round_ticks(y.high / scale.by, y.low / scale.by):
        canvas.line(layout.left, y(tick * scale.by), layout.right, y(tick * scale.by), "grid")
        suffix = " %" if scale.unit == "%" else ""
        canvas.text(layout.left - 6, y(tick * scale.by) + 4, figure(tick) + suffix, "soft", "end")
    for stretch in gaps:
        shade(canvas, stretch, top, bottom - top)
    for p, seen, allowed in tall:
        _column(canvas, y, p, seen, allowed, measure, scale)
    labels = _limit_line(canvas, y, tall, measure, scale)
    canvas.line(layout.left, y(0), layout.right, y(0), "axis")
    date_axis(canvas, bottom)
    labels_of_lines(canvas, labels, top, bottom, 20.0)


def _column(
    canvas: Canvas, y: Scale, p: Point, seen: float | None, allowed: float | None, measure: Measure, scale: Scaled
) -> None:
    x1, x2 = canvas.x(p.start), canvas.x(p.end)
    gap = min(1.0, (x2 - x1) / 6)
    hint = f"{period_words(p.start, p.end)}: {observed_words(measure, scale, p.k, p.m)}"
    if allowed is not None:
        hint = (
            tr("{observed}, limit requires {limit}", observed=hint, limit=scale.write(allowed))
            if measure.below
            else tr("{observed}, limit allows {limit}", observed=hint, limit=scale.write(allowed))
        )
    if seen is None:
        if measure.kind == "duration" and p.m:  # nothing ended: the mean is not known, and longer than any
            canvas.rect(x1 + gap, y.stop, x2 - x1 - 2 * gap, y(0) - y.stop, "open", hint)
        return
    css = "over" if measure.violated(seen, p.m) else "count"
    ends = sorted((y(seen), y(0)))
    canvas.rect(x1 + gap, ends[0], x2 - x1 - 2 * gap, round(ends[1] - ends[0], 1), css, hint)


def _limit_line(
    canvas: Canvas,
    y: Scale,
    tall: Sequence[tuple[Point, float | None, float | None]],
    measure: Measure,
    scale: Scaled,
) -> list[Label]:
    """What the limit allows in each column; it breaks where a period is missing."""
    if measure.limit is None:
        return []
    joined = connected([p for p, _, _ in tall])
    piece: list[tuple[float, float]] = []
    before: Point | None = None
    for p, _, allowed in tall:
        if before is not None and not joined(before, p):
            canvas.path(piece, "allow")
            piece = []
        if allowed is not None:
            piece += [(canvas.x(p.start), y(allowed)), (canvas.x(p.end), y(allowed))]
        before = p
    canvas.path(piece, "allow")
    last = measure.allowed(tall[-1][0].m) or 0.0
    words = (
        tr("at least {limit}", limit=scale.write(last))
        if measure.below
        else tr("at most {limit}", limit=scale.write(last))
    )
    return [Label(y(last), words, "b", "allow")]


def observed_words(measure: Measure, scale: Scaled, k: float, m: float) -> str:
    """What was observed in a period."""
    value = measure.value(k, m)
    if value is not None:
        return scale.write(value)
    return tr("none resolved") if measure.kind == "duration" else tr("no cases")


def limit_words(spec: IndicatorSpec | None, kind: str) -> str:
    """The limit as the charter states it, with its unit; empty without one."""
    if spec is None or (nominal := spec.nominal()) is None:
        return ""
    if compares_segments(spec):
        return tr("limit {times} times the rate of the other segments", times=figure(nominal))
    measure = measure_of(spec, kind)
    if measure.kind != "count" or spec.exposure is None:
        value = figure(nominal) if measure.kind == "count" else measure.write(measure.limit or 0.0)
        return tr("limit at least {value}", value=value) if measure.below else tr("limit {value}", value=value)
    unit = unit_words(spec.exposure.unit)
    if spec.baseline is not None:
        b = spec.baseline
        words = tr(
            "limit {times} times the baseline of {events} per {exposure} {unit}",
            times=figure(b.times), events=figure(b.events), exposure=figure(b.exposure), unit=unit,
        )  # fmt: skip
    else:
        words = tr("limit {value} per {per} {unit}", value=figure(nominal), per=figure(spec.per), unit=unit)
    if spec.exposure.uncertainty:
        words = tr("{limit} (exposure known to ±{share})", limit=words, share=percent(spec.exposure.uncertainty))
    return words


def length_words(points: Sequence[Point], columns: Sequence[Point]) -> str:
    """How long a column is: a month, a week, a day, an hour, or several."""
    length = points[0].end - points[0].start
    n = -(-len(points) // max(len(columns), 1))
    if 28 * _DAY <= length <= 31 * _DAY:
        return tr("per month") if n == 1 else tr("per {n} months", n=n)
    if length == 7 * _DAY:
        return tr("per week") if n == 1 else tr("per {n} weeks", n=n)
    if length == _DAY:
        return tr("per day") if n == 1 else tr("per {n} days", n=n)
    if length == _DAY // 24:
        return tr("per hour") if n == 1 else tr("per {n} hours", n=n)
    return tr("per {time}", time=duration_scale(n * length / 1000).write(n * length / 1000))


def merged(points: Sequence[Point], most: int = COLUMNS) -> list[Point]:
    """At most about `most` columns: neighbours are added up, but never over a time without periods."""
    size = -(-len(points) // most)
    if size <= 1:
        return list(points)
    joined = connected(points)
    groups: list[list[Point]] = [[points[0]]]
    for before, point in pairwise(points):
        if len(groups[-1]) < size and joined(before, point):
            groups[-1].append(point)
        else:
            groups.append([point])
    return [_sum(group) for group in groups]


def _sum(group: Sequence[Point]) -> Point:
    """Neighbours as one: counts and trials add up, values of a gauge are averaged."""
    k, m = sum(p.k for p in group), sum(p.m for p in group)
    if group[0].kind == "gauge":
        k, m = k / len(group), 1.0
    return Point(group[0].start, group[-1].end, group[0].kind, k, m, "", {})
