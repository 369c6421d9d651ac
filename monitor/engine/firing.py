"""Timers fire: each kind of timer has one function, and each is fired with the time at which it was due.

`monitor/state/timers.py` says which timers a pilot has; they follow from its state.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from monitor.decide.clock_facts import clocks_due
from monitor.decide.context import DecisionContext
from monitor.decide.control_acts import begin_drill
from monitor.decide.enforcement import command_overdue, drill_due, resend
from monitor.decide.exits import assessment_timer, tracking_ended
from monitor.decide.ladder import Move, unshelve
from monitor.decide.life_steps import start_cycle
from monitor.decide.shadow_acts import end_shadow
from monitor.decide.supervision import duty_overdue
from monitor.decide.tolerate import rectification_overdue
from monitor.detect.leap import Tries, leap
from monitor.detect.periods import close, raise_silence, report_gap
from monitor.engine.partition import Partition
from monitor.errors import ControlRefused
from monitor.model.records import Finding, Level, Outputs, Reason
from monitor.state.pilot import PilotState
from monitor.state.timers import next_timer, postpone


def _close(context: DecisionContext, name: str, service: bool) -> None:
    close(context, context.plan.indicator(name))


def _silence(context: DecisionContext, name: str, service: bool) -> None:
    raise_silence(context, context.plan.indicator(name))


def _overdue(context: DecisionContext, name: str, service: bool) -> None:
    command_overdue(context)


def _resend(context: DecisionContext, name: str, service: bool) -> None:
    resend(context)


def _rectify(context: DecisionContext, name: str, service: bool) -> None:
    rectification_overdue(context)


def _finding(context: DecisionContext, name: str, service: bool) -> None:
    duty_overdue(context, name)


def _assessment(context: DecisionContext, name: str, service: bool) -> None:
    assessment_timer(context)


def _tracked(context: DecisionContext, name: str, service: bool) -> None:
    tracking_ended(context)


def _unshelve(context: DecisionContext, name: str, service: bool) -> None:
    context.apply(unshelve(context.pilot.standing, name, context.at), Finding(rule=name), key=name)


def _drill(context: DecisionContext, name: str, service: bool) -> None:
    context.pilot.drilled = context.at
    if service:
        with suppress(ControlRefused):  # a halt is in force, or the last drill is still open
            begin_drill(context, full_stop=False)
            drill_due(context)


def _gap(context: DecisionContext, name: str, service: bool) -> None:
    report_gap(context)


def _clock(context: DecisionContext, name: str, service: bool) -> None:
    clocks_due(context)


def _cycle(context: DecisionContext, name: str, service: bool) -> None:
    start_cycle(context)


def _shadow(context: DecisionContext, name: str, service: bool) -> None:
    end_shadow(context, "time")


def _unknown_too_long(context: DecisionContext, name: str, service: bool) -> None:
    finding = Finding(rule="unknown", detail=context.pilot.standing.flag)
    context.raise_finding("unknown", Level.ESCALATE, Reason.UNKNOWN_TOO_LONG, finding)
    standing = context.pilot.standing
    if context.plan.strict and not standing.halted:
        context.record(Move("flag", standing.level, standing.level, Reason.LAPSED, False), finding)


# The keys stand in the causes of decisions, and so in their ids.
TIMERS: dict[str, Callable[[DecisionContext, str, bool], None]] = {
    "close": _close,
    "silence": _silence,
    "overdue": _overdue,
    "again": _resend,
    "rectify": _rectify,
    "unshelve": _unshelve,
    "drill": _drill,
    "unknown": _unknown_too_long,
    "gap": _gap,
    "cycle": _cycle,
    "assess": _assessment,
    "tracked": _tracked,
    "clock": _clock,
    "finding": _finding,
    "shadow": _shadow,
}
# Timers that wait for somebody else: an outage of the monitor postpones them.
WAITING = ("silence", "overdue", "drill", "rectify", "clock", "finding")
# Timers that an act may move to a time before it, by another cycle or charter: then they are due with the act.
MOVED_BY_ACTS = ("cycle", "assess")


class TimerFiring:
    """Fires the timers of pilots. `evidence` False: empty periods leave no evidence, with the same decisions.
    `skips_empty_periods` False: every period is closed one by one, with the same result."""

    def __init__(self, partition: Partition, *, evidence: bool, skips_empty_periods: bool) -> None:
        self._partition = partition
        self._evidence = evidence
        self._skips_empty_periods = skips_empty_periods
        self.skipped_periods = 0

    def fire(self, pilot: PilotState, before: int, heard_until: int, out: Outputs) -> None:
        """Fire the pilot's timers that are due before `before` (ms), in order of due time.

        The monitor was unavailable after `heard_until` (ms): timers that wait for somebody and are due later wait
        again.
        """
        partition, plan = self._partition, pilot.plan
        partition.hot.changed(pilot)
        partition.changed.add(pilot.id)
        skips = self._skips_empty_periods and before - pilot.due > plan.leap_ms
        tries = Tries(len(plan.closes)) if skips else None
        while (timer := next_timer(pilot))[0] < before:
            due, kind, name = timer
            if due > heard_until and kind in WAITING:
                postpone(pilot, kind, name, before)
                continue
            pilot.received = max(pilot.received, due)
            at = pilot.received if kind in MOVED_BY_ACTS else due
            context = partition.context(pilot, at, f"timer:{kind}/{name}@{due}", out)
            TIMERS[kind](context, name, partition.service)
            if tries is not None and kind == "close":
                tries.closed(lambda: self._skip(pilot, before))
            partition.settle(context)
        partition.arm(pilot)

    def _skip(self, pilot: PilotState, before: int) -> bool:
        """Skip periods that hold nothing, if such close next. Returns whether there were any."""
        skipped = leap(pilot, before, self._evidence) if next_timer(pilot)[1] == "close" else 0
        self.skipped_periods += skipped
        return skipped > 0
