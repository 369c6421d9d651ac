"""The interface between the SDK and the monitor: send a batch, read commands and permits.

`http_link` and `kafka_link` implement it; `monitor.testing.memory_link` is an implementation for tests.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

BATCH = "application/cloudevents-batch+json"
FeedName: TypeAlias = Literal["commands", "permits"]


class SignedMessage(Struct, frozen=True):
    """A command or permit as received, not verified: its bytes, its detached signature and the public key that it says
    it is signed with ("" when there was none)."""

    body: bytes
    signature: str = ""
    key: str = ""


class Feed(Protocol):
    """The commands or the permits of one pilot. Not thread-safe, except for `want`."""

    def poll(self, after: int, wait: float) -> list[SignedMessage]:
        """Return messages that have arrived, blocking for at most about `wait` seconds; [] when there are none.

        `after` is the highest standing that the caller knows (-1: none); messages up to it may be left out. A feed of
        commands starts with the newest command that exists already, a feed of permits with those sent from now on.
        Raises `Unavailable` when the other side does not respond; the caller may poll again.
        """

    def want(self, nonce: str) -> None:
        """Announce that a heartbeat with this nonce was sent, so that its permit is requested. May do nothing."""

    @property
    def complete(self) -> bool:
        """Whether everything that existed when the feed was opened has been returned by `poll`."""

    def close(self) -> None:
        """Close the connection."""


class Link(Protocol):
    """One address of the monitor. `send` is called from one thread; each feed has its own connection."""

    def send(self, pilot: str, body: bytes, signature: str = "") -> None:
        """Deliver a CloudEvents JSON batch of `pilot` with its detached signature.

        Blocks until the other side has it on durable storage. Raises `Unavailable` (temporary) or `Refused` (permanent
        until somebody changes something); after either the batch may or may not have arrived.
        """

    def feed(self, pilot: str, what: FeedName = "commands") -> Feed:
        """Return a feed of `pilot`; it connects on its first poll."""

    def close(self) -> None:
        """Close the connection."""
