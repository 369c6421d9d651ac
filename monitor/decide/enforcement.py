"""Enforcement of a command: events of a halted (or drilled) service are compared with it; a service that may run gets
permits. The states are those of `monitor/state/halt_state.py`. Pure."""

from __future__ import annotations

from msgspec import structs

from monitor.deadlines.facts import Fact, FactKind
from monitor.decide.clock_facts import clock_facts
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.decide.leave import exit_once_stopped
from monitor.model.bounds import short
from monitor.model.events import (
    CommandAcknowledged,
    ComplaintFiled,
    Envelope,
    ExposureTallied,
    Heartbeat,
    ItemsTallied,
    OutcomesTallied,
    millis,
)
from monitor.model.notice import CHARACTERS, FINDINGS, Notice
from monitor.model.records import Finding, Level, Permit, Reason
from monitor.state import halt_state
from monitor.state.pilot import PilotState

ACKNOWLEDGEMENTS = (CommandAcknowledged,)
OVERDUE, CONTRADICTED, DRILL = "halt/overdue", "halt/contradicted", "drill"  # keys of findings


def track(context: DecisionContext, event: Envelope) -> bool:
    """Compare an event with the command in force. Returns whether the pilot's timers may have changed."""
    before, resend_before = context.pilot.standing.halt_state, context.pilot.standing.retransmission
    if isinstance(event, CommandAcknowledged):
        _acknowledged(context, event)
    elif before.stops:
        if isinstance(event, Heartbeat):
            _heartbeat(context, event)
        else:
            _traffic(context, event)
    standing = context.pilot.standing
    return standing.halt_state.due != before.due or standing.retransmission is not resend_before


def stop_tracking(pilot: PilotState) -> None:
    """For a replay without a service: the command in force is neither resent nor compared with events."""
    standing = pilot.standing
    waiting = standing.retransmission
    if standing.halt_state.kind or (waiting is not None and waiting.due is not None):
        waiting = waiting and structs.replace(waiting, due=None)
        pilot.standing = structs.replace(standing, halt_state=halt_state.HaltState(), retransmission=waiting)


def track_conflict(context: DecisionContext, event: Envelope) -> None:
    """Compare an event that is rejected as a conflict with the command to stop: it cannot verify the stop, but it can
    contradict it."""
    if not isinstance(event, Heartbeat):
        _traffic(context, event)
        return
    stopped = context.pilot.standing.halt_state.stopped(short(event.source), context.at, _deadline(context))
    if event.data.serving and stopped is not None and millis(event.time) > stopped:
        _contradicted(context, event, "heartbeat", None)


def grant_permit(context: DecisionContext, event: Heartbeat) -> None:
    """Emit the permit for a heartbeat, unless the pilot is halted, in a drill that stops it, or (high and critical
    tiers) its data has been unknown for too long."""
    standing, plan = context.pilot.standing, context.plan
    if standing.halted or standing.halt_state.kind == "full_stop" or (plan.strict and "unknown" in standing.active):
        return
    context.emit(
        Permit(
            pilot=context.pilot.id,
            nonce=event.data.nonce,
            standing=standing.ordered,
            epoch=context.epoch,
            lease_ms=plan.lease_ms,
            source=event.source,
            stop=plan.strict,
            notice=_notice(context),
        )
    )


def _notice(context: DecisionContext) -> Notice | None:
    pilot = context.pilot
    active, rejections, window = pilot.standing.active, pilot.rejections, pilot.window
    if not active and not rejections.by_reason and not window.waiting:
        return None
    return Notice(
        rejected=rejections.rejected,
        uncounted=rejections.uncounted,
        newest=rejections.newest,
        findings=tuple([key[:CHARACTERS] for key in sorted(active)[:FINDINGS]]),
        rectify_by=window.due if window.waiting else None,
    )


def resend(context: DecisionContext) -> None:
    """Emit an unacknowledged command once more: same id, same standing. The next attempt is due after twice the
    wait."""
    retransmission = context.pilot.standing.retransmission
    assert retransmission is not None
    command = structs.replace(retransmission.command, epoch=context.epoch, again=retransmission.attempts + 1)
    context.emit(command)
    context.pilot.standing = structs.replace(context.pilot.standing, retransmission=retransmission.resent(context.at))


