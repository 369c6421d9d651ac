"""What an actor is: it knows one address and two words, *unavailable* and *refused*.

Two kinds. An `Actor` keeps a record: it is handed every decision. A `Notifier` notifies people: it is handed the alerts
that stand, computed from decisions by `monitor/projections/alerts.py`, and resends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from monitor.model.records import Decision
from monitor.projections.alerts import Alert


class Actor(Protocol):
    """The extension point: one method. Built as `ACTORS[name](address)`.

    Contract, held by `tests/contract/test_actors.py` for everything in `ACTORS`: `act` returns when the decision has
    taken effect outside; it raises `Unavailable` when the address does not answer or says "later" (the same decision is
    then handed over again) and `Refused` when repeating cannot help; the same decision handed over twice has the effect
    of once; it never sleeps and never retries, that is `Deliver`'s part. It may block for a few seconds.
    """

    def act(self, decision: Decision) -> None:
        """Make one decision known outside."""


@runtime_checkable
class Notifier(Protocol):
    """The same contract for alerts: what stands is handed over again every `resend_ms`, and what ended is handed over
    once."""

    resend_ms: int

    def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
        """Make known outside that the first of these stand and the second have ended."""

    def open(self) -> Sequence[Alert]:
        """The alerts that the other side holds; empty when it does not tell."""


AnyActor: TypeAlias = Actor | Notifier
