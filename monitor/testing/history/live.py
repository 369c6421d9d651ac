"""One history on a real broker: fresh topics, real worker processes under a supervisor, faults as planned, then the judge.

The story goes straight to the broker; the workers reach it through a proxy of their lane, so that their network alone can be
cut. Whatever ends a worker, the supervisor starts the next one, as a platform would. When story and faults are over, what is
left must catch up by itself; then everything stops and the logs are read.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from msgspec import Struct

from monitor.errors import Unavailable
from monitor.model import JournalEntry, Position, TimeRead
from monitor.stream import keys
from monitor.stream.desk import Settings, machine
from monitor.stream.dump import dump
from monitor.stream.readers import decode
from monitor.stream.reading import PartitionReader, high_waters
from monitor.stream.topics import LARGE, Names, create, topics
from monitor.testing.history.check import KINDS as OUTPUTS
from monitor.testing.history.check import Acked, Difference, Stood, Written, check
from monitor.testing.history.plan import WRITING, Plan
from monitor.testing.history.story import PERIOD_MS, Burst, Item, Story
from monitor.testing.nursery import Child, Nursery, Order
from monitor.testing.proxy import Proxy

LEAD_MS = 1_200  # from the start of the workers to the first period: about what a worker needs
SESSION_S = 2.0
PATIENCE_S = 60.0  # to catch up when all faults are over
HARD = {
    "segment.ms": "300",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
    "delete.retention.ms": "0",
}


class Lane(Struct, frozen=True):
    """Where a history runs: the broker's own address, and the one (through a proxy) that its workers get."""

    direct: str
    workers: str
    proxies: tuple[Proxy, ...] = ()
    replication: int = 1


class Disturbed:
    """Faults of the brokers themselves, which meet several histories at once for so many seconds: each releases `begun` when
    its topics stand and `told` when its story is told; `over` is set when the brokers are well again."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.begun = asyncio.Semaphore(0)
        self.told = asyncio.Semaphore(0)
        self.over = asyncio.Event()


class Report(Struct, kw_only=True):
    """What became of one history. `kills`, `stops`: signals that found a living worker; `points`: labelled places where one was
    killed; `woken`: zombies woken at a place where they write, `fenced`: those that ended; `seconds` to catch up."""

    seed: int
    kind: str
    differences: list[Difference] = []
    kills: int = 0
    stops: int = 0
    points: Counter[str] = msgspec.field(default_factory=Counter)
    woken: int = 0
    fenced: int = 0
    deaths: int = 0  # ends by a worker's own hand, with another code than 0
    seconds: float = 0.0
    records: int = 0
    outputs: int = 0
    error: str = ""


class Slot:
    """One place for a worker, with its supervisor. `points` are the failpoints of its next lives."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.points: list[str] = []
        self.clocks: list[int] = []
        self.wanted = True
        self.child: Child | None = None
        self.codes: list[int] = []
        self.lives = 0
        self.armed = ""  # the failpoint of the life that goes on
        self.task: asyncio.Task[None] | None = None


