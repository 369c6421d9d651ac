"""The three plots of a panel: evidence with its threshold, quick detectors, observations with their limit."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from msgspec import Struct

from monitor.charter.spec import Charter, IndicatorSpec
from monitor.console.svg.canvas import LEFT, RIGHT, Canvas, edge_labels
from monitor.console.svg.scales import Scale, decades, round_ticks
from monitor.indicators import INDICATORS
from monitor.projections.formats import LN10, e_value, figure, moment, when
from monitor.projections.wording import plain

EVIDENCE_HEIGHT, QUICK_HEIGHT, COUNT_HEIGHT = 150.0, 56.0, 84.0
_BEYOND = 3.0  # the axis of evidence reaches to this multiple (in log) of the highest threshold


class Point(Struct, frozen=True):
    """One closed period as drawn: edges in ms, observation, scores, and whether data was missing."""

    start: int
    end: int
    kind: str
    k: float
    m: float
    unknown: str
    scores: dict[str, tuple[float, float]]


def evidence_plot(
    canvas: Canvas, names: Sequence[str], points: Sequence[Point], indicator: str, charter: Charter | None
) -> None:
    spec = spec_of(charter, indicator)
    top = canvas.y + 18
    bottom = top + EVIDENCE_HEIGHT
    values = [s for p in points for n, s in p.scores.items() if n in names]
    low = max(min(min(s[0] for s in values), log(0.1)), -3 * LN10)
    high = max(max(max(s) for s in values), LN10)
    # Evidence far above its threshold is drawn at the edge, so that threshold and crossing stay readable.
    high = min(high, _BEYOND * max(bar for _, bar in values))
    high += (high - low) * 0.12  # room for a label above the highest point
    y = Scale(low, high, bottom, top)
    canvas.text(
        LEFT,
        canvas.y + 12,
        "Evidence (e-value, logarithmic axis; 1 = no evidence, 10 times the value = 10 times the evidence)",
        "soft",
    )
    for value, label in decades(low, high):
        canvas.line(LEFT, y(value), RIGHT, y(value), "grid")
        canvas.text(LEFT - 6, y(value) + 4, label, "soft", "end")
    labels: list[tuple[float, str, str]] = []
    half = f" → {charter.responses.half_way}" if charter else ""
    for number, name in enumerate(names, start=1):
        line = [(p, p.scores[name]) for p in points if name in p.scores]
        ink = min(number, 3)
        thresholds = [(canvas.x(at), y(s[1])) for p, s in line for at in (p.start, p.end)]
        leads = _leads_to(spec, name)
        canvas.path(thresholds, f"bar s-{leads}" if leads else "bar")
        labels.append((y(line[-1][1][1]), f"threshold {e_value(line[-1][1][1])}{' → ' + leads if leads else ''}", "b"))
        if "e_process" in name:
            canvas.path([(canvas.x(at), y(s[1] / 2)) for p, s in line for at in (p.start, p.end)], "half")
            labels.append((y(line[-1][1][1] / 2), f"half-way {e_value(line[-1][1][1] / 2)}{half}", ""))
        canvas.path(_thin([(canvas.x(p.end), y(s[0])) for p, s in line]), f"line{ink}")
        peak, best = max(line, key=lambda ps: ps[1][0] - ps[1][1])
        canvas.parts.append(f'<circle cx="{canvas.x(peak.end):g}" cy="{y(best[0]):g}" r="3.6" class="ink{ink}"/>')
        left = canvas.x(peak.end) > LEFT + 150
        if len(names) == 1 or "e_process" in name:  # two labels would hide each other
            above = ", above this scale" if best[0] > high else ""
            canvas.text(
                canvas.x(peak.end) + (-8 if left else 8),
                y(best[0]) + (14 if 0 <= y(best[0]) - y(best[1]) < 22 or best[0] > high else -6),
                f"highest {e_value(best[0])}{above}, {_period_words(peak, canvas.x.high - canvas.x.low)}",
                f"b halo ink{ink}",
                "end" if left else "start",
            )
        if len(names) > 1:
            labels.append((y(line[-1][1][0]), plain(name), f"ink{ink}"))
    edge_labels(canvas, labels, top, bottom)
    canvas.line(LEFT, bottom, RIGHT, bottom, "axis")
    canvas.y = bottom + 4


def _leads_to(spec: IndicatorSpec | None, name: str) -> str:
    return next((w.level for w in spec.detectors if w.name == name), "") if spec else ""


def quick_plot(canvas: Canvas, names: Sequence[str], points: Sequence[Point]) -> None:
    top = canvas.y + 18
    bottom = top + QUICK_HEIGHT
    canvas.text(LEFT, canvas.y + 12, "Quick detectors (statistic in % of its threshold)", "soft")
    shares = {
        n: [(p, p.scores[n][0] / p.scores[n][1]) for p in points if p.scores.get(n, (0, 0))[1] > 0] for n in names
    }
    high = max([1.2, *[share for row in shares.values() for _, share in row]])
    y = Scale(0, high, bottom, top)
    canvas.line(LEFT, y(1), RIGHT, y(1), "bar")
    labels = [(y(1), "threshold", "b")]
    for number, (name, row) in enumerate(shares.items(), start=1):
        if row:
            ink = (number + 1) % 3 + 1
            canvas.path(_thin([(canvas.x(p.end), y(share)) for p, share in row]), f"line{ink}")
            labels.append((y(row[-1][1]), plain(name), f"ink{ink}"))
    for value in (0.0, 1.0):
        canvas.text(LEFT - 6, y(value) + 4, f"{value:.0%}", "soft", "end")
    edge_labels(canvas, labels, top, bottom)
    canvas.line(LEFT, bottom, RIGHT, bottom, "axis")
    canvas.y = bottom + 4


class _Limit(Struct, frozen=True):
    """The limit of the charter: `rate` per unit of exposure or trial (a value for gauges), with its uncertainty;
    `below`: a minimum."""

    rate: float
    below: bool

    def of(self, kind: str, m: float) -> float:
        """The limit for a period of exposure `m`: events, a proportion or a value."""
        return self.rate * m if kind == "count" else self.rate


def _limit(spec: IndicatorSpec | None) -> _Limit | None:
    """The limit as the indicator applies it (for example, handling times become rates)."""
    nominal = None if spec is None else spec.nominal()
    if spec is None or nominal is None:
        return None
    try:
        indicator = INDICATORS[spec.kind](spec)
    except (KeyError, ValueError):
        return None
    rate, below = getattr(indicator, "limit", nominal), getattr(indicator, "direction", spec.direction) == "below"
    room = 1 + (spec.exposure.uncertainty if spec.exposure else 0.0)
    return _Limit(rate / room if below else rate * room, below)


def count_plot(canvas: Canvas, points: Sequence[Point], spec: IndicatorSpec | None) -> None:
    top = canvas.y + 18
    bottom = top + COUNT_HEIGHT
    kind, limit = points[0].kind, _limit(spec)
    share = kind == "proportion"
    merged = _merge(points)
    tall = [(p, _seen(p), limit.of(kind, p.m) if limit else None) for p in merged]
    words = {"proportion": "Proportion", "gauge": "Value"}.get(kind, "Count")
    verb = "requires" if limit and limit.below else "allows"
    tail = f"; line: what the limit {verb}" if limit else ""
    canvas.text(LEFT, canvas.y + 12, f"{words} per {_length_words(points, merged)}{tail}", "soft")
    values = [v for _, seen, allowed in tall for v in (seen, allowed) if v is not None]
    y = Scale(min(0.0, *values) * 1.08, max(1e-9, *values) * 1.08, bottom, top)
    for tick in round_ticks(y.high):
        canvas.line(LEFT, y(tick), RIGHT, y(tick), "grid")
        canvas.text(LEFT - 6, y(tick) + 4, _written(tick, share), "soft", "end")
    for p, seen, allowed in tall:
        x1, x2 = canvas.x(p.start), canvas.x(p.end)
        gap = min(1.0, (x2 - x1) / 6)
        hint = f"{when(p.start, canvas.x.high - canvas.x.low)}: {_written(seen, share)}"
        css = "count"
        if limit and allowed is not None:
            hint += f", limit {verb} {_written(allowed, share)}"
            css = "over" if (seen < allowed if limit.below else seen > allowed) else "count"
        ends = sorted((y(seen), y(0)))
        canvas.rect(x1 + gap, ends[0], x2 - x1 - 2 * gap, round(ends[1] - ends[0], 1), css, hint)
    if limit:
        canvas.path([(canvas.x(at), y(a)) for p, _, a in tall if a is not None for at in (p.start, p.end)], "allow")
        last = limit.of(kind, merged[-1].m)
        canvas_word = f"{'at least' if limit.below else 'at most'} {_written(last, share)}"
        edge_labels(canvas, [(y(last), canvas_word, "b")], top, bottom)
    canvas.line(LEFT, y(0), RIGHT, y(0), "axis")
    canvas.y = bottom


def _seen(p: Point) -> float:
    return (p.k / p.m if p.m else 0.0) if p.kind == "proportion" else p.k


def _written(value: float, share: bool) -> str:
    return f"{value:.3g}".rstrip() if not share and 0 < abs(value) < 1 else f"{value:.0%}" if share else figure(value)


def _period_words(p: Point, length: float) -> str:
    if 28 <= (p.end - p.start) / 86_400_000 <= 31:
        return f"{moment(p.start):%B %Y}"
    return f"period from {when(p.start, length)}"


def _length_words(points: Sequence[Point], merged: Sequence[Point]) -> str:
    days = (points[0].end - points[0].start) / 86_400_000
    name = (
        "month"
        if 28 <= days <= 31
        else "week"
        if days == 7
        else "day"
        if days == 1
        else "hour"
        if days == 1 / 24
        else "period"
    )
    group = -(-len(points) // max(len(merged), 1))
    return name if group == 1 else f"{group} {name}s"


def _merge(points: Sequence[Point], most: int = 380) -> list[Point]:
    """At most `most` columns: neighbours are added up, so that a year of hours stays readable."""
    size = -(-len(points) // most)
    if size <= 1:
        return list(points)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [_sum(g) for g in groups]


def _sum(g: Sequence[Point]) -> Point:
    """Neighbours as one: counts and trials add up, values of a gauge are averaged."""
    k, m = sum(p.k for p in g), sum(p.m for p in g)
    if g[0].kind == "gauge":
        k, m = k / len(g), 1.0
    return Point(g[0].start, g[-1].end, g[0].kind, k, m, "", {})


def _thin(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """First, highest, lowest and last point of each pixel column: the same picture from a bounded number of points."""
    if len(line) <= 2 * (RIGHT - LEFT):
        return list(line)
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in line:
        columns.setdefault(int(point[0]), []).append(point)
    thin: list[tuple[float, float]] = []
    for column in columns.values():
        keep = {0, len(column) - 1}
        keep |= {
            min(range(len(column)), key=lambda i: column[i][1]),
            max(range(len(column)), key=lambda i: column[i][1]),
        }
        thin += [column[i] for i in sorted(keep)]
    return thin


def spec_of(charter: Charter | None, indicator: str) -> IndicatorSpec | None:
    if charter is None:
        return None
    return next((spec for spec in charter.indicators if spec.name == indicator), None)
