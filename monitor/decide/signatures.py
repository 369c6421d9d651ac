"""Signatures of acts: verified with the keys that the charter or the deployment registers. Those of telemetry are
verified in `monitor/decide/senders.py`. Pure."""

from __future__ import annotations

from contextlib import suppress

from monitor.charter.control import Admission, Amendment, ControlBase, Withdrawal
from monitor.compile.plan import Plan
from monitor.errors import Forged
from monitor.lifecycle.sandbox import Sandbox
from monitor.model.events import CommandAcknowledged, Heartbeat
from monitor.model.records import Record
from monitor.model.refusals import Forgery
from monitor.model.signing import HEADER, Proved, Trusted

SIGNED_EVENTS = (
    CommandAcknowledged,
    Heartbeat,
)  # the only events that had to be signed under the first rules (`monitor.model.records.Claim`)


def signed_by_person(sandbox: Sandbox, plan: Plan | None, act: ControlBase, record: Record) -> Proved:
    """The key that signed an act, where the sandbox registers the keys of people, and the charter in force (`plan`)
    those of the firm; no key where none is registered for the author. Raises Forged."""
    text, body = signature_of(record), record.value or b""
    if plan is not None and act.author == plan.charter.participant.id:
        return Proved(plan.firm.verify("control", body, text)) if plan.firm else Proved()
    person = sandbox.person(act.author)
    if person is not None and person.keys:
        return Proved(Trusted(person.keys).verify("control", body, text))
    if plan is not None and text.partition(":")[0] in plan.firm.ids:
        raise Forged(
            "signature", Forgery.KEY_OF_THE_FIRM, f"the firm's key signs for {plan.charter.participant.id} only"
        )
    return Proved()


def signed_founding(act: ControlBase, record: Record, admitters: Trusted | None, open_mode: bool) -> Proved:
    """The key that signed the founding of a sandbox: that of an admitter, if the deployment has any; in open mode it
    need not be. Raises Forged."""
    if admitters is None:
        return Proved()
    try:
        return Proved(admitters.verify("control", record.value or b"", signature_of(record)), True)
    except Forged:
        if not open_mode:
            raise
        return Proved()


def signed_by(
    plan: Plan | None, act: ControlBase, record: Record, admitters: Trusted | None, open_mode: bool = False
) -> Proved:
    """The key that signed an act, where no sandbox is founded; no key where none is registered for its author. Raises
    Forged.

    `admitters`, if the deployment has any, sign admissions, and amendments and withdrawals in place of an author with a
    key in the charter in force; in open mode they may, but need not.
    """
    text, body = signature_of(record), record.value or b""
    if admitters and isinstance(act, Admission | Amendment | Withdrawal):
        try:
            return Proved(admitters.verify("control", body, text), True)
        except Forged:
            named = not isinstance(act, Admission) and plan is not None and act.author in plan.signers
            if not open_mode and not named:
                raise
    if isinstance(act, Admission) and plan is None:
        with suppress(ValueError, KeyError, TypeError):  # an invalid charter is refused later
            plan = Plan(act.charter)
    if plan is None:
        return Proved()
    if act.author == plan.charter.participant.id:
        return Proved(plan.firm.verify("control", body, text)) if plan.firm else Proved()
    trusted = plan.signers.get(act.author)
    if trusted is not None:
        return Proved(trusted.verify("control", body, text))
    if plan.signers and not isinstance(act, Admission):
        raise Forged("author", Forgery.NO_KEY, f"the charter names keys, but none of {act.author}")
    if text.partition(":")[0] in plan.firm.ids:
        raise Forged(
            "signature", Forgery.KEY_OF_THE_FIRM, f"the firm's key signs for {plan.charter.participant.id} only"
        )
    return Proved()


def signature_of(record: Record) -> str:
    """The signature in the header of a record, "" without one."""
    return (dict(record.headers).get(HEADER) or b"").decode("latin-1")
