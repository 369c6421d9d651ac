"""A command is resent until it is acknowledged, and a re-evaluation is compared with the charter: one rule a test."""

from __future__ import annotations

import itertools

import pytest

from monitor.charter.control import Evaluation, Override, Rectification
from monitor.charter.spec import Bound, Trial
from monitor.model.builders import Emitter
from monitor.model.records import Reason
from tests.unit.decide.test_drills import drill
from tests.unit.decide.test_enforcement import SECOND, WITHIN, Halted
from tests.unit.engine.test_machine import HOUR, T0, Bench, lift, rejected

DAY = 24 * HOUR


def told(bench: Bench, until: int, step: int = 1_000) -> list[int]:
    """When commands were emitted (ms after T0), with a time step of `step` ms."""
    times = []
    for at in range(T0, until + 1, step):
        times += [at - T0] * len(bench.time(at).commands)
    return times


def test_a_command_is_resent_at_growing_intervals() -> None:
    """5 s after it was given, then after 10, 20, 40 ... seconds, at most an hour apart, and it never ends."""
    bench = Halted()
    seen = [t - SECOND for t in told(bench, T0 + 2 * DAY, 500)]
    gaps = [b - a for a, b in itertools.pairwise(seen)]
    assert seen[0] == pytest.approx(5_000, abs=500)
    assert gaps[:9] == pytest.approx([10_000 * 2**n for n in range(9)], abs=500)
    assert set(gaps[9:]) == {HOUR}
    assert len(gaps) > 50


def test_what_is_resent_is_the_same_command() -> None:
    """Same id, same standing, same decision: a service that read it reads nothing new."""
    bench = Halted()
    first = bench.command
    told(bench, T0 + 60 * SECOND)
    assert [c.again for c in bench.out.commands] == list(range(len(bench.out.commands)))
    assert len(bench.out.commands) > 3
    assert {(c.id, c.standing, c.decision) for c in bench.out.commands} == {(first.id, first.standing, first.decision)}


def test_an_answer_ends_it() -> None:
    """Of a halt and of a release; silence after the answer does not begin it again."""
    bench = Halted()
    bench.acknowledge(bench.at + SECOND)
    assert told(bench, T0 + DAY, 60_000) == []
    lift(bench, at := T0 + DAY + SECOND)
    release = bench.command
    assert release.action == "release"
    assert [c.id for t in range(10) for c in bench.time(at + t * 2_000).commands] == [release.id] * 2
    bench.send(bench.emitter.acknowledged(at + 30_000, release.id, release.standing), at=at + 30_000)
    assert bench.time(at + DAY).commands == []


def test_every_worker_that_is_heard_must_have_answered() -> None:
    """The word of one worker does not stop the telling for another that only sends heartbeats."""
    bench, other = Halted(), Emitter("svc/2", "p")
    bench.beat(bench.at + SECOND, serving=True, service=other)
    bench.acknowledge(bench.at + 2 * SECOND)
    assert bench.time(bench.at + 6 * SECOND).commands
    bench.acknowledge(bench.at + 7 * SECOND, other)
    assert bench.time(bench.at + WITHIN).commands == []


def test_a_word_that_was_broken_begins_it_again() -> None:
    """A service that acknowledged and continues gets the command again."""
    bench = Halted()
    bench.acknowledge(bench.at + SECOND)
    bench.beat(bench.at + 2 * SECOND, serving=True)
    assert bench.out.decisions[-1].reason == Reason.HALT_CONTRADICTED
    assert bench.time(bench.at + 8 * SECOND).commands


def test_a_drill_that_is_over_is_told_no_more() -> None:
    """Answered or not, its command is dead when its time is over."""
    bench = Bench()
    drill(bench, T0)
    assert bench.time(T0 + 20 * SECOND).commands
    bench.time(T0 + WITHIN + 1)
    assert bench.time(T0 + DAY).commands == []


def test_after_an_absence_of_the_monitor_it_is_told_once_and_at_once() -> None:
    """Not as often as was missed."""
    bench = Bench(journalled=True)
    bench.time(T0)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0 + SECOND)
    bench.time(T0 + 2 * SECOND)
    again = bench.time(T0 + DAY).commands + bench.time(T0 + DAY + SECOND).commands
    assert [c.id for c in again] == [bench.out.commands[0].id]


# ---- the charter's scenarios

TRIALS = (Trial("night", {"misses": Bound(most=0.02), "recall": Bound(least=0.9)}),)


def evaluated(passed: bool, **results: dict[str, float]) -> list[str]:
    """What is wrong with an evaluation of a halted and rectified pilot; empty when it was recorded."""
    bench = Halted(evaluation=TRIALS)
    by = {"pilot": "p", "author": "anna"}
    bench.act(Rectification(id="r", **by, finding="f", cause="c", action="a", evidence="e"), bench.at + 1)
    out = bench.act(Evaluation(id="e", **by, passed=passed, report="r", results=results), bench.at + 2)
    assert bool(out.decisions) != bool(rejected(out))
    return [r.detail for r in out.rejected] or [d.finding.detail for d in out.decisions]


def test_a_passed_evaluation_keeps_the_charters_bounds() -> None:
    """Every scenario and measure that the charter names is there and within its bounds, ends included; the record holds
    the figures."""
    assert evaluated(True, night={"misses": 0.02, "recall": 0.95}) == ["r; night/misses 0.02; night/recall 0.95"]
    (missing,) = evaluated(True, night={"misses": 0.02})
    assert "scenario_missing" in missing
    assert "night/recall" in missing
    (outside,) = evaluated(True, night={"misses": 0.03, "recall": 0.95})
    assert outside.endswith("out_of_bounds: night/misses is 0.03, the charter allows ..0.02")


def test_a_failed_evaluation_is_recorded_whatever_its_figures() -> None:
    """To say that it failed is honest; it only has to be complete."""
    assert evaluated(False, night={"misses": 0.5, "recall": 0.1}) == ["r; night/misses 0.5; night/recall 0.1"]
    assert "scenario_missing" in evaluated(False)[0]
