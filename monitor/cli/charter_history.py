"""`charter check --history`: compares a charter's limits and `variance_mean` with recorded telemetry, proposes both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import ceil, floor, inf, log10
from pathlib import Path

from msgspec import Struct, structs
from rich.console import Console
from rich.table import Column, Table

from detectors.base import Count, Proportion
from detectors.dispersion_estimate import FEWEST, HIGHEST, DispersionEstimate, Period, dispersion, rate_bounds
from monitor.charter.spec import Charter, DetectorSpec, IndicatorSpec, Responses
from monitor.cli.terminal import echo
from monitor.clock import wall_ms
from monitor.compile.plan import CompiledIndicator, Plan
from monitor.engine.history import begins_history
from monitor.engine.replay import CharterReplay, TimedRecord, read_lines
from monitor.errors import SandboxMonitorError
from monitor.model.lenient import refuse_utf16, without_bom
from monitor.model.periods import Period as Grid
from monitor.model.records import Evidence

_STRETCHES, _FEWEST_PERIODS = 4, 10  # of a recording, whose highest rate the proposed limit covers; periods in each
_WIDTH = 120
_STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)  # proposed values of variance_mean, and from 10 on whole tens


class HistoryRow(Struct, frozen=True):
    """What was recorded of one indicator and segment, and what the charter could state. Rates and limits are in the
    charter's units (per `per`). `None`: too little was recorded. `high` of the interval is `None` if unbounded."""

    indicator: str
    segment: str
    periods: int  # with exposure and complete data
    partial: int  # left out, because their exposure is not known in full
    rate: float | None
    limit: float | None  # of the charter
    proposed_limit: float | None
    variance_mean: float | None
    low: float | None
    high: float | None
    granted: float
    proposed_variance_mean: float | None

    @property
    def exceeded(self) -> bool:
        """Whether the recorded dispersion is above the granted one, with 97.5 % confidence."""
        return self.low is not None and self.low > self.granted


class _Recorded(Struct):
    partial: set[int]
    k: dict[int, float]
    m: dict[int, float]


def compare(charter: Charter, path: Path) -> list[HistoryRow]:
    """Replays `path` under the limits of a charter, none of which can halt, and returns a row for each stream with a
    limit or a limit detector.

    The pilot is admitted at its first event. Late events are added to the period in which they happened;
    corrections that come too late to count are not applied. Raises SandboxMonitorError for a file without telemetry of
    the pilot, or a history.
    """
    observing = _observing(charter)
    if observing is None:
        return []
    plan = Plan(observing)
    recorded: dict[tuple[str, str], _Recorded] = defaultdict(lambda: _Recorded(set(), {}, {}))
    rejected = 0
    with path.open("rb") as file:
        first = file.readline(1 << 16)
        refuse_utf16(str(path), first)
        if begins_history(without_bom(first)):
            raise SandboxMonitorError(
                f"{path}: --history: this is a history, which holds its own charters; give its telemetry "
                "(`sandbox-monitor export --telemetry`)"
            )
        file.seek(0)
        seen: set[str] = set()
        lines = _noting(read_lines(file, wall_ms()), seen)
        for out in CharterReplay([observing], admit="first", service=False).steps(lines):
            rejected += len(out.rejected)
            for evidence in out.evidence:
                if isinstance(evidence, Evidence):
                    grid = plan.indicator(evidence.indicator).grid
                    _add(recorded[evidence.indicator, evidence.segment], evidence, grid)
    if charter.pilot not in seen:
        raise SandboxMonitorError(
            f"{path}: --history: no event of pilot {charter.pilot}; the file has "
            f"{', '.join(sorted(seen)[:5]) or 'none'}; set `pilot` to the subject of the events"
        )
    if rejected:
        echo(f"{path}: {rejected:,} rejected (other pilots included); `replay` lists them", err=True)
    return [
        _row(charter.indicator(indicator.name), indicator, segment, recorded[indicator.name, segment])
        for indicator in plan.indicators
        for segment in indicator.segments
    ]


def show(path: Path, rows: Sequence[HistoryRow]) -> None:
    """Prints the table, and the lines for the charter."""
    if not rows:
        echo(f"   {path}: the charter has no limit on counts or proportions to compare")
        return
    heads = ("indicator", "segment", "periods", "rate", "limit", "proposed", "variance/mean (95 %)", "granted", "")
    table = Table(*(Column(head, no_wrap=True) for head in heads), box=None, pad_edge=True)
    for row in rows:
        table.add_row(
            row.indicator, row.segment or "-", str(row.periods), _number(row.rate), _number(row.limit),
            _number(row.proposed_limit), _interval(row), f"{row.granted:g}", _remarks(row),
        )  # fmt: skip
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, _WIDTH)  # figures cut off are worse than a wrapped line
    console.print(table)
    echo(f"   from {path}; a limit is a decision of the authority: these are values that the recording would have kept")
    if any(row.exceeded for row in rows):
        echo("   dispersion above granted: false halts are more frequent than alpha says; grant more")
    for name in dict.fromkeys(row.indicator for row in rows):
        for line in _paste(name, [row for row in rows if row.indicator == name]):
            echo(line)


