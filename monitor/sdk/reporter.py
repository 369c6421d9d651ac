"""Numbers, builds and records the events of one incarnation; an event is durable when `emit` returns."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from monitor.model.event_ids import PERSONAL
from monitor.model.events import CommandAcknowledged, Envelope, ExposureTallied, Heartbeat, ModelChanged, encode
from monitor.model.pseudonyms import is_pseudonym, pseudonym
from monitor.sdk.build import BadEvent, build
from monitor.sdk.refusals import ArgumentError
from monitor.sdk.settings import PilotSettings
from monitor.sdk.spool import Spool, SpoolFull

MAX_EXPOSURE = 1e15  # that a heartbeat can state


class Reporter:
    """Records events of one pilot under `source` in `spool`. Thread-safe.

    `recorded` is called with the number of the newest durable event. `nonce` returns the nonce of a heartbeat that is
    sent now, `announced` is called with it once the heartbeat is recorded.
    """

    def __init__(
        self,
        settings: PilotSettings,
        source: str,
        spool: Spool,
        *,
        recorded: Callable[[int], None],
        nonce: Callable[[], str],
        announced: Callable[[str], None],
    ) -> None:
        self._pilot = settings.pilot
        self._source = source
        self._spool = spool
        self._recorded = recorded
        self._nonce = nonce
        self._announced = announced
        self._pseudonym_key = settings.pseudonym_key
        self._lock = threading.Lock()
        self._block = threading.local()  # of this thread: depth of `together`, position of its last event
        self._closed = False
        self.model = settings.model
        self.number = 0  # of the newest event
        self.counter = 0.0  # exposure reported so far
        self.not_recorded = 0  # reports that found no room

    def emit(self, kind: type[Envelope], at: datetime | None, /, **data: Any) -> str:
        """Record an event and return its id. Blocks for one fsync, none inside `together`.

        Raises `BadEvent`, `SpoolFull` or `SpoolBroken`; number, counter and model are unchanged then.
        """
        with self._lock:
            if self._closed:
                raise BadEvent("pilot", ArgumentError.CLOSED, "this Pilot was closed; make a new one")
            data["model"] = self.model
            if kind is ModelChanged:
                data["model"], data["was"] = data.pop("new_model"), self.model
            if kind is Heartbeat:
                # The lease of the permit that answers starts here, before the event is written.
                data["nonce"] = self._nonce()
                data["exposure"] = self.counter
            personal = PERSONAL.get(kind, "")
            if self._pseudonym_key is not None and isinstance(text := data.get(personal), str) and text:
                data[personal] = text if is_pseudonym(text) else pseudonym(self._pseudonym_key, text)
            # Every argument is checked before the event is written.
            event: Any = build(kind, source=self._source, pilot=self._pilot, number=self.number + 1, at=at, data=data)
            raw = encode(event)
            counter = self.counter
            if kind is ExposureTallied:
                counter = min(counter + event.data.amount, MAX_EXPOSURE)
            try:
                position = self._spool.append(raw)
            except SpoolFull:
                self.not_recorded += kind is not CommandAcknowledged  # that one is retried until there is room
                raise
            self.number = number = self.number + 1
            self.model, self.counter = event.data.model, counter
            if kind is Heartbeat:
                self._announced(event.data.nonce)
        if getattr(self._block, "depth", 0):
            self._block.position = position
        else:
            self._spool.sync(position)
            self._recorded(number)
        return str(event.id)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make the events of this thread inside the block durable with one fsync, when the outermost block ends."""
        depth = getattr(self._block, "depth", 0)
        self._block.depth, self._block.position = depth + 1, getattr(self._block, "position", 0)
        try:
            yield
        finally:
            self._block.depth = depth
            if not depth:
                position, self._block.position = self._block.position, 0
                if position:
                    self._spool.sync(position)
                    self._recorded(self.number)

    def close(self) -> bool:
        """Accept no more events. Returns False when it was closed already."""
        with self._lock:
            was, self._closed = self._closed, True
            return not was


def random_nonce() -> str:
    """The nonce of a heartbeat whose permit is not used."""
    return os.urandom(8).hex()
