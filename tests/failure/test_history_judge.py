"""The check of histories names each guarantee that a planted fault violates, and its position."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest

from monitor.engine.runner import Runner
from monitor.model.records import Claim, TimeRead
from monitor.model.subjects import is_pilot
from monitor.state.snapshots import restore, snapshot
from monitor.testing.history.check import Acked, PartitionContents, Written, check
from monitor.testing.history.in_process import START, InProcessHistory, MemoryUnderTest, machine, of_epoch
from monitor.testing.history.workload import Workload

TOPICS = ("telemetry",)


@cache
def sound() -> PartitionContents:
    """The contents of a partition after one undisturbed run in memory."""

    async def live() -> PartitionContents:
        store = MemoryUnderTest(TOPICS)
        workload = Workload(2, start=START, partitions=1)
        make = machine(TOPICS)
        runner = Runner(store.owner(100), clock=lambda: 0, machine=lambda p, epoch: of_epoch(make(p), epoch))
        await runner.recover()
        acked: list[Acked] = []
        for number, burst in enumerate(sorted(workload.bursts(), key=lambda b: b.at)):
            store.now = workload.fleet.start + burst.at
            acked += [msgspec.structs.replace(await store.feed(item), burst=number) for item in burst.items]
            at = runner.next_telemetry.get(TOPICS[0], 0)
            await runner.telemetry(TOPICS[0], await store.owner(10_000).telemetry(TOPICS[0], at, 1 << 40))
            await runner.control(await store.owner(10_000).control(runner.next_control, 1 << 40))
            await runner.time()
        await runner.checkpoint()
        dump, out, states, watermark = await store.read()
        kinds = ("rejected", "decisions", "commands", "permits", "evidence")
        outputs = {kind: [Written(i, 1, v) for i, v in enumerate(getattr(out, kind))] for kind in kinds}
        return PartitionContents(dump=dump, outputs=outputs, states=states, watermark=watermark, acked=acked)

    return asyncio.run(live())


def changed(kind: str, change: Callable[[list[Written]], list[Written]]) -> PartitionContents:
    """The sound history with one kind of output changed."""
    contents = sound()
    return msgspec.structs.replace(contents, outputs={**contents.outputs, kind: change(list(contents.outputs[kind]))})


def guarantees(contents: PartitionContents) -> set[str]:
    """The guarantees that the check reports as violated."""
    return {d.guarantee for d in check(contents, machine(TOPICS))}


def test_a_sound_history_passes() -> None:
    """A correct history with every kind of output has no difference."""
    contents = sound()
    assert all(contents.outputs.values())
    assert len(contents.outputs["decisions"]) > 10
    assert check(contents, machine(TOPICS)) == []


@pytest.mark.parametrize("kind", ["rejected", "decisions", "commands", "evidence"])
def test_a_lost_output_is_reported(kind: str) -> None:
    """A missing output of any kind is reported as lost."""
    assert guarantees(changed(kind, lambda rows: rows[:1] + rows[2:])) == {"lost"}


@pytest.mark.parametrize("kind", ["rejected", "decisions", "commands", "permits", "evidence"])
def test_a_duplicate_output_is_reported(kind: str) -> None:
    """A duplicate output of any kind is reported as doubled, with both positions."""
    twice = changed(kind, lambda rows: [*rows, msgspec.structs.replace(rows[1], offset=10_000)])
    found = check(twice, machine(TOPICS))
    assert {d.guarantee for d in found} == {"doubled"}
    assert "10000" in found[0].where
    assert "once, at 1" in found[0].expected or "1 too many" in found[0].expected


def test_void_records_are_ignored() -> None:
    """A record of a lower epoch after a higher one is no difference."""

    def late(rows: list[Written]) -> list[Written]:
        return [*rows, Written(10_000, 2, rows[-1].value), Written(10_001, 1, rows[0].value)]

    rows = changed("decisions", late).outputs["decisions"]
    kept = changed("decisions", lambda all_: [*all_[:-1], *[r for r in rows if r.offset >= 10_000]])
    assert check(kept, machine(TOPICS)) == []


def test_two_decisions_of_one_pilot_in_the_wrong_order_are_reported() -> None:
    """The order of a pilot's decisions is part of the guarantee."""

    def swapped(rows: list[Written]) -> list[Written]:
        pilot = rows[-1].value.pilot  # type: ignore[union-attr]
        last, before = [i for i, row in enumerate(rows) if row.value.pilot == pilot][-1:-3:-1]  # type: ignore[union-attr]
        rows[last], rows[before] = rows[before], rows[last]
        return rows

    assert guarantees(changed("decisions", swapped)) == {"order"}


