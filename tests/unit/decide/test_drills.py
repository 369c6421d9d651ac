"""Drills test the path of a halt: as a dry run, or as a full stop inside the windows of the charter."""

from __future__ import annotations

from monitor.charter.control import Drill, Override
from monitor.charter.spec import Drills, Window
from monitor.model.records import Level, Outputs, Reason
from tests.unit.decide.test_enforcement import SECOND, WITHIN, Halted, said
from tests.unit.engine.test_machine import HOUR, T0, Bench

NIGHT = Drills(full_stops=(Window(("mon",), "00:00", "02:00"),))


def drill(bench: Bench, at: int, full: bool = False) -> Outputs:
    return bench.act(Drill(id=f"drill{at}", pilot="p", author="anna", full_stop=full), at)


def test_a_drill_goes_the_whole_way_and_stops_nothing() -> None:
    """A command marked as dry run, permits as before, no change of level, and the time to acknowledge on record."""
    bench = Bench()
    (command,) = drill(bench, T0 + SECOND).commands
    assert (command.action, command.dry_run, command.halts) == ("halt", True, False)
    assert bench.send(bench.emitter.heartbeat(T0 + 2 * SECOND), at=T0 + 2 * SECOND).permits
    answer = bench.emitter.acknowledged(T0 + 4 * SECOND, command.id, command.standing)
    out = bench.send(answer, at=T0 + 4 * SECOND)
    assert said(out) == [Reason.COMMAND_ACKNOWLEDGED, Reason.DRILL_PASSED]
    assert (out.decisions[-1].finding.observed, out.decisions[-1].finding.expected) == (3.0, 60.0)
    bench.send(bench.emitter.exposure(T0 + 5 * SECOND, 5.0), at=T0 + 5 * SECOND)
    bench.time(T0 + HOUR // 4)
    assert {d.level for d in bench.out.decisions} == {Level.NORMAL}


def test_an_unacknowledged_drill_escalates_until_one_is_passed() -> None:
    """A service that would not obey is brought before the authority; the next drill that is passed takes that back."""
    bench = Bench()
    drill(bench, T0)
    bench.time(T0 + WITHIN + 1)
    assert (bench.reasons()[-1], bench.level) == (Reason.DRILL_OVERDUE, Level.ESCALATE)
    (command,) = drill(bench, T0 + 2 * WITHIN).commands
    at = T0 + 2 * WITHIN + SECOND
    bench.send(bench.emitter.acknowledged(at, command.id, command.standing), at=at)
    assert bench.level == Level.NORMAL


def test_nothing_is_tried_out_while_a_halt_stands_or_a_drill_is_open() -> None:
    """A drill never overwrites a halt."""
    bench = Halted()
    assert "halted" in drill(bench, bench.at + 1).rejected[0].detail
    other = Bench()
    drill(other, T0)
    assert "drill_open" in drill(other, T0 + 1).rejected[0].detail


def test_a_halt_in_the_middle_of_a_drill_is_a_halt() -> None:
    """The halt's command has the higher standing, and the end of the drill releases nothing."""
    bench = Bench(drills=NIGHT)
    drill(bench, T0 + HOUR // 4, full=True)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="real"), T0 + HOUR // 4 + SECOND)
    bench.time(T0 + 2 * HOUR)
    first = {c.id: c for c in bench.out.commands}.values()  # each of them is resent repeatedly
    assert [(c.action, c.dry_run) for c in first] == [("halt", False), ("halt", False)]
    assert bench.out.commands[0].standing < bench.out.commands[1].standing


def test_a_full_stop_needs_a_window_of_the_charter() -> None:
    """Without one, or outside it, the drill is refused; inside it the service stops, is verified and told to go on."""
    assert "outside_window" in drill(Bench(), T0, full=True).rejected[0].detail
    bench = Bench(drills=NIGHT)
    assert "outside_window" in drill(Bench(drills=NIGHT), T0 + 2 * HOUR, full=True).rejected[0].detail
    at = T0 + 2 * HOUR - SECOND
    (command,) = drill(bench, at, full=True).commands
    assert command.halts
    bench.send(bench.emitter.acknowledged(at + 1, command.id, command.standing), at=at + 1)
    out = Outputs()
    for n in range(3):
        out.extend(bench.send(bench.emitter.heartbeat(at + 2 + n, serving=False), at=at + 2 + n))
    assert said(out) == [Reason.DRILL_PASSED, Reason.DRILL_ENDED]
    assert not out.permits[:-1]
    assert (out.commands[0].action, bench.level) == ("release", Level.NORMAL)


def test_the_charter_may_ask_for_drills_every_week() -> None:
    """They come by timer, to the millisecond, and none comes while a halt stands."""
    bench = Bench(drills=Drills(every="7d"))
    week = 7 * 24 * HOUR
    bench.time(T0 + week + 1)
    (first,) = (d for d in bench.out.decisions if d.reason == Reason.DRILL_BEGUN)
    assert (first.at, first.author) == (T0 + week, "")
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0 + week + HOUR)
    bench.time(T0 + 3 * week)
    assert bench.reasons().count(Reason.DRILL_BEGUN) == 1
