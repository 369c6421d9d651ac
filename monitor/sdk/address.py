"""An address as a link: what stands before `://` says which; its library is imported only then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from monitor.sdk.link import Link


def open_link(
    to: str, *, prefix: str = "sandbox", telemetry: str = "", options: Mapping[str, Any] | None = None
) -> Link:
    """The link for `kafka://host:port[,host:port]` or `http(s)://host:port`; connects when first used.

    `telemetry` overrides the topic `<prefix>.telemetry`; `options` go to kafka-python (security settings, compression).
    Raises ValueError on any other address.
    """
    if to.startswith("kafka://"):
        from monitor.sdk.kafka_link import KafkaLink

        servers = [part for part in to.removeprefix("kafka://").rstrip("/").split(",") if part]
        if servers and all(_port(server) for server in servers):
            return KafkaLink(
                servers, telemetry=telemetry or f"{prefix}.telemetry", prefix=prefix, options=options or {}
            )
    elif urlsplit(to).scheme in ("http", "https") and urlsplit(to).hostname:
        from monitor.sdk.http_link import HttpLink

        return HttpLink(to)
    raise ValueError(f"{to!r} is no address; give kafka://host:9092 or http://host:8321")


def _port(server: str) -> bool:
    """Whether `host` or `host:port` can be one."""
    host, colon, port = server.rpartition(":") if ":" in server else (server, "", "")
    return bool(host) and (not colon or (port.isdigit() and 0 < int(port) < 65536))
