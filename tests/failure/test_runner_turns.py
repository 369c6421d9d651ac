"""Telemetry that is stepped in turns, with an owner that dies after any write: each output is written exactly once."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from monitor.engine import runner as runner_module
from monitor.engine.runner import Runner
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Outputs
from monitor.simulation.fleet import Fleet
from monitor.testing.clock import MovingClock
from monitor.testing.memory_log import MemoryStore

START = 1_767_571_200_000
FLEET = Fleet(3, pilots=2, scenarios=["calm"], start=START, hours=1, period="1h")
TOPICS = ("telemetry.a", "telemetry.b")


class Killed(Exception):
    """The process died here."""


def deaths(pilot: str, source: str, count: int) -> list[bytes]:
    """Reports of harm, each of which has several outputs."""
    emitter = Emitter(source, pilot)
    return [encode(emitter.incident(START, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)) for _ in range(count)]


def filled() -> MemoryStore:
    """Two topics with records of one event and of many, holes between them, and records that are rejected."""
    store = MemoryStore(MovingClock(START))
    for act in FLEET.admissions():
        store.feed_control(msgspec.json.encode(act), received=START)
    for topic, pilot in zip(TOPICS, FLEET.pilots, strict=True):
        events = iter(deaths(pilot, "s/1", 40))
        for size in (1, 12, 1, 1, 9, 1):
            value = b"[" + b",".join(next(events) for _ in range(size)) + b"]"
            store.feed(topic, value, received=START, key=pilot.encode())
            store.leave_hole(topic)
        for _ in range(8):
            store.feed(topic, next(events), received=START, key=pilot.encode())
        store.feed(topic, b"[{},[1]]", received=START, key=pilot.encode())
    return store


async def owner(store: MemoryStore, die_at: int | None) -> Runner:
    """An owner that dies after its n-th write."""
    writes = 0

    def failpoint(point: str) -> None:
        nonlocal writes
        writes += point == "after_write"
        if writes == die_at:
            raise Killed

    runner = Runner(store.log(), clock=lambda: 0, checkpoint_every_ms=10**9, failpoint=failpoint)
    await runner.recover()
    return runner


async def deliver(runner: Runner, store: MemoryStore) -> None:
    """Deliver both topics from where the owner is to be read, turn by turn."""
    log, open_ = store.log(), []
    if runner.next_control == 0:
        await runner.control(await log.control(0, 100))
    for topic in TOPICS:
        records = list(await log.telemetry(topic, runner.next_telemetry.get(topic, 0), 100))
        open_.append(runner.telemetry_in_turns(topic, records))
    while open_:
        for delivery in list(open_):
            try:
                await anext(delivery)
            except StopAsyncIteration:
                open_.remove(delivery)


def names(outputs: Outputs) -> dict[str, list[str]]:
    """The ids of decisions, and what was rejected, of each pilot in order."""
    found: dict[str, list[str]] = {}
    for each in (*outputs.decisions, *outputs.rejected):
        found.setdefault(each.pilot, []).append(each.id)
    return found


@pytest.mark.parametrize("most", [1, 4, 250])
def test_a_death_after_any_write_loses_and_repeats_no_output(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within the outputs of one record, and again by the owner that takes over there."""
    monkeypatch.setattr(runner_module, "WRITE_OUTPUTS", most)
    monkeypatch.setattr(runner_module, "FIRST_PORTION", 1)

    async def story(*lives: int) -> tuple[dict[str, list[str]], int]:
        store, deaths = filled(), 0
        for die_at in (*lives, None):
            try:
                runner = await owner(store, die_at)
                await deliver(runner, store)
            except Killed:
                deaths += 1
        out = store.outputs()
        assert len({d.id for d in out.decisions}) == len(out.decisions)
        return names(out), deaths

    undisturbed, _ = asyncio.run(story())
    assert sum(map(len, undisturbed.values())) > 80
    killed = 0
    for first in (1, 2, 3, 5, 8, 13, 21, 40, 60):
        for second in (1, 2, 3):
            found, deaths_ = asyncio.run(story(first, second))
            killed += deaths_
            assert found == undisturbed, (first, second)
    assert killed >= (6 if most == 250 else 30)