def test_another_content_under_the_same_id_is_reported() -> None:
    """The same id with another content is reported as unequal, not as lost or doubled."""

    def other(rows: list[Written]) -> list[Written]:
        value: Any = rows[3].value
        rows[3] = msgspec.structs.replace(rows[3], value=msgspec.structs.replace(value, at=value.at + 1))
        return rows

    assert "content" in guarantees(changed("decisions", other))


def test_a_state_that_is_missing_or_altered_is_reported() -> None:
    """A missing state and a changed state of a pilot are both reported."""
    contents = sound()
    name = min(pilot for pilot in contents.states if pilot and is_pilot(pilot))
    rest = {pilot: raw for pilot, raw in contents.states.items() if pilot != name}
    assert guarantees(msgspec.structs.replace(contents, states=rest)) == {"state"}
    pilot, _ = restore(contents.states[name])
    pilot.heard = {watch: at - 1 for watch, at in pilot.heard.items()}
    assert guarantees(msgspec.structs.replace(contents, states={**rest, name: snapshot(pilot)})) == {"state"}


def test_an_acknowledged_record_that_is_missing_is_reported() -> None:
    """The sender's list of acknowledged records is compared with the log."""
    contents = sound()
    gone = Acked(TOPICS[0], 10_000, b"x", burst=1_000)
    assert guarantees(msgspec.structs.replace(contents, acked=[*contents.acked, gone])) == {"lost"}


def test_an_act_that_overtakes_telemetry_is_reported() -> None:
    """An act stepped before telemetry that was acknowledged before it was sent breaks the order."""
    contents = sound()
    late = Acked(TOPICS[0], contents.acked[-1].offset, None, -1)
    real = next(r for r in reversed(contents.dump.telemetry[TOPICS[0]]))
    moved = msgspec.structs.replace(late, offset=real.offset, value=real.value)
    assert guarantees(msgspec.structs.replace(contents, acked=[moved, *contents.acked])) == {"order"}


def test_two_claims_of_one_epoch_and_a_step_back_are_reported() -> None:
    """Two claims of one epoch, and a read position that goes back, are found in the journal."""
    contents = sound()
    row = contents.dump.journal[-1]
    claim = msgspec.structs.replace(row, offset=row.offset + 1, entry=Claim(epoch=1))
    back = msgspec.structs.replace(row, offset=row.offset + 2, entry=TimeRead(1, {TOPICS[0]: 1}, 0))
    for entry in (claim, back):
        dump = msgspec.structs.replace(contents.dump, journal=[*contents.dump.journal, entry])
        assert "journal" in guarantees(msgspec.structs.replace(contents, dump=dump))


class Twice(Runner):
    """A runner that forgets what was emitted before it: weakened on purpose."""

    async def recover(self) -> None:
        await super().recover()
        self._through = None


class Blind(Runner):
    """A runner that does not step what an earlier owner had journalled: weakened on purpose."""

    async def _replay_entry(self, row: Any) -> None:
        self._journal = row.offset + 1


@pytest.mark.parametrize(("weak", "guarantee"), [(Twice, "doubled"), (Blind, "lost")])
def test_a_weakened_runner_is_detected(weak: type[Runner], guarantee: str) -> None:
    """Histories detect a runner that emits twice, and one that skips entries."""
    found: set[str] = set()
    for seed in range(12):
        if guarantee in found:
            break
        try:
            found |= {d.guarantee for d in InProcessHistory(seed, runner=weak).run().differences}
        except Exception as error:
            found.add(type(error).__name__)  # a runner may also stumble over what it broke
    assert guarantee in found
