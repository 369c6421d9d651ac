"""Histories in one process: the same workloads and the same check, on logs in memory or SQLite.

No processes and no broker, and the clock is simulated, so one takes a fraction of a second. They do not test Kafka and
are counted separately. A crash is an exception at a failpoint, or a log whose n-th call fails before or after its
effect; a zombie is an owner that continues after the next one has claimed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Protocol

import msgspec

from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import OUTPUTS, Incoming, Store
from monitor.engine.log import Journalled, Log
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.errors import Fenced
from monitor.kafka.dump import PartitionDump
from monitor.model.records import Closed, Command, Decision, Evidence, JournalEntry, Outputs, Permit, Position, Rejected
from monitor.testing.breakable_log import BreakableLog, Broken, Call, When
from monitor.testing.history.check import Acked, Difference, PartitionContents, Written, check
from monitor.testing.history.parts import Report
from monitor.testing.history.workload import PERIOD_MS, Item, Workload
from monitor.testing.memory_log import MemoryStore

START = 1_767_571_200_000
HOUR = 3_600_000
MOST = 1 << 40
CALLS: tuple[Call, ...] = ("claim", "telemetry", "control", "append", "write")


class Killed(Exception):
    """The owner crashed at a failpoint."""


class Killer:
    """Raises `Killed` at random calls of failpoints."""

    def __init__(self, rng: Random, share: float) -> None:
        self.rng, self.share, self.kills = rng, share, 0
        self.armed = True

    def __call__(self, place: str) -> None:
        if self.armed and self.rng.random() < self.share:
            self.kills += 1
            raise Killed(place)


class StoreUnderTest(Protocol):
    """A store under test. `now` is its clock (ms)."""

    now: int

    def owner(self, chunk: int) -> Log:
        """A new owner, not yet claimed."""

    async def feed(self, item: Item) -> Acked:
        """Append one record of a workload."""

    async def save_state(self) -> Any:
        """The state that recovery would find now."""

    async def restore_state(self, saved: Any) -> None:
        """Replace the state by an earlier `saved` one; None: delete it."""

    async def read(self) -> tuple[PartitionDump, Outputs, dict[str, bytes], Position]:
        """The logs, the outputs, the state and its watermark."""

    async def close(self) -> None:
        """Release files and threads."""


class MemoryUnderTest:
    """Logs in memory, one partition."""

    def __init__(self, topics: tuple[str, ...]) -> None:
        self.now = START
        self.topics = topics
        self.store = MemoryStore(lambda: self.now)
        self._empty = self.store.saved_state()

    def owner(self, chunk: int) -> Log:
        return self.store.log(chunk=chunk)

    async def feed(self, item: Item) -> Acked:
        headers = [(name, value) for name, value in item.headers]
        if isinstance(item.to, int):
            topic = self.topics[item.to]
            at = self.store.feed(topic, item.value, received=self.now, key=item.key, headers=headers)
            return Acked(topic, at, item.value)
        return Acked("control", self.store.feed_control(item.value, received=self.now, key=item.key), item.value)

    async def save_state(self) -> Any:
        return self.store.saved_state()

    async def restore_state(self, saved: Any) -> None:
        self.store.restore_state(saved or self._empty)

    async def read(self) -> tuple[PartitionDump, Outputs, dict[str, bytes], Position]:
        telemetry, control = self.store.inputs()
        states, watermark, _ = self.store.saved_state()
        dump = PartitionDump(0, {t: telemetry.get(t, []) for t in self.topics}, control, list(self.store.journal()))
        return dump, self.store.outputs(), states, watermark

    async def close(self) -> None:
        """Nothing to release."""


class SqliteUnderTest:
    """The embedded store on a file."""

    def __init__(self, topics: tuple[str, ...], path: Path) -> None:
        self.now = START
        self.topics = topics
        self.store = Store(path, clock=lambda: self.now)

    def owner(self, chunk: int) -> Log:
        return SqliteLog(self.store, records=chunk)

    async def feed(self, item: Item) -> Acked:
        record = Incoming(item.value, item.key, item.headers)
        if isinstance(item.to, int):
            topic = self.topics[item.to]
            return Acked(topic, (await self.store.feed([record], topic)).first, item.value)
        return Acked("control", (await self.store.feed_control([record])).first, item.value)

    async def save_state(self) -> Any:
        def query(db: Any) -> Any:
            return list(db.execute("SELECT * FROM state")), db.execute(
                "SELECT through, watermark FROM owner"
            ).fetchone()

        return await self.store.read(query)

    async def restore_state(self, saved: Any) -> None:
        states, (through, watermark) = saved or ([], (None, None))

        def change(db: Any) -> None:
            db.execute("DELETE FROM state")
            db.executemany("INSERT INTO state VALUES (?, ?)", states)
            db.execute("UPDATE owner SET through = ?, watermark = ?", (through, watermark))

        await self.store.write(change)

    async def read(self) -> tuple[PartitionDump, Outputs, dict[str, bytes], Position]:
        telemetry = {t: list(await self.store.telemetry(t, 0, MOST, records=MOST, size=MOST)) for t in self.topics}
        control = list(await self.store.control(0, MOST, records=MOST, size=MOST))

        def query(db: Any) -> Any:
            rows = [
                Journalled(place, received, msgspec.json.decode(raw, type=JournalEntry))
                for place, received, raw in db.execute("SELECT place, received, entry FROM journal ORDER BY place")
            ]
            out = {kind: [raw for (raw,) in db.execute(f"SELECT value FROM {kind} ORDER BY seq")] for kind in OUTPUTS}
            states = dict(db.execute("SELECT pilot, value FROM state"))
            (mark,) = db.execute("SELECT watermark FROM owner").fetchone()
            return rows, out, states, Position() if mark is None else msgspec.json.decode(mark, type=Position)

        rows, out, states, mark = await self.store.read(query)
        decode = msgspec.json.decode
        outputs = Outputs(
            [decode(raw, type=Rejected) for raw in out["rejected"]],
            [decode(raw, type=Decision) for raw in out["decisions"]],
            [decode(raw, type=Command) for raw in out["commands"]],
            [decode(raw, type=Permit) for raw in out["permits"]],
            [_evidence(raw) for raw in out["evidence"]],
        )
        return PartitionDump(0, telemetry, control, rows), outputs, states, mark

    async def close(self) -> None:
        await self.store.close()


def machine(topics: tuple[str, ...]) -> Callable[[int], Machine]:
    """Returns a factory of machines, configured like the worker's for topics of these participants."""
    owners = {topic: f"firm-{n + 1}" for n, topic in enumerate(topics)} if len(topics) > 1 else {}
    return lambda partition: Machine(partition, 1, keyed=True, owner_of=owners.get)


