"""What an actor is: a reader of decisions that knows one address and two words, *unavailable* and *refused*."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from monitor.model import Decision


class Actor(Protocol):
    """The extension point: one method. Built as `ACTORS[name](address)`.

    Contract, held by `tests/contract/test_actors.py` for everything in `ACTORS`: `act` returns when the decision has taken
    effect outside; it raises `Unavailable` when the address does not answer or says "later" (the same decision is then
    handed over again) and `Refused` when repeating cannot help; the same decision handed over twice has the effect of
    once; it never sleeps and never retries, that is `Deliver`'s part. It may block for a few seconds.
    """

    def act(self, decision: Decision) -> None:
        """Make one decision known outside."""


@runtime_checkable
class Resending(Protocol):
    """An actor whose other side forgets: decisions that stand are handed over again every `resend_ms`."""

    resend_ms: int

    def act(self, decision: Decision) -> None:
        """Make one decision known outside, again."""
