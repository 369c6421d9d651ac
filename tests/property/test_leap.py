"""Skipping empty periods equals closing them one by one: the same bytes of decisions and state."""

from __future__ import annotations

import functools
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from detectors import DETECTORS, build
from detectors.base import Count, Design, Observation, Proportion
from detectors.repeat import repeated
from monitor.charter.control import Admission, Drill, Override
from monitor.charter.running_acts import Grant, PauseRequest, Resumption
from monitor.charter.spec import Charter, Drills, IndicatorSpec
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Severity, encode
from monitor.model.records import Closed, Evidence, Outputs, Record
from monitor.simulation.fleet import Fleet
from monitor.toolkits.load import SHIPPED, shipped
from tests.strength import examples

START = 1_767_225_600_000  # 2026-01-01
MINUTE = 60_000
KINDS = ("exposure", "incident", "outcomes", "complaint", "resolved", "beat", "gap")
packed = msgspec.msgpack.encode


class StepByStep(Machine):
    """A machine that closes every period one by one."""

    skips_empty_periods = False


def hurried(charter: Charter, drills: bool) -> Charter:
    """The same charter in periods of a minute, instead of a day."""
    spans = {"1d": "1m", "6h": "30s", "2d": "2m", "1w": "7m", "7d": "7m", "15d": "15m"}

    def spec(one: IndicatorSpec) -> IndicatorSpec:
        delay = spans.get(one.reporting_delay or "", one.reporting_delay)
        params = {
            name: spans.get(value, value) if isinstance(value, str) else value for name, value in one.params.items()
        }
        return structs.replace(one, period=spans.get(one.period, one.period), reporting_delay=delay, params=params)

    every = Drills(every="5h") if drills else Drills()
    return structs.replace(charter, pilot="p-1", indicators=tuple(map(spec, charter.indicators)), drills=every)


@functools.cache
def charters() -> tuple[Charter, ...]:
    """Both templates, and the simulator's fleet with and without a cap on its exposure."""
    made = [hurried(shipped(name).charter, drills=name == "consumer_finance") for name in SHIPPED[:2]]
    fleet = Fleet(1, pilots=1, start=START, hours=1, period="1m")
    simulated = structs.replace(fleet.charter_for(fleet.pilots[0]), pilot="p-1")
    free = tuple(
        structs.replace(s, exposure=s.exposure and structs.replace(s.exposure, cap=None)) for s in simulated.indicators
    )
    made += [simulated, structs.replace(simulated, indicators=free)]
    return tuple(made)


def units(charter: Charter) -> list[str]:
    return [s.exposure.unit for s in charter.indicators if s.exposure] or ["decisions"]


class Script:
    """Few events with long waits between them, and now and then an act."""

    def __init__(self, seed: int, charter: Charter) -> None:
        self.rng = Random(seed)
        self.charter = charter
        self.emitter = Emitter("s", charter.pilot)
        self.at = START + self.rng.randrange(MINUTE)
        self.filed = self.at

    def steps(self) -> list[tuple[str, Any]]:
        act = Admission(id="a", pilot=self.charter.pilot, author="authority", charter=self.charter)
        made: list[tuple[str, Any]] = [("control", act)]
        for _ in range(self.rng.randrange(2, 7)):
            for _ in range(self.rng.randrange(1, 12)):
                self.at += self.rng.choice((1, 1000, 20_000, MINUTE))
                made.append(("telemetry", self.event()))
            for _ in range(self.rng.choice((0, 0, 1, 2))):
                self.at += 1
                made.append(("control", self.act()))
            self.at += self.rng.choice((MINUTE, 40 * MINUTE, 400 * MINUTE, 900 * MINUTE))
            if self.rng.random() < 0.3:
                made.append(("time", self.at))
        return [*made, ("time", self.at + 600 * MINUTE)]

    def event(self) -> Envelope:
        kind, at, segment = self.rng.choice(KINDS), self.at - self.rng.choice((0, 0, 5_000)), self.segment()
        if kind == "gap":
            self.emitter.skip()
        if kind == "exposure":
            unit = self.rng.choice(units(self.charter))
            return self.emitter.exposure(at, self.rng.choice((1, 50, 3000)), unit, segment)
        if kind == "incident":
            return self.emitter.incident(at, severity=self.rng.choice(list(Severity)), segment=segment)
        if kind == "outcomes":
            return self.emitter.outcomes(at, tp=3, fp=self.rng.randrange(4), tn=30, fn=1, segment=segment)
        if kind == "complaint":
            self.filed = at
            return self.emitter.complaint(at, complaint="c", segment=segment)
        if kind == "resolved" and self.filed < at:
            return self.emitter.complaint_resolved(at, "c", self.filed, segment=segment)
        return self.emitter.heartbeat(at)

    def segment(self) -> str:
        listed = [s for spec in self.charter.indicators for s in spec.segments]
        return self.rng.choice(listed) if listed and self.rng.random() < 0.7 else ""

    def act(self) -> Any:
        by = {"id": f"act-{self.at}", "pilot": self.charter.pilot, "author": "regulator-1"}
        if self.rng.random() < 0.5:
            firm = {**by, "author": self.charter.participant.id}
            return self.rng.choice((PauseRequest(**firm, reason="r"), Grant(**by), Grant(**by), Resumption(**firm)))
        if self.rng.random() < 0.5:
            return Override(**by, level=self.rng.choice(("halt", "watch", "normal")), reason="r")
        return Drill(**by)


