"""The life of a pilot and its standing say the same, after every act by everybody, in every state and in sequences.

The walks are those of `test_only_a_release_ends_a_halt.py`; `QUICK=1` takes fewer of them.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from monitor.lifecycle.arrows import ENDED
from monitor.lifecycle.life import Lifecycle
from monitor.lifecycle.names import State
from monitor.state.pilot import PilotState
from monitor.state.snapshots import restore, snapshot
from tests.property.test_only_a_release_ends_a_halt import (
    AUTHORS,
    STATES,
    STEPS,
    WALKS,
    World,
    acts,
    leaving,
    made,
    next_step,
    normal,
)


def agree(pilot: PilotState) -> None:
    """Nothing of the life contradicts the standing, in memory or in a snapshot."""
    life = pilot.life
    assert life.halted == pilot.standing.halted
    assert (life.pilot in ENDED) == pilot.exited
    assert (life.pilot is State.EXITING) == pilot.leaving
    assert restore(snapshot(pilot))[0].life == life


@pytest.mark.parametrize("state", STATES, ids=lambda s: s.__name__)
def test_no_single_act_makes_life_and_standing_differ(state: Callable[[World], None]) -> None:
    """Any author sends any act, accepted or refused."""
    start = made(state)
    agree(start.machine.pilots["p"])
    for author in AUTHORS:
        for act in acts(start, author):
            world = start.copy()
            before = world.machine.pilots["p"].life
            out = world.put(act, author.key)
            agree(world.machine.pilots["p"])
            if out.rejected:
                assert world.machine.pilots["p"].life == before


@pytest.mark.parametrize("part", range(2))
def test_no_sequence_makes_life_and_standing_differ(part: int) -> None:
    """Random sequences of acts, copies, acknowledgements, heartbeats, incidents and the steps of a release."""
    seen = set[State]()
    for number in range(part, WALKS, 2):
        rng = Random(f"life/{number}")
        world = made(rng.choice(STATES)).copy()
        for _ in range(STEPS):
            step(world, rng)
            pilot = world.machine.pilots["p"]
            agree(pilot)
            seen |= pilot.life.states
    assert {State.RUNNING, State.EXITING, State.EXITED, State.HALTED, State.NOT_HALTED} <= seen


def step(world: World, rng: Random) -> None:
    """One random record."""
    what = rng.random()
    if what < 0.1:
        world.step(rng.choice(world.sent))
    elif what < 0.2 and world.commands:
        world.acknowledge()
    elif what < 0.4:
        world.beat(rng.random() < 0.1)
    elif what < 0.45:
        world.say(world.service.incident(world.at))
    elif what < 0.65:
        standing = world.machine.pilots["p"].standing
        steps = standing.lifting
        world.put(*next_step(world, steps.rectified, steps.evaluated, steps.approvals))
    else:
        author = rng.choice(AUTHORS)
        world.put(rng.choice(list(acts(world, author))), author.key)


@pytest.mark.parametrize("state", STATES, ids=lambda s: s.__name__)
def test_a_snapshot_from_before_there_was_a_life_has_the_one_that_follows(state: Callable[[World], None]) -> None:
    """The life of a pilot that was admitted without an application is not stored: it follows from the rest."""
    pilot = made(state).machine.pilots["p"]
    raw, life = snapshot(pilot), pilot.life
    assert b"running" not in raw
    assert b"exited" not in raw
    assert restore(raw)[0].life == life


def test_another_life_is_stored() -> None:
    """What does not follow from the rest of a snapshot is in it."""
    for state in (normal, leaving):
        pilot = made(state).machine.pilots["p"]
        pilot.life = Lifecycle(State.PAUSED, pilot.life.halt, signed_by_firm="ab" * 32)
        assert restore(snapshot(pilot))[0].life == pilot.life
