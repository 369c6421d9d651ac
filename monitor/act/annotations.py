"""Annotates in Grafana what happened to a pilot, so that a dashboard shows a curve with the decision it caused: changes
of level, stops and releases, changes of the pilot, legal deadlines, acts of people."""

from __future__ import annotations

from msgspec import UNSET

from monitor.act.base import HttpUrl
from monitor.act.grafana import Grafana
from monitor.model.clock_record import Change
from monitor.model.records import Decision, Reason
from monitor.projections.message import notification_line

EVENTS = ("level", "stop", "release", "change", "deadline", "act")
"""Kinds of events: the values of the tag `event:`, which the dashboards select by."""

_STOPS = frozenset({Reason.HALT_VERIFIED, Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED})
_CHANGES = frozenset({
    Reason.AMENDED, Reason.CHANGE_REGISTERED, Reason.CHANGE_PROPOSED, Reason.CHANGE_REFUSED,
    Reason.CHANGE_NOT_REGISTERED, Reason.CHANGE_NOTIFIED, Reason.LEVEL_ACCEPTED, Reason.TIER_APPROVED,
    Reason.STEP_PASSED, Reason.STEP_FAILED, Reason.RESPONSIBILITY_CHANGED, Reason.CONFIGURATION_CHANGED,
    Reason.CYCLE_GRANTED, Reason.PAUSE_GRANTED, Reason.RESUMED, Reason.SHADOW_STARTED, Reason.SHADOW_STOPPED,
})  # fmt: skip
_ENDS = frozenset({Change.MET, Change.MISSED, Change.DONE_LATE})


class Annotations:
    """Annotate what happened to pilots in the Grafana at this URL.

    The token comes from the environment (see `monitor.act.grafana`). Raises Refused for a malformed `address`.
    """

    def __init__(self, address: HttpUrl) -> None:
        self._grafana = Grafana(address)

    def act(self, decision: Decision) -> None:
        """Annotate a decision that is an event (`event_of`). Grafana stores repeats, so an existing annotation is
        looked up first."""
        event = event_of(decision)
        if event is None:
            return
        once = f"decision:{decision.id}"
        if self._grafana.annotated(once):
            return
        tags = ["sandbox-monitor", f"pilot:{decision.pilot}", f"level:{decision.level.word}", f"event:{event}", once]
        self._grafana.annotate(notification_line(decision), tags, decision.at)


def event_of(decision: Decision) -> str | None:
    """The kind of event that a decision is, one of `EVENTS`; `None` for what no dashboard marks: findings at an
    unchanged level, the flag `unknown`, and deadlines that start, move or stop."""
    if decision.reason is Reason.RELEASED:
        return "release"
    if decision.kind == "level":
        return "level"
    clock = decision.finding.clock
    if clock is not UNSET:
        return "deadline" if clock.change in _ENDS else None
    if decision.reason in _STOPS:
        return "stop"
    if decision.reason in _CHANGES:
        return "change"
    return "act" if decision.kind == "act" else None
