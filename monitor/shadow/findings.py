"""Which decisions are compared, and what is kept of one. Pure."""

from __future__ import annotations

from monitor.model.records import Decision, Level, Reason
from monitor.model.shadow_records import TEXT, ShadowFinding

# What follows from a charter and the telemetry. Acts of people, legal deadlines, outages of the monitor and whether a
# service obeys a command do not: a shadow has no command that could be obeyed.
COMPARED = frozenset(
    {
        Reason.LIMIT_EXCEEDED,
        Reason.LIMIT_HALF_WAY,
        Reason.LIMIT_TOLERATED,
        Reason.HARD_RULE,
        Reason.CHANGE_DETECTED,
        Reason.DRIFT_SUSPECTED,
        Reason.GAUGE_OUT_OF_RANGE,
        Reason.UNKNOWN_TOO_LONG,
        Reason.SEQUENCE_GAP,
        Reason.LATE_SHARE,
        Reason.EXPOSURE_CAP,
        Reason.OUTSIDE_CYCLE,
        Reason.UNREGISTERED_MODEL,
        Reason.CORRECTED,
        Reason.COUNTED_NOWHERE,
        Reason.LATE_DROPPED,
        Reason.MISSING_MODEL,
        Reason.CLEARED,
        Reason.RECTIFICATION_OVERDUE,
        Reason.LAPSED,
        Reason.SILENCE,
        Reason.PARTIAL_DATA,
        Reason.HEARD_AGAIN,
        Reason.SOURCE_CONFLICT,
        Reason.DISPERSION_EXCEEDED,
        Reason.BASELINE_UNUSABLE,
        Reason.BOUNDARY_BREACHED,
        Reason.CHANGE_NOT_REGISTERED,
        Reason.USED_IN_PAUSE,
        Reason.TREND_RISING,
        Reason.TREND_STEADY,
        Reason.STATE_LIMIT,
    }
)


def compared(decision: Decision) -> ShadowFinding | None:
    """What is compared of a decision; `None` for one that does not follow from the charter and the telemetry."""
    if decision.reason not in COMPARED:
        return None
    finding = decision.finding
    return ShadowFinding(
        at=decision.at,
        reason=decision.reason.value,
        key=decision.finding_key,
        level=int(decision.level),
        was=int(decision.was),
        asked=int(decision.finding_level or Level.NORMAL),
        indicator=finding.indicator,
        segment=finding.segment,
        rule=finding.rule,
        statistic=finding.statistic,
        threshold=finding.bar,
        observed=finding.observed,
        expected=finding.expected,
        events=finding.events,
        exposure=finding.exposure,
        unit=finding.unit,
        period_start=finding.period_start,
        period_end=finding.period_end,
        explanation=(finding.explanation or finding.detail)[:TEXT],
    )


def pair_key(one: ShadowFinding) -> tuple[str, str, str, str, str, int]:
    """Decisions of two charters with the same key are about the same thing."""
    return one.reason, one.key, one.indicator, one.segment, one.rule, one.asked
