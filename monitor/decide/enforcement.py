"""Obey: what a halted (or drilled) service reports is held against its command; and a service that may run gets its permit."""

from __future__ import annotations

from msgspec import structs

from monitor.decide.context import Case
from monitor.decide.ladder import Move
from monitor.decide.leave import left_once_stopped
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
from monitor.state import halt_order
from monitor.state.pilot import Pilot

ANSWERS = (CommandAcknowledged,)
OVERDUE, CONTRADICTED, DRILL = "halt/overdue", "halt/contradicted", "drill"


def follow(case: Case, event: Envelope) -> bool:
    """Hold an event against the command in force. Returns whether timers must be set again."""
    before, told = case.pilot.standing.order, case.pilot.standing.sending
    if isinstance(event, CommandAcknowledged):
        _acknowledged(case, event)
    elif before.stops:
        if isinstance(event, Heartbeat):
            _beat(case, event)
        else:
            _served(case, event)
    standing = case.pilot.standing
    return standing.order.due != before.due or standing.sending is not told


def unserved(pilot: Pilot) -> None:
    """No service is part of the replay: the command in force is neither resent nor followed up."""
    standing = pilot.standing
    if standing.order.kind or (standing.sending is not None and standing.sending.due):
        sending = standing.sending and structs.replace(standing.sending, due=0)
        pilot.standing = structs.replace(standing, order=halt_order.Order(), sending=sending)


def contest(case: Case, event: Envelope) -> None:
    """Hold an event that is rejected as a conflict against the command to stop: it verifies nothing, but may
    contradict."""
    if not isinstance(event, Heartbeat):
        _served(case, event)
        return
    stopped = case.pilot.standing.order.stopped(short(event.source), case.at, _deadline(case))
    if event.data.serving and stopped is not None and millis(event.time) > stopped:
        _contradicted(case, event, "heartbeat", None)


def permit(case: Case, event: Heartbeat) -> None:
    """Answer a heartbeat, unless the pilot may not run or nobody knows enough about it any more (by tier)."""
    standing, plan = case.pilot.standing, case.plan
    if standing.halted or standing.order.kind == "full_stop" or (plan.strict and "unknown" in standing.active):
        return
    case.out.permits.append(
        Permit(
            pilot=case.pilot.id,
            nonce=event.data.nonce,
            standing=standing.ordered,
            epoch=case.epoch,
            lease_ms=plan.lease_ms,
            source=event.source,
            stop=plan.strict,
            notice=_notice(case),
        )
    )


def _notice(case: Case) -> Notice | None:
    pilot = case.pilot
    active, rejections, window = pilot.standing.active, pilot.rejections, pilot.window
    if not active and not rejections.by_reason and not window.waiting:
        return None
    return Notice(
        rejected=rejections.by_reason,
        newest=rejections.newest,
        findings=tuple([key[:CHARACTERS] for key in sorted(active)[:FINDINGS]]),
        rectify_by=window.due if window.waiting else None,
    )


def again(case: Case) -> None:
    """A command that nobody has answered is told again: the same id, the same standing, what is due later and later."""
    sending = case.pilot.standing.sending
    assert sending is not None
    case.out.commands.append(structs.replace(sending.command, epoch=case.epoch, again=sending.times + 1))
    case.pilot.standing = structs.replace(case.pilot.standing, sending=sending.again(case.at))


def overdue(case: Case) -> None:
    """The time to acknowledge, or to show that the service stands still, is over."""
    order = case.pilot.standing.order
    _put(case, halt_order.overdue(order))
    seconds = (case.at - order.at) / 1000
    if order.kind == "halt":
        said = (
            "not_acknowledged" if order.state == "commanded" else "dark" if order.state != "contradicted" else "serving"
        )
        case.found(OVERDUE, Level.ESCALATE, Reason.HALT_OVERDUE, Finding(rule=said, observed=seconds))
        return
    finding = Finding(rule=order.kind, observed=seconds, expected=_within(case))
    case.found(DRILL, Level.ESCALATE, Reason.DRILL_OVERDUE, finding, "until_lowered")
    _end_drill(case)


def _acknowledged(case: Case, event: CommandAcknowledged) -> None:
    standing, data = case.pilot.standing, event.data
    number, order = int(event.sequence), standing.order
    proof = order.proofs.get(short(event.source))
    if proof is not None and proof.acknowledged:
        return  # each incarnation gives its word once
    took = (case.at - order.at) / 1000 if order.kind else None
    finding = Finding(rule="acknowledge", detail=data.last_decision, observed=took)
    case.record(Move("act", standing.level, standing.level, Reason.COMMAND_ACKNOWLEDGED, False), finding, event.source)
    if not order.kind:
        _answered(case, True)
        return  # a release: there is nothing to verify
    _put(case, halt_order.acknowledged(order, short(event.source), number, millis(event.time), case.at, _due(case)))
    _answered(case, case.pilot.standing.order.answered)
    if order.state == "overdue" and order.kind == "halt":
        case.drop(OVERDUE, Finding(rule="acknowledge"))
    if order.kind == "dry_run":
        _drilled(case)


