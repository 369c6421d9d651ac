"""Send much and quickly, without a spool: what a simulator or an importer uses. A service uses `Pilot`.

Nothing is durable before `flush` returns; a failure raises, and then nobody knows which of the records since the last
`flush` have arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from monitor.sdk.http_link import HttpLink
from monitor.sdk.kafka_link import KafkaBulk
from monitor.sdk.link import BATCH
from monitor.sdk.transports import open_link


class Bulk(Protocol):
    """One address. All methods raise `Unavailable` or `Refused`."""

    def telemetry(self, pilot: str, body: bytes) -> None:
        """Send a CloudEvents JSON batch of one pilot."""

    def control(self, pilot: str, body: bytes, signature: str = "") -> None:
        """Send one control record (JSON), with its author's signature if there is one."""

    def flush(self) -> None:
        """Return when everything sent is durable on the other side."""

    def close(self) -> None:
        """Let go of the connection; what was not flushed may be lost."""


class HttpBulk:
    """Each request is answered before the next is sent."""

    def __init__(self, link: HttpLink) -> None:
        self._link = link

    def telemetry(self, pilot: str, body: bytes) -> None:
        """See `Bulk.telemetry`."""
        self._link.post("/v1/telemetry", body, BATCH)

    def control(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Bulk.control`."""
        self._link.post("/v1/control", body, "application/json", signature)

    def flush(self) -> None:
        """See `Bulk.flush`."""

    def close(self) -> None:
        """See `Bulk.close`."""
        self._link.close()


def open_bulk(to: str, *, prefix: str = "sandbox", options: Mapping[str, Any] | None = None) -> Bulk:
    """For `kafka://host:port[,host:port]` or `http(s)://host:port`. Raises ValueError on any other address."""
    link = open_link(to, prefix=prefix, options=options)
    return HttpBulk(link) if isinstance(link, HttpLink) else KafkaBulk(link)