class Live:
    """One history. `run` returns its report; it never raises for what the workers do."""

    def __init__(
        self, plan: Plan, lane: Lane, nursery: Nursery, home: Path, *, disturbed: Disturbed | None = None
    ) -> None:
        self.plan, self.lane, self.nursery, self.home = plan, lane, nursery, home
        self.rng = Random(f"live/{plan.seed}/{plan.kind}")
        firms = tuple(f"firm-{n + 1}" for n in range(plan.topics)) if plan.topics > 1 else ()
        self.names = Names(f"h{plan.seed}-{time.time_ns() // 1_000_000 % 10**8}", firms)
        self.report = Report(seed=plan.seed, kind=plan.kind)
        self.slots: dict[str, Slot] = {}
        self.acked: dict[int, list[Acked]] = {}
        self.landings = self.bursts = 0
        self.faulting = True
        self._disturbed = disturbed
        home.mkdir(parents=True, exist_ok=True)

    async def run(self) -> Report:
        """Everything, from fresh topics to the verdict."""
        plan = self.plan
        try:
            await self._create()
            # The broker stamps records with this machine's clock, so the story can be told in its terms.
            self.zero = int(time.time() * 1000) + LEAD_MS
            periods = self._disturbed.seconds * 1000 // PERIOD_MS if self._disturbed else 0
            self.story = Story(
                plan.seed, start=self.zero, partitions=plan.partitions, topics=plan.topics, periods=periods
            )
            if self._disturbed:
                self._disturbed.begun.release()
            async with self._producer() as self.producer:
                for number in range(plan.workers if plan.kind not in ("zombie", "join", "storm") else 1):
                    self._start(f"w{number}", plan.points if number == 0 else ())
                if plan.kind == "storm":
                    self._start("w1", ())
                feeding = asyncio.create_task(self._feed())
                fault = self._faults().get(plan.kind)
                faults = asyncio.create_task(fault()) if fault else None
                await feeding
                self.faulting = False
                if faults is not None:
                    await faults
                if self._disturbed:
                    self._disturbed.told.release()
                    await self._disturbed.over.wait()
                await self._end()
            await self._judge()
        except (TimeoutError, Unavailable, KafkaError) as error:
            self.report.error = repr(error)
            for slot in self.slots.values():
                self._hit(slot, signal.SIGUSR1)  # its log then says where it stands
            await asyncio.sleep(1.0)
            self.report.differences.append(Difference("stuck", "the history", repr(error), "an end"))
        finally:
            if self._disturbed:  # nobody waits for one that failed early
                self._disturbed.begun.release()
                self._disturbed.told.release()
            await self._stop_all()
            if not self.report.differences:
                await self._delete()
        return self.report

    # ---- workers

    def _start(self, name: str, points: tuple[str, ...] | list[str] = ()) -> Slot:
        slot = self.slots.setdefault(name, Slot(name))
        slot.points += list(points)
        slot.wanted = True
        if slot.task is None or slot.task.done():
            slot.task = asyncio.create_task(self._supervise(slot))
        return slot

    async def _supervise(self, slot: Slot) -> None:
        plan = self.plan
        while slot.wanted:
            point = slot.armed = slot.points.pop(0) if slot.points and self.faulting else ""
            slot.lives += 1
            slot.child = child = await self.nursery.fork(
                Order(
                    bootstrap=self.lane.workers,
                    prefix=self.names.prefix,
                    participants=self.names.participants,
                    replication=self.lane.replication,
                    log=str(self.home / f"{slot.name}.log"),
                    instance=slot.name if plan.static else "",
                    batch=plan.batch,
                    session_timeout=SESSION_S,
                    checkpoint_every_ms=plan.checkpoint_every_ms,
                    failpoint=point,
                    clock_ms=slot.clocks.pop(0) if slot.clocks else 0,
                )
            )
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

    def _hit(self, slot: Slot, number: signal.Signals) -> bool:
        hit = slot.child is not None and slot.child.signal(number)
        self.report.stops += hit and number == signal.SIGSTOP
        return hit

    async def _leave(self, slot: Slot, number: signal.Signals = signal.SIGTERM) -> None:
        """Take a worker away for good: it ends, and no other one is started in its place."""
        slot.wanted = False
        self._hit(slot, number)
        try:
            if slot.child is not None:
                await slot.child.gone(20)
        except TimeoutError:
            self.report.differences.append(
                Difference("stuck", f"worker {slot.name}", f"alive 20 s after {number.name}", "an end")
            )
            self._hit(slot, signal.SIGKILL)
        if slot.task is not None:
            await slot.task

    async def _stop_all(self) -> None:
        for slot in self.slots.values():
            slot.wanted = False
            self._hit(slot, signal.SIGCONT)
            self._hit(slot, signal.SIGKILL)
        await asyncio.gather(*(s.task for s in self.slots.values() if s.task is not None), return_exceptions=True)

    # ---- what is sent

    def _producer(self, **more: Any) -> AIOKafkaProducer:
        compression = self.rng.choice((None, None, "gzip", "lz4", "zstd"))
        return AIOKafkaProducer(
            bootstrap_servers=self.lane.direct,
            compression_type=compression,
            max_request_size=LARGE,
            linger_ms=2,
            acks="all",
            request_timeout_ms=40_000,
            **more,
        )

    async def _feed(self) -> None:
        for burst in sorted(self.story.bursts(), key=lambda b: b.at):
            await asyncio.sleep(max(0.0, (self.zero + burst.at) / 1000 - time.time()))
            if burst.aborted:
                await self._aborted(burst)
            else:
                await self._send(burst.items)

    def _topic(self, to: int | str) -> str:
        return self.names.telemetry[to] if isinstance(to, int) else self.names.control

    async def _send(
        self, items: list[Item], producer: AIOKafkaProducer | None = None, *, needed: bool = False
    ) -> dict[tuple[str, int], int]:
        """Send at once; returns the last offset acknowledged of each (topic, partition). `needed`: all must be acknowledged."""
        by = producer or self.producer
        self.bursts += 1
        burst = self.bursts
        sent = [await by.send(self._topic(i.to), i.value, i.key, i.partition, headers=list(i.headers)) for i in items]
        last: dict[tuple[str, int], int] = {}
        for item, ack in zip(items, await asyncio.gather(*sent, return_exceptions=True), strict=True):
            if (
                isinstance(ack, KafkaError) and not needed
            ):  # a broker was away for too long: nobody knows, the log tells
                continue
            if isinstance(ack, BaseException):
                raise ack
            if producer is None:
                self.acked.setdefault(item.partition, []).append(Acked(ack.topic, ack.offset, item.value, burst))
            last[ack.topic, item.partition] = ack.offset
        return last

    async def _aborted(self, burst: Burst) -> None:
        """A firm's own transaction that it takes back: it never happened, and leaves a hole."""
        with contextlib.suppress(KafkaError):  # a broker is away: then it did not happen either
            async with self._producer(transactional_id=f"{self.names.prefix}-firm") as firm:
                await firm.begin_transaction()
                await self._send(burst.items, firm)
                await firm.abort_transaction()

    async def _land(self) -> None:
        """Control and telemetry now, wherever the owner stands."""
        self.landings += 1
        items = self.story.landing(self.landings)
        if self.rng.random() < 0.8:
            await self._send(items)

    # ---- faults, one method each; all end by themselves

    def _faults(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Kind -> what is done while the story goes on."""
        return {
            "point": self._point,
            "kill": self._kill,
            "term": self._term,
            "zombie": self._zombie,
            "storm": self._storm,
            "join": self._join,
            "commit": self._network,
            "send": self._network,
            "slow": self._slow,
            "forgot": self._forgot,
            "compacted": self._kill,
            "clock": self._clock,
        }

    async def _point(self) -> None:
        slot = self.slots["w0"]
        reached = 0
        while self.faulting:
            await asyncio.sleep(0.02)
            if len(slot.codes) > reached:
                reached = len(slot.codes)
                await self._land()
            elif slot.child is not None and slot.lives == reached + 1:
                await self._provoke(slot)

    async def _provoke(self, slot: Slot) -> None:
        """Some places are only passed when something else happens: let it happen once per life."""
        point = self.plan.points[slot.lives - 1].split(":")[0] if slot.lives <= len(self.plan.points) else ""
        if point == "leaving":
            await asyncio.sleep(self.rng.uniform(0.3, 0.8) + (2.0 if slot.lives == 1 else 1.0))
            self._hit(slot, signal.SIGTERM)
            await asyncio.sleep(0.5)
        elif point == "unseating" and "guest" not in self.slots:
            await asyncio.sleep(2.0)
            guest = self._start("guest")
            with contextlib.suppress(TimeoutError):
                assert slot.child is not None
                await slot.child.gone(6)
            await self._leave(guest, signal.SIGKILL)

    async def _kill(self) -> None:
        while self.faulting:
            await asyncio.sleep(self.rng.uniform(0.4, 2.5))
            if self.faulting and self._hit(self.rng.choice(list(self.slots.values())), signal.SIGKILL):
                await self._land()

    async def _term(self) -> None:
        while self.faulting:
            await asyncio.sleep(self.rng.uniform(0.8, 2.5))
            if self.faulting and self._hit(self.rng.choice(list(self.slots.values())), signal.SIGTERM):
                await self._land()

    async def _frozen_at_point(self, slot: Slot, timeout: float = 12.0) -> Child | None:
        """Wait until the worker stands still at its failpoint."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and (self.faulting or slot.lives == 1):
            if slot.child is not None and slot.child.stopped:
                self.report.stops += 1
                return slot.child
            await asyncio.sleep(0.02)
        return None

    async def _zombie(self) -> None:
        slot = self.slots["w0"]
        frozen = await self._frozen_at_point(slot)
        if frozen is None:
            return
        heir = self._start("w1")
        await self._land()
        assert heir.task is not None
        await self._seated(heir, 20)
        await self._land()
        await asyncio.sleep(self.rng.uniform(0.0, 0.6))
        frozen.signal(signal.SIGCONT)
        if self.plan.points[0].split(":")[0] in WRITING:
            self.report.woken += 1
            with contextlib.suppress(TimeoutError):
                self.report.fenced += await frozen.gone(15) == 1

    async def _seated(self, slot: Slot, timeout: float) -> None:
        """Wait until the log of a slot's worker says that it owns something."""
        log, deadline = self.home / f"{slot.name}.log", time.monotonic() + timeout
        while time.monotonic() < deadline:
            if log.exists() and b"seated, epoch" in log.read_bytes():
                return
            await asyncio.sleep(0.05)

    async def _storm(self) -> None:
        alive = {"w0", "w1"}
        while self.faulting:
            await asyncio.sleep(self.rng.uniform(0.2, 1.5))
            name = self.rng.choice(("w0", "w1", "w2"))
            how = self.rng.choice((signal.SIGTERM, signal.SIGKILL))
            if name not in alive:
                self._start(name)
                alive.add(name)
            elif len(alive) > 1 and self.rng.random() < 0.6:
                alive.discard(name)
                await self._leave(self.slots[name], how)
            else:
                self._hit(self.slots[name], how)
            await self._land()

    async def _join(self) -> None:
        slot = self.slots["w0"]
        frozen = await self._frozen_at_point(slot)
        self._start("w1")
        await self._land()
        await asyncio.sleep(self.rng.uniform(0.1, 1.2))
        if frozen is not None:
            frozen.signal(signal.SIGCONT)
        await asyncio.sleep(self.rng.uniform(0.5, 2.0))
        if self.rng.random() < 0.5:
            self._hit(self.slots["w1"], self.rng.choice((signal.SIGTERM, signal.SIGKILL)))
            await self._land()

    async def _network(self) -> None:
        frozen = await self._frozen_at_point(self.slots["w0"])
        if frozen is None:
            return
        await self._land()
        await self._outage(self.rng.choice(("cut", "mute")), self.rng.uniform(0.3, 4.0), frozen)

    async def _outage(self, mode: str, seconds: float, frozen: Child | None = None) -> None:
        for proxy in self.lane.proxies:
            proxy.set(mode)  # type: ignore[arg-type]
        if frozen is not None:
            frozen.signal(signal.SIGCONT)
        await asyncio.sleep(seconds)
        await self._land()
        for proxy in self.lane.proxies:
            proxy.set("pass")

    async def _slow(self) -> None:
        while self.faulting:
            delay = self.rng.choice((0.0, 0.02, 0.1, 0.3))
            for proxy in self.lane.proxies:
                proxy.delay = delay
            await asyncio.sleep(self.rng.uniform(0.3, 1.0))
        for proxy in self.lane.proxies:
            proxy.delay = 0.0

    async def _clock(self) -> None:
        slot = self.slots["w0"]
        while self.faulting:
            slot.clocks = [self.rng.choice((-3_600_000, 3_600_000))]
            await asyncio.sleep(self.rng.uniform(1.5, 2.5))
            if self.faulting and self._hit(slot, self.rng.choice((signal.SIGKILL, signal.SIGTERM))):
                await self._land()

    async def _forgot(self) -> None:
        await asyncio.sleep(self.rng.uniform(2.0, 3.5))
        for slot in list(self.slots.values()):
            await self._leave(slot, signal.SIGKILL)
        await self._land()
        await self._lose_state()
        for name in list(self.slots):
            self._start(name)

    async def _lose_state(self) -> None:
        """Replace the state topic by a beginning of itself, cut where a transaction ends; often nothing is left of it."""
        kept: dict[int, list[Any]] = {}
        for partition in range(self.plan.partitions):
            rows = await self._raw(self.names.state, partition)
            # A checkpoint ends with the watermark, outputs end with `!through`: behind either a transaction may end.
            ends = [0] + [
                i + 1
                for i, row in enumerate(rows)
                if i + 1 == len(rows) or row.offset + 1 < rows[i + 1].offset  # the marker of its commit lies between
            ]
            kept[partition] = rows[: self.rng.choice(ends) if self.rng.random() < 0.7 else 0]
        admin = AIOKafkaAdminClient(bootstrap_servers=self.lane.direct)
        await admin.start()
        try:
            await admin.delete_topics([self.names.state])
            wanted = [t for t in self._topics() if t.name == self.names.state]
            deadline = time.monotonic() + 20
            while self.names.state in await admin.list_topics() and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
        finally:
            await admin.close()
        await create(self.lane.direct, wanted)
        async with self._producer() as producer:
            for partition, rows in kept.items():
                for row in rows:
                    await producer.send_and_wait(self.names.state, row.value, row.key, partition)

    # ---- the end

    async def _end(self) -> None:
        """No fault any more: what is left must step everything and stop in order."""
        for slot in self.slots.values():
            slot.points.clear()
            if slot.armed and slot.wanted:  # it would still die at its failpoint: the next life has none
                slot.armed = ""
                self._hit(slot, signal.SIGKILL)
        if not any(s.wanted for s in self.slots.values()):
            self._start("w0")
        began = time.monotonic()
        targets = await self._send(self.story.closing(int(time.time() * 1000)), needed=True)
        await self._reached(targets)
        self.report.seconds = time.monotonic() - began
        for slot in self.slots.values():
            slot.wanted = False
            slot.points.clear()
        alive = [s for s in self.slots.values() if s.child is not None and s.child.running]
        for slot in alive:
            await self._leave(slot)
        if alive and alive[-1].codes[-1] != 0:
            log = (self.home / f"{alive[-1].name}.log").read_text(errors="replace").splitlines()[-1:]
            self.report.differences.append(
                Difference("stuck", "the last worker's end", f"code {alive[-1].codes[-1]}: {log}", "code 0")
            )

    async def _reached(self, targets: dict[tuple[str, int], int]) -> None:
        """Wait until a `time` entry of each partition stands at or after the given offsets. Raises `TimeoutError`."""
        journal = self.names.journal
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.lane.direct,
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
            deadline = time.monotonic() + PATIENCE_S
            while open_:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not stepped {PATIENCE_S:.0f} s after the last fault: {open_}")
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

    async def _judge(self) -> None:
        settings = Settings(bootstrap=self.lane.direct, prefix=self.names.prefix, participants=self.names.participants)
        for partition in range(self.plan.partitions):
            stood = await self._stood(partition)
            (self.home / f"stood-{partition}.json").write_bytes(msgspec.json.encode(stood))
            self.report.records += sum(map(len, stood.dump.telemetry.values())) + len(stood.dump.control)
            self.report.outputs += sum(map(len, stood.outputs.values()))
            self.report.differences += await asyncio.to_thread(check, stood, lambda p: machine(settings, p, 1))

    async def _stood(self, partition: int) -> Stood:
        names = self.names
        outputs: dict[str, list[Written]] = {}
        for kind in OUTPUTS:
            outputs[kind] = []
            for raw in await self._raw(getattr(names, kind), partition):
                if raw.value is not None:
                    epoch, value = decode(raw)
                    outputs[kind].append(Written(raw.offset, epoch, value))
        live = keys.Live()
        for raw in await self._raw(names.state, partition):
            live.feed(raw.key, raw.value)
        states = {
            pilot: keys.decode_snapshot(value).state
            for (kind, pilot), value in live.values.items()
            if kind == keys.SNAPSHOT
        }
        raw_mark = live.values.get((keys.WATERMARK, ""))
        mark = keys.decode_watermark(raw_mark).position if raw_mark else Position()
        return Stood(
            dump=await dump(self.lane.direct, names, partition),
            outputs=outputs,
            states=states,
            watermark=mark,
            acked=self.acked.get(partition, []),
            forgot=self.plan.kind == "forgot",
        )

    async def _raw(self, topic: str, partition: int) -> list[Any]:
        """Every committed record of a partition, waiting for a transaction that is still open."""
        tp = TopicPartition(topic, partition)
        end = (await high_waters(self.lane.direct, [tp]))[tp]
        reader = PartitionReader(self.lane.direct)
        await reader.start()
        try:
            at, _ = await reader.bounds(topic, partition)
            rows: list[Any] = []
            deadline = time.monotonic() + 40
            while at < end:
                got, at = await reader.chunk(topic, partition, at, end)
                rows += got
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{topic}/{partition} cannot be read to {end}")
            return rows
        finally:
            await reader.stop()

    # ---- topics

    def _topics(self) -> list[Any]:
        wanted = topics(self.names, self.plan.partitions, self.lane.replication)
        if self.plan.kind != "compacted":
            return wanted
        return [
            msgspec.structs.replace(t, settings={**t.settings, **HARD}) if t.name == self.names.state else t
            for t in wanted
        ]

    async def _create(self) -> None:
        await create(self.lane.direct, self._topics())

    async def _delete(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.lane.direct)
        with contextlib.suppress(KafkaError):
            await admin.start()
            await admin.delete_topics([t.name for t in self._topics()])
        await admin.close()
