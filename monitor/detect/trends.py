"""Trend reports: whether non-serious incidents rose significantly in a window, by the method, baseline and window that
the charter declares (Regulation (EU) 2017/745, Art. 88).

Windows follow each other without overlap, so each is tested once, and of windows without a rise at most the declared
`significance` are reported. A trend never halts: it watches until a later window shows no rise. Each window is a
record. Events that arrive after their period has closed do not count here. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import structs

from detectors.base import Count, Observation
from detectors.trend import Trend, rise
from monitor.charter.spec import TrendSpec
from monitor.compile.plan import CompiledIndicator, Plan
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.model.bounds import short
from monitor.model.periods import Period, parse_span
from monitor.model.records import Finding, Level, Reason
from monitor.state.running import TrendWindow

PREFIX = "trend/"  # of keys of findings


def trend_of(plan: Plan, indicator: CompiledIndicator) -> TrendSpec | None:
    """The trend that the charter declares of an indicator."""
    trends = plan.charter.trends
    return next((one for one in trends if one.indicator == indicator.name), None) if trends else None


def add_to_trend(
    context: DecisionContext,
    trend: TrendSpec,
    indicator: CompiledIndicator,
    found: Sequence[tuple[Observation, bool]],
    index: int,
) -> None:
    """Add a closed period: its observations in all segments, each with whether it is partial (its exposure is then the
    cap). The last period of a window ends it."""
    pilot, name = context.pilot, short(indicator.name)
    grid = Period(parse_span(trend.window))
    number = grid.index(indicator.grid.start(index))
    window = pilot.running.trends.get(name) or TrendWindow(number)
    if window.number != number:  # nothing was observed in its last periods
        _assess(context, trend, grid, window)
        window = TrendWindow(number)
    for observation, partial in found:
        if isinstance(observation, Count):
            window = structs.replace(
                window, k=window.k + observation.k, m=window.m + observation.m, partial=window.partial + partial
            )
    if grid.index(indicator.grid.start(index + 1)) != number:
        _assess(context, trend, grid, window)
        window = TrendWindow(number + 1)
    pilot.running = structs.replace(pilot.running, trends={**pilot.running.trends, name: window})


def _assess(context: DecisionContext, trend: TrendSpec, grid: Period, window: TrendWindow) -> None:
    """Record a window that is over; one without exposure says nothing."""
    if not window.m:
        return
    spec = context.plan.charter.indicator(trend.indicator)
    found = rise(window.k, window.m, trend.events, trend.exposure, spec.variance_mean)
    finding, key = _finding(trend, grid, window, found), PREFIX + trend.indicator
    if found.p_value <= trend.significance:
        active = key in context.pilot.standing.active
        context.raise_finding(key, Level.WATCH, Reason.TREND_RISING, finding)
        if not active:
            return
    level = context.pilot.standing.level
    rising = found.p_value <= trend.significance
    reason = Reason.TREND_RISING if rising else Reason.TREND_STEADY
    context.record(Move("finding", level, level, reason, False), finding)
    if not rising:
        context.clear(key, Finding(indicator=trend.indicator, rule="trend"))


def _finding(trend: TrendSpec, grid: Period, window: TrendWindow, found: Trend) -> Finding:
    start, end = grid.start(window.number), grid.start(window.number + 1)
    return Finding(
        indicator=trend.indicator,
        rule="trend",
        observed=window.k,
        expected=found.expected,
        events=window.k,
        exposure=window.m,
        period_start=start,
        period_end=end,
        content={
            "method": trend.method,
            "from": _date(start),
            "to": _date(end),
            "baseline_events": trend.events,
            "baseline_exposure": trend.exposure,
            "significance": trend.significance,
            "p_value": float(f"{found.p_value:.4g}"),
            **({} if found.ratio is None else {"ratio": float(f"{found.ratio:.4g}")}),
            **({} if found.low is None else {"ratio_low": float(f"{found.low:.4g}")}),
            **({"partial_periods": float(window.partial)} if window.partial else {}),
        },
    )


def _date(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