def stepped(machine: Machine, script: list[tuple[str, Any]], at: int) -> Outputs:
    """All outputs of the machine; each event and act is received at its own time."""
    out = Outputs()
    for offset, (kind, what) in enumerate(script):
        if kind == "time":
            at = max(at, what)
            out.extend(machine.time(what))
        elif kind == "control":
            out.extend(machine.control(Record(offset, at, what.pilot.encode(), msgspec.json.encode(what))))
        else:
            at = max(at, int(what.time.timestamp() * 1000))
            out.extend(machine.telemetry("t", [Record(offset, at, what.subject.encode(), encode(what))]))
    return out


@pytest.mark.parametrize("evidence", [True, False], ids=["with evidence", "without"])
@settings(deadline=None, max_examples=examples(5, 25))
@given(seed=st.integers(0, 1 << 32), which=st.integers(0, 3), service=st.booleans())
def test_skipping_empty_periods_changes_no_decision_and_no_state(
    evidence: bool, seed: int, which: int, service: bool
) -> None:
    """Whatever came before, and wherever it ends: the same decisions, commands and snapshot; the same evidence where it
    is asked for, and less of it, but nothing else, where not."""
    charter = charters()[which]
    script = Script(seed, charter).steps()
    fast = Machine(journalled=False, evidence=evidence, service=service)
    slow = StepByStep(journalled=False, evidence=evidence, service=service)
    ours, theirs = stepped(fast, script, START), stepped(slow, script, START)
    assert [structs.asdict(d) for d in ours.decisions] == [structs.asdict(d) for d in theirs.decisions]
    assert packed((ours.commands, ours.permits, ours.rejected)) == packed(
        (theirs.commands, theirs.permits, theirs.rejected)
    )
    assert fast.snapshots(["p-1"]) == slow.snapshots(["p-1"])
    assert fast.notify_at == slow.notify_at
    every = [e for e in theirs.evidence if isinstance(e, Evidence)]
    some = [e for e in ours.evidence if isinstance(e, Evidence)]
    if evidence:
        assert some == every
    else:
        left = iter(every)
        assert all(one in left for one in some)
    assert [e for e in ours.evidence if isinstance(e, Closed)] == [e for e in theirs.evidence if isinstance(e, Closed)]


@pytest.mark.parametrize("which", [2, 3])  # those whose longest period is a minute
def test_empty_periods_after_a_loss_of_telemetry_count_as_quiet(which: int) -> None:
    """The finding `telemetry_lost` leaves after the same number of periods whether or not they are closed one by
    one."""
    charter = charters()[which]
    act = Admission(id="a", pilot="p-1", author="authority", charter=structs.replace(charter, drills=Drills()))
    decisions = []
    for kind in (Machine, StepByStep):
        machine = kind(journalled=False, evidence=False, service=False)
        machine.control(Record(0, START, b"p-1", msgspec.json.encode(act)))
        out = machine.lost({"t": (5, 9)})
        out.extend(machine.time(START + 24 * 60 * MINUTE))
        decisions.append([structs.asdict(d) for d in out.decisions])
        assert any(d.finding_key == "telemetry_lost" and d.finding_level is None for d in out.decisions)
    assert decisions[0] == decisions[1]


def test_most_of_an_empty_year_is_skipped() -> None:
    """A charter in periods of five seconds, admitted half a year before its first event: it takes seconds, not an
    hour."""
    for charter in charters():
        five = tuple(
            structs.replace(s, period="5s", reporting_delay="2s") if s.period != "1mo" else s
            for s in charter.indicators
        )
        machine = Machine(journalled=False, evidence=False, service=False)
        admission = Admission(
            id="a", pilot="p-1", author="authority", charter=structs.replace(charter, indicators=five, drills=Drills())
        )
        machine.control(Record(0, START, b"p-1", msgspec.json.encode(admission)))
        closed = len(machine.time(START + 180 * 86_400_000).evidence)
        assert machine.skipped_periods > 9_000_000, charter.scenario
        assert closed < 20_000


SIDES: list[dict[str, Any]] = [
    {"direction": "above"},
    {"direction": "below"},
    {"late_window": 3},
    {"variance_mean": 2.0},
]


@settings(deadline=None, max_examples=examples(75, 150))
@given(
    name=st.sampled_from(sorted(set(DETECTORS) - {"silence", "gauge_limit"})),
    seed=st.integers(0, 1 << 32),
    times=st.one_of(st.integers(0, 40), st.integers(40, 3_000)),
    x=st.sampled_from([0.001, 0.3, 1.0, 40.0, 20_000.0]),
    more=st.sampled_from(SIDES),
)
def test_a_detector_after_equal_observations_is_what_updates_make_of_it(
    name: str, seed: int, times: int, x: float, more: dict[str, Any]
) -> None:
    """Whatever it saw before: moved on by many equal observations at once, a detector has the state that as many
    updates leave, or says that it cannot tell; and where it can, no update alarmed or reached half of the threshold
    of a limit."""
    rng = Random(seed)
    design = Design(limit=2.0, alpha=0.01, **more)
    try:
        detector = build(name, design)
    except ValueError:
        return
    for _ in range(rng.randrange(60)):
        m = rng.choice((x, 1.0, 5.0))
        detector.update(Count(float(rng.randrange(4)), m))
    empty: Observation = Count(0.0, x)
    made = repeated(detector, empty, times)
    if made is None:
        return
    for _ in range(times):
        score = detector.update(empty)
        assert score is None or not score.alarm
        assert score is None or name != "limit_e_process" or score.statistic < score.threshold / 2
    assert packed(made) == packed(detector)


def test_a_limit_on_a_share_is_moved_on_only_by_shares_that_hold_something() -> None:
    """A proportion without trials is not an observation, so it cannot be repeated."""
    detector = build("limit_e_process", Design(limit=0.2, alpha=0.01))
    assert repeated(detector, Proportion(0.0, 10.0), 5) is None
