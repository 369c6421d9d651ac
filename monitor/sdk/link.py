"""What the SDK needs of the other side: send a batch, read commands. Kafka and HTTP each have one home that does it."""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

BATCH = "application/cloudevents-batch+json"
What: TypeAlias = Literal["commands", "permits"]


class SignedMessage(Struct, frozen=True):
    """A command or permit as it came: its bytes, and the signature that travelled beside them (empty when none did)."""

    body: bytes
    signature: str = ""


class Feed(Protocol):
    """The commands or the permits of one pilot. Used by one thread."""

    def poll(self, after: int, wait: float) -> list[SignedMessage]:
        """What came in the last `wait` seconds, `after` that standing or not; empty when there is nothing.

        Commands are read from the first that still stands, permits from now on. Raises `Unavailable` when the other side
        does not answer.
        """

    def want(self, nonce: str) -> None:
        """A heartbeat with this nonce was sent: its permit is looked for. Feeds that read all permits need not care."""

    @property
    def complete(self) -> bool:
        """Whether everything that stood when the feed was opened has been read: for commands, the standing is known."""

    def close(self) -> None:
        """Let go of the connection."""


class Link(Protocol):
    """One address. `send` is used by one thread; a feed has a connection of its own."""

    def send(self, pilot: str, body: bytes, signature: str = "") -> None:
        """Deliver a CloudEvents JSON batch of `pilot`, its signature beside it; returns when the other side has it on durable storage.

        Raises `Unavailable` (passing) or `Refused` (somebody must change something); after either the batch may or may
        not have arrived.
        """

    def feed(self, pilot: str, what: What = "commands") -> Feed:
        """The commands or permits of `pilot`, not yet connected."""

    def close(self) -> None:
        """Let go of the connection."""
