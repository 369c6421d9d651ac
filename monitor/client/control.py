"""Put one act on `control` and hear what became of it: the decision that it caused, or the reason for which it was refused."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from monitor.errors import Unavailable
from monitor.model.records import Decision, Rejected
from monitor.projections.known_state import Known, known_of
from monitor.sdk.http_link import HttpLink
from monitor.sdk.kafka_link import KafkaAnswers, KafkaLink
from monitor.sdk.transports import open_link
from monitor.validate.rejections import Why


class Answer(Struct, frozen=True):
    """The decision or the refusal. `repeated`: this was a copy, which changes nothing, and they are of the first act
    with its id; where that is too long ago, the refusal is that of the copy (reason `repeated`)."""

    decision: Decision | None = None
    rejected: Rejected | None = None
    repeated: bool = False


LOOKED_AT = 20
"""Refusals of a pilot among which that of a copy's first act is looked for, on Kafka."""
_KNOWN = msgspec.json.Decoder(Known)
_ANSWER = msgspec.json.Decoder(Answer)
_DECISION = msgspec.json.Decoder(Decision)
_REJECTED = msgspec.json.Decoder(Rejected)


def look(
    to: str, pilot: str, *, prefix: str = "sandbox", wait: float = 10.0, options: Mapping[str, Any] | None = None
) -> Known | None:
    """What is known of a pilot: read from the monitor, or from `decisions`, backwards, within `wait` seconds. `None`
    where nothing is.

    Raises Unavailable or Refused when it cannot be read, ValueError when `to` is no address.
    """
    link = open_link(to, prefix=prefix, options=options)
    try:
        if isinstance(link, HttpLink):
            raw = link.get(f"/v1/standing/{quote(pilot, safe='')}")
            return _KNOWN.decode(raw) if raw else None
        assert isinstance(link, KafkaLink)
        with KafkaAnswers(link, [pilot]) as answers:
            return _back(answers, pilot, time.monotonic() + wait)
    finally:
        link.close()


def _back(answers: KafkaAnswers, pilot: str, until: float) -> Known | None:
    """What is known of a pilot, from as much of its past as says how it stands and, under a halt, what became of the
    command."""
    known: Known | None = None
    past: list[Decision] = []
    for part in answers.backwards(until):
        past = [d for raw in part if (d := _DECISION.decode(raw)).pilot == pilot] + past
        known = known_of(past)
        if known is not None and (known.stop or known.level != "halt"):
            break
    return known


def put(
    to: str,
    pilot: str,
    name: str,
    body: bytes,
    signature: str = "",
    *,
    wait: float = 0.0,
    prefix: str = "sandbox",
    options: Mapping[str, Any] | None = None,
) -> Answer | None:
    """The act called `name` (its id) is durable when this returns; the answer if the monitor gave one within `wait` seconds.

    Raises Unavailable or Refused when it is not durable, ValueError when `to` is no address.
    """
    link = open_link(to, prefix=prefix, options=options)
    try:
        if isinstance(link, HttpLink):
            return _over_http(link, pilot, name, body, signature, wait)
        assert isinstance(link, KafkaLink)
        return _over_kafka(link, pilot, name, body, signature, wait)
    finally:
        link.close()


def _over_http(link: HttpLink, pilot: str, name: str, body: bytes, signature: str, wait: float) -> Answer | None:
    kept = msgspec.json.decode(link.post("/v1/control", body, "application/json", signature))
    path = f"/v1/acts/{quote(pilot, safe='')}?id={quote(name, safe='')}&offset={kept['first']}&wait={wait:g}"
    raw = link.get(path, wait) if wait > 0 else None
    return _ANSWER.decode(raw) if raw else None


def _over_kafka(link: KafkaLink, pilot: str, name: str, body: bytes, signature: str, wait: float) -> Answer | None:
    if wait <= 0:
        link.control(pilot, body, signature)
        return None
    with KafkaAnswers(link, [pilot]) as answers:
        place = link.control(pilot, body, signature)
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            for kind, _, raw in answers.read(min(left, 0.5)):
                if kind == "decisions":
                    decision = _DECISION.decode(raw)
                    if decision.pilot == pilot and decision.author and decision.cause == f"control:{name}":
                        return Answer(decision=decision)
                else:
                    rejected = _REJECTED.decode(raw)
                    if (rejected.topic, rejected.partition, rejected.offset) == (f"{link.prefix}.control", *place):
                        if rejected.reason != Why.REPEATED.value:
                            return Answer(rejected=rejected)
                        return _first(answers, pilot, name, end, rejected)
    return None


def _first(answers: KafkaAnswers, pilot: str, name: str, end: float, copy: Rejected) -> Answer:
    """What became of the first act called `name`, looked for until `end` (s, monotonic); else the refusal of its
    `copy`."""
    refused: list[Rejected] = []
    for kind, _, raw in answers.before(end):
        if kind == "decisions":
            decision = _DECISION.decode(raw)
            if decision.pilot == pilot and decision.author and decision.cause == f"control:{name}":
                return Answer(decision=decision, repeated=True)
        else:
            refused.append(_REJECTED.decode(raw))
    acts = [r for r in refused if r.topic == answers.control and r.reason != Why.REPEATED.value]
    for rejected in reversed(acts[-LOOKED_AT:]):
        if answers.act(rejected.partition, rejected.offset) == name:
            return Answer(rejected=rejected, repeated=True)
    return Answer(rejected=copy, repeated=True)


class Judged:
    """Waits, on Kafka, until every pilot of a set was told what became of its admission. Open it before anything is sent."""

    def __init__(self, link: KafkaLink, pilots: list[str]) -> None:
        self._open = set(pilots)
        self._where = link.where
        self._control = f"{link.prefix}.control"
        self._answers = KafkaAnswers(link, pilots)

    def wait(self, seconds: float) -> None:
        """Return once all are judged, whatever the judgement. Raises `Unavailable` after `seconds`."""
        end = time.monotonic() + seconds
        with self._answers as answers:
            while self._open:
                if time.monotonic() > end:
                    raise Unavailable(
                        f"{len(self._open)} admissions are not judged after {seconds:g} s: is a worker running at {self._where}?"
                    )
                for kind, pilot, raw in answers.read(0.5):
                    if kind == "decisions" or _REJECTED.decode(raw).topic == self._control:
                        self._open.discard(pilot)
