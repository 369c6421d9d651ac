"""Send-to-halt latency of an honest firm on a real broker and worker, calm and under the load of a hostile firm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from monitor.charter.spec import Charter
from monitor.kafka.topics import LARGE
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh
from monitor.testing.workers import Worker

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
    async def load(
        self, records: Sequence[bytes], per_second: float, codec: str | None = "gzip"
    ) -> AsyncIterator[None]:
        """The hostile firm sends these records, over and over, as long as the context lasts."""
        task = asyncio.ensure_future(self._flood(records, per_second, codec))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _flood(self, records: Sequence[bytes], per_second: float, codec: str | None) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self.fresh.bootstrap, compression_type=codec, max_request_size=LARGE, linger_ms=5
        ) as producer:
            began, sent = time.monotonic(), 0
            while True:
                value = records[sent % len(records)]
                await producer.send(self.topic[HOSTILE_FIRM], value, self.hostile.encode(), 0)
                sent += 1
                await asyncio.sleep(max(0.0, began + sent / per_second - time.monotonic()))

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
                for record in (await consumer.getmany(tp, timeout_ms=50)).get(tp, ()):
                    seen.setdefault(record.key.decode(), time.monotonic())

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


def attacks(pilot: str) -> dict[str, Callable[[], Iterator[bytes]]]:
    """Records of a hostile firm by name."""
    now = int(time.time() * 1000)

    def empty() -> Iterator[bytes]:
        yield b"[" + b",".join([b"{}"] * 5_000) + b"]"

    def harm() -> Iterator[bytes]:
        for number in range(40):
            emitter = Emitter(f"flood/{time.time_ns()}/{number}", pilot)
            yield packed(
                [emitter.incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH) for _ in range(2_500)]
            )

    def sources() -> Iterator[bytes]:
        for number in range(40):
            yield packed([Emitter(f"flood/{time.time_ns()}/{number}/{n}", pilot).gain(now) for n in range(2_000)])

    return {"empty objects": empty, "harm": harm, "new sources": sources}


def packed(events: Sequence[object]) -> bytes:
    """Events as one record."""
    return b"[" + b",".join(encode(event) for event in events) + b"]"  # type: ignore[arg-type]
