"""Acts on the configuration of the sandbox in a history: in three of ten it is founded, without keys, and changes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from msgspec import structs

from monitor.charter.control import ControlBase
from monitor.deadlines.shipped import example_table
from monitor.lifecycle.acts import Role
from monitor.lifecycle.first import first_sandbox
from monitor.lifecycle.sandbox import SUBJECT, Person
from monitor.lifecycle.sandbox_acts import (
    Change,
    Proposal,
    ProposalApproval,
    ProposalWithdrawal,
    PutPerson,
    PutTier,
    RemovePerson,
    SandboxFounding,
    change_digest,
)

AUTHORITY = "sandbox-authority"  # of the simulated fleet
SHARE = 0.3  # of histories in which a sandbox is founded


class SandboxStory:
    """The acts of one history, in order; `None` of them where no sandbox is founded. They are sent to every
    partition."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"sandbox/{seed}")
        self.founded = self._rng.random() < SHARE
        self._seed, self._number = seed, 0
        regulators = [Person(f"regulator-{n}", (Role.OFFICER, Role.APPROVER), AUTHORITY) for n in (1, 2)]
        self._sandbox = first_sandbox("history", AUTHORITY, {}, example_table(), tuple(regulators))

    def founding(self) -> ControlBase:
        """The founding; a second one is refused."""
        return SandboxFounding(**self._by("regulator-1"), sandbox=self._sandbox)

    def change(self) -> Iterator[ControlBase]:
        """A proposal with its approval, a withdrawal, or an act that is refused; sometimes twice."""
        rng, change = self._rng, self._change()
        proposal = Proposal(**self._by("regulator-1"), change=change)
        yield proposal
        approval = ProposalApproval(**self._by("regulator-2"), proposal=proposal.id, digest=change_digest(change))
        kind = rng.randrange(5)
        if kind == 0:
            yield ProposalWithdrawal(**self._by("regulator-1"), proposal=proposal.id)
        elif kind == 1:
            yield structs.replace(approval, author="stranger")
        else:
            yield approval
        if rng.random() < 0.3:
            yield approval
        if rng.random() < 0.1:
            yield self.founding()

    def _change(self) -> Change:
        rng = self._rng
        tier = rng.choice(self._sandbox.tiers)
        changes: tuple[Change, ...] = (
            PutPerson(Person("regulator-3", (Role.OFFICER,), AUTHORITY)),
            RemovePerson("regulator-3"),
            PutTier(structs.replace(tier, highest_alpha=tier.highest_alpha * rng.choice((0.9, 1.0)))),
            PutPerson(Person("regulator-2", (Role.APPROVER,), AUTHORITY)),
            PutPerson(Person("regulator-2", (Role.OFFICER, Role.APPROVER), AUTHORITY)),
        )
        return rng.choice(changes)

    def _by(self, author: str) -> dict[str, Any]:
        self._number += 1
        return {"id": f"sandbox-{self._seed}-{self._number}", "pilot": SUBJECT, "author": author}
