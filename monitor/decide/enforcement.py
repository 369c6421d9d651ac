"""Obey: what a halted (or drilled) service reports is held against its command; and a service that may run gets its permit."""

from __future__ import annotations

from msgspec import structs

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
    OutcomesTallied,
    millis,
)
from monitor.model.notice import CHARACTERS, FINDINGS, Notice
from monitor.model.records import Finding, Level, Permit, Reason
from monitor.state import halt_state
from monitor.state.pilot import Pilot

ACKNOWLEDGEMENTS = (CommandAcknowledged,)
OVERDUE, CONTRADICTED, DRILL = "halt/overdue", "halt/contradicted", "drill"


def track(context: DecisionContext, event: Envelope) -> bool:
    """Hold an event against the command in force. Returns whether timers must be set again."""
    before, told = context.pilot.standing.halt_state, context.pilot.standing.retransmission
    if isinstance(event, CommandAcknowledged):
        _acknowledged(context, event)
    elif before.stops:
        if isinstance(event, Heartbeat):
            _beat(context, event)
        else:
            _served(context, event)
    standing = context.pilot.standing
    return standing.halt_state.due != before.due or standing.retransmission is not told


def stop_tracking(pilot: Pilot) -> None:
    """No service is part of the replay: the command in force is neither resent nor followed up."""
    standing = pilot.standing
    if standing.halt_state.kind or (standing.retransmission is not None and standing.retransmission.due):
        sending = standing.retransmission and structs.replace(standing.retransmission, due=0)
        pilot.standing = structs.replace(standing, halt_state=halt_state.HaltState(), retransmission=sending)


def track_conflict(context: DecisionContext, event: Envelope) -> None:
    """Hold an event that is rejected as a conflict against the command to stop: it verifies nothing, but may
    contradict."""
    if not isinstance(event, Heartbeat):
        _served(context, event)
        return
    stopped = context.pilot.standing.halt_state.stopped(short(event.source), context.at, _deadline(context))
    if event.data.serving and stopped is not None and millis(event.time) > stopped:
        _contradicted(context, event, "heartbeat", None)


def grant_permit(context: DecisionContext, event: Heartbeat) -> None:
    """Answer a heartbeat, unless the pilot may not run or nobody knows enough about it any more (by tier)."""
    standing, plan = context.pilot.standing, context.plan
    if standing.halted or standing.halt_state.kind == "full_stop" or (plan.strict and "unknown" in standing.active):
        return
    context.out.permits.append(
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
        rejected=rejections.by_reason,
        newest=rejections.newest,
        findings=tuple([key[:CHARACTERS] for key in sorted(active)[:FINDINGS]]),
        rectify_by=window.due if window.waiting else None,
    )


def resend(context: DecisionContext) -> None:
    """A command that nobody has answered is told again: the same id, the same standing, what is due later and later."""
    sending = context.pilot.standing.retransmission
    assert sending is not None
    context.out.commands.append(structs.replace(sending.command, epoch=context.epoch, again=sending.attempts + 1))
    context.pilot.standing = structs.replace(context.pilot.standing, retransmission=sending.resent(context.at))


def command_overdue(context: DecisionContext) -> None:
    """The time to acknowledge, or to show that the service stands still, is over."""
    order = context.pilot.standing.halt_state
    _put(context, halt_state.as_overdue(order))
    seconds = (context.at - order.at) / 1000
    if order.kind == "halt":
        said = (
            "not_acknowledged" if order.state == "commanded" else "dark" if order.state != "contradicted" else "serving"
        )
        context.raise_finding(OVERDUE, Level.ESCALATE, Reason.HALT_OVERDUE, Finding(rule=said, observed=seconds))
        return
    finding = Finding(rule=order.kind, observed=seconds, expected=_within(context))
    context.raise_finding(DRILL, Level.ESCALATE, Reason.DRILL_OVERDUE, finding, "until_lowered")
    _end_drill(context)


def _acknowledged(context: DecisionContext, event: CommandAcknowledged) -> None:
    standing, data = context.pilot.standing, event.data
    number, order = int(event.sequence), standing.halt_state
    proof = order.evidence.get(short(event.source))
    if proof is not None and proof.acknowledged:
        return  # each incarnation gives its word once
    took = (context.at - order.at) / 1000 if order.kind else None
    finding = Finding(rule="acknowledge", detail=data.last_decision, observed=took)
    context.record(
        Move("act", standing.level, standing.level, Reason.COMMAND_ACKNOWLEDGED, False), finding, event.source
    )
    if not order.kind:
        _answered(context, True)
        return  # a release: there is nothing to verify
    _put(
        context,
        halt_state.with_acknowledgement(
            order, short(event.source), number, millis(event.time), context.at, _due(context)
        ),
    )
    _answered(context, context.pilot.standing.halt_state.acknowledged)
    if order.state == "overdue" and order.kind == "halt":
        context.clear(OVERDUE, Finding(rule="acknowledge"))
    if order.kind == "dry_run":
        _drilled(context)


