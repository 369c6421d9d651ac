"""The judge of histories can tell: each promise, broken on purpose in what stands, is named at its position."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest

from monitor.engine.runner import Runner
from monitor.model.records import Claim, TimeRead
from monitor.state.snapshots import restore, snapshot
from monitor.testing.history.check import Acked, Stood, Written, check
from monitor.testing.history.memory import START, Cheap, Memory, machine, of_epoch
from monitor.testing.history.story import Story

TOPICS = ("telemetry",)


@cache
def sound() -> Stood:
    """What stands after one undisturbed life in memory."""

    async def live() -> Stood:
        bench = Memory(TOPICS)
        story = Story(2, start=START, partitions=1)
        make = machine(TOPICS)
        runner = Runner(bench.owner(100), clock=lambda: 0, machine=lambda p, epoch: of_epoch(make(p), epoch))
        await runner.recover()
        acked: list[Acked] = []
        for number, burst in enumerate(sorted(story.bursts(), key=lambda b: b.at)):
            bench.now = story.fleet.start + burst.at
            acked += [msgspec.structs.replace(await bench.feed(item), burst=number) for item in burst.items]
            at = runner.next_telemetry.get(TOPICS[0], 0)
            await runner.telemetry(TOPICS[0], await bench.owner(10_000).telemetry(TOPICS[0], at, 1 << 40))
            await runner.control(await bench.owner(10_000).control(runner.next_control, 1 << 40))
            await runner.time()
        await runner.checkpoint()
        dump, out, states, watermark = await bench.read()
        kinds = ("rejected", "decisions", "commands", "permits", "evidence")
        outputs = {kind: [Written(i, 1, v) for i, v in enumerate(getattr(out, kind))] for kind in kinds}
        return Stood(dump=dump, outputs=outputs, states=states, watermark=watermark, acked=acked)

    return asyncio.run(live())


def changed(kind: str, change: Callable[[list[Written]], list[Written]]) -> Stood:
    """The sound history with one kind of output changed."""
    stood = sound()
    return msgspec.structs.replace(stood, outputs={**stood.outputs, kind: change(list(stood.outputs[kind]))})


def promises(stood: Stood) -> set[str]:
    """The promises that the judge finds broken."""
    return {d.promise for d in check(stood, machine(TOPICS))}


def test_a_sound_history_passes() -> None:
    """Nothing is found where nothing is wrong, in a history that holds every kind of output."""
    stood = sound()
    assert all(stood.outputs.values())
    assert len(stood.outputs["decisions"]) > 10
    assert check(stood, machine(TOPICS)) == []


@pytest.mark.parametrize("kind", ["rejected", "decisions", "commands", "evidence"])
def test_what_is_lost_is_named(kind: str) -> None:
    """One output less, of any kind: lost."""
    assert promises(changed(kind, lambda rows: rows[:1] + rows[2:])) == {"lost"}


@pytest.mark.parametrize("kind", ["rejected", "decisions", "commands", "permits", "evidence"])
def test_what_stands_twice_is_named(kind: str) -> None:
    """One output once more, of any kind: doubled, with both places."""
    twice = changed(kind, lambda rows: [*rows, msgspec.structs.replace(rows[1], offset=10_000)])
    found = check(twice, machine(TOPICS))
    assert {d.promise for d in found} == {"doubled"}
    assert "10000" in found[0].where
    assert "once, at 1" in found[0].should or "1 too many" in found[0].should


def test_what_is_void_counts_for_nothing() -> None:
    """A record of a lower epoch after a higher one is not held against anybody."""

    def late(rows: list[Written]) -> list[Written]:
        return [*rows, Written(10_000, 2, rows[-1].value), Written(10_001, 1, rows[0].value)]

    rows = changed("decisions", late).outputs["decisions"]
    kept = changed("decisions", lambda all_: [*all_[:-1], *[r for r in rows if r.offset >= 10_000]])
    assert check(kept, machine(TOPICS)) == []


def test_two_decisions_of_one_pilot_in_the_wrong_order_are_named() -> None:
    """The order of a pilot's decisions is part of the promise."""

    def swapped(rows: list[Written]) -> list[Written]:
        pilot = rows[-1].value.pilot  # type: ignore[union-attr]
        last, before = [i for i, row in enumerate(rows) if row.value.pilot == pilot][-1:-3:-1]  # type: ignore[union-attr]
        rows[last], rows[before] = rows[before], rows[last]
        return rows

    assert promises(changed("decisions", swapped)) == {"order"}