def _beat(case: Case, event: Heartbeat) -> None:
    order, data, number = case.pilot.standing.order, event.data, int(event.sequence)
    proof = order.proofs.get(short(event.source))
    missing = case.pilot.sources[short(event.source)].missing
    gap = proof is not None and missing.between(max(proof.number, proof.last), number)
    since = case.at - case.plan.acknowledge_ms
    new = halt_order.beat(
        order, short(event.source), number, data.serving, data.exposure, gap, case.at, _due(case), since
    )
    if new.state == "verified" and order.state != "verified" and _unheard(case, since):
        new = structs.replace(new, state=order.state, due=_due(case) if order.due else 0)
    _put(case, new)
    if data.serving:
        late = proof is not None and proof.acknowledged and number > proof.number
        if late or (not (proof and proof.acknowledged) and case.at > _deadline(case)):
            _contradicted(case, event, "heartbeat", None)
    elif new.state == "verified" and order.state != "verified":
        _answered(case, True)
        if order.kind == "full_stop":
            _drilled(case)
            return
        finding = Finding(rule="heartbeats", observed=(case.at - order.at) / 1000)
        level = case.pilot.standing.level
        case.record(Move("act", level, level, Reason.HALT_VERIFIED, False), finding, event.source)
        case.drop(OVERDUE, Finding(rule="heartbeats"))
        case.drop(CONTRADICTED, Finding(rule="heartbeats"))
        left_once_stopped(case)


def _unheard(case: Case, since: int) -> bool:
    """Whether an incarnation that served before the command, and was heard at or after `since` (ms), has sent no heartbeat since
    the command. Without it another incarnation could acknowledge, and be verified, in the moment between two of its heartbeats."""
    proofs = case.pilot.standing.order.proofs
    return any(
        source.heard >= since and source.marks.at and not source.ended and name not in proofs
        for name, source in case.pilot.sources.items()
    )


def _served(case: Case, event: Envelope) -> None:
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
    stopped = case.pilot.standing.order.stopped(short(event.source), case.at, _deadline(case))
    if amount > 0 and stopped is not None and millis(when) > stopped:
        _contradicted(case, event, str(event.__struct_config__.tag).split(".")[1], amount)


def _contradicted(case: Case, event: Envelope, rule: str, amount: float | None) -> None:
    _put(case, halt_order.contradicted(case.pilot.standing.order, _due(case)))
    finding = Finding(rule=rule, observed=amount, detail=event.source)
    case.found(CONTRADICTED, Level.ESCALATE, Reason.HALT_CONTRADICTED, finding)
    _answered(case, False)  # its word is worth nothing: it is told again


def _drilled(case: Case) -> None:
    """A drill was passed: how long the service took is put on record."""
    standing = case.pilot.standing
    seconds = (case.at - standing.order.at) / 1000
    finding = Finding(rule=standing.order.kind, observed=seconds, expected=_within(case))
    case.record(Move("act", standing.level, standing.level, Reason.DRILL_PASSED, False), finding)
    case.drop(DRILL, finding)
    case.drop(CONTRADICTED, finding)
    _end_drill(case)


def _end_drill(case: Case) -> None:
    """A drill that stopped the service ends with a command to go on; one that did not simply ends."""
    standing = case.pilot.standing
    if standing.order.kind == "full_stop":
        case.record(Move("act", standing.level, standing.level, Reason.DRILL_ENDED, False), Finding(rule="full_stop"))
    else:
        _answered(case, True)
    _put(case, halt_order.Order())


def _answered(case: Case, answered: bool) -> None:
    """The command in force need not be told again; or, if it was thought so, it must be after all."""
    sending = case.pilot.standing.sending
    if sending is not None and answered == bool(sending.due):
        new = structs.replace(sending, due=0) if answered else halt_order.sending(sending.command, case.at)
        case.pilot.standing = structs.replace(case.pilot.standing, sending=new)


def _put(case: Case, order: halt_order.Order) -> None:
    case.pilot.standing = structs.replace(case.pilot.standing, order=order)


def _due(case: Case) -> int:
    return case.at + case.plan.acknowledge_ms


def _deadline(case: Case) -> int:
    return case.pilot.standing.order.at + case.plan.acknowledge_ms


def _within(case: Case) -> float:
    return case.plan.acknowledge_ms / 1000
