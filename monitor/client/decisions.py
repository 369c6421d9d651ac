"""Read every decision about one pilot, over HTTP, from the gateway or from Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from monitor.client.control import open_control
from monitor.client.gateway import FirmIdentity, GatewayLink
from monitor.client.kafka import OutcomeReader
from monitor.model.records import Decision
from monitor.model.signing import Trusted
from monitor.sdk.http_link import HttpLink
from monitor.sdk.kafka_link import KafkaLink

PAGE = 1_000
_DECISION = msgspec.json.Decoder(Decision)


class _Numbered(msgspec.Struct):
    seq: int


_NUMBERED = msgspec.json.Decoder(_Numbered)


class Record(NamedTuple):
    """Decisions about a pilot; `whole`: whether they are all, which on Kafka takes time to read."""

    decisions: list[Decision]
    whole: bool = True


def read_decisions(
    to: str,
    pilot: str,
    *,
    prefix: str = "sandbox",
    wait: float = 60.0,
    identity: FirmIdentity | None = None,
    trusted: Trusted | None = None,
) -> Record:
    """Every decision about a pilot; on Kafka as many as are read within `wait` seconds. Raises `Unavailable` or
    `Refused`, ValueError when `to` is not an address."""
    link = open_control(to, prefix, None, identity)
    try:
        if isinstance(link, GatewayLink):
            lines = b"".join(link.stream(f"/v1/decisions/{quote(pilot, safe='')}")).splitlines()
            return Record([_DECISION.decode(line) for line in lines])
        if isinstance(link, HttpLink):
            return Record([one for one in _paged(link) if one.pilot == pilot])
        assert isinstance(link, KafkaLink)
        found: list[Decision] = []
        until = time.monotonic() + wait
        with OutcomeReader(link, [pilot], trusted) as reader:
            for chunk in reader.backwards(until):
                found += [one for raw in chunk if (one := _DECISION.decode(raw)).pilot == pilot]
        return Record(found, time.monotonic() < until)
    finally:
        link.close()


def _paged(link: HttpLink) -> Iterator[Decision]:
    after = 0
    while True:
        lines = (link.get(f"/v1/decisions?after={after}&limit={PAGE}") or b"").splitlines()
        if not lines:
            return
        for line in lines:
            yield _DECISION.decode(line)
        after = _NUMBERED.decode(lines[-1]).seq
