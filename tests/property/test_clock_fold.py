"""Legal deadlines do not depend on batching: the fast path, the slow path, any cut, and a restart at any step agree."""

from __future__ import annotations

from random import Random

import pytest

from monitor.deadlines.shipped import example_table
from monitor.engine.machine import Machine
from monitor.model.records import Reason
from tests.property.test_fold import SlowPath, recorded, script, taken
from tests.strength import examples

SEEDS = range(examples(2, 12))


def with_table(machine: Machine) -> Machine:
    machine.use_clock_table(example_table())
    return machine


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("volume", [40, 800])
def test_deadlines_are_the_same_on_both_paths_and_for_any_cut(seed: int, volume: int) -> None:
    """The same outputs and state, to the byte; serious incidents start deadlines in these scripts."""
    steps, without = script(seed, volume, 7)
    expected = recorded(with_table(SlowPath(journalled=False)), steps, [1000])
    assert expected != without
    for cuts in ([1000], [1], [3, 50, 7]):
        assert recorded(with_table(Machine(journalled=False)), steps, cuts) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_deadlines_are_the_same_after_restarts(seed: int) -> None:
    """A machine that is restored from its snapshots again and again emits the same decisions."""
    steps, _ = script(seed, 40, 7)
    expected = taken(with_table(Machine(journalled=False)), steps)
    assert any(d.reason is Reason.CLOCK_STARTED for d in expected.decisions)
    rng, machine, at, found = Random(seed), with_table(Machine(journalled=False)), 0, []
    while at < len(steps):
        stop = at + rng.randrange(1, 40)
        found += taken(machine, steps[at:stop]).decisions
        raw = {name: one for name, one in machine.snapshots(machine.pilots).items() if one is not None}
        machine, at = Machine(journalled=False), stop
        machine.restore(raw)
        with_table(machine)
    assert found == expected.decisions