def test_another_content_under_the_same_id_is_named() -> None:
    """The same id with other words is neither lost nor doubled: unequal."""

    def other(rows: list[Written]) -> list[Written]:
        value: Any = rows[3].value
        rows[3] = msgspec.structs.replace(rows[3], value=msgspec.structs.replace(value, at=value.at + 1))
        return rows

    assert "content" in promises(changed("decisions", other))


def test_a_state_that_is_missing_or_altered_is_named() -> None:
    """A pilot's state that is not there, and one that says something else."""
    stood = sound()
    name = min(pilot for pilot in stood.states if pilot)
    rest = {pilot: raw for pilot, raw in stood.states.items() if pilot != name}
    assert promises(msgspec.structs.replace(stood, states=rest)) == {"state"}
    pilot, _ = restore(stood.states[name])
    pilot.heard = {watch: at - 1 for watch, at in pilot.heard.items()}
    assert promises(msgspec.structs.replace(stood, states={**rest, name: snapshot(pilot)})) == {"state"}


def test_a_record_that_was_acknowledged_and_is_gone_is_named() -> None:
    """The sender's own list is held against the log."""
    stood = sound()
    gone = Acked(TOPICS[0], 10_000, b"x", burst=1_000)
    assert promises(msgspec.structs.replace(stood, acked=[*stood.acked, gone])) == {"lost"}


def test_an_act_that_ran_ahead_of_telemetry_is_named() -> None:
    """An act that was stepped before telemetry that was acknowledged before it was sent."""
    stood = sound()
    late = Acked(TOPICS[0], stood.acked[-1].offset, None, -1)
    real = next(r for r in reversed(stood.dump.telemetry[TOPICS[0]]))
    moved = msgspec.structs.replace(late, offset=real.offset, value=real.value)
    assert promises(msgspec.structs.replace(stood, acked=[moved, *stood.acked])) == {"order"}


def test_two_claims_of_one_epoch_and_a_step_back_are_named() -> None:
    """The journal alone can tell that two owners thought the same of themselves, or that one forgot where it was."""
    stood = sound()
    row = stood.dump.journal[-1]
    claim = msgspec.structs.replace(row, offset=row.offset + 1, entry=Claim(epoch=1))
    back = msgspec.structs.replace(row, offset=row.offset + 2, entry=TimeRead(1, {TOPICS[0]: 1}, 0))
    for entry in (claim, back):
        dump = msgspec.structs.replace(stood.dump, journal=[*stood.dump.journal, entry])
        assert "journal" in promises(msgspec.structs.replace(stood, dump=dump))


class Twice(Runner):
    """A runner that forgets what was emitted before it: weakened on purpose."""

    async def recover(self) -> None:
        await super().recover()
        self._through = None


class Blind(Runner):
    """A runner that does not step what an earlier owner had journalled: weakened on purpose."""

    async def _replay_entry(self, row: Any) -> None:
        self._journal = row.offset + 1


@pytest.mark.parametrize(("weak", "promise"), [(Twice, "doubled"), (Blind, "lost")])
def test_a_weakened_runner_is_found_out(weak: type[Runner], promise: str) -> None:
    """Histories find a runner that emits twice, and one that skips: they are able to fail."""
    found: set[str] = set()
    for seed in range(12):
        if promise in found:
            break
        try:
            found |= {d.promise for d in Cheap(seed, runner=weak).run().differences}
        except Exception as error:
            found.add(type(error).__name__)  # a runner may also stumble over what it broke
    assert promise in found
