"""Reads the summaries of shadow charters."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from monitor.client.kafka import output_values
from monitor.model.shadow_records import ShadowSummary
from monitor.model.signing import Trusted
from monitor.sdk.http_link import HttpLink
from monitor.sdk.kafka_link import KafkaLink
from monitor.sdk.transports import open_link

_SUMMARY = msgspec.json.Decoder(ShadowSummary)
_PLACED = msgspec.json.Decoder(dict[str, Any])


def read_summaries(
    to: str, *, pilot: str = "", prefix: str = "sandbox", wait: float = 30.0, trusted: Trusted | None = None
) -> list[ShadowSummary]:
    """The newest summary of each run, of one pilot or of all, oldest run first. On Kafka the topic is read for at most
    `wait` seconds; with `trusted` keys, what none of them signed is left out.

    Raises `Unavailable` or `Refused` when it cannot be read, ValueError when `to` is not an address.
    """
    link = open_link(to, prefix=prefix)
    newest: dict[tuple[str, str], ShadowSummary] = {}
    try:
        if isinstance(link, KafkaLink):
            rows = output_values(link, f"{prefix}.shadow", time.monotonic() + wait, trusted)
        else:
            rows = _of_http(link)
        for raw in rows:
            try:
                found = _SUMMARY.decode(raw)
            except msgspec.MsgspecError:  # a decision of a shadow
                continue
            if pilot in ("", found.pilot):
                newest[found.pilot, found.shadow] = found
    finally:
        link.close()
    return sorted(newest.values(), key=lambda one: (one.start, one.pilot))


def _of_http(link: Any) -> Iterator[bytes]:
    assert isinstance(link, HttpLink)
    after = 0
    while lines := link.get(f"/v1/shadows?after={after}").splitlines():
        yield from lines
        after = int(_PLACED.decode(lines[-1])["seq"])
