"""The page of a cohort: a forest plot for each indicator, and the numbers behind it. No scripts, no external parts."""

from __future__ import annotations

from math import ceil, floor, log10

import htpy as h
from htpy import Node

from monitor.report.cohort import Cohort, CohortStream, PooledStream
from monitor.report.frame import Running, document, section, svg, table
from monitor.translation import tr, trm

WIDTH, LEFT, RIGHT, ROW = 720, 190, 700, 26
_CSS = """
svg{width:100%;height:auto;max-width:720px;display:block}svg text{font:13px system-ui,sans-serif;fill:var(--ink)}
.axis{stroke:var(--rule)}.ci{stroke:#1f5fa8;stroke-width:2}.dot{fill:#1f5fa8}.limit{stroke:#b3202a;stroke-width:1.5;
stroke-dasharray:6 4}.pool{fill:#7a3f9d}.next{stroke:#7a3f9d;stroke-width:2;stroke-dasharray:2 4}
@media (prefers-color-scheme:dark){.ci{stroke:#7db3f0}.dot{fill:#7db3f0}.limit{stroke:#ff7b7b}.pool{fill:#c79be6}
.next{stroke:#c79be6}}
"""


def cohort_page(found: Cohort) -> str:
    """The page as HTML."""
    title = tr("Cohort of {pilot}", pilot=found.origin)
    rows = [
        (one.pilot, _part(one.origin, one.same_template), f"{one.version}", f"{one.halts}",
         one.outcome or tr("in the sandbox"))
        for one in found.members
    ]  # fmt: skip
    body = [
        h.h1[title],
        h.p(".lead")[
            trm("Template {template}, {digest}. Rates with intervals that are valid at all times (each side errs with "
                "at most 2.5 %). The diamond is the pooled rate of a random-effects model (95 %), the dotted line "
                "where one more replica is expected, the dashed line the limit. A rate of 0 stands at the left edge. "
                "It compares, and decides nothing.", template=found.template, digest=h.code[found.digest]),
        ],
        table("", (tr("Pilot"), tr("Part"), tr("Version"), tr("Halts"), tr("Outcome")), rows, (2, 3)),
        [
            _indicator([row for row in found.streams if (row.indicator, row.segment) == key],
                       next((one for one in found.pooled if (one.indicator, one.segment) == key), None))
            for key in dict.fromkeys((row.indicator, row.segment) for row in found.streams)
        ],
    ]  # fmt: skip
    return document(title, body, Running(subject=title), _CSS)


def _part(origin: bool, same: bool) -> str:
    return tr("origin") if origin else tr("replica") if same else tr("replica of an older template")


def _indicator(streams: list[CohortStream], pooled: PooledStream | None) -> Node:
    first = streams[0]
    drawn = [row for row in streams if row.rate is not None and row.high]
    rows = [
        (row.pilot, f"{row.events:,.6g}", f"{row.exposure:,.6g}", _number(row.rate),
         tr("{low} to {high}", low=_number(row.low), high=_number(row.high)), _number(row.limit),
         f"{row.complete} / {row.partial}",
         "" if row.comparable else tr("counted in another way"))
        for row in streams
    ]  # fmt: skip
    names = (
        tr("Pilot"), tr("Events"), tr("Exposure"), tr("Rate"), tr("Interval"), tr("Limit"),
        tr("Periods complete / incomplete"), "",
    )  # fmt: skip
    return section(
        first.indicator + (f"/{first.segment}" if first.segment else ""),
        _forest(drawn, pooled) if drawn else None,
        table("", names, rows, range(1, 7)),
        None if pooled is None else _pooled(pooled),
    )


def _pooled(pooled: PooledStream) -> Node:
    said = trm(
        "Pooled over {n} pilots: {rate} ({low} to {high}). Chance does not explain {share} of the differences ({i2}).",
        n=pooled.pilots, rate=_number(pooled.rate), low=_number(pooled.low), high=_number(pooled.high),
        share=f"{pooled.i2:.0%}", i2=h.fragment["I", h.sup["2"]],
    )  # fmt: skip
    if pooled.next_low is None:
        return h.p[said]
    expected = {"low": _number(pooled.next_low), "high": _number(pooled.next_high)}
    return h.p[said, " ", tr("One more replica is expected at {low} to {high}.", **expected)]


def _forest(rows: list[CohortStream], pooled: PooledStream | None) -> Node:
    """A forest plot on a logarithmic axis."""
    low, high = _decades(rows, pooled)

    def x(value: float | None) -> float:
        at = low if not value else min(max(log10(value), low), high)
        return round(LEFT + (at - low) / (high - low) * (RIGHT - LEFT), 1)

    height = ROW * (len(rows) + (pooled is not None)) + 44
    parts: list[Node] = []
    for decade in range(low, high + 1):
        at = x(10.0**decade)
        parts.append(_line("axis", at, at, 4, height - 24))
        parts.append(_text(at, height - 8, f"{10.0**decade:g}", text_anchor="middle"))
    for place, row in enumerate(rows):
        y = 20 + ROW * place
        parts.append(_text(4, y + 4, _label(row.pilot)))
        parts.append(_line("ci", x(row.low), x(row.high or 10.0**high), y, y))
        parts.append(svg("circle", class_="dot", cx=x(row.rate), cy=y, r=5))
        if row.limit:
            parts.append(_line("limit", x(row.limit), x(row.limit), y - 11, y + 11))
    if pooled is not None:
        y, middle = 20 + ROW * len(rows), x(pooled.rate)
        parts.append(_text(4, y + 4, tr("pooled")))
        if pooled.next_low is not None:
            parts.append(_line("next", x(pooled.next_low), x(pooled.next_high), y, y))
        corners = f"{x(pooled.low)},{y} {middle},{y - 8} {x(pooled.high)},{y} {middle},{y + 8}"
        parts.append(svg("polygon", class_="pool", points=corners))
    label = tr("forest plot; the table has its numbers")
    return svg("svg", viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=label)[parts]


def _decades(rows: list[CohortStream], pooled: PooledStream | None) -> tuple[int, int]:
    """The powers of ten at the ends of the axis."""
    values = [value for row in rows for value in (row.low, row.rate, row.high, row.limit) if value]
    values += [value for value in (pooled.low, pooled.high) if value] if pooled else []
    # Where one more replica is expected may be very wide: at most a decade beyond the rest is drawn of it.
    expected = (pooled.next_low, pooled.next_high) if pooled else (None, None)
    values += [min(max(value, min(values) / 10), 10 * max(values)) for value in expected if value]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return low, max(high, low + 1)


def _line(css: str, x1: float, x2: float, y1: float, y2: float) -> Node:
    return svg("line", class_=css, x1=x1, x2=x2, y1=y1, y2=y2)


def _text(x: float, y: float, words: str, **more: str) -> Node:
    return svg("text", x=x, y=y, **more)[words]


def _label(pilot: str) -> str:
    return pilot if len(pilot) <= 24 else f"{pilot[:23]}…"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"
