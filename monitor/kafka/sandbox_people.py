"""Who acts on the files of models through the gateway: suppliers and evaluators, as the configuration of the sandbox in
force says. From the acts on the sandbox and the decisions that they caused."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TypeVar

from monitor.charter.control import ControlBase
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import Sandbox
from monitor.lifecycle.sandbox_acts import (
    Change,
    Proposal,
    SandboxFounding,
    change_digest,
    changed,
    configuration_digest,
)
from monitor.model.records import Decision, Reason
from monitor.model.subjects import SANDBOX

Kept = TypeVar("Kept", Sandbox, Change)
THIRD_PARTIES = frozenset({Role.SUPPLIER, Role.EVALUATOR})
AHEAD = 10_000  # decisions that may wait for their acts
FOUNDINGS, CHANGES = 16, 1_000  # the newest ones are kept: everybody may send one
_CONTENT = re.compile(r"content ([0-9a-f]+)")


class SandboxPeople:
    """Feed it acts and decisions in any order, with repeats. A configuration counts once a decision names its digest,
    so a refused act changes nothing."""

    def __init__(self) -> None:
        self._foundings: OrderedDict[str, Sandbox] = OrderedDict()  # by digest of the configuration
        self._changes: OrderedDict[str, Change] = OrderedDict()  # by digest of the change
        self._waiting: dict[int, Decision] = {}  # by standing
        self._sandbox: Sandbox | None = None
        self._standing = 0

    def act(self, act: ControlBase) -> None:
        """Learn the configuration, or the change of one, that an act asks for."""
        if isinstance(act, SandboxFounding):
            _keep(self._foundings, configuration_digest(act.sandbox), act.sandbox, FOUNDINGS)
        elif isinstance(act, Proposal):
            _keep(self._changes, change_digest(act.change), act.change, CHANGES)
        else:
            return
        self._advance()

    def decision(self, decision: Decision) -> None:
        """Learn which configuration is in force."""
        if decision.pilot == SANDBOX and self._standing < decision.standing <= self._standing + AHEAD:
            self._waiting[decision.standing] = decision
            self._advance()

    def keys_of(self, name: str) -> tuple[str, ...]:
        """The public keys of a supplier or evaluator; none for everybody else."""
        person = None if self._sandbox is None else self._sandbox.person(name)
        return () if person is None or THIRD_PARTIES.isdisjoint(person.roles) else person.keys

    def channel_keys_of(self, name: str) -> tuple[str, ...]:
        """The public keys of a public channel of users; none for everybody else."""
        person = None if self._sandbox is None else self._sandbox.person(name)
        return () if person is None or Role.PUBLIC_CHANNEL not in person.roles else person.keys

    def _advance(self) -> None:
        while (decision := self._waiting.get(self._standing + 1)) is not None:
            found = self._after(decision)
            if found is None:  # its act was not read yet
                return
            self._sandbox, self._standing = found, decision.standing
            del self._waiting[decision.standing]

    def _after(self, decision: Decision) -> Sandbox | None:
        """The configuration after a decision, `None` while the act is not known."""
        before = self._sandbox
        if decision.reason is Reason.FOUNDED:
            return self._foundings.get(decision.charter)
        if before is None or decision.reason is not Reason.CONFIGURATION_CHANGED:
            return before
        named = _CONTENT.search(decision.finding.detail)
        change = self._changes.get(named[1]) if named else None
        after = None if change is None else changed(before, change)
        return after if configuration_digest(after) == decision.charter else None


def _keep(into: OrderedDict[str, Kept], name: str, value: Kept, most: int) -> None:
    into[name] = value
    while len(into) > most:
        into.popitem(last=False)