class InProcessHistory:
    """One history over a store. `run` returns its report."""

    def __init__(self, seed: int, home: Path | None = None, runner: type[Runner] = Runner) -> None:
        rng = self.rng = Random(f"cheap/{seed}")
        self.seed, self.on_disk, self._runner = seed, home is not None, runner
        self.topics = ("telemetry",) if rng.random() < 0.6 else ("telemetry.firm-1", "telemetry.firm-2")
        self.store: StoreUnderTest = (
            MemoryUnderTest(self.topics) if home is None else SqliteUnderTest(self.topics, home / f"{seed}.db")
        )
        self.killer = Killer(rng, rng.choice((0.01, 0.05, 0.2)))
        self.forgets, self.jumps = rng.random() < 0.2, rng.random() < 0.2
        self.every = rng.choice((1, 20, 1_000))
        self.ticks = self.deaths = self.resumed = self.fenced = 0
        self.acked: list[Acked] = []
        self.held: tuple[Runner, Log] | None = None
        self.zombies: list[tuple[Runner, Log]] = []
        self.kept: list[Any] = []

    def run(self) -> Report:
        """The workload, the faults, the verdict."""
        return asyncio.run(self._run())

    async def _run(self) -> Report:
        rng = self.rng
        length = HOUR // 6 if self.jumps else PERIOD_MS  # an hour of the shortest periods would be thousands of them
        workload = Workload(self.seed, start=START, partitions=1, topics=len(self.topics), period_ms=length)
        try:
            for burst in sorted(workload.bursts(), key=lambda b: b.at):
                if burst.aborted:
                    continue
                shift = rng.choice((-HOUR, 0, HOUR)) if self.jumps else 0
                self.store.now = workload.fleet.start + burst.at + shift
                for item in burst.items:
                    self.acked.append(await self.store.feed(item))
                for _ in range(rng.randrange(0, 4)):
                    await self._turn(rng)
            self.killer.armed = False
            self.store.now = max(self.store.now, workload.fleet.end) + 2 * length
            for item in workload.closing(workload.fleet.end):
                self.acked.append(await self.store.feed(item))
            await self._finish()
            found = await self._judge()
        finally:
            await self.store.close()
        return Report(
            seed=self.seed,
            kind="sqlite" if self.on_disk else "memory",
            differences=found,
            kills=self.killer.kills + self.deaths,
            resumed=self.resumed,
            fenced=self.fenced,
            records=len(self.acked),
        )

    def _tick(self) -> int:
        self.ticks += 1
        return self.ticks

    async def _owner(self) -> tuple[Runner, Log]:
        rng = self.rng
        log: Log = self.store.owner(rng.choice((1, 3, 50, 500)))
        if self.killer.armed and rng.random() < 0.5:
            when: When = "before" if rng.random() < 0.5 else "after"
            log = BreakableLog(log, at=rng.randrange(0, 12), when=when, calls=CALLS)
        make = machine(self.topics)
        runner = self._runner(
            log, clock=self._tick, machine=lambda p, epoch: of_epoch(make(p), epoch),
            checkpoint_every_ms=self.every, failpoint=self.killer,
        )  # fmt: skip
        await runner.recover()
        return runner, log

    async def _turn(self, rng: Random) -> None:
        """The owner reads its logs once, or a fault happens."""
        try:
            self.held = self.held or await self._owner()
            runner, log = self.held
            at_end = True
            for topic in self.topics:
                start = runner.next_telemetry.get(topic, 0)
                some = await log.telemetry(topic, start, start + rng.choice((1, 20, 500)))
                await runner.telemetry(topic, some)
                start = runner.next_telemetry.get(topic, 0)
                at_end = at_end and not await log.telemetry(topic, start, MOST)
            if not runner.replaying and at_end and rng.random() < 0.5:
                await runner.control(await log.control(runner.next_control, MOST))
            if not runner.replaying and at_end:
                await runner.time()
            if rng.random() < 0.1:
                self.kept.append(await self.store.save_state())
            if rng.random() < 0.03:  # frozen: the next owner claims, and this one will wake up
                self.zombies.append(self.held)
                self.held = None
            elif self.zombies and rng.random() < 0.3:
                await self._resume_zombie(*self.zombies.pop())
        except (Killed, Broken):
            self.deaths += 1
            self.held = None
            if self.forgets and rng.random() < 0.5:
                await self.store.restore_state(rng.choice([None, *self.kept]))

    async def _resume_zombie(self, runner: Runner, log: Log) -> None:
        """A zombie continues; its writes must be refused."""
        self.resumed += 1
        try:
            for topic in self.topics:
                start = runner.next_telemetry.get(topic, 0)
                await runner.telemetry(topic, await log.telemetry(topic, start, MOST))
            await runner.checkpoint()
        except (Fenced, Killed, Broken):
            self.fenced += 1

    async def _finish(self) -> None:
        while True:
            try:
                self.held = self.held or await self._owner()
                runner, log = self.held
                for topic in self.topics:
                    while some := await log.telemetry(topic, runner.next_telemetry.get(topic, 0), MOST):
                        await runner.telemetry(topic, some)
                while acts := await log.control(runner.next_control, MOST):
                    await runner.control(acts)
                await runner.time()
                await runner.checkpoint()
                return
            except Broken:
                self.held = None

    async def _judge(self) -> list[Difference]:
        dump, outputs, states, watermark = await self.store.read()
        written: dict[str, list[Written]] = {
            kind: [Written(i, 0, value) for i, value in enumerate(getattr(outputs, kind))] for kind in OUTPUTS
        }
        contents = PartitionContents(
            dump=dump,
            outputs=written,
            states=states,
            watermark=watermark,
            acked=self.acked,
            forgot=self.forgets,
        )
        return check(contents, machine(self.topics))


def of_epoch(machine: Machine, epoch: int) -> Machine:
    """The same machine, writing in this epoch."""
    machine.epoch = epoch
    return machine


def _evidence(raw: bytes) -> Evidence | Closed:
    if b'"pilot"' in raw:
        return msgspec.json.decode(raw, type=Evidence)
    return msgspec.json.decode(raw, type=Closed)
