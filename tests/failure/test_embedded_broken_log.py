"""Whichever call of a log fails, before or after its effect: the next owner continues with the same decisions."""

from __future__ import annotations

import asyncio
from functools import cache

import msgspec
import pytest

from monitor.engine.log import Log
from monitor.engine.runner import Runner
from monitor.errors import Stop
from monitor.model.records import Outputs
from monitor.simulation.fleet import Fleet
from monitor.testing.breakable_log import BreakableLog, Broken, When
from monitor.testing.clock import MovingClock
from monitor.testing.memory_log import MemoryStore

TOPIC = "telemetry"
PERIOD = 10_000
TURN = 5_000  # ms between two reads of the owner


@cache
def script() -> tuple[Fleet, list[tuple[int, list[tuple[int, bytes]]]]]:
    """(the fleet, turns): a turn is its end (ms) and the (received, event) of it."""
    fleet = Fleet(
        11, pilots=4, scenarios=["step", "death", "silence", "duplicates"], start=1_767_571_200_000, hours=9,
        period=f"{PERIOD}ms", onset=2, volume=600,
    )  # fmt: skip
    turns: list[tuple[int, list[tuple[int, bytes]]]] = [(fleet.start + TURN, [])]
    for received, event in fleet:
        while received >= turns[-1][0]:
            turns.append((turns[-1][0] + TURN, []))
        turns[-1][1].append((received, msgspec.json.encode(event)))
    return fleet, turns


class Life:
    """One run of the script over one store, through as many owners as it takes."""

    def __init__(self) -> None:
        fleet, self.turns = script()
        self.clock = MovingClock(fleet.start)
        self.store = MemoryStore(self.clock)
        for admission in fleet.admissions():
            self.store.feed_control(msgspec.json.encode(admission), received=fleet.start)
        self.faults: list[tuple[int, When]] = []
        self.owners = 0
        self.calls = 0

    async def owner(self) -> tuple[Runner, BreakableLog]:
        at, when = self.faults.pop(0) if self.faults else (None, "before")
        log = BreakableLog(self.store.log(chunk=50), at=at, when=when)  # type: ignore[arg-type]
        self.owners += 1
        runner = Runner(log, clock=self.clock, checkpoint_every_ms=12_000)
        await runner.recover()
        return runner, log

    async def turn(self, runner: Runner, log: Log, now: int) -> None:
        """What an owner does in one iteration: telemetry to its end, then control, then the time."""
        while records := await log.telemetry(TOPIC, runner.next_telemetry.get(TOPIC, 0), 1 << 40):
            await runner.telemetry(TOPIC, records)
        if records := await log.control(runner.next_control, 1 << 40):
            await runner.control(records)
        await runner.time()

    async def live(self) -> None:
        at = fed = 0
        held: tuple[Runner, BreakableLog] | None = None
        while at < len(self.turns):
            end, events = self.turns[at]
            if fed == at:
                for received, value in events:
                    self.store.feed(TOPIC, value, received=received)
                fed += 1
                self.clock.set(max(self.clock.now, end))
            try:
                held = held or await self.owner()
                await self.turn(*held, end)
            except Broken:
                held = None  # the process has died; a supervisor starts the next one
                continue
            self.calls = held[1].count
            at += 1

    def run(self, *faults: tuple[int, When]) -> Outputs:
        self.faults = list(faults)
        asyncio.run(self.live())
        return self.store.outputs()


def known(outputs: Outputs) -> dict[str, list[bytes]]:
    """Bytes of everything emitted, apart from the epoch: the one field that names the owner."""
    plain = {
        "decisions": [msgspec.structs.replace(d, epoch=0) for d in outputs.decisions],
        "commands": [msgspec.structs.replace(c, epoch=0) for c in outputs.commands],
        "permits": [msgspec.structs.replace(p, epoch=0) for p in outputs.permits],
        "evidence": outputs.evidence,
        "rejected": outputs.rejected,
    }
    return {kind: [msgspec.json.encode(x) for x in rows] for kind, rows in plain.items()}  # type: ignore[attr-defined]


@cache
def undisturbed() -> tuple[dict[str, list[bytes]], int]:
    """What a life without any fault emits, and how many calls it makes that can break."""
    life = Life()
    return known(life.run()), life.calls


def test_the_script_covers_every_kind_of_output() -> None:
    """The script has halts, commands, evidence and an unknown flag over many calls; else this file tests nothing."""
    story, calls = undisturbed()
    text = b"".join(story["decisions"])
    assert b'"reason":"hard_rule"' in text
    assert b'"reason":"limit_exceeded"' in text
    assert b'"kind":"flag"' in text
    assert story["commands"]
    assert story["evidence"]
    assert calls >= 40


@pytest.mark.parametrize("when", ["before", "after"])
def test_any_call_may_break_once(when: When) -> None:
    """For every n, call n fails before or after its effect: the decisions of the next owner are the same bytes."""
    story, calls = undisturbed()
    for at in range(calls):
        life = Life()
        assert known(life.run((at, when))) == story, f"call {at} broken {when} its effect"
        assert life.owners == 2


@pytest.mark.parametrize("second", [0, 1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_next_owner_may_break_too(when: When, second: int) -> None:
    """The recovering owner also fails at one of its first calls: the third owner reaches the same decisions."""
    story, calls = undisturbed()
    for at in range(3, calls - 6, 7):
        life = Life()
        other: When = "after" if when == "before" else "before"
        assert known(life.run((at, when), (second, other))) == story, f"calls {at} and {second}"
        assert life.owners == 3


def test_a_broken_log_stays_broken() -> None:
    """After its fault a breakable log refuses every call, so that a test detects an owner that continues."""

    async def story() -> None:
        log = BreakableLog(MemoryStore().log(), at=0, when="after", calls=["claim"])
        with pytest.raises(Broken):
            await log.claim()
        with pytest.raises(Stop):
            await log.telemetry(TOPIC, 0, 1)

    asyncio.run(story())
