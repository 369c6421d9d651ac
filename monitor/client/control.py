"""Send one act to `control` and return its outcome: the decision that it caused, or why it was rejected."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from monitor.client.gateway import FirmIdentity, GatewayLink, is_gateway
from monitor.client.kafka import OutcomeReader, OutcomeRecord, send_control
from monitor.errors import Unavailable
from monitor.model.records import Decision, Rejected
from monitor.model.signing import Trusted
from monitor.projections.known_state import KnownState, known_of
from monitor.projections.pilot_status import PilotStatus, pilot_status
from monitor.sdk.http_link import HttpLink
from monitor.sdk.kafka_link import KafkaLink
from monitor.sdk.link import Link
from monitor.sdk.transports import open_link
from monitor.translation import current
from monitor.validate.rejections import RejectionReason


class Outcome(Struct, frozen=True):
    """The decision or the rejection that an act caused.

    `repeated`: this act was a copy of an earlier act with the same id and changed nothing; decision and rejection are
    those of the first act. Where the first act is too old to be found, the rejection is that of the copy (`repeated`).
    """

    decision: Decision | None = None
    rejected: Rejected | None = None
    repeated: bool = False


REJECTIONS_SEARCHED = 20
"""Rejections of a pilot among which that of a copy's first act is searched, on Kafka."""
_KNOWN = msgspec.json.Decoder(KnownState)
_STATUS = msgspec.json.Decoder(PilotStatus)
_OUTCOME = msgspec.json.Decoder(Outcome)
_DECISION = msgspec.json.Decoder(Decision)
_REJECTED = msgspec.json.Decoder(Rejected)


def read_state(
    to: str,
    pilot: str,
    *,
    prefix: str = "sandbox",
    wait: float = 10.0,
    options: Mapping[str, Any] | None = None,
    identity: FirmIdentity | None = None,
    trusted: Trusted | None = None,
) -> KnownState | None:
    """Return the recorded state of a pilot, None where no decision about it exists. On Kafka, with `trusted` keys,
    decisions that none of them signed do not count.

    Over HTTP the monitor responds; on Kafka `decisions` is read backwards for at most `wait` seconds. Raises
    `Unavailable` or `Refused` when it cannot be read, ValueError when `to` is not an address. With `identity` the
    request is signed, where a gateway answers.
    """
    link = open_control(to, prefix, options, identity)
    try:
        if isinstance(link, HttpLink):
            raw = link.get(f"/v1/standing/{quote(pilot, safe='')}")
            return _KNOWN.decode(raw) if raw else None
        assert isinstance(link, KafkaLink)
        with OutcomeReader(link, [pilot], trusted) as reader:
            return _search_back(reader, pilot, time.monotonic() + wait)
    finally:
        link.close()


def read_status(
    to: str,
    pilot: str,
    *,
    prefix: str = "sandbox",
    wait: float = 30.0,
    options: Mapping[str, Any] | None = None,
    identity: FirmIdentity | None = None,
    trusted: Trusted | None = None,
) -> PilotStatus | None:
    """Return the status of a pilot, None where no decision about it exists. Arguments and errors as of `read_state`; on
    Kafka all decisions are read, for at most `wait` seconds: `whole` says whether that was enough."""
    link = open_control(to, prefix, options, identity)
    try:
        if isinstance(link, GatewayLink):
            lines = b"".join(link.stream(f"/v1/decisions/{quote(pilot, safe='')}")).splitlines()
            return pilot_status(_DECISION.decode(line) for line in lines)
        if isinstance(link, HttpLink):
            raw = link.get(f"/v1/status/{quote(pilot, safe='')}?lang={current()}")
            return _STATUS.decode(raw) if raw else None
        assert isinstance(link, KafkaLink)
        past: list[Decision] = []
        until = time.monotonic() + wait
        with OutcomeReader(link, [pilot], trusted) as reader:
            for chunk in reader.backwards(until):
                past = [d for raw in chunk if (d := _DECISION.decode(raw)).pilot == pilot] + past
        return pilot_status(past, whole=time.monotonic() < until)
    finally:
        link.close()


def _search_back(reader: OutcomeReader, pilot: str, until: float) -> KnownState | None:
    """Read chunks, newest first, until they determine the pilot's level and, under a halt, the state of its stop."""
    known: KnownState | None = None
    past: list[Decision] = []
    for chunk in reader.backwards(until):
        past = [d for raw in chunk if (d := _DECISION.decode(raw)).pilot == pilot] + past
        known = known_of(past)
        if known is not None and (known.stop or known.level != "halt"):
            break
    return known


