"""Results of the machine do not depend on batching, on how often time is read, or on restarts."""

from __future__ import annotations

import functools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.machine import Machine
from monitor.model.events import encode
from monitor.model.records import Decision, Evidence, Outputs, Record
from monitor.simulation.fleet import Fleet
from tests.strength import examples

HOURS = 24
SCENARIOS = ["step", "silence", "late", "gaps", "duplicates"]


@functools.cache
def history(seed: int) -> tuple[Fleet, tuple[Record, ...], tuple[Record, ...]]:
    fleet = Fleet(seed, pilots=len(SCENARIOS), scenarios=SCENARIOS, hours=HOURS, onset=8, volume=100)
    acts = tuple(
        Record(i, fleet.start, a.pilot.encode(), msgspec.json.encode(a)) for i, a in enumerate(fleet.admissions())
    )
    events = tuple(Record(i, at, e.subject.encode(), encode(e)) for i, (at, e) in enumerate(fleet))
    return fleet, acts, events


def admitted(seed: int) -> Machine:
    machine = Machine(journalled=False)
    for act in history(seed)[1]:
        machine.control(act)
    return machine


def per_pilot(outs: list[Outputs]) -> dict[str, list[Decision | Evidence]]:
    """Decisions and evidence of each pilot in order: equality is compared per pilot."""
    rows: dict[str, list[Decision | Evidence]] = {}
    for out in outs:
        for row in (*out.decisions, *out.evidence):
            if isinstance(row, Decision | Evidence):
                rows.setdefault(f"{row.pilot}/{type(row).__name__}", []).append(row)
    return rows


@functools.cache
def plain(seed: int) -> dict[str, list[Decision | Evidence]]:
    """The whole history in one batch, then the time of its end."""
    fleet, _, events = history(seed)
    machine = admitted(seed)
    return per_pilot([machine.telemetry("telemetry", events), machine.time(fleet.end + 7 * 3_600_000)])


@settings(max_examples=examples(8, 25), deadline=None)
@given(seed=st.integers(0, 2), cuts=st.lists(st.integers(1, 4000), max_size=40))
def test_results_do_not_depend_on_batching(seed: int, cuts: list[int]) -> None:
    """One record at a time, all at once, anything between: the same decisions, the same ids."""
    fleet, _, events = history(seed)
    machine = admitted(seed)
    outs, at = [], 0
    for cut in [*cuts, len(events)]:
        outs.append(machine.telemetry("telemetry", events[at : at + cut]))
        at += cut
    outs.append(machine.time(fleet.end + 7 * 3_600_000))
    assert per_pilot(outs) == plain(seed)


@settings(max_examples=examples(8, 25), deadline=None)
@given(seed=st.integers(0, 2), every=st.integers(1, 500))
def test_results_do_not_depend_on_how_often_time_is_journalled(seed: int, every: int) -> None:
    """A timer that fires before the next record or at a `time` in between carries its due time either way."""
    fleet, _, events = history(seed)
    machine = admitted(seed)
    outs = []
    for i, record in enumerate(events):
        if i % every == 0:
            outs.append(machine.time(record.received))
        outs.append(machine.telemetry("telemetry", [record]))
    outs.append(machine.time(fleet.end + 7 * 3_600_000))
    assert per_pilot(outs) == plain(seed)


@settings(max_examples=examples(6, 15), deadline=None)
@given(seed=st.integers(0, 2), stops=st.lists(st.integers(0, 4000), min_size=1, max_size=5))
def test_a_restored_state_gives_the_same_results(seed: int, stops: list[int]) -> None:
    """With snapshot and restore into a new machine at any points: the same decisions and the same final state bytes."""
    fleet, _, events = history(seed)
    machine, outs, at = admitted(seed), [], 0
    for stop in [*sorted(stops), len(events)]:
        outs.append(machine.telemetry("telemetry", events[at:stop]))
        at = max(at, stop)
        states = {name: raw for name, raw in machine.snapshots(machine.pilots).items() if raw is not None}
        machine = Machine(journalled=False)
        machine.restore(states)
        assert machine.snapshots(machine.pilots) == states
    outs.append(machine.time(fleet.end + 7 * 3_600_000))
    assert per_pilot(outs) == plain(seed)
