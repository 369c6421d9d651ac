"""The numbers of each stream: rate, confidence sequence, whether it keeps its limit, and the power that was reached.
Pure."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, structs

from detectors import build
from detectors.base import Gauge, Proportion
from detectors.e_process import LimitEProcess
from detectors.power import Planned, power
from detectors.rate_sequence import proportion_lower, proportion_upper, rate_lower, rate_upper
from monitor.charter.spec import Charter, PowerSpec
from monitor.compile.lint_indicator import HALTING
from monitor.compile.plan import CompiledIndicator, design_of, stream_key
from monitor.compile.power import NOT_PLANNED
from monitor.model.assessment import StreamNumbers
from monitor.model.periods import parse_span
from monitor.state.pilot import PilotState
from monitor.state.tally import Tally

_NEGLIGIBLE = 1e-3  # expected events with which nothing can be found
_BASEL = 6 / 3.141592653589793**2


def bound_alpha(charter: Charter, restart: int) -> float:
    """What each bound of each stream may err with at share `restart`; over all of them it sums to alpha.

    It is not divided among streams: a pilot that violates any one limit must have that bound err to look good.
    """
    return charter.alpha * _BASEL / restart**2


def streams_of(pilot: PilotState) -> list[StreamNumbers]:
    """The numbers of all streams with periods since their statistics began, in the order of the charter."""
    return counted_streams(pilot, bound_alpha(pilot.charter, pilot.standing.restart), lambda _name, tally: tally)


def counted_streams(pilot: PilotState, alpha: float, counted: Callable[[str, Tally], Tally]) -> list[StreamNumbers]:
    """The same of what `counted` returns for the totals of a stream, by its name; each bound errs with at most
    `alpha`."""
    found = []
    for indicator in pilot.plan.closes:
        if indicator.observes is Gauge:
            continue
        rows = [_row(pilot, indicator, segment, alpha, counted) for segment in indicator.segments]
        weakest = min(range(len(rows)), key=lambda i: rows[i].exposure)
        rows[weakest] = _with_power(pilot, indicator, rows[weakest])
        found += rows
    return found


def _row(
    pilot: PilotState, indicator: CompiledIndicator, segment: str, alpha: float, totals: Callable[[str, Tally], Tally]
) -> StreamNumbers:
    name, spec, grid = stream_key(indicator, segment), indicator.spec, indicator.grid
    stream = pilot.streams[name]
    tally = totals(name, stream.tally or Tally(stream.next))
    proportion, below = indicator.observes is Proportion, indicator.implementation.direction == "below"
    v = spec.variance_mean
    counted = tally.k if below else tally.k + tally.extra
    trials = tally.m + (counted - tally.k if proportion else 0.0)  # events of partial periods are trials as well
    upper, lower = (proportion_upper, proportion_lower) if proportion else (rate_upper, rate_lower)
    low, high = digits(lower(counted, trials, alpha, v)), digits(upper(counted, trials, alpha, v))
    limit = digits(limit_of(indicator))
    bound = low if below else high
    keeps = None if limit is None else bound is not None and (bound > limit if below else bound < limit)
    return StreamNumbers(
        indicator=indicator.name,
        segment=segment,
        unit=indicator.unit or "",
        proportion=proportion,
        below=below,
        limit=limit,
        since=grid.start(tally.first),
        through=grid.start(max(stream.next, tally.first)),
        complete=tally.complete,
        partial=tally.partial,
        events=tally.k,
        exposure=digits(tally.m) or 0.0,
        extra=tally.extra,
        alpha=digits(alpha) or 0.0,
        variance_mean=v,
        rate=digits(counted / trials) if trials else None,
        low=low,
        high=high,
        keeps=keeps,
    )


def limit_of(indicator: CompiledIndicator) -> float | None:
    """The limit as people state it, in events per unit of exposure or as a share; `None` where the indicator has none
    on a rate."""
    if all(w.name == "disparity" for w in indicator.spec.detectors) and indicator.spec.detectors:
        return None  # compared with the other segments, not with the limit
    if indicator.spec.baseline is None:
        return indicator.implementation.limit
    nominal = indicator.spec.nominal()
    return None if nominal is None else nominal / indicator.spec.per


def _with_power(pilot: PilotState, indicator: CompiledIndicator, row: StreamNumbers) -> StreamNumbers:
    """The row with the power that its exposure gave the halting e-process, as `monitor/compile/power.py` computes it at
    admission; unchanged where that computes none."""
    spec = indicator.spec
    halting = next((w for w in spec.detectors if w.name == HALTING), None)
    if halting is None or spec.kind in NOT_PLANNED or row.limit is None:
        return row
    asked = PowerSpec() if spec.power is UNSET else spec.power
    detector = build(HALTING, design_of(pilot.charter, indicator, pilot.standing.restart), halting.params)
    assert isinstance(detector, LimitEProcess)
    periods = row.complete
    if asked.within is not None:
        periods = min(periods, parse_span(asked.within).after(0) // indicator.length)
    ratio = asked.ratio ** (-1 if row.below else 1)
    reached = 0.0
    true = row.limit * ratio
    rate = min(true, 1 - 1e-9) if row.proportion else true
    if periods and row.exposure * rate > _NEGLIGIBLE:
        planned = Planned(row.exposure / row.complete, periods, rate, row.proportion)
        reached = power(detector, planned).by(periods)
    return structs.replace(
        row,
        ratio=digits(ratio),
        asked=asked.probability,
        power=digits(reached, 4),
        powered=periods,
        share=digits(detector.alpha),
        ratios=tuple(digits(r) or 0.0 for r in detector.ratios),
        allowed=digits(detector.rate),
        minimum_events=detector.minimum_events,
    )


def digits(value: float | None, most: int = 6) -> float | None:
    """Rounded to that many significant digits, and finite.

    >>> digits(0.123456789), digits(1234567.0), digits(None)
    (0.123457, 1234570.0, None)
    """
    return None if value is None else float(f"{min(value, 1e300):.{most}g}")
