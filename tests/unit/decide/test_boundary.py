"""A breach of the data boundary: an event, and a hard rule of the charter on it."""

from __future__ import annotations

import pytest

from monitor.charter.spec import HardRule
from monitor.compile.lint import lint
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.records import Level, Reason, Record
from monitor.projections.wording import sentence
from tests.unit.engine.test_machine import T0, Bench, charter

BOUNDARY = ("no transfer outside the region", "no health data")


def test_a_breach_escalates_where_no_rule_is_on_it() -> None:
    """Once while the finding is active, naming the boundary as the charter writes it."""
    bench = Bench(data_boundary=BOUNDARY)
    bench.send(bench.emitter.boundary_breached(T0 + 1, "No transfer outside the REGION"), at=T0 + 1)
    bench.send(bench.emitter.boundary_breached(T0 + 2, BOUNDARY[0]), at=T0 + 2)
    assert bench.reasons().count(Reason.BOUNDARY_BREACHED) == 1
    assert bench.level == Level.ESCALATE
    assert "no transfer outside the region" in sentence(bench.out.decisions[-1])


@pytest.mark.parametrize("level", ["watch", "escalate", "halt"])
def test_a_hard_rule_sets_the_level_of_a_breach(level: str) -> None:
    """And commands the service to stop, if it halts."""
    rule = HardRule("boundary", level, boundary=True)  # type: ignore[arg-type]
    bench = Bench(data_boundary=BOUNDARY, hard_rules=(rule,))
    bench.send(bench.emitter.boundary_breached(T0 + 1, BOUNDARY[1]), at=T0 + 1)
    assert bench.reasons()[-1] is Reason.HARD_RULE
    assert bench.level.word == level
    assert bool(bench.out.commands) == (level == "halt")
    assert bench.machine.pilots["p"].life.halted == (level == "halt")


def test_incidents_do_not_trigger_a_rule_on_breaches_nor_breaches_one_on_incidents() -> None:
    """A rule on breaches has no other condition, and a charter that gives it one is refused."""
    rule = HardRule("boundary", "halt", boundary=True)
    bench = Bench(data_boundary=BOUNDARY, hard_rules=(rule,))
    bench.send(bench.emitter.incident(T0 + 1), at=T0 + 1)
    assert bench.level == Level.NORMAL
    bad = HardRule("boundary", "halt", boundary=True, unregistered_model=True)
    assert any(p.field == "hard_rules[0].boundary" for p in lint(charter(hard_rules=(bad,), data_boundary=BOUNDARY)))
    assert any(p.field == "data_boundary" for p in lint(charter(hard_rules=(rule,))))


def test_a_boundary_that_the_charter_does_not_list_is_a_breach_too() -> None:
    """Its text may name a person, so the record shows a digest unless it is an id."""
    bench = Bench(data_boundary=BOUNDARY)
    bench.send(bench.emitter.boundary_breached(T0 + 1, "data of Ms Miller"), at=T0 + 1)
    assert bench.reasons()[-1] is Reason.BOUNDARY_BREACHED
    assert "Miller" not in bench.out.decisions[-1].finding.detail


def test_a_breach_does_not_depend_on_batching() -> None:
    """One by one, or in a batch with ordinary events: the same decisions."""
    found = []
    for fast in (True, False):
        bench = Bench(data_boundary=BOUNDARY)
        bench.machine.fast_path = fast
        emitter = Emitter("svc/1", "p")
        events = [emitter.exposure(T0 + n) for n in range(20)]
        events.insert(7, emitter.boundary_breached(T0 + 30, BOUNDARY[0]))  # type: ignore[arg-type]
        records = [Record(n, T0 + 50, b"p", encode(event)) for n, event in enumerate(events)]
        found.append(bench.machine.telemetry("telemetry", records).decisions)
    assert found[0] == found[1]
    assert isinstance(bench.machine, Machine)
