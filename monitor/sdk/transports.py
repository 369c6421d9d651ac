"""Choose the transport by the scheme of the address; the Kafka client is imported only for `kafka://`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.access.address import http_address, kafka_servers, shown
from monitor.errors import Refused
from monitor.sdk.link import Link


def open_link(
    to: str, *, prefix: str = "sandbox", telemetry: str = "", options: Mapping[str, Any] | None = None
) -> Link:
    """Return the link for `kafka://host:port[,host:port]` or `http(s)://host:port`; it connects on first use.

    `telemetry` replaces the topic `<prefix>.telemetry`; `options` go to kafka-python (security settings, compression).
    Raises ValueError on any other address.
    """
    try:
        if to.startswith("kafka://"):
            servers = kafka_servers(to.removeprefix("kafka://").rstrip("/"))
        elif to.startswith(("http://", "https://")):
            http_address(to, "http://127.0.0.1:8321")
            servers = []
        else:
            raise Refused("give kafka://host:9092 or http://host:8321")
    except Refused as error:
        raise ValueError(f"{shown(to)!r} is not an address: {error}") from None
    if not servers:
        from monitor.sdk.http_link import HttpLink

        return HttpLink(to)
    from monitor.sdk.kafka_link import KafkaLink

    return KafkaLink(servers, telemetry=telemetry or f"{prefix}.telemetry", prefix=prefix, options=options or {})
