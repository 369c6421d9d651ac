"""Crashes at every failpoint: after recovery the record equals an offline step through the logs."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from monitor.engine.runner import Runner
from monitor.model.events import encode
from monitor.model.records import Claim, Outputs
from monitor.simulation.fleet import Fleet
from monitor.testing.memory_log import MemoryStore
from tests.strength import examples

TOPIC = "telemetry"
POINTS = ("before_write", "after_write", "before_checkpoint", "after_checkpoint", "after_append")
# Passed once in every life, or only after a death: too seldom for many separate kills.
RARER = ("before_append", "replayed")


class Killed(Exception):
    """The process died here."""


class Killer:
    """Dies at the n-th call of a failpoint, each n of a list in turn."""

    def __init__(self, at: dict[str, list[int]]) -> None:
        self.at, self.calls = at, dict.fromkeys((*POINTS, *RARER), 0)
        self.kills = 0

    def __call__(self, point: str) -> None:
        self.calls[point] += 1
        if self.calls[point] in self.at.get(point, ()):
            self.kills += 1
            raise Killed(point)


def stripped(outputs: Outputs) -> dict[str, list[bytes]]:
    """Everything but the epoch, which says who wrote and not what."""

    def plain(rows: list[object]) -> list[bytes]:
        built = [msgspec.to_builtins(row) for row in rows]
        for row in built:
            row.pop("epoch", None)
        return [msgspec.json.encode(row) for row in built]

    return {
        "decisions": plain(outputs.decisions),
        "commands": plain(outputs.commands),
        "evidence": plain(outputs.evidence),
        "rejected": plain(outputs.rejected),
    }


async def offline(
    store: MemoryStore, records: list[tuple[int, bytes | None]], acts: list[tuple[int, bytes]]
) -> Outputs:
    """The same logs, journal included, stepped once from the beginning by one owner that never dies."""
    copy = MemoryStore(store.clock)
    for received, value in records:
        copy.feed(TOPIC, value, received=received)
    for received, value in acts:
        copy.feed_control(value, received=received)
    highest = 0
    for row in store.journal():
        if row.entry.epoch >= highest:
            highest = row.entry.epoch
            copy_row = copy.forge(row.entry)
            assert copy_row.offset <= row.offset
            copy._partitions[0].journal[-1] = msgspec.structs.replace(copy_row, received=row.received)
    runner = Runner(copy.log(), clock=lambda: 0)
    await runner.recover()
    start = runner.next_telemetry.get(TOPIC, 0)
    await runner.telemetry(TOPIC, await copy.log(chunk=10**9).telemetry(TOPIC, start, 10**9))
    return copy.outputs()


async def live(seed: int, killer: Killer, hours: int = 30, checkpoint_every_ms: int = 12) -> tuple[dict, dict, int]:
    """A fleet sends while owners die and come back; returns (what was emitted, what the offline step emits, kills)."""
    rng = random.Random(seed)
    fleet = Fleet(
        seed, pilots=4, scenarios=["step", "silence", "late", "gaps"], hours=hours, period="1h", onset=8, volume=200
    )
    now = [fleet.start]
    ticks = [0]

    def clock() -> int:
        ticks[0] += 1
        return ticks[0]

    store = MemoryStore(lambda: now[0])
    records: list[tuple[int, bytes | None]] = []
    acts = [(fleet.start, msgspec.json.encode(act)) for act in fleet.admissions()]
    for received, value in acts:
        store.feed_control(value, received=received)
    runner: Runner | None = None

    async def owner() -> Runner:
        fresh = Runner(
            store.log(chunk=rng.choice((3, 50, 500))),
            clock=clock,
            checkpoint_every_ms=checkpoint_every_ms,
            failpoint=killer,
        )
        await fresh.recover()
        return fresh

    events = list(fleet)
    sent = 0
    override = (
        '{"type":"sandbox.control.override","id":"o%d","pilot":"pilot-0002","author":"regulator-1",'
        '"level":"watch","reason":"look"}'
    )
    for step in range(10_000):
        if sent >= len(events) and runner is not None and not runner.replaying:
            ends = (store.telemetry_end(TOPIC), store.control_end())
            if (runner.next_telemetry.get(TOPIC, 0), runner.next_control) == ends:
                break
        try:
            runner = runner or await owner()
            for received, event in events[sent : sent + rng.randrange(1, 40)]:
                now[0] = received
                value = encode(event) if rng.random() > 0.01 else rng.choice((None, b"", b"\xff", b"{}", b"[1]"))
                store.feed(TOPIC, value, received=received)
                records.append((received, value))
                sent += 1
            if rng.random() < 0.1:
                act = (override % step).encode()
                store.feed_control(act, received=now[0])
                acts.append((now[0], act))
            start = runner.next_telemetry.get(TOPIC, 0)
            batch = await runner._log.telemetry(TOPIC, start, start + rng.choice((1, 20, 60)))
            await runner.telemetry(TOPIC, batch)
            if not runner.replaying and rng.random() < 0.5:
                await runner.control(await runner._log.control(runner.next_control, 10**9))
            if not runner.replaying and runner.next_telemetry.get(TOPIC, 0) == store.telemetry_end(TOPIC):
                await runner.time()
        except Killed:
            runner = None
    return stripped(store.outputs()), stripped(await offline(store, records, acts)), killer.kills


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("seed", range(examples(2, 3)))
def test_a_crash_at_any_failpoint_does_not_change_the_record(point: str, seed: int) -> None:
    """After repeated crashes at the failpoint, also between outputs and the next checkpoint, the record equals the
    offline step."""
    killer = Killer({point: list(range(1 + seed, 400, 3))})
    got, want, kills = asyncio.run(live(seed, killer))
    assert kills > 3
    assert want["decisions"]
    for kind, rows in want.items():
        assert got[kind] == rows, kind


@pytest.mark.parametrize("seed", range(examples(4, 8)))
def test_crashes_at_random_failpoints_do_not_change_the_record(seed: int) -> None:
    """With rare checkpoints, so that owners also crash while they replay outputs of earlier owners."""
    rng = random.Random(1000 + seed)
    killer = Killer({point: sorted(rng.sample(range(1, 300), 40)) for point in (*POINTS, *RARER)})
    got, want, kills = asyncio.run(live(100 + seed, killer, checkpoint_every_ms=rng.choice((1, 10, 1000))))
    assert kills > 10
    assert got == want


def test_a_fenced_owner_cannot_write() -> None:
    """After a newer claim in the journal the older owner's next write is refused."""
    from monitor.errors import Fenced

    async def run() -> None:
        store = MemoryStore(lambda: 5)
        first = Runner(store.log(), clock=lambda: 0)
        await first.recover()
        second = Runner(store.log(), clock=lambda: 0)
        await second.recover()
        assert second.epoch == first.epoch + 1
        with pytest.raises(Fenced):
            await first.time()
        assert isinstance(store.journal()[-1].entry, Claim)

    asyncio.run(run())
