"""The rejections of a pilot, from wherever its reader may read them: a monitor over HTTP, a gateway, Kafka."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from monitor.client.control import open_control
from monitor.client.gateway import FirmIdentity
from monitor.client.kafka import OutcomeReader
from monitor.model.records import Decision, Rejected
from monitor.model.signing import Trusted
from monitor.model.telemetry_problems import TelemetryProblem
from monitor.projections.problem_fold import problems_in
from monitor.sdk.http_link import HttpLink
from monitor.sdk.kafka_link import KafkaLink

_REJECTED = msgspec.json.Decoder(Rejected)
_DECISION = msgspec.json.Decoder(Decision)


def read_problems(
    to: str,
    pilot: str,
    *,
    prefix: str = "sandbox",
    wait: float = 10.0,
    options: Mapping[str, Any] | None = None,
    identity: FirmIdentity | None = None,
    trusted: Trusted | None = None,
) -> tuple[TelemetryProblem, ...]:
    """Telemetry and acts of a pilot that were rejected, the newest first. On Kafka also what counts nowhere, from the
    last records of `rejected` and `decisions`; elsewhere that is in the status. Arguments and errors as of
    `monitor.client.control.read_status`."""
    link = open_control(to, prefix, options, identity)
    try:
        if isinstance(link, HttpLink):
            lines = b"".join(link.stream(f"/v1/rejected/{quote(pilot, safe='')}")).splitlines()
            return problems_in(pilot, (_REJECTED.decode(line) for line in lines))
        assert isinstance(link, KafkaLink)
        with OutcomeReader(link, [pilot], trusted) as reader:
            found = [
                _DECISION.decode(one.value) if one.topic == "decisions" else _REJECTED.decode(one.value)
                for one in reader.before(time.monotonic() + wait)
            ]
        return problems_in(pilot, (one for one in found if one.pilot == pilot))
    finally:
        link.close()
