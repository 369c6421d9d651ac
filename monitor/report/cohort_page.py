"""The page of a cohort: a forest plot for each indicator, and the numbers behind it. No scripts, no external parts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from math import ceil, floor, log10

from monitor.report.cohort import Cohort, CohortStream, PooledStream
from monitor.report.page import head

WIDTH, LEFT, RIGHT, ROW = 720, 190, 700, 26
_CSS = """
svg{width:100%;height:auto;max-width:720px;display:block}svg text{font:13px system-ui,sans-serif;fill:var(--ink)}
.axis{stroke:var(--rule)}.ci{stroke:#1f5fa8;stroke-width:2}.dot{fill:#1f5fa8}.limit{stroke:#b3202a;stroke-width:1.5;
stroke-dasharray:6 4}.pool{fill:#7a3f9d}.next{stroke:#7a3f9d;stroke-width:2;stroke-dasharray:2 4}
.scroll{overflow-x:auto}
@media (prefers-color-scheme:dark){.ci{stroke:#7db3f0}.dot{fill:#7db3f0}.limit{stroke:#ff7b7b}.pool{fill:#c79be6}
.next{stroke:#c79be6}}
"""


def cohort_page(found: Cohort) -> str:
    """The page as HTML."""
    parts = [head(f"Cohort of {found.origin}", more=_CSS), f"<h1>Cohort of {escape(found.origin)}</h1>"]
    parts.append(
        f"<p class=lead>Template {escape(found.template)}, <code>{escape(found.digest)}</code>. Rates with intervals "
        "that are valid at all times (each side errs with at most 2.5 %). The diamond is the pooled rate of a "
        "random-effects model (95 %), the dotted line where one more replica is expected, the dashed line the limit. "
        "A rate of 0 stands at the left edge. It compares, and decides nothing.</p>"
    )
    rows = "".join(
        f"<tr><td>{escape(one.pilot)}<td>{_part(one.origin, one.same_template)}<td class=n>{one.version}"
        f"<td class=n>{one.halts}<td>{escape(one.outcome or 'in the sandbox')}</tr>"
        for one in found.members
    )
    parts.append(_table(("Pilot", "Part", "n:Version", "n:Halts", "Outcome"), rows))
    for key in dict.fromkeys((row.indicator, row.segment) for row in found.streams):
        streams = [row for row in found.streams if (row.indicator, row.segment) == key]
        pooled = next((one for one in found.pooled if (one.indicator, one.segment) == key), None)
        parts += _indicator(streams, pooled)
    return "\n".join(parts) + "\n"


def _part(origin: bool, same: bool) -> str:
    return "origin" if origin else "replica" if same else "replica of an older template"


def _table(names: tuple[str, ...], rows: str) -> str:
    heads = "".join(f"<th class=n>{name[2:]}" if name.startswith("n:") else f"<th>{name}" for name in names)
    return f"<div class=scroll><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"


def _indicator(streams: list[CohortStream], pooled: PooledStream | None) -> Iterator[str]:
    first = streams[0]
    yield f"<h2>{escape(first.indicator)}{escape('/' + first.segment) if first.segment else ''}</h2>"
    drawn = [row for row in streams if row.rate is not None and row.high]
    if drawn:
        yield _forest(drawn, pooled)
    rows = "".join(
        f"<tr><td>{escape(row.pilot)}<td class=n>{row.events:,.6g}<td class=n>{row.exposure:,.6g}<td class=n>"
        f"{_number(row.rate)}<td class=n>{_number(row.low)} to {_number(row.high)}<td class=n>{_number(row.limit)}"
        f"<td class=n>{row.complete} / {row.partial}<td>{'' if row.comparable else 'counted in another way'}</tr>"
        for row in streams
    )
    names = (
        "Pilot",
        "n:Events",
        "n:Exposure",
        "n:Rate",
        "n:Interval",
        "n:Limit",
        "n:Periods complete / incomplete",
        "",
    )
    yield _table(names, rows)
    if pooled is not None:
        following = "" if pooled.next_low is None else (
            f" One more replica is expected at {_number(pooled.next_low)} to {_number(pooled.next_high)}."
        )  # fmt: skip
        yield (
            f"<p>Pooled over {pooled.pilots} pilots: {_number(pooled.rate)} ({_number(pooled.low)} to "
            f"{_number(pooled.high)}). Chance does not explain {pooled.i2:.0%} of the differences (I<sup>2</sup>)."
            f"{following}</p>"
        )


def _forest(rows: list[CohortStream], pooled: PooledStream | None) -> str:
    """A forest plot on a logarithmic axis."""
    values = [value for row in rows for value in (row.low, row.rate, row.high, row.limit) if value]
    values += [value for value in (pooled.low, pooled.high) if value] if pooled else []
    # Where one more replica is expected may be very wide: at most a decade beyond the rest is drawn of it.
    expected = (pooled.next_low, pooled.next_high) if pooled else (None, None)
    values += [min(max(value, min(values) / 10), 10 * max(values)) for value in expected if value]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    high = max(high, low + 1)

    def x(value: float | None) -> float:
        at = low if not value else min(max(log10(value), low), high)
        return round(LEFT + (at - low) / (high - low) * (RIGHT - LEFT), 1)

    height = ROW * (len(rows) + (pooled is not None)) + 44
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="forest plot; the table has its numbers">']
    for decade in range(low, high + 1):
        at = x(10.0**decade)
        parts.append(f'<line class=axis x1="{at}" x2="{at}" y1="4" y2="{height - 24}"/>')
        parts.append(f'<text x="{at}" y="{height - 8}" text-anchor="middle">{10.0**decade:g}</text>')
    for place, row in enumerate(rows):
        y = 20 + ROW * place
        parts.append(f'<text x="4" y="{y + 4}">{escape(_label(row.pilot))}</text>')
        parts.append(f'<line class=ci x1="{x(row.low)}" x2="{x(row.high or 10.0**high)}" y1="{y}" y2="{y}"/>')
        parts.append(f'<circle class=dot cx="{x(row.rate)}" cy="{y}" r="5"/>')
        if row.limit:
            parts.append(f'<line class=limit x1="{x(row.limit)}" x2="{x(row.limit)}" y1="{y - 11}" y2="{y + 11}"/>')
    if pooled is not None:
        y, middle = 20 + ROW * len(rows), x(pooled.rate)
        parts.append(f'<text x="4" y="{y + 4}">pooled</text>')
        if pooled.next_low is not None:
            ends = f'x1="{x(pooled.next_low)}" x2="{x(pooled.next_high)}"'
            parts.append(f'<line class=next {ends} y1="{y}" y2="{y}"/>')
        corners = f"{x(pooled.low)},{y} {middle},{y - 8} {x(pooled.high)},{y} {middle},{y + 8}"
        parts.append(f'<polygon class=pool points="{corners}"/>')
    return "".join(parts) + "</svg>"


def _label(pilot: str) -> str:
    return pilot if len(pilot) <= 24 else f"{pilot[:23]}…"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"