def drill_due(context: DecisionContext) -> None:
    """A drill that the charter asks for began: the firm owes its passing until the command is overdue."""
    due = context.pilot.standing.halt_state.due
    clock_facts(context, Fact(kind=FactKind.DRILL_SET, at=context.at, key=f"{DRILL}@{context.at}", due=due))


def command_overdue(context: DecisionContext) -> None:
    """The time in which the service must acknowledge, or show that it stopped, has passed."""
    state = context.pilot.standing.halt_state
    _set_state(context, halt_state.as_overdue(state))
    seconds = (context.at - state.at) / 1000
    if state.kind == "halt":
        rule = {"commanded": "not_acknowledged", "contradicted": "serving"}.get(state.state, "dark")
        context.raise_finding(OVERDUE, Level.ESCALATE, Reason.HALT_OVERDUE, Finding(rule=rule, observed=seconds))
        return
    finding = Finding(rule=state.kind, observed=seconds, expected=_allowed_seconds(context))
    context.raise_finding(DRILL, Level.ESCALATE, Reason.DRILL_OVERDUE, finding, "until_lowered")
    _end_drill(context)


def _acknowledged(context: DecisionContext, event: CommandAcknowledged) -> None:
    standing, data = context.pilot.standing, event.data
    number, state = int(event.sequence), standing.halt_state
    shown = state.evidence.get(short(event.source))
    if shown is not None and shown.acknowledged:
        return  # the first acknowledgement of an incarnation counts
    took = (context.at - state.at) / 1000 if state.kind else None
    finding = Finding(rule="acknowledge", detail=data.last_decision, observed=took)
    move = Move("act", standing.level, standing.level, Reason.COMMAND_ACKNOWLEDGED, False)
    context.record(move, finding, event.source)
    if not state.kind:
        _set_acknowledged(context, True)
        return  # a release: there is no stop to verify
    new = halt_state.with_acknowledgement(
        state, short(event.source), number, millis(event.time), context.at, _due(context)
    )
    _set_state(context, new)
    _set_acknowledged(context, context.pilot.standing.halt_state.acknowledged)
    if state.state == "overdue" and state.kind == "halt":
        context.clear(OVERDUE, Finding(rule="acknowledge"))
    if state.kind == "dry_run":
        _drill_passed(context)
    elif state.kind == "halt":  # it came during a drill, and showed the same
        clock_facts(context, Fact(kind=FactKind.DRILL_DONE, at=context.at))


def _heartbeat(context: DecisionContext, event: Heartbeat) -> None:
    state, data, number = context.pilot.standing.halt_state, event.data, int(event.sequence)
    shown = state.evidence.get(short(event.source))
    missing = context.pilot.sources[short(event.source)].missing
    gap = shown is not None and missing.between(shown.newest, number)
    since = context.at - context.plan.acknowledge_ms
    new = halt_state.with_heartbeat(
        state, short(event.source), number, data.serving, data.exposure, gap, context.at, _due(context), since
    )
    if new.state == "verified" and state.state != "verified" and _unheard(context, since):
        new = structs.replace(new, state=state.state, due=None if state.due is None else _due(context))
    _set_state(context, new)
    if data.serving:
        acknowledged = None if shown is None else shown.number
        if (acknowledged is None and context.at > _deadline(context)) or (
            acknowledged is not None and number > acknowledged
        ):
            _contradicted(context, event, "heartbeat", None)
    elif new.state == "verified" and state.state != "verified":
        _verified(context, event)


def _verified(context: DecisionContext, event: Heartbeat) -> None:
    """The heartbeats confirm that every incarnation stopped."""
    state = context.pilot.standing.halt_state
    _set_acknowledged(context, True)
    if state.kind == "full_stop":
        _drill_passed(context)
        return
    finding = Finding(rule="heartbeats", observed=(context.at - state.at) / 1000)
    level = context.pilot.standing.level
    context.record(Move("act", level, level, Reason.HALT_VERIFIED, False), finding, event.source)
    context.clear(OVERDUE, Finding(rule="heartbeats"))
    context.clear(CONTRADICTED, Finding(rule="heartbeats"))
    exit_once_stopped(context)


