"""Late events: what arrives for a closed period raises its evidence, or is dropped on record. Pure.

What counts nowhere because it is late is in the evidence (`Evidence.dropped`), a number
(`sandbox_monitor_uncounted_total{kind="late"}`) and a finding, WATCH, that stays while such events come. What is late
because the monitor was unavailable is in the evidence and the number, and no finding. The first such event of a stream
is in the evidence at once; those that follow before its next period closes are one record then, so that a flood of them
writes no more than the periods that close.
"""

from __future__ import annotations

import functools

from detectors.base import Count
from monitor.compile.plan import CompiledIndicator, stream_key
from monitor.decide.context import DecisionContext
from monitor.detect.late_window import may_be_raised, widen
from monitor.detect.periods import emit_dropped, emit_evidence, judge
from monitor.model.events import instant
from monitor.model.notice import LATE_DROPPED
from monitor.model.records import Finding, Level, Reason
from monitor.state.late import LATE_KEY, excused, hold
from monitor.state.observed import ChangedPeriod
from monitor.state.pilot import HeldLate, Stream

DAY_MS = 86_400_000


def take_late(context: DecisionContext, period: ChangedPeriod) -> bool:
    """Let the events of a closed period raise its evidence. Returns whether they count."""
    indicator, segment, stream, index, k, _, _ = period
    if k <= 0:
        return False
    widen(context.plan, indicator, stream, index)
    return revise(context, indicator, segment, stream, index, k)


def revise(
    context: DecisionContext, indicator: CompiledIndicator, segment: str, stream: Stream, index: int, k: float
) -> bool:
    """Raise the evidence of a closed period by `k` late events, while the late window includes it. Counts only: late
    trials of a proportion could lower the evidence, so its late events alone prove nothing. Returns whether the events
    count."""
    if indicator.observes is not Count or index not in stream.seen:
        return False
    lag = len(stream.seen) - 1 - stream.seen.index(index)
    start, end = indicator.grid.start(index), indicator.grid.start(index + 1)
    scores = [
        (detector_spec, detector.raise_late(lag, k) if may_be_raised(detector) else None)
        for detector_spec, detector in zip(indicator.spec.detectors, stream.detectors, strict=True)
    ]
    if all(score is None for _, score in scores):
        return False
    if stream.tally is not None:
        stream.tally.add_late(index, k)
    emit_evidence(context, indicator, segment, Count(k, 0.0), start, end, scores, late=True)
    for detector_spec, score in scores:
        judge(context, indicator, segment, detector_spec, score, start, end)
    return True


def drop(context: DecisionContext, periods: list[ChangedPeriod]) -> None:
    """Put on record what of an event counts nowhere because it is late: not what is older than the statistics of the
    pilot."""
    pilot, late = context.pilot, []
    for period in periods:
        indicator, index = period.indicator, period.number
        if index >= indicator.grid.index(pilot.admitted) and indicator.closes(index) <= context.at:
            late.append(period)
    if late:
        pilot.late_events += 1  # once, however many indicators leave it out
        pilot.rejections = pilot.rejections.counted(LATE_DROPPED)
        context.out.uncount("late")
    for period in late:
        if period.k > 0 and period.stream.tally is not None:
            period.stream.tally.add_late(period.number, period.k)
        _put_on_record(context, period)


def _put_on_record(context: DecisionContext, period: ChangedPeriod) -> None:
    indicator, closed = period.indicator, period.indicator.closes(period.number)
    key, k, m = stream_key(indicator, period.segment), period.k, period.m
    start, end = indicator.grid.start(period.number), indicator.grid.start(period.number + 1)
    if not hold(context.pilot, key, start, end, k, m):
        emit_dropped(context, indicator, period.segment, HeldLate(1, start, end, k, m))
    if not excused(context.pilot, closed, context.at):
        context.pilot.late_dropped = context.at
        if LATE_KEY not in context.pilot.standing.active:
            _tell_firm(context, period)
        finding = functools.partial(_finding, context, period)
        context.raise_finding(LATE_KEY, Level.WATCH, Reason.LATE_DROPPED, finding)


def _tell_firm(context: DecisionContext, period: ChangedPeriod) -> None:
    """List the event for the permits of the pilot: the first one while such events come, however many follow."""
    pilot, detail = context.pilot, _finding(context, period).detail
    pilot.rejections = pilot.rejections.after(context.at, "time", LATE_DROPPED, detail, 0)


def _finding(context: DecisionContext, period: ChangedPeriod) -> Finding:
    indicator, index = period.indicator, period.number
    start, end = indicator.grid.start(index), indicator.grid.start(index + 1)
    days = (context.at - indicator.closes(index)) / DAY_MS
    window = indicator.spec.late_window if indicator.observes is Count else 0
    accepts = f"accepts late events for {window} closed periods" if window else "accepts no late events"
    return Finding(
        indicator=indicator.name,
        segment=period.segment,
        rule=LATE_KEY,
        observed=period.k if period.k > 0 else period.m,
        period_start=start,
        period_end=end,
        detail=f"{_what(period)} of {instant(start).isoformat(timespec='minutes')} arrived {days:.3g} days after the "
        f"period had closed; {indicator.name} {accepts}",
    )


def _what(period: ChangedPeriod) -> str:
    exposure = period.indicator.spec.exposure
    if period.k > 0:
        return f"{period.k:g} event{'' if period.k == 1 else 's'}"
    return f"{period.m:g} {exposure.unit if exposure else 'trials'}" if period.m > 0 else "a resolution"
