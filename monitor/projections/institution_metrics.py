"""Counters of what the institution does: changes of level, halts, releases, legal deadlines, complaints, alarms. Each
takes one new decision and adds to the metrics that it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import UNSET

from detectors import DETECTORS
from monitor.model.clock_record import Change, Owes
from monitor.model.records import Decision, Level, Reason
from monitor.model.subjects import VENDOR, is_pilot
from monitor.projections.declared_alarms import LEVELS, alarm_of
from monitor.projections.halt_times import HaltTimes

HALTING = (
    Reason.LIMIT_EXCEEDED, Reason.HARD_RULE, Reason.OVERRIDDEN, Reason.SUSPENDED, Reason.RECALLED, Reason.STATE_LOST,
    Reason.RECTIFICATION_OVERDUE, Reason.CLOCK_MISSED, Reason.EXPOSURE_CAP,
)  # fmt: skip
"""Reasons of halts whose series exist from the start; any other gets its series with its first halt."""

COMPLAINTS = {
    (Reason.COMPLAINT_FILED, "complaints"): "filed",
    (Reason.COMPLAINT_WITHDRAWN, "withdrawn"): "withdrawn",
    (Reason.COMPLAINT_ANSWERED, "answered"): "answered",
    (Reason.REDRESS_RECORDED, "asked"): "redress_asked",
    (Reason.REDRESS_RECORDED, "given"): "redress_given",
    (Reason.REDRESS_RECORDED, "refused"): "redress_refused",
    (Reason.USER_LEFT, "users"): "users_left",
}
"""Reason and rule of a decision of the users' channel -> its kind in the metrics."""

VENDORS = 256  # pairs of vendor and indicator that get series; further ones count as `other`


class InstitutionMetrics:
    """`of` maps a metric's name without prefix to its object (`labels`, `inc`, `observe`, `set`); `most` bounds the
    halts whose times are measured."""

    def __init__(self, of: Callable[[str], Any], most: int) -> None:
        self._of = of
        self.halts = HaltTimes(most)
        self._vendors: set[tuple[str, str]] = set()
        self._zero()

    def _zero(self) -> None:
        for was in Level:
            for level in Level:
                if was is not level:
                    self._of("level_changes_total").labels(was.word, level.word)
        for reason in HALTING:
            self._of("halts_total").labels(reason.value)
        for owes in Owes:
            for change in Change:
                self._of("clock_changes_total").labels(owes.value, change.value)
        for kind in COMPLAINTS.values():
            self._of("complaints_total").labels(kind)
        for detector in DETECTORS:
            for word in LEVELS:
                self._of("alarms_total").labels(detector, word)

    def add_decision(self, decision: Decision) -> None:
        """Count a decision that is new."""
        if not is_pilot(decision.pilot):
            return
        if decision.level is not decision.was:
            self._of("level_changes_total").labels(decision.was.word, decision.level.word).inc()
            if decision.level is Level.HALT:
                self._of("halts_total").labels(decision.reason.value).inc()
        if decision.reason is Reason.RELEASED:
            self._of("releases_total").inc()
        if decision.finding.clock is not UNSET:
            clock = decision.finding.clock
            self._of("clock_changes_total").labels(clock.owed_by.value, clock.change.value).inc()
        kind = COMPLAINTS.get((decision.reason, decision.finding.rule))
        if kind is not None:
            self._of("complaints_total").labels(kind).inc(max(0.0, decision.finding.observed or 0.0))
        alarm = alarm_of(decision)
        if alarm is not None:
            self._of("alarms_total").labels(*alarm).inc()
        for name, seconds in self.halts.add_decision(decision):
            self._of(name).observe(seconds)

    def add_common_causes(self, decisions: Iterable[Decision]) -> None:
        """Count the findings of the second stage, by vendor and indicator."""
        for decision in decisions:
            if decision.reason is not Reason.COMMON_CAUSE:
                continue
            pair = decision.pilot.removeprefix(VENDOR), decision.finding.indicator
            if pair not in self._vendors and len(self._vendors) >= VENDORS:
                pair = ("other", "other")
            else:
                self._vendors.add(pair)
            self._of("common_causes_total").labels(*pair).inc()
            self._of("common_cause_timestamp_seconds").labels(*pair).set(decision.at / 1000)