def send_act(
    to: str,
    pilot: str,
    name: str,
    body: bytes,
    signature: str = "",
    *,
    wait: float = 0.0,
    prefix: str = "sandbox",
    options: Mapping[str, Any] | None = None,
    identity: FirmIdentity | None = None,
    trusted: Trusted | None = None,
) -> Outcome | None:
    """Send the act with the id `name`; it is durable when this returns. `trusted` as for `read_state`.

    Returns its outcome if there is one within `wait` seconds, else None. Raises `Unavailable` or `Refused` when it may
    not be durable, ValueError when `to` is not an address. With `identity` the request is signed, where a gateway
    answers.
    """
    link = open_control(to, prefix, options, identity)
    try:
        if isinstance(link, HttpLink):
            return _over_http(link, pilot, name, body, signature, wait)
        assert isinstance(link, KafkaLink)
        return _over_kafka(link, pilot, name, (body, signature), (wait, trusted))
    finally:
        link.close()


def open_control(to: str, prefix: str, options: Mapping[str, Any] | None, identity: FirmIdentity | None) -> Link:
    """A connection for acts and what became of them; to a gateway with the identity of the firm that signs."""
    if identity is not None and is_gateway(to):
        return GatewayLink(to, identity)
    return open_link(to, prefix=prefix, options=options)


def _over_http(link: HttpLink, pilot: str, name: str, body: bytes, signature: str, wait: float) -> Outcome | None:
    accepted = msgspec.json.decode(link.post("/v1/control", body, "application/json", signature))
    path = f"/v1/acts/{quote(pilot, safe='')}?id={quote(name, safe='')}&offset={accepted['first']}&wait={wait:g}"
    if "partition" in accepted:
        path += f"&partition={accepted['partition']}"
    raw = link.get(path, wait) if wait > 0 else None
    return _OUTCOME.decode(raw) if raw else None


def _over_kafka(
    link: KafkaLink, pilot: str, name: str, act: tuple[bytes, str], how: tuple[float, Trusted | None]
) -> Outcome | None:
    (body, signature), (wait, trusted) = act, how
    if wait <= 0:
        send_control(link, pilot, body, signature)
        return None
    with OutcomeReader(link, [pilot], trusted) as reader:
        position = send_control(link, pilot, body, signature)
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            for record in reader.read(min(left, 0.5)):
                if record.topic == "decisions":
                    decision = _decision_of(record, pilot, name)
                    if decision is not None:
                        return Outcome(decision=decision)
                    continue
                rejected = _REJECTED.decode(record.value)
                if (rejected.topic, rejected.partition, rejected.offset) == (reader.control, *position):
                    if rejected.reason != RejectionReason.REPEATED.value:
                        return Outcome(rejected=rejected)
                    return _first_outcome(reader, pilot, name, end, rejected)
    return None


def _decision_of(record: OutcomeRecord, pilot: str, name: str) -> Decision | None:
    """The decision in the record if the act called `name` caused it."""
    decision = _DECISION.decode(record.value)
    return decision if decision.pilot == pilot and decision.author and decision.cause == f"control:{name}" else None


def _first_outcome(reader: OutcomeReader, pilot: str, name: str, end: float, copy: Rejected) -> Outcome:
    """The outcome of the first act called `name`, searched until `end` (s, monotonic); else the rejection `copy`."""
    rejections: list[Rejected] = []
    for record in reader.before(end):
        if record.topic == "decisions":
            decision = _decision_of(record, pilot, name)
            if decision is not None:
                return Outcome(decision=decision, repeated=True)
        else:
            rejections.append(_REJECTED.decode(record.value))
    acts = [r for r in rejections if r.topic == reader.control and r.reason != RejectionReason.REPEATED.value]
    for rejected in reversed(acts[-REJECTIONS_SEARCHED:]):
        if reader.act_id(rejected.partition, rejected.offset) == name:
            return Outcome(rejected=rejected, repeated=True)
    return Outcome(rejected=copy, repeated=True)


class PendingAdmissions:
    """The admissions of a set of pilots on Kafka that have no outcome yet. Create it before the admissions are sent."""

    def __init__(self, link: KafkaLink, pilots: list[str]) -> None:
        self._pending = set(pilots)
        self._where = link.where
        self._reader = OutcomeReader(link, pilots)

    def wait(self, seconds: float) -> None:
        """Block until every admission was accepted or rejected. Raises `Unavailable` after `seconds`."""
        end = time.monotonic() + seconds
        with self._reader as reader:
            while self._pending:
                if time.monotonic() > end:
                    raise Unavailable(
                        f"{len(self._pending)} admissions have no outcome after {seconds:g} s: is a worker running at "
                        f"{self._where}?"
                    )
                for record in reader.read(0.5):
                    if record.topic == "decisions" or _REJECTED.decode(record.value).topic == reader.control:
                        self._pending.discard(record.pilot)