def _beat(context: DecisionContext, event: Heartbeat) -> None:
    order, data, number = context.pilot.standing.halt_state, event.data, int(event.sequence)
    proof = order.evidence.get(short(event.source))
    missing = context.pilot.sources[short(event.source)].missing
    gap = proof is not None and missing.between(max(proof.number, proof.last), number)
    since = context.at - context.plan.acknowledge_ms
    new = halt_state.with_heartbeat(
        order, short(event.source), number, data.serving, data.exposure, gap, context.at, _due(context), since
    )
    if new.state == "verified" and order.state != "verified" and _unheard(context, since):
        new = structs.replace(new, state=order.state, due=_due(context) if order.due else 0)
    _put(context, new)
    if data.serving:
        late = proof is not None and proof.acknowledged and number > proof.number
        if late or (not (proof and proof.acknowledged) and context.at > _deadline(context)):
            _contradicted(context, event, "heartbeat", None)
    elif new.state == "verified" and order.state != "verified":
        _answered(context, True)
        if order.kind == "full_stop":
            _drilled(context)
            return
        finding = Finding(rule="heartbeats", observed=(context.at - order.at) / 1000)
        level = context.pilot.standing.level
        context.record(Move("act", level, level, Reason.HALT_VERIFIED, False), finding, event.source)
        context.clear(OVERDUE, Finding(rule="heartbeats"))
        context.clear(CONTRADICTED, Finding(rule="heartbeats"))
        exit_once_stopped(context)


def _unheard(context: DecisionContext, since: int) -> bool:
    """Whether an incarnation that served before the command, and was heard at or after `since` (ms), has sent no heartbeat since
    the command. Without it another incarnation could acknowledge, and be verified, in the moment between two of its heartbeats."""
    proofs = context.pilot.standing.halt_state.evidence
    return any(
        source.heard >= since and source.statements.at and not source.ended and name not in proofs
        for name, source in context.pilot.sources.items()
    )


def _served(context: DecisionContext, event: Envelope) -> None:
    """Traffic that happened after the stop, or a complaint about that time."""
    when, amount = event.time, 1.0
    if isinstance(event, ExposureTallied):
        amount = event.data.amount
    elif isinstance(event, OutcomesTallied):
        data = event.data
        amount = float(data.tp + data.fp + data.tn + data.fn)
    elif isinstance(event, ComplaintFiled) and event.data.about is not None:
        when = event.data.about
    else:
        return
    stopped = context.pilot.standing.halt_state.stopped(short(event.source), context.at, _deadline(context))
    if amount > 0 and stopped is not None and millis(when) > stopped:
        _contradicted(context, event, str(event.__struct_config__.tag).split(".")[1], amount)


def _contradicted(context: DecisionContext, event: Envelope, rule: str, amount: float | None) -> None:
    _put(context, halt_state.with_contradiction(context.pilot.standing.halt_state, _due(context)))
    finding = Finding(rule=rule, observed=amount, detail=event.source)
    context.raise_finding(CONTRADICTED, Level.ESCALATE, Reason.HALT_CONTRADICTED, finding)
    _answered(context, False)  # its word is worth nothing: it is told again


def _drilled(context: DecisionContext) -> None:
    """A drill was passed: how long the service took is put on record."""
    standing = context.pilot.standing
    seconds = (context.at - standing.halt_state.at) / 1000
    finding = Finding(rule=standing.halt_state.kind, observed=seconds, expected=_within(context))
    context.record(Move("act", standing.level, standing.level, Reason.DRILL_PASSED, False), finding)
    context.clear(DRILL, finding)
    context.clear(CONTRADICTED, finding)
    _end_drill(context)


def _end_drill(context: DecisionContext) -> None:
    """A drill that stopped the service ends with a command to go on; one that did not simply ends."""
    standing = context.pilot.standing
    if standing.halt_state.kind == "full_stop":
        context.record(
            Move("act", standing.level, standing.level, Reason.DRILL_ENDED, False), Finding(rule="full_stop")
        )
    else:
        _answered(context, True)
    _put(context, halt_state.HaltState())


def _answered(context: DecisionContext, answered: bool) -> None:
    """The command in force need not be told again; or, if it was thought so, it must be after all."""
    sending = context.pilot.standing.retransmission
    if sending is not None and answered == bool(sending.due):
        new = (
            structs.replace(sending, due=0) if answered else halt_state.first_transmission(sending.command, context.at)
        )
        context.pilot.standing = structs.replace(context.pilot.standing, retransmission=new)


def _put(context: DecisionContext, order: halt_state.HaltState) -> None:
    context.pilot.standing = structs.replace(context.pilot.standing, halt_state=order)


def _due(context: DecisionContext) -> int:
    return context.at + context.plan.acknowledge_ms


def _deadline(context: DecisionContext) -> int:
    return context.pilot.standing.halt_state.at + context.plan.acknowledge_ms


def _within(context: DecisionContext) -> float:
    return context.plan.acknowledge_ms / 1000
