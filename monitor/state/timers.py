"""Timers: what happens to a pilot if no further record arrives, and when. The machine fires them. Pure.

Timers are not stored: they follow from the pilot's state, so a restored pilot has the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from msgspec import structs

from monitor.compile.plan import Closing
from monitor.deadlines.engine import next_due
from monitor.lifecycle.arrows import LIVE
from monitor.lifecycle.names import State
from monitor.state.pilot import PilotState

GAP_WAIT_MS = 3_000  # in which a missing event may still come: records that were retried arrive out of order
NEVER = 1 << 62  # ms; a number, as the next due time is compared per event
Timer: TypeAlias = tuple[int, str, str]  # due (ms), kind, name
NO_TIMER: Timer = (NEVER, "", "")


def next_timer(pilot: PilotState) -> Timer:
    """The timer that is due first; `NO_TIMER` when there is none."""
    return min(timers(pilot), default=NO_TIMER)


def timers(pilot: PilotState) -> Iterable[Timer]:
    """Yields (due in ms, kind, name) of each timer of the pilot. Legal deadlines go on after its exit."""
    if pilot.clocks.cases and (due := next_due(pilot.clocks)) is not None:
        yield max(due, pilot.clocks_wait or due), "clock", ""
    if pilot.exited:
        return
    plan, unknown = pilot.plan, pilot.standing.unknown
    paused = bool(pilot.running.pauses) and pilot.running.paused_since is not None
    if (closes := next_closing(pilot)) is not None:
        yield closes.due, "close", closes.name
    for indicator in plan.silent if not paused else ():
        if f"{indicator.name}/" not in unknown:
            yield plan.silence_due(indicator, pilot.heard[indicator.name]), "silence", indicator.name
    if unknown and not paused and "unknown" not in pilot.standing.active:
        since = min(since for _, since in unknown.values())
        yield plan.unknown_escalates_after.after(since), "unknown", ""
    if pilot.standing.halt_state.due is not None:
        yield pilot.standing.halt_state.due, "overdue", ""
    sending = pilot.standing.retransmission
    if sending is not None and sending.due is not None:
        yield sending.due, "again", ""
    if pilot.window.due is not None and pilot.window.waiting and not pilot.standing.halted:
        yield pilot.window.due, "rectify", ""
    for name, shelf in pilot.standing.shelved.items():
        yield shelf.until, "unshelve", name
    if pilot.gap is not None:
        yield pilot.gap + GAP_WAIT_MS, "gap", ""
    for name, duty in pilot.running.duties.items():
        if duty.rectified is None and not duty.missed:
            yield duty.due, "finding", name
    if plan.assess_every is not None and (due := _assessment(pilot)) is not None:
        yield due, "assess", ""
    if pilot.review.tracked_until is not None and not pilot.standing.halted:
        yield pilot.review.tracked_until, "tracked", ""
    if plan.drill_every is not None and not paused:
        yield plan.drill_every.after(pilot.drilled), "drill", ""
    if pilot.shadow is not None:
        yield pilot.shadow.until, "shadow", ""
    if pilot.life.pilot is State.REGISTERED:
        yield pilot.cycle[0], "cycle", ""


def _assessment(pilot: PilotState) -> int | None:
    """When an assessment falls due, or the one that is due is overdue; `None` while neither can happen."""
    life, review, plan = pilot.life, pilot.review, pilot.plan
    assert plan.assess_every is not None
    assert plan.assess_within is not None
    if life.assessment is State.NOT_DUE and life.pilot in (State.RUNNING, State.PAUSED, State.TRACKED):
        return plan.assess_every.after(pilot.admitted if review.assessed is None else review.assessed)
    if life.assessment is State.ASSESSMENT_DUE and review.fell_due is not None and life.pilot in LIVE:
        return plan.assess_within.after(review.fell_due)
    return None


def postpone(pilot: PilotState, kind: str, name: str, before: int) -> None:
    """The monitor was down when a timer of waiting was due: it waits again from `before` (ms)."""
    standing = pilot.standing
    if kind == "silence":
        pilot.heard[name] = before
    elif kind == "drill":
        pilot.drilled = before
    elif kind == "finding":
        duties = pilot.running.duties
        later = structs.replace(duties[name], due=before + pilot.plan.acknowledge_ms)
        pilot.running = structs.replace(pilot.running, duties={**duties, name: later})
    elif kind == "rectify":  # a rectification sent during the outage is still unread
        pilot.window = structs.replace(pilot.window, due=before + pilot.plan.acknowledge_ms)
    elif kind == "clock":  # so is a report; the due instant stays as the law has it
        pilot.clocks_wait = before + pilot.plan.acknowledge_ms
    else:
        due = before + pilot.plan.acknowledge_ms
        pilot.standing = structs.replace(standing, halt_state=structs.replace(standing.halt_state, due=due))


def next_closing(pilot: PilotState) -> Closing | None:
    """The period that closes next; `None` when no indicator of the pilot has periods."""
    plan, streams = pilot.plan, pilot.streams
    return plan.closing(tuple([streams[name].next for name in plan.firsts])) if plan.firsts else None
