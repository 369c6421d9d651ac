"""Draws one pilot as a picture: evidence against its bar over time, what was counted, what was decided.

Small multiples, one panel per indicator and segment. Each panel shows, from top to bottom: the decisions on this
indicator; the evidence (e-values on a logarithmic axis) with its bar and the half-way line; quick detectors as a share
of their own bar; the observations beside what the limit allows. Unknown periods are hatched. A strip above all panels
shows the level of the pilot.

The picture is one standalone SVG text without scripts or outside parts: it opens in a browser, goes into a page, follows
its reader's light or dark setting, says in words what it shows, and never relies on colour alone. Equal input gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import log

from msgspec import Struct

from monitor.charter import Charter, IndicatorSpec
from monitor.console.scales import LN10, Scale, date_ticks, day, decades, e_value, figure, moment, round_ticks, stamp
from monitor.indicators import INDICATORS
from monitor.model import Decision, Evidence, Level, Reason, digest

WIDTH = 1000.0
LEFT, RIGHT = 66.0, 842.0
_EVIDENCE_HEIGHT, _QUICK_HEIGHT, _COUNT_HEIGHT = 150.0, 56.0, 84.0
_BEYOND = 3.0  # how many times (in log) the highest bar the axis of evidence reaches
_ROW = 17.0  # of decision labels
_ROWS = 5
_CHARACTER = 6.1  # rough width at 11 px; labels only need to keep apart

_STYLE = """
.smp{--ink:#1d2733;--soft:#5a6675;--grid:#dfe4ea;--paper:#ffffff;--line1:#1f5fa8;--line2:#7a3f9d;--line3:#0f766e;
--count:#a9b8c9;--over:#c46a4a;--allow:#1d2733;--bar:#b3202a;--normal:#5b8a72;--watch:#b8860b;--escalate:#cf5a10;--halt:#b3202a;--hatch:#98a4b3}
@media (prefers-color-scheme:dark){.smp{--ink:#e8edf3;--soft:#a3afbd;--grid:#313c49;--paper:#141a21;--line1:#7db3f0;--line2:#c79be6;--line3:#5fc9bd;
--count:#4f6177;--over:#d98a6c;--allow:#e8edf3;--bar:#ff7b7b;--normal:#79b395;--watch:#e0b341;--escalate:#ff9a4d;--halt:#ff7b7b;--hatch:#66758a}}
.smp text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-size:11px;fill:var(--ink)}
.smp .soft{fill:var(--soft)}.smp .h1{font-size:17px;font-weight:600}.smp .h2{font-size:13.5px;font-weight:600}.smp .b{font-weight:600}.smp .note{font-size:11px;font-weight:400}
.smp .paper{fill:var(--paper)}.smp .grid{stroke:var(--grid);stroke-width:1}.smp .axis{stroke:var(--soft);stroke-width:1}
.smp .line1,.smp .line2,.smp .line3{fill:none;stroke-width:2;stroke-linejoin:round}
.smp .line1{stroke:var(--line1)}.smp .line2{stroke:var(--line2)}.smp .line3{stroke:var(--line3)}
.smp .ink1{fill:var(--line1)}.smp .ink2{fill:var(--line2)}.smp .ink3{fill:var(--line3)}
.smp .bar{fill:none;stroke:var(--bar);stroke-width:1.6;stroke-dasharray:7 4}.smp .half{fill:none;stroke:var(--bar);stroke-width:1.1;stroke-dasharray:2 4}
.smp .barword{fill:var(--bar)}.smp .halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
.smp .bar.s-escalate,.smp .half.s-escalate{stroke:var(--escalate)}.smp .bar.s-watch{stroke:var(--watch)}.smp .bar.s-halt{stroke:var(--halt)}
.smp .count{fill:var(--count)}.smp .over{fill:var(--over)}.smp .allow{fill:none;stroke:var(--allow);stroke-width:1.5}
.smp .normal{fill:var(--normal)}.smp .watch{fill:var(--watch)}.smp .escalate{fill:var(--escalate)}.smp .halt{fill:var(--halt)}
.smp .stem{stroke-width:1.2;stroke-dasharray:1 3}.smp .outline{fill:none;stroke-width:1.6}.smp .s-normal{stroke:var(--normal)}.smp .s-watch{stroke:var(--watch)}.smp .s-escalate{stroke:var(--escalate)}
.smp .s-halt{stroke:var(--halt)}.smp .hatch{stroke:var(--hatch);stroke-width:1.4}.smp .onlevel{fill:#fff;font-weight:600}
@media (prefers-color-scheme:dark){.smp .onlevel{fill:#10151b}}
"""


class Point(Struct, frozen=True):
    """One closed period as drawn: edges in ms, observation, scores, and whether anything of it was missing."""

    start: int
    end: int
    kind: str
    k: float
    m: float
    unknown: str
    scores: dict[str, tuple[float, float]]


class _Canvas:
    """Collects the marks from top to bottom and knows how far down they reach."""

    def __init__(self, x: Scale, hatch: str) -> None:
        self.parts: list[str] = []
        self.y = 0.0
        self.x = x
        self.hatch = hatch

    def text(self, x: float, y: float, words: str, css: str = "", anchor: str = "start") -> None:
        style = f' class="{css}"' if css else ""
        end = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.parts.append(f'<text x="{x:g}" y="{y:g}"{style}{end}>{escape(words)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self.parts.append(f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{css}"/>')

    def rect(self, x: float, y: float, width: float, height: float, css: str, hint: str = "") -> None:
        inside = f"<title>{escape(hint)}</title></rect>" if hint else "</rect>"
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{max(width, 0.5):g}" height="{height:g}" class="{css}">{inside}'
        )

    def path(self, points: Iterable[tuple[float, float]], css: str) -> None:
        line = list(points)  # of a flat stretch only the ends are written
        kept = [
            p for i, p in enumerate(line) if i in (0, len(line) - 1) or not line[i - 1][1] == p[1] == line[i + 1][1]
        ]
        steps = " ".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(kept))
        self.parts.append(f'<path d="{steps}" class="{css}"/>')


def picture(
    title: str, evidence: Sequence[Evidence], decisions: Sequence[Decision], charter: Charter | None = None
) -> str:
    """A standalone SVG of one pilot: `evidence` are its closed periods, `decisions` its record, both in any order.

    With the pilot's `charter` the observations are drawn beside what its limits allow, and bars say what they lead to.
    Nothing to draw gives a picture that says so. Never raises on finite records.
    """
    decisions = sorted(decisions, key=lambda d: (d.at, d.standing))
    panels = _panels(evidence)
    stretch = [p for points in panels.values() for p in points]
    times = [p.start for p in stretch] + [p.end for p in stretch] + [d.at for d in decisions if d.at > 0]
    low, high = (min(times), max(times)) if times else (0, 1)
    if decisions and not stretch:
        low, high = low - 3_600_000, high + 3_600_000
    name = "smp-" + digest(title, repr(list(evidence)), repr(decisions))[:10]
    canvas = _Canvas(Scale(low, high, LEFT, RIGHT), name + "-h")

    canvas.text(LEFT - 50, 28, title, "h1")
    canvas.text(LEFT - 50, 46, _verdict(panels, decisions), "soft")
    canvas.y = 60.0
    if not times:
        canvas.text(LEFT - 50, 46, "No period has closed and nothing was decided yet.", "soft")
        canvas.y = 76.0
    else:
        _strip(
            canvas, decisions, [d for d in decisions if (d.finding.indicator, d.finding.segment) not in panels], high
        )
    own = {key: [d for d in decisions if (d.finding.indicator, d.finding.segment) == key] for key in panels}
    # What moved the pilot furthest comes first; sorting is stable, so the rest stays in order of name.
    for key in sorted(panels, key=lambda k: -max((d.level for d in own[k] if d.kind == "level"), default=Level.NORMAL)):
        _panel(canvas, *key, panels[key], own[key], charter)
    if times:
        _legend(canvas)
    height = canvas.y + 8
    words = describe(title, evidence, decisions)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="smp" viewBox="0 0 {WIDTH:g} {height:g}" width="{WIDTH:g}" '
        f'height="{height:g}" style="max-width:100%;height:auto" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(words)}</desc>'
        f"<style>{_STYLE}</style>"
        f'<defs><pattern id="{name}-h" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<line x1="0" y1="0" x2="0" y2="7" class="hatch"/></pattern></defs>'
        f'<rect class="paper" width="{WIDTH:g}" height="{height:g}"/>' + "\n".join(canvas.parts) + "</svg>\n"
    )


def _legend(canvas: _Canvas) -> None:
    x, y = LEFT - 44, canvas.y
    for level, words in (
        (Level.WATCH, "watch"),
        (Level.ESCALATE, "escalate"),
        (Level.HALT, "halt"),
        (Level.NORMAL, "cleared or other"),
    ):
        canvas.parts.append(_mark(level, x, y))
        canvas.text(x + 10, y + 4, words, "soft")
        x += 26 + len(words) * _CHARACTER
    canvas.parts.append(_diamond(Level.NORMAL, x, y))
    canvas.text(x + 10, y + 4, "unknown begins or ends", "soft")
    x += 158
    canvas.parts.append(f'<rect x="{x - 7:g}" y="{y - 6:g}" width="14" height="12" fill="url(#{canvas.hatch})"/>')
    canvas.text(x + 12, y + 4, "unknown period", "soft")
    canvas.text(
        LEFT - 50,
        y + 21,
        "A mark stands at the day on which the decision could be taken; evidence stands at the end of the period it speaks of, which closes later.",
        "soft",
    )
    canvas.y += 26


def describe(title: str, evidence_records: Sequence[Evidence], decisions: Sequence[Decision]) -> str:
    """The picture in words: for each panel the strongest evidence and its bar, then the moves of the level."""
    sentences = [f"{title}."]
    for (indicator, segment), points in _panels(evidence_records).items():
        sentences.append(f"{_heading(indicator, segment)}: {len(points)} periods, {_say_unknown(points)}.")
        for detector in _detectors(points):
            at, (statistic, bar) = max(
                ((p.start, p.scores[detector]) for p in points if detector in p.scores), key=lambda s: s[1][0] - s[1][1]
            )
            value, limit = (
                (e_value(statistic), e_value(bar)) if is_evidence(detector) else (figure(statistic), figure(bar))
            )
            verdict = "reached" if statistic >= bar else "not reached"
            sentences.append(
                f"{_plain(detector)}: closest to its bar {value} of {limit} in the period from {day(at)}, {verdict}."
            )
    moves = [d for d in decisions if d.kind == "level"]
    sentences += [f"{day(d.at)}: {d.was.word} to {d.level.word}, {_plain(d.reason)}." for d in moves]
    if not moves:
        sentences.append("The level never changed.")
    return " ".join(sentences)


def is_evidence(detector: str) -> bool:
    """Whether a detector of this name speaks in e-values (natural logarithms), rather than in units of its own."""
    return "e_process" in detector or "e_detector" in detector or "e_value" in detector


def _panels(records: Sequence[Evidence]) -> dict[tuple[str, str], list[Point]]:
    """Points by indicator and segment, in order of time. A late revision adds its events to the period it speaks of, and
    its scores count where they are higher than those that stood when the period closed."""
    grid: dict[tuple[str, str], dict[int, Point]] = {}
    for e in sorted(records, key=lambda e: e.late):
        row = grid.setdefault((e.indicator, e.segment), {})
        old = row.get(e.start)
        if old is None or not e.late:
            row[e.start] = Point(e.start, e.end, e.kind, e.k, e.m, e.unknown, dict(e.scores))
            continue
        higher = {n: s for n, s in e.scores.items() if n not in old.scores or s[0] > old.scores[n][0]}
        row[e.start] = Point(e.start, e.end, e.kind, old.k + e.k, old.m + e.m, old.unknown, old.scores | higher)
    return {key: [row[start] for start in sorted(row)] for key, row in sorted(grid.items())}


def _verdict(panels: dict[tuple[str, str], list[Point]], decisions: Sequence[Decision]) -> str:
    """One line for a reader in a hurry: how high the level ever stood, and the evidence nearest to a limit's bar."""
    if not panels and not decisions:
        return ""
    moves = [d for d in decisions if d.kind == "level" and d.level > d.was]
    words = "Never left normal." if not moves else ""
    for level in (Level.HALT, Level.ESCALATE, Level.WATCH):
        first = next((d for d in moves if d.level is level), None)
        if first is not None:
            words = f"Highest level: {level.word}, first on {day(first.at)} ({_plain(first.reason)})."
            break
    scored = [
        (s[0] - s[1], s, _heading(*key))
        for key, points in panels.items()
        for p in points
        for name, s in p.scores.items()
        if "e_process" in name
    ]
    if scored:
        _, (statistic, bar), where = max(scored)
        verdict = "reached" if statistic >= bar else "not reached"
        words += (
            f" Strongest evidence of a broken limit: {e_value(statistic)} of {e_value(bar)} ({where}), bar {verdict}."
        )
    return words.strip()


def _detectors(points: Sequence[Point]) -> list[str]:
    return sorted({name for p in points for name in p.scores}, key=lambda n: (not is_evidence(n), n))


def _spec(charter: Charter | None, indicator: str) -> IndicatorSpec | None:
    if charter is None:
        return None
    return next((spec for spec in charter.indicators if spec.name == indicator), None)


def _plain(word: str) -> str:
    return word.replace("_", " ")


def _heading(indicator: str, segment: str) -> str:
    return _plain(indicator) + (f", {segment}" if segment else "")


def _say_unknown(points: Sequence[Point]) -> str:
    missing = sum(1 for p in points if p.unknown)
    return f"{missing} of them unknown" if missing else "none unknown"


def _strip(canvas: _Canvas, decisions: Sequence[Decision], unplaced: Sequence[Decision], end: int) -> None:
    """The level of the pilot over time, and above it the decisions that belong to no panel (hard rules, flags, acts)."""
    top = _marks(canvas, [d for d in unplaced if d.reason is not Reason.ADMITTED or d.kind == "level"], canvas.y, 22)
    canvas.text(LEFT - 8, top + 15, "level", "soft", "end")
    moves = [d for d in decisions if d.kind == "level"]
    edges = [canvas.x.low, *[float(d.at) for d in moves], float(end)]
    levels = [
        moves[0].was if moves else (decisions[-1].level if decisions else Level.NORMAL),
        *[d.level for d in moves],
    ]
    for start, stop, level in zip(edges[:-1], edges[1:], levels, strict=True):
        x1, x2 = canvas.x(start), canvas.x(stop)
        canvas.rect(x1, top, x2 - x1, 22, level.word, f"{level.word} from {day(int(start))} to {day(int(stop))}")
        if x2 - x1 > len(level.word) * _CHARACTER + 8:
            canvas.text(x1 + 5, top + 15, level.word, "onlevel")
    if decisions:
        canvas.text(RIGHT + 8, top + 15, f"ends at {decisions[-1].level.word}", "b")
    canvas.y = top + 22
    _dates(canvas, top, canvas.y)
    canvas.y += 46


def _panel(
    canvas: _Canvas,
    indicator: str,
    segment: str,
    points: Sequence[Point],
    decisions: Sequence[Decision],
    charter: Charter | None,
) -> None:
    spec = _spec(charter, indicator)
    limit = f"limit {_limit_words(spec, points[0].kind)}" if spec is not None and spec.limit is not None else ""
    canvas.parts.append(
        f'<text x="{LEFT - 50:g}" y="{canvas.y:g}" class="h2">{escape(_heading(indicator, segment))}'
        f'<tspan dx="9" class="soft note">{escape(limit)}</tspan></text>'
    )
    canvas.y += 10
    names = _detectors(points)
    strong, quick = [n for n in names if is_evidence(n)], [n for n in names if not is_evidence(n)]
    height = (_EVIDENCE_HEIGHT + 22 if strong else 0) + (_QUICK_HEIGHT + 22 if quick else 0) + _COUNT_HEIGHT + 22
    top = _marks(canvas, decisions, canvas.y, height)
    canvas.y = top
    for p in points:
        if p.unknown:
            x1, x2 = canvas.x(p.start), canvas.x(p.end)
            canvas.parts.append(
                f'<rect x="{x1:g}" y="{top:g}" width="{max(x2 - x1, 1):g}" height="{height:g}" fill="url(#{canvas.hatch})" '
                f'opacity="0.45"><title>unknown: {escape(_plain(p.unknown))}, {day(p.start)}</title></rect>'
            )
    if strong:
        _evidence_plot(canvas, strong, points, indicator, charter)
    if quick:
        _quick_plot(canvas, quick, points)
    _count_plot(canvas, points, spec)
    _dates(canvas, canvas.y - _COUNT_HEIGHT, canvas.y)
    canvas.y += 46


def _limit_words(spec: IndicatorSpec, kind: str) -> str:
    if spec.limit is None:
        return ""
    if kind == "proportion":
        return f"{spec.limit:.3g}" if spec.limit > 1 else f"{spec.limit * 100:.3g}%"
    if spec.exposure is None:
        return figure(spec.limit)
    unit = spec.exposure.unit.replace("_", " ") + ("" if spec.exposure.unit.endswith("s") else "s")
    room = f" (exposure known to ±{spec.exposure.uncertainty:.0%})" if spec.exposure.uncertainty else ""
    return f"{figure(spec.limit)} per {figure(spec.per)} {unit}{room}"


def _evidence_plot(
    canvas: _Canvas, names: Sequence[str], points: Sequence[Point], indicator: str, charter: Charter | None
) -> None:
    spec = _spec(charter, indicator)
    top = canvas.y + 18
    bottom = top + _EVIDENCE_HEIGHT
    values = [s for p in points for n, s in p.scores.items() if n in names]
    low = max(min(min(s[0] for s in values), log(0.1)), -3 * LN10)
    high = max(max(max(s) for s in values), LN10)
    # What stands far beyond its bar is drawn at the edge, so that bar and crossing stay readable.
    high = min(high, _BEYOND * max(bar for _, bar in values))
    high += (high - low) * 0.12  # room for words above the highest point
    y = Scale(low, high, bottom, top)
    canvas.text(
        LEFT, canvas.y + 12, "Evidence (e-value, logarithmic; 1 = none, ten times higher = ten times stronger)", "soft"
    )
    for value, label in decades(low, high):
        canvas.line(LEFT, y(value), RIGHT, y(value), "grid")
        canvas.text(LEFT - 6, y(value) + 4, label, "soft", "end")
    labels: list[tuple[float, str, str]] = []
    half = f" → {charter.responses.half_way}" if charter else ""
    for number, name in enumerate(names, start=1):
        line = [(p, p.scores[name]) for p in points if name in p.scores]
        ink = min(number, 3)
        bars = [(canvas.x(at), y(s[1])) for p, s in line for at in (p.start, p.end)]
        leads = _leads_to(spec, name)
        canvas.path(bars, f"bar s-{leads}" if leads else "bar")
        labels.append((y(line[-1][1][1]), f"bar {e_value(line[-1][1][1])}{' → ' + leads if leads else ''}", "b"))
        if "e_process" in name:
            canvas.path([(canvas.x(at), y(s[1] / 2)) for p, s in line for at in (p.start, p.end)], "half")
            labels.append((y(line[-1][1][1] / 2), f"half-way {e_value(line[-1][1][1] / 2)}{half}", ""))
        canvas.path(_thin([(canvas.x(p.end), y(s[0])) for p, s in line]), f"line{ink}")
        peak, best = max(line, key=lambda ps: ps[1][0] - ps[1][1])
        canvas.parts.append(f'<circle cx="{canvas.x(peak.end):g}" cy="{y(best[0]):g}" r="3.6" class="ink{ink}"/>')
        left = canvas.x(peak.end) > LEFT + 150
        if len(names) == 1 or "e_process" in name:  # two labels would hide each other
            canvas.text(
                canvas.x(peak.end) + (-8 if left else 8),
                y(best[0]) + (14 if 0 <= y(best[0]) - y(best[1]) < 22 or best[0] > high else -6),
                f"highest {e_value(best[0])}{', beyond this scale' if best[0] > high else ''}, {_period_words(peak)}",
                f"b halo ink{ink}",
                "end" if left else "start",
            )
        if len(names) > 1:
            labels.append((y(line[-1][1][0]), _plain(name), f"ink{ink}"))
    _beside(canvas, labels, top, bottom)
    canvas.line(LEFT, bottom, RIGHT, bottom, "axis")
    canvas.y = bottom + 4


def _leads_to(spec: IndicatorSpec | None, name: str) -> str:
    return next((w.level for w in spec.detectors if w.name == name), "") if spec else ""


def _quick_plot(canvas: _Canvas, names: Sequence[str], points: Sequence[Point]) -> None:
    top = canvas.y + 18
    bottom = top + _QUICK_HEIGHT
    canvas.text(LEFT, canvas.y + 12, "Quick detectors (statistic as a share of its own bar)", "soft")
    shares = {
        n: [(p, p.scores[n][0] / p.scores[n][1]) for p in points if p.scores.get(n, (0, 0))[1] > 0] for n in names
    }
    high = max([1.2, *[share for row in shares.values() for _, share in row]])
    y = Scale(0, high, bottom, top)
    canvas.line(LEFT, y(1), RIGHT, y(1), "bar")
    labels = [(y(1), "bar", "b")]
    for number, (name, row) in enumerate(shares.items(), start=1):
        if row:
            ink = (number + 1) % 3 + 1
            canvas.path(_thin([(canvas.x(p.end), y(share)) for p, share in row]), f"line{ink}")
            labels.append((y(row[-1][1]), _plain(name), f"ink{ink}"))
    for value in (0.0, 1.0):
        canvas.text(LEFT - 6, y(value) + 4, f"{value:.0%}", "soft", "end")
    _beside(canvas, labels, top, bottom)
    canvas.line(LEFT, bottom, RIGHT, bottom, "axis")
    canvas.y = bottom + 4


class _Limit(Struct, frozen=True):
    """What the charter allows: `rate` per unit of exposure or trial (a value, for gauges), with room; `below`: at least that."""

    rate: float
    below: bool

    def of(self, kind: str, m: float) -> float:
        """What it allows in a period of exposure `m`: events, a share or a value."""
        return self.rate * m if kind == "count" else self.rate


def _limit(spec: IndicatorSpec | None) -> _Limit | None:
    """The limit as the indicator itself reads it (handling times, for one, turn into rates)."""
    if spec is None or spec.limit is None:
        return None
    try:
        indicator = INDICATORS[spec.kind](spec)
    except (KeyError, ValueError):
        return None
    rate, below = getattr(indicator, "limit", spec.limit), getattr(indicator, "direction", spec.direction) == "below"
    room = 1 + (spec.exposure.uncertainty if spec.exposure else 0.0)
    return _Limit(rate / room if below else rate * room, below)


def _count_plot(canvas: _Canvas, points: Sequence[Point], spec: IndicatorSpec | None) -> None:
    top = canvas.y + 18
    bottom = top + _COUNT_HEIGHT
    kind, limit = points[0].kind, _limit(spec)
    share = kind == "proportion"
    merged = _merge(points)
    tall = [(p, _seen(p), limit.of(kind, p.m) if limit else None) for p in merged]
    words = {"proportion": "Observed share", "gauge": "Value"}.get(kind, "Counted")
    verb = "asks for" if limit and limit.below else "allows"
    tail = f", and what the limit {verb} (line)" if limit else ""
    canvas.text(LEFT, canvas.y + 12, f"{words} per {_length_words(points, merged)}{tail}", "soft")
    values = [v for _, seen, allowed in tall for v in (seen, allowed) if v is not None]
    y = Scale(min(0.0, *values) * 1.08, max(1e-9, *values) * 1.08, bottom, top)
    for tick in round_ticks(y.high):
        canvas.line(LEFT, y(tick), RIGHT, y(tick), "grid")
        canvas.text(LEFT - 6, y(tick) + 4, _written(tick, share), "soft", "end")
    for p, seen, allowed in tall:
        x1, x2 = canvas.x(p.start), canvas.x(p.end)
        gap = min(1.0, (x2 - x1) / 6)
        hint = f"{day(p.start)}: {_written(seen, share)}"
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
        _beside(canvas, [(y(last), canvas_word, "b")], top, bottom)
    canvas.line(LEFT, y(0), RIGHT, y(0), "axis")
    canvas.y = bottom


def _seen(p: Point) -> float:
    return (p.k / p.m if p.m else 0.0) if p.kind == "proportion" else p.k


def _written(value: float, share: bool) -> str:
    return f"{value:.3g}".rstrip() if not share and 0 < abs(value) < 1 else f"{value:.0%}" if share else figure(value)


def _period_words(p: Point) -> str:
    return f"{moment(p.start):%B %Y}" if 28 <= (p.end - p.start) / 86_400_000 <= 31 else f"period from {day(p.start)}"


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
    """At most `most` bars: neighbours are added up, so that a year of hours stays a picture."""
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


def _beside(canvas: _Canvas, labels: Sequence[tuple[float, str, str]], top: float, bottom: float) -> None:
    """Words at the right edge, next to what they name, pushed apart where they would touch."""
    last = top - 14.0
    placed: list[tuple[float, str, str]] = []
    for y, words, css in sorted(labels):
        last = max(y, last + 13)
        placed.append((last, words, css))
    shift = max(0.0, last - bottom)
    for y, words, css in placed:
        canvas.text(RIGHT + 8, y - shift + 4, words, css)


def _dates(canvas: _Canvas, top: float, bottom: float) -> None:
    last = 0.0
    for at, label in date_ticks(int(canvas.x.low), int(canvas.x.high)):
        x = canvas.x(at)
        canvas.line(x, bottom, x, bottom + 4, "axis")
        if x - last > len(label) * _CHARACTER + 10 or not last:
            canvas.text(x, bottom + 16, label, "soft", "middle")
            last = x


def _marks(canvas: _Canvas, decisions: Sequence[Decision], top: float, depth: float) -> float:
    """Draw each decision as a shape with a stem of `depth` below it and its words beside it; returns where they end.

    Circle = watch, triangle = escalate, octagon = halt, hollow diamond = the unknown flag, square = anything else.
    """
    if not decisions:
        return top + 6
    rows: list[float] = []  # where each row is taken up to
    placed: list[tuple[Decision, int, bool, str]] = []
    wordless = 0
    for d in decisions:
        x, words = canvas.x(d.at), _mark_words(d)
        width = len(words) * _CHARACTER + 14
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
    spare = any(row < 0 for _, row, _, _ in placed)
    bottom = top + (len(rows) + spare) * _ROW + 2
    for d, row, left, words in placed:
        x, y = canvas.x(d.at), top + (row if row >= 0 else len(rows)) * _ROW + 9
        canvas.line(x, y + 5, x, bottom + depth, f"stem s-{d.level.word}")
        canvas.parts.append(f"<g><title>{escape(_mark_hint(d))}</title>{_shape(d, x, y)}</g>")
        if words:
            canvas.text(x - 9 if left else x + 9, y + 4, words, "halo", "end" if left else "start")
    if wordless:
        canvas.text(RIGHT + 8, bottom - 5, f"{wordless} without words", "soft")
    return bottom


def _mark_words(d: Decision) -> str:
    if d.reason is Reason.CLEARED:
        return ""  # the strip shows it
    if d.kind == "flag":
        return f"{'unknown' if d.unknown else 'known again'} {day(d.at)}: {_plain(d.reason)}"
    rule = f" {_plain(d.finding.rule)}" if d.reason is Reason.HARD_RULE and d.finding.rule else ""
    joined = "" if d.kind == "level" else " (further finding)" if d.kind == "finding" else " (act)"
    return f"{d.level.word} {day(d.at)}: {_plain(d.reason)}{rule}{joined}"


def _mark_hint(d: Decision) -> str:
    f = d.finding
    numbers = (
        f"; statistic {figure(f.statistic)} of {figure(f.bar)}" if f.statistic is not None and f.bar is not None else ""
    )
    return f"{stamp(d.at)}: {d.was.word} to {d.level.word}, {_plain(d.reason)}{numbers}"


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
