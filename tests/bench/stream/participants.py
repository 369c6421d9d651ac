"""What separate topics for each participant cost: `python -m tests.bench.stream.participants 5 50 200`.

For each number of participants: a fresh deployment of three partitions with one admitted pilot for each of (at most)
20 participants; the time to create the topics, to start a worker until it is ready, its memory and processor time while
idle, and the time from a report of a death to the halt command in the participant's topic.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from kafka import KafkaProducer

from monitor.charter.control import Admission
from monitor.charter.spec import Participant
from monitor.kafka.topics import TopicNames, create_topics, participant_topics
from monitor.model.records import Decision
from monitor.sdk.kafka_link import KafkaLink, LinkTopics, partition_of
from monitor.testing.broker_runtime import REPOSITORY
from monitor.testing.kafka import Fresh, until
from monitor.testing.workers import Worker
from tests.bench.stream.latency import _one, percentiles
from tests.unit.engine.test_machine import charter

PARTITIONS, HALTS, IDLE_S = 3, 20, 10.0


def measure(participants: int) -> str:
    """One line of figures."""
    fresh = Fresh(PARTITIONS)
    prefix = fresh.names.prefix
    firms = [f"firm-{n}" for n in range(participants)]
    began = time.monotonic()
    wanted = participant_topics(TopicNames(prefix, tuple(firms)), PARTITIONS, 1)
    asyncio.run(create_topics(fresh.bootstrap, wanted))
    created = time.monotonic() - began
    began = time.monotonic()
    worker = Worker(fresh.bootstrap, prefix, REPOSITORY / "var" / f"bench-{prefix}.log", "--each")
    producer = KafkaProducer(bootstrap_servers=[fresh.bootstrap], acks="all", linger_ms=0)
    try:
        worker.wait_ready(300)
        started = time.monotonic() - began
        pilots = {f"pilot-{firm}": firm for firm in firms[:: max(1, participants // HALTS)][:HALTS]}
        for number in range(PARTITIONS):
            mine = [p for p in pilots if partition_of(p, PARTITIONS) == number]
            plans = [charter(pilot=p, participant=Participant(pilots[p])) for p in mine]
            acts = [Admission(id=f"admit-{c.pilot}", pilot=c.pilot, author="anna", charter=c) for c in plans]
            asyncio.run(fresh.send([(*record[:4], number) for record in fresh.control(acts)]))
        asyncio.run(until(lambda: _admitted(fresh, len(pilots)), 120))
        before = _cpu_seconds(worker.process.pid)
        time.sleep(IDLE_S)
        idle = (_cpu_seconds(worker.process.pid) - before) / IDLE_S
        found = [_halt(fresh, producer, pilot, firm) for pilot, firm in pilots.items()]
        middle, most = percentiles(found)
        rss = _resident_mib(worker.process.pid)
        return (
            f"{participants:>4} participants  topics {created:5.1f} s  start {started:5.1f} s  memory {rss:4.0f} MiB  "
            f"idle {100 * idle:4.1f} % of a core  halt p50 {middle:5.0f} ms  max {most:5.0f} ms"
        )
    finally:
        producer.close()
        worker.kill()


async def _admitted(fresh: Fresh, pilots: int) -> bool:
    return len([s for s in await fresh.seen() if isinstance(s.value, Decision)]) >= pilots


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _halt(fresh: Fresh, producer: KafkaProducer, pilot: str, firm: str) -> float:
    names = TopicNames(fresh.names.prefix)
    link = KafkaLink([fresh.bootstrap], LinkTopics(names.prefix, firm, "own"), {})
    try:
        return _one(link, producer, names.telemetry_of(firm), pilot, partition_of(pilot, PARTITIONS))
    finally:
        link.close()


if __name__ == "__main__":
    for count in map(int, sys.argv[1:] or ["5", "50", "200"]):
        print(measure(count), flush=True)
