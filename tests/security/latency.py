"""Send-to-halt latency of an honest firm on a real broker and worker, calm and under the load of a hostile firm."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from monitor.charter.spec import Charter
from monitor.model.builders import Emitter
from monitor.model.events import Event, Harm, Severity, encode
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh
from monitor.testing.workers import Worker
from tests.security.batches import ZSTD, RawProducer, batch, record

HOSTILE_FIRM, HONEST_FIRM = "hostile", "honest"


class Duel:
    """A worker on telemetry topics of two firms. The honest one has `pilots`, each to be halted once."""

    def __init__(self, directory: Path, pilots: int, bootstrap: str | None = None) -> None:
        self.fresh = Fresh(participants=(HOSTILE_FIRM, HONEST_FIRM), bootstrap=bootstrap)
        now = int(time.time() * 1000)
        fleet = Fleet(5, pilots=pilots + 1, scenarios=["calm"], hours=48, start=now - 48 * 3_600_000)
        self.hostile, *self.honest = fleet.pilots
        self.acts = [
            msgspec.structs.replace(act, charter=owned(act.charter, self._firm(act.pilot)))
            for act in fleet.admissions()
        ]
        self.topic = {firm: f"{self.fresh.names.prefix}.telemetry.{firm}" for firm in (HOSTILE_FIRM, HONEST_FIRM)}
        flags = [flag for firm in self.topic for flag in ("--participant", firm)]
        self.worker = Worker(self.fresh.bootstrap, self.fresh.names.prefix, directory / "worker.log", *flags)

    def _firm(self, pilot: str) -> str:
        return HOSTILE_FIRM if pilot == self.hostile else HONEST_FIRM

    async def admit(self) -> None:
        """Admit all pilots, and wait until that is decided."""
        self.worker.wait_ready()
        await self.fresh.send(self.fresh.control(self.acts))
        async with asyncio.timeout(60):
            while len(await self.fresh.seen()) < len(self.acts):
                await asyncio.sleep(0.2)

    @asynccontextmanager
    async def load(self, batches: Sequence[bytes], per_second: float) -> AsyncIterator[None]:
        """The hostile firm sends these batches, over and over, as long as the context lasts."""
        task = asyncio.ensure_future(self._flood(batches, per_second))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _flood(self, batches: Sequence[bytes], per_second: float) -> None:
        async with RawProducer(self.fresh.bootstrap, self.topic[HOSTILE_FIRM]) as producer:
            began = time.monotonic()
            for number in itertools.count():
                await producer.send(batches[number % len(batches)])
                await asyncio.sleep(max(0.0, began + (number + 1) / per_second - time.monotonic()))

    async def latencies(self, pilots: Sequence[str], every: float) -> list[float]:
        """Halt these pilots by a report of a death each, `every` s apart. Returns ms from sending to the halt command
        as a committed record, in order; infinity for what does not come within 60 s."""
        commands = self.fresh.names.commands_of(HONEST_FIRM)
        tp = TopicPartition(commands, 0)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.fresh.bootstrap, isolation_level="read_committed", fetch_max_wait_ms=5
        )
        await consumer.start()
        seen: dict[str, float] = {}

        async def watch() -> None:
            while True:
                for row in (await consumer.getmany(tp, timeout_ms=50)).get(tp, ()):
                    seen.setdefault(row.key.decode(), time.monotonic())

        try:
            consumer.assign([tp])
            await consumer.seek_to_end(tp)
            watching = asyncio.ensure_future(watch())
            sent: dict[str, float] = {}
            async with AIOKafkaProducer(bootstrap_servers=self.fresh.bootstrap, linger_ms=0, acks="all") as producer:
                for pilot in pilots:
                    death = Emitter(f"service/{pilot}", pilot).incident(
                        int(time.time() * 1000), severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
                    )
                    sent[pilot] = time.monotonic()
                    await producer.send_and_wait(self.topic[HONEST_FIRM], encode(death), pilot.encode(), 0)
                    await asyncio.sleep(every)
            deadline = time.monotonic() + 60
            while len(seen) < len(pilots) and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        finally:
            await consumer.stop()
        return [1000 * (seen.get(pilot, float("inf")) - sent[pilot]) for pilot in pilots]

    def close(self) -> None:
        """End the worker."""
        self.worker.kill()


def owned(charter: Charter, firm: str) -> Charter:
    """The charter with another participant."""
    return msgspec.structs.replace(charter, participant=msgspec.structs.replace(charter.participant, id=firm))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]


def attacks(pilot: str) -> dict[str, Callable[[], list[bytes]]]:
    """Batches of a hostile firm by name. Made beforehand, so that sending them takes no time."""
    now, key = int(time.time() * 1000), pilot.encode()

    def made(values: Sequence[bytes]) -> list[bytes]:
        return [batch([record(0, value, key)], codec=ZSTD) for value in values]

    def empty() -> list[bytes]:
        return made([b"[" + b",".join([b"{}"] * 5_000) + b"]"])

    def harm() -> list[bytes]:
        return made([packed(deaths(pilot, f"harm/{time.time_ns()}/{number}", now, 2_500)) for number in range(20)])

    def sources() -> list[bytes]:
        return made(
            [
                packed([Emitter(f"new/{time.time_ns()}/{number}/{n}", pilot).gain(now) for n in range(2_000)])
                for number in range(20)
            ]
        )

    return {"empty": empty, "harm": harm, "sources": sources}


def deaths(pilot: str, source: str, at: int, count: int) -> list[Event]:
    """Reports of harm of one source."""
    emitter = Emitter(source, pilot)
    return [emitter.incident(at, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH) for _ in range(count)]


def packed(events: Sequence[Event]) -> bytes:
    """Events as one record."""
    return b"[" + b",".join([encode(event) for event in events]) + b"]"
