"""Whatever is tried in whatever order: what holds for every life of a pilot."""

from __future__ import annotations

import functools
import itertools
from random import Random

import pytest

from monitor.errors import ControlRefused
from monitor.lifecycle.arrows import ARROWS, BY_TRIGGER, ENDED, LIVE
from monitor.lifecycle.life import Lifecycle, advance
from monitor.lifecycle.names import Act, Event, Fact, Outcome, Region, State
from monitor.model.refusals import Refusal
from tests.strength import examples

OUTCOMES = (None, *Outcome)
STEPS = examples(20_000, 100_000, fast=20_000)  # so many meet every reason
GIVEN = sorted(set(Fact) - {Fact.OPEN_MODE, Fact.SCALES, Fact.ENDS_TERMINATED, Fact.ENDS_WITHDRAWN})
END = {State.CLOSED, State.RECALLED, State.REFUSED, State.APPLICATION_WITHDRAWN}


@functools.cache
def reached() -> dict[Lifecycle, int]:
    """Every life that can be reached from the first, with the number of steps; signatures are left out."""
    found, edge = {Lifecycle(): 0}, [Lifecycle()]
    choices = [set(Fact) - {Fact.SCALES, Fact.ENDS_TERMINATED, Fact.ENDS_WITHDRAWN}]
    choices += [choices[0] - {Fact.STOP_VERIFIED}, choices[0] - {Fact.INSIDE_PLAN, Fact.OPEN_MODE}]
    while edge:
        life = edge.pop(0)
        for trigger, facts, outcome in itertools.product(BY_TRIGGER, choices, OUTCOMES):
            if outcome is not None and trigger is not Act.EXIT:
                continue
            try:
                after = advance(life, trigger, facts, outcome).life
            except ControlRefused:
                continue
            if after not in found:
                found[after] = found[life] + 1
                edge.append(after)
    return found


def test_every_state_can_be_reached() -> None:
    """No state of any region is dead, and every arrow is taken in some life."""
    assert set().union(*(life.states for life in reached())) == set(State)


def test_every_arrow_can_be_taken() -> None:
    """An arrow behind one with the same conditions would never be."""
    taken = set()
    facts = set(Fact) - {Fact.SCALES, Fact.ENDS_TERMINATED, Fact.ENDS_WITHDRAWN}
    left_out = [(), (Fact.STOP_VERIFIED,), (Fact.INSIDE_PLAN,), (Fact.OPEN_MODE, Fact.BOTH_SIGNATURES)]
    for life, trigger, without, outcome in itertools.product(reached(), BY_TRIGGER, left_out, OUTCOMES):
        if outcome is None or trigger is Act.EXIT:
            try:
                taken.update(advance(life, trigger, facts - set(without), outcome).arrows)
            except ControlRefused:
                continue
    assert [a for a in ARROWS if a not in taken] == []


def test_every_life_can_end() -> None:
    """From every state that is reached, a final one can be reached: no pilot is stuck."""
    facts = set(Fact) - {Fact.SCALES, Fact.ENDS_TERMINATED, Fact.ENDS_WITHDRAWN, Fact.STOP_VERIFIED}
    decided = {State.PUBLISHED, State.WITHHELD}  # the last states of a pilot that did not leave with `scale`
    ends = {life for life in reached() if life.pilot in END | decided}
    before: dict[Lifecycle, set[Lifecycle]] = {}
    for life, trigger, outcome in itertools.product(reached(), BY_TRIGGER, OUTCOMES):
        if outcome is None or trigger is Act.EXIT:
            try:
                before.setdefault(advance(life, trigger, facts, outcome).life, set()).add(life)
            except ControlRefused:
                continue
    edge = list(ends)
    while edge:
        for life in before.get(edge.pop(), ()):
            if life not in ends:
                ends.add(life)
                edge.append(life)
    assert set(reached()) - ends == set()


