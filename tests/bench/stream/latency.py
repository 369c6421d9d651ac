"""From a producer's send of a breach to the halt command in the hands of a consumer of the SDK, under a steady load."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time

import msgspec
from kafka import KafkaProducer

from monitor.charter.control import Admission
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Command
from monitor.sdk.kafka_link import KafkaLink, LinkTopics
from monitor.testing.broker_runtime import REPOSITORY
from monitor.testing.kafka import Fresh, until
from monitor.testing.workers import Worker
from tests.bench.stream.load import Load

RATE, PILOTS = 20_000, 20


def run(breaches: int, burst: bool) -> list[float]:
    """Milliseconds of each of `breaches`, one a second, each of a separate pilot."""
    topics = Fresh()
    load = Load(PILOTS + breaches, period_ms=5000, start=int(time.time() * 1000) - 60_000, per_period=1_000_000)
    names = load.pilots[PILOTS:]
    worker = Worker(topics.bootstrap, topics.names.prefix, REPOSITORY / "var" / f"bench-{topics.names.prefix}.log")
    link = KafkaLink([topics.bootstrap], LinkTopics(topics.names.prefix, telemetry=topics.telemetry), {})
    producer = KafkaProducer(bootstrap_servers=[topics.bootstrap], acks="all", linger_ms=0)
    try:
        worker.wait_ready()
        _admit(topics, load.admissions())
        seconds = breaches * 2 + 10
        command = [sys.executable, "-m", "tests.bench.stream.live", topics.bootstrap, topics.telemetry]
        steady = subprocess.Popen(
            [*command, *map(str, (PILOTS, RATE, seconds, int(burst), 1))], cwd=REPOSITORY, stdout=subprocess.DEVNULL
        )
        try:
            time.sleep(3)
            return [_one(link, producer, topics.telemetry, name) for name in names]
        finally:
            steady.kill()
            steady.wait()
    finally:
        producer.close()
        link.close()
        worker.kill()


def _admit(topics: Fresh, acts: list[Admission]) -> None:
    async def admitted() -> bool:
        return len([s for s in await topics.seen() if type(s.value).__name__ == "Decision"]) >= len(acts)

    asyncio.run(topics.send(topics.control(acts)))
    asyncio.run(until(admitted, 120))


def _one(link: KafkaLink, producer: KafkaProducer, topic: str, pilot: str, partition: int = 0) -> float:
    """Connect as the pilot's service, report a death, wait for the halt; then the rest of the second passes."""
    feed = link.feed(pilot)
    began = time.perf_counter()
    try:
        while not feed.complete:
            feed.poll(0, 0.05)
        death = Emitter(f"{pilot}/desk", pilot).incident(
            int(time.time() * 1000), severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
        )
        raw = encode(death)
        sent = time.perf_counter()
        producer.send(topic, raw, pilot.encode(), partition=partition)
        while True:
            messages = feed.poll(0, 1.0)
            if any(msgspec.json.decode(message.body, type=Command).halts for message in messages):
                return (time.perf_counter() - sent) * 1000
            if time.perf_counter() - sent > 30:
                raise TimeoutError(f"{pilot} was not told to halt within 30 s")
    finally:
        feed.close()
        time.sleep(max(0.0, 1.0 - (time.perf_counter() - began)))


def percentiles(values: list[float]) -> tuple[float, float]:
    """Median and 99th percentile (the largest, of fewer than a hundred)."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
