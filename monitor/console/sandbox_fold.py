"""The configuration of the sandbox in force, from acts on `control` and the decisions that put them in force. Pure.

Acts and decisions arrive from two logs, in any interleaving. An act takes effect here once a decision names the digest
of what it makes, so a refused one never does. Bounded: the newest `FOUNDINGS` and `CHANGES` acts, `PENDING` decisions.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque

from monitor.charter.act_base import ControlBase
from monitor.errors import ControlRefused
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

FOUNDINGS, CHANGES, PENDING = 8, 128, 256
_CONTENT = re.compile(r"\bcontent ([0-9a-f]+)")


class SandboxFold:
    """`in_force` is the configuration; `None` while none is known. `since` (ms) is when it came into force."""

    def __init__(self) -> None:
        self.in_force: Sandbox | None = None
        self.since: int | None = None
        self._founded: OrderedDict[str, Sandbox] = OrderedDict()
        self._changes: OrderedDict[str, Change] = OrderedDict()
        self._pending: deque[Decision] = deque(maxlen=PENDING)

    def act(self, act: ControlBase) -> None:
        """Remember an act on the sandbox; any other is passed over."""
        if isinstance(act, SandboxFounding):
            self._founded[configuration_digest(act.sandbox)] = act.sandbox
            if len(self._founded) > FOUNDINGS:
                self._founded.popitem(last=False)
        elif isinstance(act, Proposal):
            self._changes[change_digest(act.change)] = act.change
            if len(self._changes) > CHANGES:
                self._changes.popitem(last=False)
        else:
            return
        self._advance()

    def decide(self, decision: Decision) -> None:
        """Add a decision on the sandbox; each once, in order."""
        if decision.reason in (Reason.FOUNDED, Reason.CONFIGURATION_CHANGED):
            self._pending.append(decision)
            self._advance()

    def given(self, sandbox: Sandbox | None, at: int | None = None) -> None:
        """The configuration that a machine in this process has in force."""
        if sandbox is not None and sandbox is not self.in_force:
            self.in_force, self.since = sandbox, at
            self._pending.clear()

    def _advance(self) -> None:
        while self._pending and (made := self._made(self._pending[0])) is not None:
            self.in_force, self.since = made, self._pending.popleft().at

    def _made(self, decision: Decision) -> Sandbox | None:
        """The configuration that a decision put in force, once its act is known."""
        if decision.reason is Reason.FOUNDED:
            return self._founded.get(decision.charter)
        named = _CONTENT.search(decision.finding.detail)
        change = None if named is None else self._changes.get(named[1])
        if change is None or self.in_force is None:
            return None
        try:
            made = changed(self.in_force, change)
        except ControlRefused:
            return None
        return made if configuration_digest(made) == decision.charter else None