def test_only_a_release_ends_a_halt() -> None:
    """In the table: no other arrow leads out of it. In every life that can be reached: no other trigger ends it, with
    every fact given."""
    out = {a.trigger for a in ARROWS if a.region is Region.HALT and a.source is not State.NOT_HALTED
           and a.target is State.NOT_HALTED}  # fmt: skip
    assert out == {Act.RELEASE}
    for life, trigger, outcome in itertools.product(reached(), BY_TRIGGER, OUTCOMES):
        if life.halted and trigger is not Act.RELEASE and (outcome is None or trigger is Act.EXIT):
            try:
                assert advance(life, trigger, set(Fact), outcome).life.halted
            except ControlRefused:
                continue


@pytest.mark.parametrize("missing", [Fact.RECTIFIED, Fact.EVALUATED, Fact.RELEASE_APPROVED])
def test_a_release_needs_all_three_steps_everywhere(missing: Fact) -> None:
    """Whatever else is known."""
    for life in reached():
        with pytest.raises(ControlRefused):
            advance(life, Act.RELEASE, set(Fact) - {missing})


def test_no_halted_pilot_leaves_before_its_stop_is_verified() -> None:
    """From a live state under a halt an end is reached only with a verified stop, with a release, or by a recall, which
    keeps the command; and the halt stays."""
    facts = set(Fact) - {Fact.STOP_VERIFIED, Fact.SCALES, Fact.ENDS_TERMINATED, Fact.ENDS_WITHDRAWN}
    for life, trigger, outcome in itertools.product(reached(), BY_TRIGGER, OUTCOMES):
        if not (life.halted and life.pilot in LIVE) or (outcome is not None and trigger is not Act.EXIT):
            continue
        try:
            after = advance(life, trigger, facts, outcome).life
        except ControlRefused:
            continue
        if after.pilot in ENDED:
            assert trigger in (Event.STOP_VERIFIED, Act.RELEASE, Act.RECALL)
            assert after.halted == (trigger is not Act.RELEASE)


def test_no_pilot_runs_without_admission() -> None:
    """A running pilot was admitted: with both signatures, or in open mode."""
    for life in reached():
        if life.pilot in (State.DRAFT, State.SUBMITTED, State.SCREENED, State.AGREED):
            for trigger in BY_TRIGGER:
                try:
                    after = advance(life, trigger, set(Fact) - {Fact.OPEN_MODE, Fact.BOTH_SIGNATURES}).life
                except ControlRefused:
                    continue
                assert after.pilot not in LIVE


@pytest.mark.parametrize("part", range(4))
def test_random_walks_are_refused_with_a_reason_or_stay_within_the_table(part: int) -> None:
    """Random triggers with random facts: each is refused with a reason of the closed list and no change, or taken by
    arrows of the table, at most one for each region; a halt ends only by a release with all its steps."""
    rng, life, ended = Random(part), Lifecycle(), 0
    reasons: set[object] = set()
    triggers = sorted(BY_TRIGGER)
    for _ in range(STEPS // 4):
        facts = {fact for fact in GIVEN if rng.random() < 0.7} | ({Fact.OPEN_MODE} if rng.random() < 0.1 else set())
        trigger, outcome = rng.choice(triggers), rng.choice(OUTCOMES)
        try:
            after, arrows = advance(life, trigger, facts, outcome)
        except ControlRefused as refused:
            reasons.add(refused.reason)
            continue
        assert all(a.trigger is trigger and a.source is life.state(a.region) for a in arrows)
        assert len({a.region for a in arrows}) == len(arrows) >= 1
        if life.halted and not after.halted:
            assert trigger is Act.RELEASE
            assert {Fact.RECTIFIED, Fact.EVALUATED, Fact.RELEASE_APPROVED} <= facts
        if after.outcome is Outcome.SCALE and life.outcome is None:
            assert {Fact.LIMITS_KEPT, Fact.POWER_REACHED, Fact.EXIT_APPROVED} <= facts
        life = after
        if life.pilot in END or rng.random() < 0.01:
            ended += life.pilot in END
            life = Lifecycle()
    assert ended > 10
    assert reasons <= set(Refusal)
    assert len(reasons) > 15
