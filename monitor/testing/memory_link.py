"""A link of the SDK that keeps everything in memory and can be broken: what a service's own tests send to.

link = MemoryLink()
with Pilot("pilot-1", participant="firm", to=link, spool_dir=tmp_path) as pilot: ...
link.events  # what arrived, decoded, in order
"""

from __future__ import annotations

import threading

import msgspec

from monitor.errors import Unavailable
from monitor.model import Command
from monitor.telemetry import Event

_BATCH = msgspec.json.Decoder(list[Event])


class MemoryLink:
    """Both the link and its one feed. While `away` is set nothing answers; `lose_answers` batches arrive, but the sender
    is told that they did not."""

    def __init__(self) -> None:
        self.batches: list[list[Event]] = []
        self.away = False
        self.lose_answers = 0
        self.complete = False
        self._commands: list[Command] = []
        self._changed = threading.Condition()

    @property
    def events(self) -> list[Event]:
        """Everything that arrived, in order, repeats included."""
        return [event for batch in list(self.batches) for event in batch]

    def send(self, pilot: str, body: bytes) -> None:
        """See `monitor.sdk.link.Link.send`."""
        if self.away:
            raise Unavailable("the memory link is away")
        self.batches.append(_BATCH.decode(body))
        if self.lose_answers:
            self.lose_answers -= 1
            raise Unavailable("the answer was lost")

    def command(self, command: Command) -> None:
        """Put a command before the service."""
        with self._changed:
            self._commands.append(command)
            self._changed.notify_all()

    def feed(self, pilot: str) -> MemoryLink:
        """See `monitor.sdk.link.Link.feed`."""
        return self

    def poll(self, after: int, wait: float) -> list[Command]:
        """See `monitor.sdk.link.Feed.poll`."""
        with self._changed:
            if self.complete:
                self._changed.wait_for(lambda: bool(self._commands), timeout=wait)
            if self.away:
                raise Unavailable("the memory link is away")
            commands, self._commands = self._commands, []
            self.complete = True
            return commands

    def close(self) -> None:
        """See `monitor.sdk.link.Link.close`."""
