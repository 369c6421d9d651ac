"""Proof: whether a service's word, or an act, is signed with the key that stands in the charter for it."""

from __future__ import annotations

from contextlib import suppress

from monitor.control import Admission, Amendment, ControlBase
from monitor.errors import Forged
from monitor.model import Record
from monitor.plan import Plan
from monitor.rejections import Why
from monitor.signing import HEADER, Trusted
from monitor.telemetry import CommandAcknowledged, Heartbeat

WORD = (CommandAcknowledged, Heartbeat)  # what a service gives its word with: signed, where the charter names its key


def forged(plan: Plan | None, record: Record) -> tuple[Why, str] | None:
    """Why the word of a service is not taken: the charter names its key, and nobody signed the record with it."""
    if plan is not None and plan.firm:
        try:
            plan.firm.verify("telemetry", record.value or b"", _signature(record))
        except Forged:
            return Why.FORGED, "signature"
    return None


def signed_by(plan: Plan | None, act: ControlBase, record: Record, admitters: Trusted | None) -> str:
    """The id of the key that signed an act, "" when nobody's must. `admitters`, where there are any, sign what admits or amends.
    Raises Forged."""
    if admitters and isinstance(act, Admission | Amendment):
        try:
            return admitters.verify("control", record.value or b"", _signature(record))
        except Forged:
            if isinstance(act, Admission) or act.author not in (plan.signers if plan else ()):
                raise
    if isinstance(act, Admission) and plan is None:
        with suppress(ValueError, KeyError, TypeError):  # a charter that does not hold together is refused later
            plan = Plan(act.charter)
    if plan is None:
        return ""
    trusted = plan.signers.get(act.author)
    if trusted is None and act.author == plan.charter.participant.id:
        trusted = plan.firm
    elif trusted is None and plan.signers and not isinstance(act, Admission):
        raise Forged("author", "no_key", f"the charter names keys, but none of {act.author}")
    return trusted.verify("control", record.value or b"", _signature(record)) if trusted else ""


def _signature(record: Record) -> str:
    return dict(record.headers).get(HEADER, b"").decode("latin-1")
