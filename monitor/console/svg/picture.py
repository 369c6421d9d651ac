"""One pilot as an SVG picture: evidence and its threshold over time, the counts, the decisions.

Small multiples, one panel per indicator and segment. A panel shows, from top to bottom: the decisions on this
indicator; the evidence (e-values, logarithmic axis) with its threshold and the half-way line; quick detectors in per
cent of their thresholds; the observations with the limit. Unknown periods are hatched. A strip above all panels shows
the level.

The picture is one self-contained SVG without scripts or external resources. It follows the light or dark setting, has a
text description, and never relies on colour alone. Equal input gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from monitor.charter.spec import Charter, IndicatorSpec
from monitor.console.svg.canvas import CHARACTER, LEFT, RIGHT, STYLE, WIDTH, Canvas, date_axis
from monitor.console.svg.marks import legend, marks
from monitor.console.svg.plots import (
    COUNT_HEIGHT,
    EVIDENCE_HEIGHT,
    QUICK_HEIGHT,
    Point,
    count_plot,
    evidence_plot,
    quick_plot,
    spec_of,
)
from monitor.console.svg.scales import Scale
from monitor.model.records import Decision, Evidence, Level, Reason, digest
from monitor.projections.formats import e_value, figure, is_evidence, when
from monitor.projections.wording import plain


def picture(
    title: str, evidence: Sequence[Evidence], decisions: Sequence[Decision], charter: Charter | None = None
) -> str:
    """A standalone SVG of one pilot: `evidence` are its closed periods, `decisions` its record, both in any order.

    With the pilot's `charter` the observations are drawn with their limits, and thresholds name the level they lead to.
    Without records the picture says that there are none. Never raises on finite records.
    """
    decisions = sorted(decisions, key=lambda d: (d.at, d.standing))
    panels = _panels(evidence)
    stretch = [p for points in panels.values() for p in points]
    times = [p.start for p in stretch] + [p.end for p in stretch] + [d.at for d in decisions if d.at > 0]
    low, high = (min(times), max(times)) if times else (0, 1)
    if decisions and not stretch:
        low, high = low - 3_600_000, high + 3_600_000
    name = "smp-" + digest(title, repr(list(evidence)), repr(decisions))[:10]
    canvas = Canvas(Scale(low, high, LEFT, RIGHT), name + "-h")

    canvas.text(LEFT - 50, 28, title, "h1")
    canvas.text(LEFT - 50, 46, _verdict(panels, decisions), "soft")
    canvas.y = 60.0
    if not times:
        canvas.text(LEFT - 50, 46, "No closed period and no decision yet.", "soft")
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
        legend(canvas)
    height = canvas.y + 8
    words = describe(title, evidence, decisions)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="smp" viewBox="0 0 {WIDTH:g} {height:g}" width="{WIDTH:g}" '
        f'height="{height:g}" style="max-width:100%;height:auto" role="img" aria-labelledby="{name}-t {name}-d">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(words)}</desc>'
        f"<style>{STYLE}</style>"
        f'<defs><pattern id="{name}-h" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)">'
        f'<line x1="0" y1="0" x2="0" y2="7" class="hatch"/></pattern></defs>'
        f'<rect class="paper" width="{WIDTH:g}" height="{height:g}"/>' + "\n".join(canvas.parts) + "</svg>\n"
    )


def describe(title: str, evidence_records: Sequence[Evidence], decisions: Sequence[Decision]) -> str:
    """The picture as text: for each panel the strongest evidence and its threshold, then the changes of the level."""
    sentences = [f"{title}."]
    panels = _panels(evidence_records)
    length = _length(panels, decisions)
    for (indicator, segment), points in panels.items():
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
                f"{plain(detector)}: closest to its threshold: {value} of {limit} in the period from "
                f"{when(at, length)}, {verdict}."
            )
    moves = [d for d in decisions if d.kind == "level"]
    sentences += [f"{when(d.at, length)}: {d.was.word} to {d.level.word}, {plain(d.reason)}." for d in moves]
    if not moves:
        sentences.append("The level never changed.")
    return " ".join(sentences)


def _panels(records: Sequence[Evidence]) -> dict[tuple[str, str], list[Point]]:
    """Points by indicator and segment, in order of time. A late revision adds its events to its period, and its scores
    replace lower ones."""
    grid: dict[tuple[str, str], dict[int, Point]] = {}
    for e in sorted((e for e in records if not e.dropped), key=lambda e: e.late):
        row = grid.setdefault((e.indicator, e.segment), {})
        old = row.get(e.start)
        if old is None or not e.late:
            row[e.start] = Point(e.start, e.end, e.kind, e.k, e.m, e.unknown, dict(e.scores))
            continue
        higher = {n: s for n, s in e.scores.items() if n not in old.scores or s[0] > old.scores[n][0]}
        row[e.start] = Point(e.start, e.end, e.kind, old.k + e.k, old.m + e.m, old.unknown, old.scores | higher)
    return {key: [row[start] for start in sorted(row)] for key, row in sorted(grid.items())}


def _length(panels: dict[tuple[str, str], list[Point]], decisions: Sequence[Decision]) -> int:
    """Milliseconds from the first to the last thing drawn."""
    times = [t for points in panels.values() for p in points for t in (p.start, p.end)]
    times += [d.at for d in decisions if d.at > 0]
    return max(times) - min(times) if times else 0


def _verdict(panels: dict[tuple[str, str], list[Point]], decisions: Sequence[Decision]) -> str:
    """One line: the highest level, and the evidence closest to the threshold of a limit."""
    if not panels and not decisions:
        return ""
    moves = [d for d in decisions if d.kind == "level" and d.level > d.was]
    words = "Level always normal." if not moves else ""
    for level in (Level.HALT, Level.ESCALATE, Level.WATCH):
        first = next((d for d in moves if d.level is level), None)
        if first is not None:
            at = when(first.at, _length(panels, decisions))
            words = f"Highest level: {level.word}, first on {at} ({plain(first.reason)})."
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
            f" Strongest evidence of an exceeded limit: e-value {e_value(statistic)}, "
            f"threshold {e_value(bar)} {verdict} ({where})."
        )
    return words.strip()


def _detectors(points: Sequence[Point]) -> list[str]:
    return sorted({name for p in points for name in p.scores}, key=lambda n: (not is_evidence(n), n))


def _heading(indicator: str, segment: str) -> str:
    return plain(indicator) + (f", {segment}" if segment else "")


def _say_unknown(points: Sequence[Point]) -> str:
    missing = sum(1 for p in points if p.unknown)
    return f"{missing} of them unknown" if missing else "none unknown"


def _strip(canvas: Canvas, decisions: Sequence[Decision], unplaced: Sequence[Decision], end: int) -> None:
    """The level of the pilot over time, and above it the decisions without a panel (hard rules, flags, acts)."""
    top = marks(canvas, [d for d in unplaced if d.reason is not Reason.ADMITTED or d.kind == "level"], canvas.y, 22)
    canvas.text(LEFT - 8, top + 15, "level", "soft", "end")
    moves = [d for d in decisions if d.kind == "level"]
    edges = [canvas.x.low, *[float(d.at) for d in moves], float(end)]
    levels = [
        moves[0].was if moves else (decisions[-1].level if decisions else Level.NORMAL),
        *[d.level for d in moves],
    ]
    length = canvas.x.high - canvas.x.low
    for start, stop, level in zip(edges[:-1], edges[1:], levels, strict=True):
        x1, x2 = canvas.x(start), canvas.x(stop)
        canvas.rect(
            x1,
            top,
            x2 - x1,
            22,
            level.word,
            f"{level.word} from {when(int(start), length)} to {when(int(stop), length)}",
        )
        if x2 - x1 > len(level.word) * CHARACTER + 8:
            canvas.text(x1 + 5, top + 15, level.word, "onlevel")
    if decisions:
        canvas.text(RIGHT + 8, top + 15, f"ends at {decisions[-1].level.word}", "b")
    canvas.y = top + 22
    date_axis(canvas, canvas.y)
    canvas.y += 46


def _panel(
    canvas: Canvas,
    indicator: str,
    segment: str,
    points: Sequence[Point],
    decisions: Sequence[Decision],
    charter: Charter | None,
) -> None:
    spec = spec_of(charter, indicator)
    limit = _limit_words(spec, points[0].kind) if spec is not None else ""
    canvas.parts.append(
        f'<text x="{LEFT - 50:g}" y="{canvas.y:g}" class="h2">{escape(_heading(indicator, segment))}'
        f'<tspan dx="9" class="soft note">{escape(limit)}</tspan></text>'
    )
    canvas.y += 10
    names = _detectors(points)
    strong, quick = [n for n in names if is_evidence(n)], [n for n in names if not is_evidence(n)]
    height = (EVIDENCE_HEIGHT + 22 if strong else 0) + (QUICK_HEIGHT + 22 if quick else 0) + COUNT_HEIGHT + 22
    top, length = marks(canvas, decisions, canvas.y, height), canvas.x.high - canvas.x.low
    canvas.y = top
    for p in points:
        if p.unknown:
            x1, x2 = canvas.x(p.start), canvas.x(p.end)
            canvas.parts.append(
                f'<rect x="{x1:g}" y="{top:g}" width="{max(x2 - x1, 1):g}" height="{height:g}" '
                f'fill="url(#{canvas.hatch})" opacity="0.45">'
                f"<title>unknown: {escape(plain(p.unknown))}, {when(p.start, length)}</title></rect>"
            )
    if strong:
        evidence_plot(canvas, strong, points, indicator, charter)
    if quick:
        quick_plot(canvas, quick, points)
    count_plot(canvas, points, spec)
    date_axis(canvas, canvas.y)
    canvas.y += 46


def _limit_words(spec: IndicatorSpec, kind: str) -> str:
    nominal = spec.nominal()
    if nominal is None:
        return ""
    if kind == "proportion":
        return f"limit {nominal:.3g}" if nominal > 1 else f"limit {nominal * 100:.3g}%"
    if spec.exposure is None:
        return f"limit {figure(nominal)}"
    unit = spec.exposure.unit.replace("_", " ") + ("" if spec.exposure.unit.endswith("s") else "s")
    room = f" (exposure known to ±{spec.exposure.uncertainty:.0%})" if spec.exposure.uncertainty else ""
    if spec.baseline is not None:
        b = spec.baseline
        baseline = f"{figure(b.events)} per {figure(b.exposure)} {unit}"
        return f"limit {figure(b.times)} times the baseline of {baseline}{room}"
    return f"limit {figure(nominal)} per {figure(spec.per)} {unit}{room}"
