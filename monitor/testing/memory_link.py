"""A link of the SDK in memory that can be made unavailable, for the tests of a service.

link = MemoryLink()
with Pilot("pilot-1", participant="firm", to=link, spool_dir=tmp_path) as pilot: ...
link.events  # what arrived, decoded, in order
"""

from __future__ import annotations

import threading

import msgspec

from monitor.errors import Unavailable
from monitor.model.events import Event, Heartbeat
from monitor.model.notice import Notice
from monitor.model.records import Command, Permit
from monitor.model.signing import SignedKind, Signer
from monitor.sdk.link import FeedName, SignedMessage

POLL_S = 0.05  # the longest that a poll blocks: a pilot that closes waits for the poll of its readers

_BATCH = msgspec.json.Decoder(list[Event])


class MemoryLink:
    """While `away` is set every call raises `Unavailable`; `lose_answers` batches arrive, but their response is lost.

    With `lease_ms` a permit answers each heartbeat, unless a halt is in force; `stop` and `notice` are what the
    permits say. With `signer` commands and permits are signed.
    """

    def __init__(
        self, *, lease_ms: int = 0, stop: bool = True, signer: Signer | None = None, notice: Notice | None = None
    ) -> None:
        self.batches: list[list[Event]] = []
        self.signatures: list[tuple[bytes, str]] = []  # each batch as it came, and its signature
        self.away = False
        self.lose_answers = 0
        self.lease_ms = lease_ms
        self.stop = stop
        self.notice = notice
        self.signer = signer
        self.standing: Command | None = None
        self._post = _Post()
        self._permits = _Post()

    @property
    def events(self) -> list[Event]:
        """Everything that arrived, in order, repeats included."""
        return [event for batch in list(self.batches) for event in batch]

    def send(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `monitor.sdk.link.Link.send`."""
        if self.away:
            raise Unavailable("the memory link is away")
        self.signatures.append((body, signature))
        events = _BATCH.decode(body)
        self.batches.append(events)
        for event in events:
            if isinstance(event, Heartbeat) and self.lease_ms and not (self.standing and self.standing.halts):
                self.permit(self.answer(event))
        if self.lose_answers:
            self.lose_answers -= 1
            raise Unavailable("the answer was lost")

    def answer(self, beat: Heartbeat) -> Permit:
        """Return the permit that answers a heartbeat."""
        number = self.standing.standing if self.standing else 0
        return Permit(
            pilot=beat.subject,
            nonce=beat.data.nonce,
            standing=number,
            epoch=1,
            lease_ms=self.lease_ms,
            source=beat.source,
            stop=self.stop,
            notice=self.notice,
        )

    def command(self, command: Command) -> None:
        """Send a command to the service."""
        if self.standing is None or command.standing > self.standing.standing:
            self.standing = command
        body = msgspec.json.encode(command)
        self._post.put(self._signed("command", body))

    def permit(self, permit: Permit) -> None:
        """Send a permit to the service."""
        body = msgspec.json.encode(permit)
        self._permits.put(self._signed("permit", body))

    def _signed(self, kind: SignedKind, body: bytes) -> SignedMessage:
        signer = self.signer
        return SignedMessage(body, signer.sign(kind, body), signer.public) if signer else SignedMessage(body)

    def deliver(self, message: SignedMessage, what: FeedName = "commands") -> None:
        """Send any message to the service."""
        (self._post if what == "commands" else self._permits).put(message)

    def feed(self, pilot: str, what: FeedName = "commands") -> MemoryFeed:
        """See `monitor.sdk.link.Link.feed`."""
        return MemoryFeed(self, self._post if what == "commands" else self._permits, what)

    def close(self) -> None:
        """See `monitor.sdk.link.Link.close`."""


class _Post:
    """Messages in order of arrival."""

    def __init__(self) -> None:
        self.messages: list[SignedMessage] = []
        self.changed = threading.Condition()

    def put(self, message: SignedMessage) -> None:
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()


class MemoryFeed:
    """Reads messages from the beginning (commands) or from now on (permits)."""

    def __init__(self, link: MemoryLink, post: _Post, what: FeedName) -> None:
        self._link = link
        self._post = post
        self._next = 0 if what == "commands" else len(post.messages)
        self.complete = False

    def want(self, nonce: str) -> None:
        """See `monitor.sdk.link.Feed.want`."""

    def poll(self, after: int, wait: float) -> list[SignedMessage]:
        """See `monitor.sdk.link.Feed.poll`."""
        with self._post.changed:
            if self.complete:
                self._post.changed.wait_for(lambda: len(self._post.messages) > self._next, timeout=min(wait, POLL_S))
            if self._link.away:
                raise Unavailable("the memory link is away")
            messages = self._post.messages[self._next :]
            self._next += len(messages)
            self.complete = True
            return messages

    def close(self) -> None:
        """See `monitor.sdk.link.Feed.close`."""
