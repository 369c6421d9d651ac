"""Pauses and cycles that a firm asks for and an officer grants. Pure.

While a pilot is paused its statistics are suspended: periods that lie in the pause are not counted, nothing is silent,
unknown or due for a drill, e-processes keep their value, and no finding clears by quiet periods. What is certain still
acts: hard rules, commands, due dates. Use of the system in a pause is a finding.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from msgspec import structs

from monitor.charter.running_acts import CycleProposal, Extension, Grant, PauseRequest, Resumption
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.errors import ControlRefused
from monitor.lifecycle.names import State
from monitor.model.events import Envelope, ExposureTallied, Heartbeat, ItemsTallied, OutcomesTallied, millis
from monitor.model.records import Content, Finding, Level, Reason
from monitor.model.refusals import REFUSALS, Refusal
from monitor.state.pilot import PilotState
from monitor.state.running import PAUSES

USED_IN_PAUSE = "pause"  # key of the finding
DAY_MS = 86_400_000
LONGEST_CYCLE_MS = 3 * 366 * DAY_MS


def grant(context: DecisionContext, act: Grant) -> tuple[Move, Finding]:
    """Begin the pause, or put the proposed cycle in force."""
    pilot, running, level = context.pilot, context.pilot.running, context.pilot.standing.level
    if running.asked is not None:
        pilot.running = structs.replace(running, cycle=running.asked, asked=None)
        finding = Finding(rule="cycle", detail=act.reason, content=_days(*running.asked))
        return Move("act", level, level, Reason.CYCLE_GRANTED, False), finding
    forget_pauses(pilot)
    if len(pilot.running.pauses) >= PAUSES:
        words = f"{PAUSES} pauses lie in periods that are not closed yet"
        raise ControlRefused("pilot", Refusal.TOO_MANY_OPEN, words)
    pilot.running = structs.replace(pilot.running, pauses=(*pilot.running.pauses, (context.at, None)))
    return Move("act", level, level, Reason.PAUSE_GRANTED, False), Finding(rule="pause", detail=act.reason)


def resume(context: DecisionContext, act: Resumption) -> tuple[Move, Finding]:
    """End the pause: what waits for the firm waits from now on."""
    pilot, at = context.pilot, context.at
    since = pilot.running.paused_since
    if since is None:
        raise ControlRefused("pilot", Refusal.NOT_PAUSED, REFUSALS[Refusal.NOT_PAUSED])
    end_pause(pilot, since, at)
    finding = Finding(rule="pause", period_start=since, period_end=at)
    level = pilot.standing.level
    return Move("act", level, level, Reason.RESUMED, False), finding


def end_pause(pilot: PilotState, since: int, at: int) -> None:
    """End the pause that began at `since` (ms)."""
    pilot.running = structs.replace(pilot.running, pauses=(*pilot.running.pauses[:-1], (since, at)))
    pilot.stay = structs.replace(pilot.stay, paused=pilot.stay.paused + max(at - max(since, pilot.loud_at), 0))
    pilot.heard = dict.fromkeys(pilot.heard, at)
    pilot.drilled += at - since
    unknown = {cause: (reason, at) for cause, (reason, _) in pilot.standing.unknown.items()}
    pilot.standing = structs.replace(pilot.standing, unknown=unknown)
    forget_pauses(pilot)


def forget_ended(context: DecisionContext) -> None:
    """Forget what the end of a stay closed: a proposed change, a request, and a pause, so that none of them goes on
    under routine supervision."""
    pilot, life = context.pilot, context.pilot.life
    running = pilot.running
    if running.change is not None and life.change is State.NO_CHANGE:
        pilot.running = running = structs.replace(running, change=None)
    if running.asked is not None and life.request is State.NO_REQUEST:
        pilot.running = running = structs.replace(running, asked=None)
    since = running.paused_since
    if since is not None and life.pilot not in (State.PAUSED, State.EXITING):
        end_pause(pilot, since, context.at)


def request_pause(context: DecisionContext, act: PauseRequest) -> tuple[Move, Finding]:
    """Put the request on record."""
    level = context.pilot.standing.level
    return Move("act", level, level, Reason.PAUSE_REQUESTED, False), Finding(rule="pause", detail=act.reason)


def propose_cycle(context: DecisionContext, act: CycleProposal) -> tuple[Move, Finding]:
    """Keep the proposed cycle until an officer decides. Raises ControlRefused for days that make no cycle."""
    pilot, level = context.pilot, context.pilot.standing.level
    start, end = _day("start", act.start), _day("end", act.end) + DAY_MS
    _check_cycle(context, start, end)
    pilot.running = structs.replace(pilot.running, asked=(start, end))
    finding = Finding(rule="cycle", detail=act.reason, content=_days(start, end))
    return Move("act", level, level, Reason.CYCLE_REQUESTED, False), finding


def decline(context: DecisionContext, reason: str) -> tuple[Move, Finding]:
    """Decline what the firm asked for."""
    pilot, level = context.pilot, context.pilot.standing.level
    rule = "pause" if pilot.running.asked is None else "cycle"
    pilot.running = structs.replace(pilot.running, asked=None)
    return Move("act", level, level, Reason.REQUEST_DECLINED, False), Finding(rule=rule, detail=reason)


def extend(context: DecisionContext, act: Extension) -> tuple[Move, Finding]:
    """Move the end of the cycle. Raises ControlRefused unless it is later than before."""
    pilot, level = context.pilot, context.pilot.standing.level
    start, before = pilot.cycle
    end = _day("end", act.end) + DAY_MS
    if end <= before:
        raise ControlRefused("end", Refusal.BAD_CYCLE, f"the cycle ends with {_date(before - DAY_MS)} already")
    _check_cycle(context, start, end)
    pilot.running = structs.replace(pilot.running, cycle=(start, end))
    finding = Finding(rule="cycle", detail=act.reason, content=_days(start, end))
    return Move("act", level, level, Reason.EXTENDED, False), finding


def check_pause(context: DecisionContext, event: Envelope) -> None:
    """Raise a finding for use of the system in a pause. As with a halt, the service has the charter's
    `acknowledge_within` to stop. Reports of harm and complaints are none: the firm owes them."""
    pilot = context.pilot
    since = pilot.running.paused_since
    if since is None or USED_IN_PAUSE in pilot.standing.active:
        return
    if millis(event.time) <= since + context.plan.acknowledge_ms:
        return
    if isinstance(event, Heartbeat):
        used, rule = float(event.data.serving), "heartbeat"
    elif isinstance(event, ExposureTallied):
        used, rule = event.data.amount, "exposure"
    elif isinstance(event, OutcomesTallied):
        data = event.data
        used, rule = float(data.tp + data.fp + data.tn + data.fn), "outcomes"
    elif isinstance(event, ItemsTallied):
        used, rule = float(event.data.marked + event.data.unmarked), "items"
    else:
        return
    if used > 0:
        finding = Finding(rule=rule, observed=used, period_start=since)
        context.raise_finding(USED_IN_PAUSE, Level.ESCALATE, Reason.USED_IN_PAUSE, finding, "until_lowered")


def forget_pauses(pilot: PilotState) -> None:
    """Forget the pauses in which no period is open any more."""
    running = pilot.running
    if not running.pauses:
        return
    starts = [
        indicator.grid.start(pilot.streams[name].next)
        for indicator, name in zip(pilot.plan.closes, pilot.plan.firsts, strict=True)
    ]
    oldest = min(starts, default=None)
    kept = tuple((start, end) for start, end in running.pauses if end is None or (oldest is not None and end > oldest))
    if len(kept) < len(running.pauses):
        pilot.running = structs.replace(running, pauses=kept)


def _check_cycle(context: DecisionContext, start: int, end: int) -> None:
    if end <= start + DAY_MS - 1 or end <= context.at:
        raise ControlRefused("end", Refusal.BAD_CYCLE, "a cycle ends after it starts, and in the future")
    if end - start > LONGEST_CYCLE_MS:
        raise ControlRefused("end", Refusal.BAD_CYCLE, "a cycle lasts at most three years")


def _day(field: str, text: str) -> int:
    """Midnight (UTC, ms) of a date. Raises ControlRefused when it is none."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ControlRefused(field, Refusal.BAD_CYCLE, f"{text} is not a day of the calendar") from None
    if not 2000 <= found.year <= 2199:
        raise ControlRefused(field, Refusal.BAD_CYCLE, f"{text} is not between 2000 and 2199")
    return int(datetime(found.year, found.month, found.day, tzinfo=UTC).timestamp() * 1000)


def _days(start: int, end: int) -> Content:
    return {"start": _date(start), "end": _date(end - DAY_MS)}


def _date(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
