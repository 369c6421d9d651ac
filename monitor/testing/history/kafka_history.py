"""One history on a real broker: new topics, worker processes under a supervisor, faults as planned, then the check.

The workload is sent to the broker directly; the workers reach it through the proxy of their route, so that only their
network can be cut. The supervisor replaces every worker that ends. After workload and faults the remaining workers must
catch up without help; then they are stopped and the logs are read.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from monitor.errors import Unavailable
from monitor.kafka import bounded_records
from monitor.kafka.settings import WorkerSettings, configured_machine
from monitor.kafka.topics import LARGE, TopicNames, create_topics, topics
from monitor.model.records import JournalEntry, TimeRead
from monitor.testing.fork_server import ForkServer, Order
from monitor.testing.history.check import Acked, Difference, check
from monitor.testing.history.contents import read_contents
from monitor.testing.history.faults import Faults
from monitor.testing.history.parts import BrokerFaults, BrokerRoute, Report, WorkerSlot
from monitor.testing.history.plan import HistoryPlan
from monitor.testing.history.workload import PERIOD_MS, Burst, Item, Workload

LEAD_MS = 1_200  # from the start of the workers to the first period: about what a worker needs
LONG_PERIOD_MS = 1_000  # where the clock jumps: else an hour would be 18,000 periods of every pilot
SESSION_S = 2.0
PATIENCE_S = 60.0  # without progress, after the last fault
LONGEST_S = 300.0  # to catch up on a busy machine; more than a minute misses a goal
HARD = {
    "segment.ms": "300",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
    "delete.retention.ms": "0",
}


class KafkaHistory:
    """One history. `run` returns its report; it does not raise for failures of workers."""

    def __init__(
        self,
        plan: HistoryPlan,
        route: BrokerRoute,
        fork_server: ForkServer,
        home: Path,
        *,
        broker_faults: BrokerFaults | None = None,
    ) -> None:
        self.plan, self.route, self.fork_server, self.home = plan, route, fork_server, home
        self.rng = Random(f"live/{plan.seed}/{plan.kind}")
        firms = tuple(f"firm-{n + 1}" for n in range(plan.topics)) if plan.topics > 1 else ()
        self.names = TopicNames(f"h{plan.seed}-{time.time_ns() // 1_000_000 % 10**8}", firms)
        self.report = Report(seed=plan.seed, kind=plan.kind)
        self.slots: dict[str, WorkerSlot] = {}
        self.acked: dict[int, list[Acked]] = {}
        self.bursts = 0
        self.faulting = True
        self._broker_faults = broker_faults
        home.mkdir(parents=True, exist_ok=True)

    async def run(self) -> Report:
        """Create topics, run, check. Returns the report."""
        plan = self.plan
        try:
            await self._create()
            # The broker stamps records with this machine's clock, so the workload uses it too.
            self.zero = int(time.time() * 1000) + LEAD_MS
            length = LONG_PERIOD_MS if plan.kind == "hour" else PERIOD_MS
            periods = self._broker_faults.seconds * 1000 // length if self._broker_faults else 0
            self.workload = Workload(
                plan.seed,
                start=self.zero,
                partitions=plan.partitions,
                topics=plan.topics,
                periods=periods,
                period_ms=length,
            )
            if self._broker_faults:
                self._broker_faults.started.release()
            async with self._producer() as self.producer:
                for number in range(plan.workers if plan.kind not in ("zombie", "join", "storm") else 1):
                    self.start(f"w{number}", plan.points if number == 0 else ())
                if plan.kind == "storm":
                    self.start("w1", ())
                feeding = asyncio.create_task(self._feed())
                broken = Faults(self)
                fault = broken.by_kind().get(plan.kind)
                faults = asyncio.create_task(fault()) if fault else None
                await feeding
                if plan.kind == "point":
                    await broken.spent()
                self.faulting = False
                if faults is not None:
                    await faults
                if self._broker_faults:
                    self._broker_faults.ended.release()
                    await self._broker_faults.brokers_up.wait()
                await self._end()
            await self._judge()
        except (TimeoutError, Unavailable, KafkaError) as error:
            self.report.error = repr(error)
            for slot in self.slots.values():
                self.hit(slot, signal.SIGUSR1)  # writes its stacks to its log
            await asyncio.sleep(1.0)
            self.report.differences.append(Difference("stuck", "the history", repr(error), "an end"))
        finally:
            if self._broker_faults:  # a history that failed early is not awaited
                self._broker_faults.started.release()
                self._broker_faults.ended.release()
            await self._stop_all()
            if not self.report.differences:
                await self._delete()
        return self.report

    # ---- workers

    def start(self, name: str, points: tuple[str, ...] | list[str] = ()) -> WorkerSlot:
        """Start a supervised worker in this slot; `points` are failpoints of its next processes."""
        slot = self.slots.setdefault(name, WorkerSlot(name))
        slot.points += list(points)
        slot.wanted = True
        if slot.task is None or slot.task.done():
            slot.task = asyncio.create_task(self._supervise(slot))
        return slot

    async def _supervise(self, slot: WorkerSlot) -> None:
        plan = self.plan
        while slot.wanted:
            point = slot.armed = slot.points.pop(0) if slot.points and self.faulting else ""
            slot.lives += 1
            slot.child = child = await self.fork_server.fork(
                Order(
                    bootstrap=self.route.workers,
                    prefix=self.names.prefix,
                    participants=self.names.participants,
                    replication=self.route.replication,
                    log=str(self.home / f"{slot.name}.log"),
                    instance=slot.name if plan.static else "",
                    batch=plan.batch,
                    session_timeout=SESSION_S,
                    checkpoint_every_ms=plan.checkpoint_every_ms,
                    failpoint=point,
                    clock_ms=slot.clocks.pop(0) if slot.clocks else 0,
                )
            )
            if not slot.wanted:  # stopped while it was being forked: nothing else would end it
                self.hit(slot, signal.SIGKILL)
            while (code := child.code) is None:
                await asyncio.sleep(0.02)
            slot.codes.append(code)
            if code == -signal.SIGKILL:
                self.report.kills += 1
                if slot.armed:
                    self.report.points[point.split(":")[0]] += 1
            elif code != 0:
                self.report.deaths += 1
            await asyncio.sleep(0.05)

    def hit(self, slot: WorkerSlot, number: signal.Signals) -> bool:
        """Send a signal to the worker of a slot. Returns False when none runs."""
        hit = slot.child is not None and slot.child.signal(number)
        self.report.stops += hit and number == signal.SIGSTOP
        return hit

    async def leave(self, slot: WorkerSlot, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop a worker; its supervisor starts no other."""
        slot.wanted = False
        self.hit(slot, number)
        try:
            if slot.child is not None:
                await slot.child.exited(20)
        except TimeoutError:
            self.report.differences.append(
                Difference("stuck", f"worker {slot.name}", f"alive 20 s after {number.name}", "an end")
            )
            self.hit(slot, signal.SIGKILL)
        if slot.task is not None:
            await slot.task

    async def _stop_all(self) -> None:
        for slot in self.slots.values():
            slot.wanted = False
            self.hit(slot, signal.SIGCONT)
            self.hit(slot, signal.SIGKILL)
        await asyncio.gather(*(s.task for s in self.slots.values() if s.task is not None), return_exceptions=True)

    # ---- sending

    def _producer(self, **more: Any) -> AIOKafkaProducer:
        compression = self.rng.choice((None, None, "gzip", "lz4", "zstd"))
        return AIOKafkaProducer(
            bootstrap_servers=self.route.direct,
            compression_type=compression,
            max_request_size=LARGE,
            linger_ms=2,
            acks="all",
            request_timeout_ms=40_000,
            **more,
        )

    async def _feed(self) -> None:
        for burst in sorted(self.workload.bursts(), key=lambda b: b.at):
            await asyncio.sleep(max(0.0, (self.zero + burst.at) / 1000 - time.time()))
            if burst.aborted:
                await self._aborted(burst)
            else:
                await self.send(burst.items)

    def _topic(self, to: int | str) -> str:
        return self.names.telemetry[to] if isinstance(to, int) else self.names.control

    async def send(
        self, items: list[Item], producer: AIOKafkaProducer | None = None, *, needed: bool = False
    ) -> dict[tuple[str, int], int]:
        """Send at once; returns the last offset acknowledged of each (topic, partition). `needed`: all must be
        acknowledged."""
        by = producer or self.producer
        self.bursts += 1
        burst = self.bursts
        sent = [await by.send(self._topic(i.to), i.value, i.key, i.partition, headers=list(i.headers)) for i in items]
        last: dict[tuple[str, int], int] = {}
        for item, ack in zip(items, await asyncio.gather(*sent, return_exceptions=True), strict=True):
            if isinstance(ack, KafkaError) and not needed:
                continue  # no acknowledgement during an outage: the log decides
            if isinstance(ack, BaseException):
                raise ack
            if producer is None:
                self.acked.setdefault(item.partition, []).append(Acked(ack.topic, ack.offset, item.value, burst))
            last[ack.topic, item.partition] = ack.offset
        return last

    async def _aborted(self, burst: Burst) -> None:
        """Send in a transaction of a firm and abort it; it leaves a gap in the offsets."""
        with contextlib.suppress(KafkaError):  # without a broker it is aborted too
            async with self._producer(transactional_id=f"{self.names.prefix}-firm") as firm:
                await firm.begin_transaction()
                await self.send(burst.items, firm)
                await firm.abort_transaction()

    # ---- the end

    async def _end(self) -> None:
        """After the last fault the remaining workers must step everything and shut down cleanly."""
        for slot in self.slots.values():
            slot.points.clear()
            if slot.armed and slot.wanted:  # it would still be killed at its failpoint; the next process has none
                slot.armed = ""
                self.hit(slot, signal.SIGKILL)
        if not any(s.wanted for s in self.slots.values()):
            self.start("w0")
        began = time.monotonic()
        targets = await self.send(self.workload.closing(int(time.time() * 1000)), needed=True)
        await self._reached(targets)
        self.report.seconds = time.monotonic() - began
        for slot in self.slots.values():
            slot.wanted = False
            slot.points.clear()
        alive = [s for s in self.slots.values() if s.child is not None and s.child.running]
        for slot in alive:
            await self.leave(slot)
        if alive and alive[-1].codes[-1] != 0:
            log = (self.home / f"{alive[-1].name}.log").read_text(errors="replace").splitlines()[-1:]
            self.report.differences.append(
                Difference("stuck", "the last worker's end", f"code {alive[-1].codes[-1]}: {log}", "code 0")
            )

    async def _reached(self, targets: dict[tuple[str, int], int]) -> None:
        """Wait until a `time` entry of each partition stands at or after the given offsets. Raises `TimeoutError`."""
        journal = self.names.journal
        bounded_records.use()  # before it fetches: the check, in this process, changes how batches are read
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.route.direct,
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=100,
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(journal, p) for p in range(self.plan.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            open_ = dict(targets)
            began = moved_at = time.monotonic()
            ends: dict[TopicPartition, int] = {}
            while open_:
                now = time.monotonic()
                # A backlog of small batches makes progress although no `time` is written before its end.
                before, ends = ends, await consumer.end_offsets(self._written())
                moved_at = now if ends != before else moved_at
                if now - moved_at > PATIENCE_S or now - began > LONGEST_S:
                    raise TimeoutError(f"not stepped {now - began:.0f} s after the last fault: {open_}")
                for tp, rows in (await consumer.getmany(timeout_ms=200)).items():
                    for row in rows:
                        entry = msgspec.json.decode(row.value, type=JournalEntry)
                        if isinstance(entry, TimeRead):
                            for topic, partition in list(open_):
                                at = entry.telemetry_next.get(topic, 0)
                                at = entry.control_next if topic == self.names.control else at
                                if partition == tp.partition and at > open_[topic, partition]:
                                    del open_[topic, partition]
        finally:
            await consumer.stop()

    def _written(self) -> list[TopicPartition]:
        """The topics that an owner with progress writes to."""
        names = self.names
        return [
            TopicPartition(t, p)
            for t in (names.state, names.rejected, names.evidence, names.permits)
            for p in range(self.plan.partitions)
        ]

    async def _judge(self) -> None:
        settings = WorkerSettings(
            bootstrap=self.route.direct, prefix=self.names.prefix, participants=self.names.participants
        )
        for partition in range(self.plan.partitions):
            contents = await read_contents(
                self.route.direct,
                self.names,
                partition,
                self.acked.get(partition, ()),
                forgot=self.plan.kind == "forgot",
            )
            (self.home / f"contents-{partition}.json").write_bytes(msgspec.json.encode(contents))
            self.report.records += sum(map(len, contents.dump.telemetry.values())) + len(contents.dump.control)
            self.report.outputs += sum(map(len, contents.outputs.values()))
            self.report.differences += await asyncio.to_thread(
                check, contents, lambda p: configured_machine(settings, p, 1)
            )

    # ---- topics

    def topics(self) -> list[Any]:
        """The topics of this history with their settings."""
        wanted = topics(self.names, self.plan.partitions, self.route.replication)
        if self.plan.kind != "compacted":
            return wanted
        return [
            msgspec.structs.replace(t, settings={**t.settings, **HARD}) if t.name == self.names.state else t
            for t in wanted
        ]

    async def _create(self) -> None:
        await create_topics(self.route.direct, self.topics())

    async def _delete(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.route.direct)
        with contextlib.suppress(KafkaError):
            await admin.start()
            await admin.delete_topics([t.name for t in self.topics()])
        await admin.close()