def _paste(name: str, rows: Sequence[HistoryRow]) -> list[str]:
    """The lines of one indicator: a single value holds for all its segments, so it is the one that covers them all."""
    dispersions = [row.proposed_variance_mean for row in rows if row.proposed_variance_mean is not None]
    limits = [row.proposed_limit for row in rows if row.proposed_limit is not None and row.limit is not None]
    lines = [f"   # {name}"]
    if limits:
        above = all(row.proposed_limit is None or row.proposed_limit >= (row.rate or 0.0) for row in rows)
        lines.append(f"     limit: {(max if above else min)(limits):g}")
    if dispersions:
        lines.append(f"     variance_mean: {max(dispersions):g}")
    return lines if len(lines) > 1 else [f"   # {name}: too little recorded ({FEWEST} blocks of 5 periods with events)"]


def _observing(charter: Charter) -> Charter | None:
    """The charter with its limits on counts and proportions alone, none of which can halt. `None` if it has none."""
    kept = [
        indicator.spec
        for indicator in Plan(charter).indicators
        if indicator.observes in (Count, Proportion) and indicator.spec.nominal() is not None
    ]
    specs = tuple(
        structs.replace(
            spec, weight=1 / len(kept), variance_mean=1.0, detectors=(DetectorSpec("limit_e_process", "watch"),)
        )
        for spec in kept
    )
    responses = structs.replace(charter.responses, tolerate_first=Responses().tolerate_first)
    return structs.replace(charter, indicators=specs, hard_rules=(), responses=responses) if specs else None


def _noting(lines: Iterable[TimedRecord], seen: set[str]) -> Iterable[TimedRecord]:
    for line in lines:
        seen.update(line.pilots)
        yield line


def _add(recorded: _Recorded, evidence: Evidence, grid: Grid) -> None:
    """Evidence of what is too late to count may be of several periods together, and is divided among them."""
    if evidence.unknown and not evidence.late:
        recorded.partial.add(evidence.start)
    first, last = grid.index(evidence.start), grid.index(evidence.end - 1)
    for start in (evidence.start,) if last <= first else map(grid.start, range(first, last + 1)):
        recorded.k[start] = recorded.k.get(start, 0.0) + evidence.k / max(1, last + 1 - first)
        recorded.m[start] = recorded.m.get(start, 0.0) + evidence.m / max(1, last + 1 - first)


def _row(spec: IndicatorSpec, indicator: CompiledIndicator, segment: str, recorded: _Recorded) -> HistoryRow:
    starts = [start for start in sorted(recorded.k) if start not in recorded.partial and recorded.m[start] > 0]
    periods = [Period(recorded.k[start], recorded.m[start]) for start in starts]
    is_proportion = indicator.observes is Proportion
    found = dispersion(periods, is_proportion)
    exposure = sum(p.m for p in periods)
    per = 1.0 if is_proportion else spec.per
    return HistoryRow(
        indicator=spec.name,
        segment=segment,
        periods=len(periods),
        partial=len(recorded.partial),
        rate=sum(p.k for p in periods) / exposure * per if exposure else None,
        limit=spec.nominal(),
        proposed_limit=_proposed_limit(periods, is_proportion, found, spec.direction == "above", per),
        variance_mean=None if found is None else found.value,
        low=None if found is None else found.low,
        high=None if found is None or found.high == inf else found.high,
        granted=spec.variance_mean,
        proposed_variance_mean=None if found is None else _proposed_dispersion(found),
    )


def _proposed_dispersion(found: DispersionEstimate) -> float | None:
    """The upper end of the interval, rounded up: a value too low breaks the false-halt rate, one too high costs
    detection delay. `None` if the recording does not bound it within what a charter may grant."""
    if found.high > HIGHEST:
        return None
    return next((step for step in _STEPS if step >= found.high), 10.0 * ceil(found.high / 10))


def _proposed_limit(
    periods: Sequence[Period], is_proportion: bool, found: DispersionEstimate | None, above: bool, per: float
) -> float | None:
    """The bound of the 95 % interval of the stretch with the highest rate (`below`: lowest), rounded away from it to
    two digits. A limit has to hold in every period, so the mean of a drifting rate would be too low. `None` without an
    estimate of the dispersion."""
    if found is None:
        return None
    count = min(_STRETCHES, max(1, len(periods) // _FEWEST_PERIODS))
    edges = [round(len(periods) * i / count) for i in range(count + 1)]
    stretches = [periods[a:b] for a, b in pairwise(edges)]
    bounds = [rate_bounds(stretch, is_proportion, max(1.0, found.value)) for stretch in stretches]
    value = max(high for _, high in bounds) if above else min(low for low, _ in bounds)
    return _two_digits(value * per, ceil if above else floor) if value > 0 else None


def _two_digits(value: float, rounded: Callable[[float], int]) -> float:
    unit = 10.0 ** (floor(log10(value)) - 1)
    return float(f"{rounded(value / unit - 1e-9) * unit:.6g}")


def _remarks(row: HistoryRow) -> str:
    left_out = f"{row.partial} periods left out: exposure incomplete" if row.partial else ""
    return "; ".join(part for part in ("above granted" if row.exceeded else "", left_out) if part)


def _interval(row: HistoryRow) -> str:
    if row.variance_mean is None:
        return "too little recorded"
    high = "unbounded" if row.high is None else f"{row.high:.2f}"
    return f"{_number(row.variance_mean)} ({row.low:.2f} to {high})"


def _number(value: float | None) -> str:
    return "-" if value is None else "unbounded" if value == inf else f"{value:.3g}"
