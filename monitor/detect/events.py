"""Detect in one event: its counts meet the detectors of their periods, and silences and labels without effect show.

Open periods give provisional evidence before they close; late events raise the evidence of their closed period.
`monitor/detect/periods.py` holds the evidence of periods that close.
"""

from __future__ import annotations

from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.detect.late import drop, take_late
from monitor.detect.periods import end_silence, peek
from monitor.model.notice import COUNTED_NOWHERE
from monitor.model.records import Finding, Level, Reason
from monitor.state.observed import ChangedPeriod, Observed
from monitor.state.pilot import PilotState
from monitor.state.uncounted import REPORTED_LABELS, UNCOUNTED_KEY, UncountedLabel, uncounted_finding


def detect(context: DecisionContext, observed: Observed) -> None:
    """Raise or clear the findings that the counts of one event call for."""
    for indicator in observed.ended_silences:
        end_silence(context, indicator)
    if observed.uncounted is not None:
        _uncounted(context, observed.uncounted)
    lost: list[ChangedPeriod] = []
    for period in observed.changed:
        if period.opened is not None:
            _open_period(context, period, period.opened.m)
        elif not take_late(context, period):
            lost.append(period)
        elif period.indicator.once and observed.incident is not None:
            observed.incident.count(period.indicator)
    if lost:
        drop(context, lost)


def fully_reported(pilot: PilotState, label: UncountedLabel) -> bool:
    """Whether another event with this label that counts nowhere only has to be counted, as its findings are raised."""
    memory = pilot.uncounted
    return UNCOUNTED_KEY in pilot.standing.active and (
        label.digest in memory.values or len(memory.values) >= REPORTED_LABELS
    )


def _open_period(context: DecisionContext, period: ChangedPeriod, exposure: float) -> None:
    """Exposure above its cap escalates; events are provisional evidence."""
    indicator, segment, stream, index, k, *_ = period
    if k > 0:
        if indicator.provisional:
            peek(context, indicator, segment, stream)
        return
    start, end = indicator.grid.start(index), indicator.grid.start(index + 1)
    finding = Finding(
        indicator=indicator.name,
        segment=segment,
        rule="exposure_cap",
        observed=exposure,
        expected=indicator.cap,
        period_start=start,
        period_end=end,
        unit=indicator.spec.exposure.unit if indicator.spec.exposure else "",
    )
    context.raise_finding(f"{indicator.name}/{segment}/exposure_cap", Level.ESCALATE, Reason.EXPOSURE_CAP, finding)


def _uncounted(context: DecisionContext, label: UncountedLabel) -> None:
    """A label that counts nowhere: WATCH for as long as such events come; each value is named once."""
    memory = context.pilot.uncounted
    context.out.uncount(label.field)
    pilot = context.pilot
    pilot.rejections = pilot.rejections.counted(COUNTED_NOWHERE)
    memory.last = context.at
    new = label.digest not in memory.values and len(memory.values) < REPORTED_LABELS
    if new:
        memory.values.append(label.digest)
    active = UNCOUNTED_KEY in context.pilot.standing.active
    if new or not active:
        finding = uncounted_finding(label, last=new and len(memory.values) == REPORTED_LABELS)
        pilot.rejections = pilot.rejections.after(context.at, finding.rule, COUNTED_NOWHERE, finding.detail, 0)
        if active:
            level = context.pilot.standing.level
            context.record(Move("finding", level, level, Reason.COUNTED_NOWHERE, False), finding)
        else:
            context.raise_finding(UNCOUNTED_KEY, Level.WATCH, Reason.COUNTED_NOWHERE, finding)