def _unheard(context: DecisionContext, since: int) -> bool:
    """Whether an incarnation that served before the command, and was heard at or after `since` (ms), has sent no
    heartbeat since the command. Otherwise another incarnation could acknowledge, and be verified, between two of its
    heartbeats."""
    evidence = context.pilot.standing.halt_state.evidence
    return any(
        source.heard >= since and source.statements.at and not source.ended and name not in evidence
        for name, source in context.pilot.sources.items()
    )


def _traffic(context: DecisionContext, event: Envelope) -> None:
    """Find traffic that happened after the stop, or a complaint about that time."""
    when, amount = event.time, 1.0
    if isinstance(event, ExposureTallied):
        amount = event.data.amount
    elif isinstance(event, OutcomesTallied):
        data = event.data
        amount = float(data.tp + data.fp + data.tn + data.fn)
    elif isinstance(event, ItemsTallied):
        amount = float(event.data.marked + event.data.unmarked)
    elif isinstance(event, ComplaintFiled) and event.data.about is not None:
        when = event.data.about
    else:
        return
    stopped = context.pilot.standing.halt_state.stopped(short(event.source), context.at, _deadline(context))
    if amount > 0 and stopped is not None and millis(when) > stopped:
        _contradicted(context, event, str(event.__struct_config__.tag).split(".")[1], amount)


def _contradicted(context: DecisionContext, event: Envelope, rule: str, amount: float | None) -> None:
    _set_state(context, halt_state.with_contradiction(context.pilot.standing.halt_state, _due(context)))
    finding = Finding(rule=rule, observed=amount, detail=event.source)
    context.raise_finding(CONTRADICTED, Level.ESCALATE, Reason.HALT_CONTRADICTED, finding)
    _set_acknowledged(context, False)  # its acknowledgement is disproved, so the command is resent


def _drill_passed(context: DecisionContext) -> None:
    """Record how long the service took."""
    standing = context.pilot.standing
    seconds = (context.at - standing.halt_state.at) / 1000
    finding = Finding(rule=standing.halt_state.kind, observed=seconds, expected=_allowed_seconds(context))
    context.record(Move("act", standing.level, standing.level, Reason.DRILL_PASSED, False), finding)
    context.clear(DRILL, finding)
    clock_facts(context, Fact(kind=FactKind.DRILL_DONE, at=context.at))
    context.clear(CONTRADICTED, finding)
    _end_drill(context)


def _end_drill(context: DecisionContext) -> None:
    """A drill that stopped the service ends with a command to resume; a dry run needs none."""
    standing = context.pilot.standing
    if standing.halt_state.kind == "full_stop":
        move = Move("act", standing.level, standing.level, Reason.DRILL_ENDED, False)
        context.record(move, Finding(rule="full_stop"))
    else:
        _set_acknowledged(context, True)
    _set_state(context, halt_state.HaltState())


def _set_acknowledged(context: DecisionContext, acknowledged: bool) -> None:
    """Stop resending the command in force; or, if it was taken for acknowledged and is not, start again."""
    waiting = context.pilot.standing.retransmission
    if waiting is not None and acknowledged == (waiting.due is not None):
        new = (
            structs.replace(waiting, due=None)
            if acknowledged
            else halt_state.first_transmission(waiting.command, context.at)
        )
        context.pilot.standing = structs.replace(context.pilot.standing, retransmission=new)


def _set_state(context: DecisionContext, state: halt_state.HaltState) -> None:
    context.pilot.standing = structs.replace(context.pilot.standing, halt_state=state)


def _due(context: DecisionContext) -> int:
    return context.at + context.plan.acknowledge_ms


def _deadline(context: DecisionContext) -> int:
    return context.pilot.standing.halt_state.at + context.plan.acknowledge_ms


def _allowed_seconds(context: DecisionContext) -> float:
    return context.plan.acknowledge_ms / 1000
