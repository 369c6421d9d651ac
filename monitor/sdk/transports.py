"""Choose the transport by the scheme of the address; the Kafka client is imported only for `kafka://`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from monitor.access.address import http_address, kafka_servers, shown
from monitor.errors import Refused
from monitor.sdk.link import Link


def open_link(
    to: str,
    *,
    prefix: str = "sandbox",
    telemetry: str = "",
    participant: str = "",
    topics: Literal["own", "shared"] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Link:
    """Return the link for `kafka://host:port[,host:port]` or `http(s)://host:port`; it connects on first use.

    `participant` and `topics`: see `monitor.sdk.kafka_link.LinkTopics`; without a participant the topics are the shared
    ones. `telemetry` replaces the telemetry topic; `options` go to kafka-python (security settings, compression).
    Raises ValueError on any other address, or value of `topics`.
    """
    if topics not in (None, "own", "shared"):
        raise ValueError(f"topics is {topics!r}; give 'own', 'shared' or None")
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
    from monitor.sdk.kafka_link import KafkaLink, LinkTopics

    return KafkaLink(servers, LinkTopics(prefix, participant, topics, telemetry), options or {})
