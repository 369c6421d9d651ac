"""One pilot as an SVG picture: evidence and its threshold over time, the counts, the decisions.

Small multiples, one panel per indicator and segment. A panel shows, from top to bottom: the decisions on this
indicator; the evidence (e-values, logarithmic axis) with its threshold and the half-way line; quick detectors in per
cent of their thresholds; the observations in their unit with the limit. Times without data are hatched and break every
line. A strip above all panels shows the level, and where the state was unknown.

A picture is self-contained SVG without scripts or external resources. It follows the light or dark setting, has a text
description, and never relies on colour alone. Equal input gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from markupsafe import Markup
from msgspec import Struct

from monitor.charter.spec import Charter
from monitor.console.svg.canvas import NARROW, WIDE, Canvas, Layout
from monitor.console.svg.elements import clean, drawn, node
from monitor.console.svg.lettering import fit, width
from monitor.console.svg.marks import marks, short_reason
from monitor.console.svg.observed import limit_words, observed_plot
from monitor.console.svg.plots import evidence_plot, quick_plot
from monitor.console.svg.scales import Scale
from monitor.console.svg.series import Panel, Point, detectors_of, missing, panels_of
from monitor.console.svg.strip import legend, strip
from monitor.console.svg.style import STYLE
from monitor.console.svg.table import DataTable, data_table, panel_words
from monitor.model.records import Decision, Evidence, Level, Reason, digest
from monitor.projections.detector_words import detector_words
from monitor.projections.evidence_words import period_words
from monitor.projections.formats import e_value, figure, is_evidence, when
from monitor.projections.measures import spec_of
from monitor.projections.wording import level_word
from monitor.translation import mark, tr, trn


class Chart(Struct, frozen=True):
    """A picture for a page, which needs `chart.css`: `svg` holds a wide drawing for desks and print and a narrow one
    for phones, of which one is shown. `caption` is one sentence about it, `words` the picture as text, `table` its
    data."""

    svg: Markup
    caption: str
    words: str
    table: DataTable


class _Story(Struct, frozen=True):
    """What is drawn, in order of time."""

    title: str
    panels: dict[Panel, list[Point]]
    decisions: list[Decision]
    charter: Charter | None
    name: str  # of the ids in the picture
    now: int = 0

    @property
    def times(self) -> tuple[int, int] | None:
        """From the first to the last time in the picture (ms); `None` for an empty one."""
        found = [t for points in self.panels.values() for p in points for t in (p.start, p.end)]
        some = bool(found)
        found += [d.at for d in self.decisions if d.at > 0]
        if not found:
            return None
        hour = 0 if some else 3_600_000
        dark = bool(self.decisions) and bool(self.decisions[-1].unknown)
        return min(found) - hour, max(max(found) + hour, self.now if dark else 0)

    @property
    def length(self) -> int:
        """Milliseconds from the first to the last thing drawn."""
        return self.times[1] - self.times[0] if self.times else 0


def chart(
    title: str,
    evidence: Sequence[Evidence],
    decisions: Sequence[Decision],
    charter: Charter | None = None,
    closed: int = 0,
    now: int = 0,
) -> Chart:
    """The picture of one pilot with its caption and data table: `evidence` are its closed periods, `decisions` its
    record, both in any order.

    With the pilot's `charter` the observations are drawn in their unit with their limits, and thresholds name the level
    they lead to. `closed` is the number of closed periods where `evidence` holds only some of them. A state that is
    unknown lasts to `now` (ms), where given. Without records the picture says that there are none. Never raises on
    finite records.
    """
    story = _story(title, evidence, decisions, charter, now)
    both = Markup("").join(drawn(_root(story, layout, paired=True)) for layout in (WIDE, NARROW))
    table = data_table(story.panels, story.decisions, charter, closed)
    return Chart(both, _verdict(story) or _nothing(), _described(story), table)


def picture(
    title: str, evidence: Sequence[Evidence], decisions: Sequence[Decision], charter: Charter | None = None
) -> str:
    """The wide drawing alone, as a standalone SVG file; arguments as of `chart`."""
    return drawn(_root(_story(title, evidence, decisions, charter), WIDE)) + "\n"


def describe(
    title: str, evidence: Sequence[Evidence], decisions: Sequence[Decision], charter: Charter | None = None
) -> str:
    """The picture as text: for each panel the strongest evidence and its threshold, then the changes of the level."""
    return _described(_story(title, evidence, decisions, charter))


def _story(
    title: str,
    evidence: Sequence[Evidence],
    decisions: Sequence[Decision],
    charter: Charter | None,
    now: int = 0,
) -> _Story:
    ordered = sorted(decisions, key=lambda d: (d.at, d.standing))
    title = clean(title)
    name = "smp-" + digest(title, *sorted(map(_key, evidence)), repr(ordered))[:10]
    return _Story(title, panels_of(evidence), ordered, charter, name, now)


def _key(e: Evidence) -> str:
    return f"{e.indicator}/{e.segment}/{e.start}/{e.late}/{e.k}/{e.m}/{e.unknown}/{e.scores}"


def _root(story: _Story, layout: Layout, paired: bool = False) -> Element:
    times = story.times
    low, high = times or (0, 1)
    canvas = Canvas(layout, Scale(low, high, layout.left, layout.right), f"{story.name}-{layout.name}-h")
    canvas.text(layout.margin, 28, story.title, "h1")
    canvas.y = 34.0
    canvas.lines(_verdict(story) or _nothing())
    canvas.y += 14
    own = {key: [d for d in story.decisions if (d.finding.indicator, d.finding.segment) == key] for key in story.panels}
    if times is not None:
        placed = {d.id for found in own.values() for d in found}
        strip(canvas, story.decisions, [d for d in story.decisions if d.id not in placed], high)
    # What moved the pilot furthest comes first; sorting is stable, so the rest stays in order of name.
    order = sorted(story.panels, key=lambda key: -_furthest(own[key]))
    for key in order:
        _panel(canvas, key, story, own[key])
    if times is not None:
        legend(canvas)
    return _framed(canvas, story, paired)


def _furthest(decisions: Sequence[Decision]) -> Level:
    """The highest level that a finding of these asked for."""
    found = [d.level for d in decisions if d.kind in ("level", "finding") and d.reason is not Reason.CLEARED]
    return max(found, default=Level.NORMAL)


def _framed(canvas: Canvas, story: _Story, paired: bool) -> Element:
    layout, height = canvas.layout, canvas.y + 8
    name = f"{story.name}-{layout.name}"
    stroke = node("line", x1=0, y1=0, x2=0, y2=7, class_="hatch")
    pattern = node(
        "pattern",
        stroke,
        id=canvas.hatch,
        width=7,
        height=7,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return node(
        "svg",
        node("title", story.title, id=f"{name}-t"),
        node("desc", _described(story), id=f"{name}-d"),
        None if paired else node("style", STYLE),
        node("defs", pattern),
        node("rect", class_="paper", width=layout.width, height=height),
        *canvas.parts,
        xmlns="http://www.w3.org/2000/svg",
        class_=f"smp {layout.name}" if paired else "smp",
        viewBox=f"0 0 {layout.width:g} {height:g}",
        width=layout.width,
        height=height,
        role="img",
        aria_labelledby=f"{name}-t {name}-d",
    )


def _panel(canvas: Canvas, key: Panel, story: _Story, decisions: Sequence[Decision]) -> None:
    points, layout = story.panels[key], canvas.layout
    spec = spec_of(story.charter, key[0])
    limit = limit_words(spec, points[0].kind)
    room = layout.width - layout.margin - 8
    heading = panel_words(key)
    if limit and not layout.narrow:
        heading = fit(heading, room - width(limit) - 20, 13.5, True)
        canvas.text(layout.margin, canvas.y, panel_words(key), "h2", room=room - width(limit) - 20)
        canvas.text(layout.margin + width(heading, 13.5, True) + 10, canvas.y, limit, "soft")
    else:
        canvas.text(layout.margin, canvas.y, heading, "h2")
        if limit:
            canvas.y += 3
            canvas.lines(limit)
            canvas.y -= 4
    canvas.y += 10
    at, top = len(canvas.parts), canvas.y
    # Stems reach down to the axis, whose place is known once the plots are drawn: so marks are measured first.
    canvas.y = marks(Canvas(layout, canvas.x, canvas.hatch), decisions, top, 0)
    depth = -canvas.y
    _plots(canvas, key, story)
    depth += canvas.y - 20
    under = Canvas(layout, canvas.x, canvas.hatch)
    marks(under, decisions, top, depth)
    canvas.parts[at:at] = under.parts
    canvas.y += 26


def _plots(canvas: Canvas, key: Panel, story: _Story) -> None:
    points = story.panels[key]
    gaps, names = missing(points, story.decisions), detectors_of(points)
    strong, quick = [n for n in names if is_evidence(n)], [n for n in names if not is_evidence(n)]
    if strong:
        evidence_plot(canvas, strong, points, gaps, key[0], story.charter)
    if quick:
        quick_plot(canvas, quick, points, gaps)
    observed_plot(canvas, points, gaps, spec_of(story.charter, key[0]))


def _nothing() -> str:
    return tr("No closed period and no decision yet.")


def _verdict(story: _Story) -> str:
    """One line: the highest level, and the strongest evidence against a limit."""
    if not story.panels and not story.decisions:
        return ""
    moves = [d for d in story.decisions if d.kind == "level" and d.level > d.was]
    said = [] if moves else [tr("The level was never raised.")]
    for level in (Level.HALT, Level.ESCALATE, Level.WATCH):
        found = [d for d in moves if d.level is level]
        if found:
            names = {"level": level_word(level), "when": when(found[0].at, story.length)}
            reason = short_reason(found[0].reason)
            if len(found) == 1:
                said.append(tr("Highest level: {level}, on {when} ({reason}).", reason=reason, **names))
            else:
                said.append(tr(_SEVERAL, n=len(found), reason=reason, **names))
            break
    scored = [
        (s[0] >= s[1], s[0], s[1], panel_words(key))
        for key, points in story.panels.items()
        for p in points
        for name, s in p.scores.items()
        if "e_process" in name
    ]
    if scored:
        reached, statistic, bar, where = max(scored)
        names = {"value": e_value(statistic), "threshold": e_value(bar), "indicator": where}
        said.append(tr(_REACHED, **names) if reached else tr(_NOT_REACHED, **names))
    return " ".join(said)


_SEVERAL = mark("Highest level: {level}, {n} times, first on {when} ({reason}).")
_REACHED = mark(
    "Strongest evidence of an exceeded limit: e-value {value}, threshold {threshold} reached ({indicator})."
)
_NOT_REACHED = mark(
    "Strongest evidence of an exceeded limit: e-value {value}, threshold {threshold} not reached ({indicator})."
)


def _described(story: _Story) -> str:
    return " ".join([f"{story.title}.", *_panels_described(story), *_moves_described(story)])


def _panels_described(story: _Story) -> Iterator[str]:
    for key, points in story.panels.items():
        unknown = sum(1 for p in points if p.unknown)
        yield tr(
            "{indicator}: {periods}, {unknown} of them with data missing.",
            indicator=panel_words(key), periods=trn("{n} period", "{n} periods", len(points)), unknown=unknown,
        )  # fmt: skip
        for name in detectors_of(points):
            highest = max((p for p in points if name in p.scores), key=lambda p: p.scores[name][0])
            statistic, bar = highest.scores[name]
            write = e_value if is_evidence(name) else figure
            names = {
                "detector": detector_words(name),
                "value": write(statistic),
                "threshold": write(bar),
                "period": period_words(highest.start, highest.end),
            }
            if any(p.scores[name][0] >= p.scores[name][1] for p in points if name in p.scores):
                yield tr("{detector}: highest {value} ({period}), threshold then {threshold}; reached.", **names)
            else:
                yield tr("{detector}: highest {value} ({period}), threshold then {threshold}; never reached.", **names)
        gaps = [one for one in missing(points, story.decisions) if one.word != "data missing"]
        if gaps:
            shown = "; ".join(f"{tr(one.word)} {period_words(one.start, one.end)}" for one in gaps[:8])
            yield tr("Without periods: {times}.", times=shown if len(gaps) <= 8 else shown + "; …")


def _moves_described(story: _Story) -> Iterator[str]:
    moves = [d for d in story.decisions if d.level is not d.was]
    for d in moves:
        yield tr(
            "{when}: {was} to {level}, {reason}.",
            when=when(d.at, story.length), was=level_word(d.was), level=level_word(d.level),
            reason=short_reason(d.reason),
        )  # fmt: skip
    if not moves:
        yield tr("The level never changed.")
