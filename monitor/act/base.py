"""The interface of an actor: it delivers to one address, and an error is `Unavailable` (retry) or `Refused` (do not).

There are two kinds. An `Actor` receives every decision. A `Notifier` receives the firing alerts, computed from
decisions by `monitor/projections/alerts.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from monitor.model.records import Decision
from monitor.projections.alerts import Alert


class Actor(Protocol):
    """The extension point: one method. Built as `ACTORS[name](address)`.

    Contract, held by `tests/contract/test_actors.py` for everything in `ACTORS`: `act` returns when the decision has
    taken effect outside. It raises `Unavailable` when the address does not answer or asks for a retry (the same
    decision is then delivered again), and `Refused` when a retry cannot help. A repeated decision has no second effect.
    `act` never sleeps and never retries, which is the job of `Deliver`. It may block for a few seconds.
    """

    def act(self, decision: Decision) -> None:
        """Deliver one decision."""


@runtime_checkable
class Notifier(Protocol):
    """The same contract for alerts: firing alerts are delivered again every `resend_ms`, ended ones once."""

    resend_ms: int

    def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
        """Deliver firing alerts and alerts that have ended."""

    def open(self) -> Sequence[Alert]:
        """The alerts that are open at the target; empty when it cannot list them."""


AnyActor: TypeAlias = Actor | Notifier

HttpUrl: TypeAlias = str
"""Annotation of an actor's `address` that is an HTTP URL: the command line then checks it as one."""
