"""The accepted acts on the configuration of a sandbox, and the versions that they made: records on `control` joined
with the decisions they caused. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import UNSET, Struct

from monitor.charter.control import ControlBase
from monitor.firms.record import record_digest
from monitor.lifecycle.firm_acts import Annulment, Classification
from monitor.lifecycle.sandbox import SUBJECT, Sandbox
from monitor.lifecycle.sandbox_acts import (
    AnyAct,
    OpenProposal,
    Proposal,
    ProposalApproval,
    SandboxFounding,
    SandboxState,
    change_digest,
    changed,
    configuration_digest,
)
from monitor.lifecycle.tenure import founding_tenure, next_tenure
from monitor.model.records import Decision, Record
from monitor.model.signing import HEADER
from monitor.model.subjects import firm_of

_act = msgspec.json.Decoder(AnyAct).decode


class AcceptedAct(Struct, frozen=True, kw_only=True):
    """An act that took effect: the record's value and signature as they were sent, and the decision on it."""

    body: bytes
    signature: str
    decision: Decision

    @property
    def act_id(self) -> str:
        """The id of the act."""
        return self.decision.cause.removeprefix("control:")


class SandboxVersion(Struct, frozen=True, kw_only=True):
    """A version of the configuration, with the decision that put it in force."""

    sandbox: Sandbox
    decision: Decision


class SandboxHistory(Struct, frozen=True, kw_only=True):
    """Every version, the one in force last, and the proposals that are open."""

    versions: tuple[SandboxVersion, ...] = ()
    open: dict[str, OpenProposal] = {}

    @property
    def state(self) -> SandboxState:
        """The configuration in force, with since when rights are held."""
        if not self.versions:
            return SandboxState()
        first, *later = self.versions
        sandbox, tenure = first.sandbox, founding_tenure(first.sandbox, first.decision.at)
        for one in later:
            tenure = next_tenure(tenure, sandbox, one.sandbox, one.decision.at)
            sandbox = one.sandbox
        return SandboxState(sandbox, self.open, tenure)

    @property
    def in_force(self) -> Sandbox | None:
        """The last version, `None` without one."""
        return self.versions[-1].sandbox if self.versions else None


def at_home(subject: str) -> bool:
    """Whether acts on this subject are decided in the home partition and copied to all others: the sandbox, firms."""
    return subject == SUBJECT or firm_of(subject) is not None


def acts_at_home(records: Iterable[Record], decisions: Iterable[Decision]) -> list[AcceptedAct]:
    """The accepted acts on the sandbox and on firms, in the order of `records`, which are of the home partition."""
    kept, caused = list(records), [one for one in decisions if at_home(one.pilot)]
    found = {one.body: one for subject in {one.pilot for one in caused} for one in accepted_acts(kept, caused, subject)}
    order = dict.fromkeys(record.value or b"" for record in kept)
    return [found[body] for body in order if body in found]


def accepted_acts(
    records: Iterable[Record], decisions: Iterable[Decision], subject: str = SUBJECT
) -> list[AcceptedAct]:
    """The accepted acts on a subject in their order. `records` are of the home partition of `control`."""
    sent: dict[str, list[tuple[ControlBase, Record]]] = {}
    for record in records:
        try:
            act = _act(record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if act.pilot == subject:
            sent.setdefault(act.id, []).append((act, record))
    found: dict[int, AcceptedAct] = {}
    for decision in decisions:
        for act, record in sent.get(decision.cause.removeprefix("control:"), ()):
            signature = (dict(record.headers).get(HEADER) or b"").decode("latin-1")
            if decision.pilot == subject and _caused(act, signature, decision):
                accepted = AcceptedAct(body=record.value or b"", signature=signature, decision=decision)
                found.setdefault(decision.standing, accepted)
    return [found[standing] for standing in sorted(found)]


def _caused(act: ControlBase, signature: str, decision: Decision) -> bool:
    """Whether the decision is on this act, and not on another one with its id that was refused."""
    if act.author != decision.author or (decision.signed and signature.partition(":")[0] != decision.signed):
        return False
    if isinstance(act, SandboxFounding):
        return configuration_digest(act.sandbox) == decision.charter
    content = decision.finding.content
    if isinstance(act, Classification):
        return content is not UNSET and content.get("record") == record_digest(act.record)
    if isinstance(act, Annulment):
        return content is not UNSET and content.get("decision") == act.decision
    return not isinstance(act, Proposal) or change_digest(act.change) in decision.finding.detail


def history_of(acts: Iterable[AcceptedAct]) -> SandboxHistory:
    """The versions that accepted acts made, from the founding on. An act whose result has another digest than the
    decision names is left out, with all after it: something before it is missing."""
    versions: list[SandboxVersion] = []
    proposals: dict[str, OpenProposal] = {}
    sandbox: Sandbox | None = None
    for one in acts:
        act = _act(one.body)
        if isinstance(act, SandboxFounding):
            sandbox = act.sandbox
        elif sandbox is None:
            break
        elif isinstance(act, Proposal):
            proposals[act.id] = OpenProposal(act.author, sandbox.version, act.change)
        elif isinstance(act, ProposalApproval) and act.proposal in proposals:
            sandbox = changed(sandbox, proposals.pop(act.proposal).change)
        else:
            proposals.pop(getattr(act, "proposal", ""), None)
        if configuration_digest(sandbox) != one.decision.charter:
            break
        if not versions or versions[-1].sandbox is not sandbox:
            versions.append(SandboxVersion(sandbox=sandbox, decision=one.decision))
    current = sandbox.version if sandbox is not None else 0
    return SandboxHistory(
        versions=tuple(versions), open={name: one for name, one in proposals.items() if one.version == current}
    )
