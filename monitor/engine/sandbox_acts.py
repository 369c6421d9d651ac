"""Acts on the configuration of the sandbox: every partition steps them, so each knows who may act on its pilots.

The subject `sandbox` has its home in partition `HOME`, which decides: an accepted act is a decision there, with a
separate standing, and an entry in the ledger `sandbox`. Copies of accepted acts in the other partitions change their
configuration in the same way and emit nothing. Acts are valid once, as those on pilots are. When an act may be received
(`not_before`, `not_after`) is judged at home only, since a partition may be added later.
"""

from __future__ import annotations

from monitor.charter.control import ControlBase
from monitor.decide.releasable import check_releasable
from monitor.decide.signatures import signed_by_person, signed_founding
from monitor.engine.act_decision import act_decision
from monitor.engine.partition import Partition
from monitor.lifecycle.change_words import change_words
from monitor.lifecycle.sandbox import SUBJECT, Sandbox
from monitor.lifecycle.sandbox_acts import (
    Proposal,
    ProposalApproval,
    ProposalWithdrawal,
    SandboxAct,
    SandboxFounding,
    SandboxState,
    step,
)
from monitor.lifecycle.tenure import founding_tenure, next_tenure
from monitor.model.records import Finding, Outputs, Reason, Record
from monitor.model.signing import Proved, Trusted
from monitor.state import acts_once

HOME = 0  # the partition of `control` that decides

REASONS: dict[type[ControlBase], Reason] = {
    SandboxFounding: Reason.FOUNDED,
    Proposal: Reason.CONFIGURATION_PROPOSED,
    ProposalApproval: Reason.CONFIGURATION_CHANGED,
    ProposalWithdrawal: Reason.PROPOSAL_WITHDRAWN,
}


def step_sandbox(
    partition: Partition, act: SandboxAct, record: Record, admitters: Trusted | None, open_mode: bool, out: Outputs
) -> None:
    """Verify an act on the sandbox and apply it. Raises ControlRefused or Forged; then nothing took effect."""
    subject, home = partition.subject, partition.number == HOME
    before = subject.configuration
    if isinstance(act, SandboxFounding):
        by = signed_founding(act, record, admitters, open_mode)
    else:
        by = Proved() if before.sandbox is None else signed_by_person(before.sandbox, None, act, record)
    acts_once.check_copy(subject.acts, act, by, False)
    if home:
        acts_once.check_time(act, record.received)
    at = max(subject.at, record.received)
    new = step(before, act, by, at=at, open_mode=open_mode)
    if home and new.sandbox is not before.sandbox:
        check_releasable(before, new, partition.pilots.values())
    acts_once.check_valid(subject.acts, act, by, False, subject.standing, 0)
    subject.configuration, subject.at, subject.standing = new, at, subject.standing + 1
    acts_once.remember_act(subject.acts, act, by, False, subject.standing)
    partition.changed.add(SUBJECT)
    if home:
        found = REASONS[type(act)], _finding(act, before, new)
        out.decisions.append(act_decision(partition, act, by, found, at, subject.standing))


def configure(partition: Partition, sandbox: Sandbox, at: int, digest: str) -> None:
    """Put a configuration in force from `at` (ms) on without the act that did it; nothing is recorded. `digest` is that
    of the whole configuration, of which `sandbox` may lack names and contacts."""
    subject, partition.given_digest = partition.subject, digest
    state = subject.configuration
    if state.sandbox is None:
        tenure = founding_tenure(sandbox, at)
    else:
        tenure = next_tenure(state.tenure, state.sandbox, sandbox, at)
    subject.configuration, subject.at = SandboxState(sandbox, state.open, tenure), at
    partition.changed.add(SUBJECT)


def _finding(act: SandboxAct, before: SandboxState, after: SandboxState) -> Finding:
    """The version in force after the act, and what was proposed, approved or withdrawn."""
    assert after.sandbox is not None
    rule, known = f"version {after.sandbox.version}", before.open
    if isinstance(act, SandboxFounding):
        people, authorities = len(act.sandbox.people), len(act.sandbox.authorities)
        return Finding(rule=rule, detail=f"{act.sandbox.id}: {authorities} authorities, {people} people")
    name = act.id if isinstance(act, Proposal) else act.proposal
    proposed = after.open[name] if isinstance(act, Proposal) else known[name]
    return Finding(rule=rule, detail=f"proposal {name}: {change_words(proposed.change)}")
