"""Bulk sending without a spool, for simulators and importers. A service uses `monitor.sdk.Pilot`.

Nothing is durable before `flush` returns. After an error it is unknown which records since the last `flush` arrived.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from monitor.client.kafka import KafkaBulk
from monitor.errors import Unavailable
from monitor.sdk.http_link import HttpLink
from monitor.sdk.kafka_link import KafkaLink
from monitor.sdk.link import BATCH
from monitor.sdk.transports import open_link


class Bulk(Protocol):
    """One address. Every method may block and raises `Unavailable` (temporary) or `Refused` (permanent)."""

    def telemetry(self, pilot: str, body: bytes, signature: str = "") -> None:
        """Send a CloudEvents JSON batch of one pilot with its sender's signature, if any. Returning does not mean that
        it is durable."""

    def control(self, pilot: str, body: bytes, signature: str = "") -> None:
        """Send one control record (JSON) with its author's signature, if any. Returning does not mean durable."""

    def flush(self) -> None:
        """Block until everything sent is durable on the other side."""

    def close(self) -> None:
        """Close the connection; records that were not flushed may be lost."""


PATIENCE_S = 300.0  # for a monitor that answers but has a backlog


class HttpBulk:
    """`Bulk` over HTTP: each request waits for its response before the next is sent, and is repeated when the monitor
    has a backlog, for at most PATIENCE_S."""

    def __init__(self, link: HttpLink) -> None:
        self._link = link

    def telemetry(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Bulk.telemetry`. Durable when it returns."""
        self._post("/v1/telemetry", body, BATCH, signature)

    def control(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Bulk.control`. Durable when it returns."""
        self._post("/v1/control", body, "application/json", signature)

    def _post(self, path: str, body: bytes, kind: str, signature: str = "") -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._link.post(path, body, kind, signature)
            except Unavailable as error:
                if not error.retry_after or time.monotonic() + error.retry_after > until:
                    raise
                time.sleep(error.retry_after)
            else:
                return

    def flush(self) -> None:
        """See `Bulk.flush`. Returns at once."""

    def close(self) -> None:
        """See `Bulk.close`."""
        self._link.close()


def open_bulk(
    to: str,
    *,
    prefix: str = "sandbox",
    options: Mapping[str, Any] | None = None,
    participant_of: Callable[[str], str] | None = None,
) -> Bulk:
    """Return a bulk sender for `kafka://host:port[,host:port]` or `http(s)://host:port`; connects on first use.

    `prefix` is the topic prefix; `options` go to kafka-python; telemetry of a pilot goes to the separate topic of the
    participant that `participant_of` names, where it exists. Raises ValueError on any other address.
    """
    link = open_link(to, prefix=prefix, options=options)
    if isinstance(link, HttpLink):
        return HttpBulk(link)
    assert isinstance(link, KafkaLink)
    return KafkaBulk(link, participant_of)
