"""The state of a pilot stays below its limit for all well-formed events and acts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import detectors
from detectors.base import Count, Design, Gap, Gauge, Proportion
from monitor.charter.control import Admission, Approval, ControlBase, Override, Rectification
from monitor.charter.spec import Charter, DetectorSpec, Drills, ExposureSpec, IndicatorSpec
from monitor.compile.lint import lint
from monitor.compile.plan import plan_of
from monitor.compile.state_size import _detector, size_of
from monitor.engine.machine import Machine
from monitor.model.bounds import CHARTER_BYTES, STATE_BYTES
from monitor.model.builders import Emitter, one_of_each
from monitor.model.events import Envelope, Event, Harm, Severity, encode
from monitor.model.records import Outputs, Reason, Record
from monitor.state.pilot import PilotState
from monitor.state.snapshots import restore, snapshot
from tests.strength import examples
from tests.unit.engine.test_machine import HOUR, T0, charter

LONG = "é" * 199  # 398 bytes
LONG_ID = "x" * 199  # ids have an alphabet
SEGMENTS = tuple(f"segment-{n}" for n in range(6))
HALTS = (DetectorSpec("limit_e_process", "halt"),)
QUICK = (DetectorSpec("cusum", "watch"), DetectorSpec("e_detector", "escalate"), DetectorSpec("glr", "watch"))
DRIFT = (DetectorSpec("river_drift", "watch"), DetectorSpec("shape", "watch"), DetectorSpec("ewma", "watch"))


def rich() -> Charter:
    """Every kind of indicator, segments, long delays, late windows: a charter as large as `charter check` lets it
    be."""
    decisions = ExposureSpec(unit="decisions", cap=1e6)
    slow: dict[str, Any] = {"period": "10m", "reporting_delay": "6h", "late_window": 64}
    indicators = (
        IndicatorSpec(
            "incidents",
            "incident_rate",
            limit=5,
            per=1000,
            exposure=decisions,
            weight=0.4,
            detectors=HALTS + QUICK,
            **slow,
        ),
        IndicatorSpec(
            "complaints",
            "complaint_rate",
            limit=5,
            per=1000,
            exposure=decisions,
            weight=0.3,
            segments=SEGMENTS,
            detectors=HALTS,
            **slow,
        ),
        IndicatorSpec(
            "fpr", "false_positive_rate", limit=0.2, weight=0.3, segments=SEGMENTS, detectors=HALTS + DRIFT, **slow
        ),
        IndicatorSpec("handling", "complaint_handling_time", limit=48, detectors=QUICK, **slow),
        IndicatorSpec(
            "promises", "complaint_over_promise", limit=0.3, params={"promise": "2h"}, detectors=DRIFT, **slow
        ),
        IndicatorSpec("gap", "outside_gap", limit=0.2),
        IndicatorSpec("outside", "outside_complaint_rate", limit=5, per=1000, exposure=decisions),
        IndicatorSpec("cost", "compliance_cost", params={"currency": "EUR"}, detectors=DRIFT, **slow),
        IndicatorSpec("gain", "efficiency_gain", detectors=DRIFT, **slow),
        IndicatorSpec("late", "late_share", detectors=DRIFT, **slow),
        IndicatorSpec("silence", "silence", params={"every": "60s"}, detectors=(DetectorSpec("silence", "watch"),)),
    )
    return charter(*indicators, drills=Drills(every="7h"))


@functools.cache
def started() -> bytes:
    """A pilot under it, just admitted."""
    machine = Machine(journalled=False)
    act = Admission(id="adm", pilot="p", author="anna", charter=rich())
    out = machine.control(Record(0, T0, b"p", msgspec.json.encode(act)))
    assert not out.rejected, out.rejected
    return machine.pilots.raw("p")


Bomb = Callable[[Random], Iterator[Event]]


def numbered(event: Event, number: int) -> Event:
    return msgspec.structs.replace(event, sequence=str(number))


def many_sources(rng: Random) -> Iterator[Event]:
    """A thousand sources with long names, each with a gap as wide as can be, numbers descending."""
    for n in range(1000):
        emitter = Emitter(f"{n:04d}{LONG_ID[:196]}", "p")
        yield emitter.heartbeat(T0 + n, exposure=1e15 - n)
        yield numbered(emitter.exposure(T0 + n, 0.0), 900_000_000_000_000_000 - n)


def clock_numbers(rng: Random) -> Iterator[Event]:
    """Every call from a new source, numbered by the clock in microseconds."""
    for n in range(700):
        yield numbered(Emitter(f"fn/{n:04d}", "p").exposure(T0 + n, 1.0), 1_790_000_000_000_000 + n)


def holes(rng: Random) -> Iterator[Event]:
    """Every second number of many sources, then some of the rest: as many ranges as can be."""
    emitters = [Emitter(f"svc/{n}", "p") for n in range(70)]
    for step in range(1, 60):
        for emitter in emitters:
            yield numbered(emitter.heartbeat(T0 + step, exposure=1.5 * step), 4 * step)
    for emitter in emitters:
        for step in rng.sample(range(1, 60), 30):
            yield numbered(emitter.heartbeat(T0 + step), 4 * step - 2)


def statements(rng: Random) -> Iterator[Event]:
    """As many sources in full detail as are kept, each with many heartbeats and all kinds of events."""
    for n in range(64):
        emitter = Emitter(f"{n:02d}-{'s' * 60}", "p")
        for step in range(200):
            yield emitter.heartbeat(T0 + step, exposure=1e9 / 7 * step)


def far_apart(rng: Random) -> Iterator[Event]:
    """Events of all kinds at every time that may still count, in every segment: all periods that can be open are."""
    emitter = Emitter("svc/1", "p")
    for step in range(-60, 1):
        at = T0 + 11 * HOUR + step * 600_000
        yield from one_of_each(emitter, at)
        for segment in SEGMENTS:
            yield emitter.outcomes(at, tp=1, fp=2, tn=3, fn=4, segment=segment)
            yield emitter.complaint(at, segment=segment)
            yield emitter.exposure(at, 1 / 3, segment=segment)


def incidents(rng: Random) -> Iterator[Event]:
    """Thousands of incident ids of all grades."""
    emitter = Emitter("svc/1", "p")
    for n in range(3000):
        grade, harm = rng.choice(list(Severity)), rng.choice(list(Harm))
        yield emitter.incident(T0 + n, severity=grade, harm=harm, incident=f"{n}{LONG_ID[:190]}")


def answers(rng: Random) -> Iterator[Event]:
    """Acknowledgements and heartbeats of hundreds of incarnations with long names, under a halt."""
    for n in range(300):
        emitter = Emitter(f"{n}{LONG_ID[:190]}", "p", model=LONG)
        yield emitter.heartbeat(T0 + 2000 + n, serving=bool(n % 2), exposure=1e14 / 3)
        yield emitter.acknowledged(T0 + 2000 + n, "x" * 200, 3)


BOMBS: tuple[Bomb, ...] = (
    many_sources,
    clock_numbers,
    holes,
    statements,
    far_apart,
    incidents,
    answers,
)


def acts(count: int) -> Iterator[ControlBase]:
    yield Override(id="halt", pilot="p", author="anna", level="halt", reason=LONG)
    for n in range(count):
        common: dict[str, Any] = {"id": f"{n}{LONG_ID[:190]}", "pilot": "p"}
        yield Rectification(author="firm", finding="f", cause="c", action="a", evidence="e", **common)
        yield Approval(author="stranger", **{**common, "id": f"a{common['id'][:198]}"})


def exploded(bombs: tuple[Bomb, ...], seed: int, count: int) -> tuple[Machine, Outputs]:
    """A pilot after all of these, in turns, with acts and time in between."""
    machine, rng, out, offset = Machine(journalled=False), Random(seed), Outputs(), 0
    machine.restore({"p": started()})
    for n, act in enumerate(acts(count) if count else ()):
        out.extend(machine.control(Record(n + 1, T0 + 1000, b"p", msgspec.json.encode(act))))
    at = T0 + 2500
    for bomb in bombs:
        events = list(bomb(rng))
        at = max(at + 1, max(_ms(event) for event in events) - 299_000)
        records = [Record(offset + i, at, b"p", encode(event)) for i, event in enumerate(events)]
        offset += len(records)
        out.extend(machine.telemetry("telemetry", records))
        assert len(machine.pilots.raw("p")) <= STATE_BYTES, bomb.__name__
    return machine, out


def _ms(event: Envelope) -> int:
    return int(event.time.timestamp() * 1000)


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: str(bomb.__name__))
def test_no_kind_of_growth_exceeds_the_state_limit(bomb: Bomb) -> None:
    """Each kind of growth alone stays below the limit; most of the events are accepted, so that the test is
    effective."""
    _, out = exploded((bomb,), 1, 0)
    assert sum(r.count for r in out.rejected) < 2_500


@settings(max_examples=examples(2, 10), deadline=None)
@given(order=st.permutations(BOMBS), seed=st.integers(0, 5), count=st.sampled_from([0, 30, examples(120, 600)]))
def test_no_mixture_of_growth_exceeds_the_state_limit(order: list[Bomb], seed: int, count: int) -> None:
    """All kinds in any order, under a halt and many acts, stay below the limit; a restart restores the same state."""
    machine, _ = exploded(tuple(order), seed, count)
    raw = machine.pilots.raw("p")
    assert len(raw) <= STATE_BYTES
    assert snapshot(restore(raw)[0]) == raw
    machine.time(T0 + 20 * HOUR)
    assert len(machine.pilots.raw("p")) <= STATE_BYTES


def test_a_gap_cannot_be_hidden_by_a_flood_of_sources() -> None:
    """Missing events of a source that was evicted for others still count, and the period closes as partial."""
    machine = Machine(journalled=False)
    machine.restore({"p": started()})
    emitter = Emitter("honest", "p")
    emitter.skip(7)
    events = [emitter.heartbeat(T0 + 1), *(Emitter(f"flood/{n}", "p").heartbeat(T0 + 2) for n in range(600))]
    machine.telemetry("telemetry", [Record(i, T0 + 1 + i, b"p", encode(e)) for i, e in enumerate(events)])
    assert "honest" not in machine.pilots["p"].sources
    found = [d for d in machine.time(T0 + 7 * HOUR).decisions if d.reason is Reason.SEQUENCE_GAP]
    assert found[0].finding.observed == 7
    assert "sources no longer followed" in found[0].finding.detail


def test_a_gap_cannot_be_hidden_by_later_numbers() -> None:
    """More events than may come late after a gap do not make it forgotten before its period has closed."""
    machine = Machine(journalled=False)
    machine.restore({"p": started()})
    emitter = Emitter("busy", "p")
    emitter.skip(3)
    events = [emitter.heartbeat(T0 + 1 + n) for n in range(3000)]
    machine.telemetry("telemetry", [Record(i, T0 + 3000, b"p", encode(e)) for i, e in enumerate(events)])
    found = [d for d in machine.time(T0 + 7 * HOUR).decisions if d.reason is Reason.SEQUENCE_GAP]
    assert found[0].finding.observed == 3
    assert not machine.pilots["p"].sources["busy"].missing.ranges


def hostile(kind: type, n: int, rng: Random) -> Any:
    big = rng.choice([rng.random(), 1e15 * rng.random(), n**2 / 7, max(0.0, 1e4 / 3 - n)])
    if kind is Count:
        return Count(big, 1.0 + rng.random(), n)
    if kind is Proportion:
        trials = 1 + big
        return Proportion(trials * rng.random(), trials, n)
    return Gauge(big - 1e4, n) if kind is Gauge else Gap(big, 1 + rng.random())


@pytest.mark.parametrize("name", sorted(detectors.DETECTORS))
def test_no_detector_exceeds_its_estimated_size(name: str) -> None:
    """Every registered detector, on numbers of the longest form, stays within its estimate; a new one must state how it
    grows."""
    rng = Random(name)
    for kind in detectors.DETECTORS[name].observes:
        design = Design(limit=0.5, alpha=0.01, late_window=64)
        detector = detectors.build(name, design)
        most = _detector(name, detector, 64)
        for n in range(700):
            detector.update(hostile(kind, n, rng))
            if n % 50 == 49:
                assert len(msgspec.msgpack.encode(detector)) <= most


def test_the_rich_charter_is_allowed_and_a_larger_one_refused_with_field_and_fix() -> None:
    """`charter check` and admission compute the largest possible state and name field and fix."""
    assert size_of(plan_of(rich())).total <= CHARTER_BYTES
    spec = msgspec.structs.replace(rich().indicators[1], segments=tuple(f"s{n}" for n in range(200)))
    (found,) = [p for p in lint(charter(spec)) if p.severity == "error"]
    assert found.field == "indicators[0].segments"
    assert "fewer segments" in found.fix
    wordy = charter(scenario="".join(chr(33 + Random(1).randrange(90)) for _ in range(9)))
    rng = Random(2)
    wordy = msgspec.structs.replace(wordy, objects=tuple(str(rng.random()) for _ in range(60_000)))
    (found,) = [p for p in lint(wordy) if p.severity == "error"]
    assert found.field == "objects"


def test_a_charter_without_bounds_sheds_periods_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pilot of an unbounded older charter drops open periods unjudged, is escalated with the reason, and stays
    below the limit, for any batch size."""
    monkeypatch.setattr("monitor.decide.begin.lint", lambda charter: [])
    spec = msgspec.structs.replace(
        rich().indicators[1], reporting_delay="900m", segments=tuple(f"s{n}" for n in range(40))
    )
    act = Admission(id="adm", pilot="p", author="anna", charter=charter(spec))
    emitter = Emitter("svc/1", "p")
    events = [emitter.complaint(T0 + m * 600_000, segment=f"s{n}") for m in range(250) for n in range(20)]
    records = [Record(i, T0 + 250 * 600_000, b"p", encode(event)) for i, event in enumerate(events)]
    states = []
    for cut in (1, 500):
        machine, out = Machine(journalled=False), Outputs()
        machine.control(Record(0, T0, b"p", msgspec.json.encode(act)))
        for at in range(0, len(records), cut):
            out.extend(machine.telemetry("telemetry", records[at : at + cut]))
        assert [d.reason for d in out.decisions].count(Reason.STATE_LIMIT) == 1
        states.append(machine.pilots.raw("p"))
    assert states[0] == states[1]
    assert len(states[0]) <= STATE_BYTES


def test_a_hostile_pilot_does_not_affect_others_of_its_partition() -> None:
    """With a thousand growth events between those of other pilots, the outputs of the others are the same bytes."""
    act = Admission(id="adm", pilot="p", author="anna", charter=rich())
    said: list[Any] = []
    for hostile_too in (False, True):
        machine, out, offset = Machine(journalled=False), Outputs(), 0
        pilots: list[PilotState] = []
        for name in ("p", "q", "r"):
            mine = msgspec.structs.replace(act, pilot=name, charter=msgspec.structs.replace(act.charter, pilot=name))
            machine.control(Record(0, T0, name.encode(), msgspec.json.encode(mine)))
        others = {name: Emitter(f"svc/{name}", name) for name in ("q", "r")}
        bomb = iter([*many_sources(Random(1)), *holes(Random(1))][:1024])
        for n in range(512):
            batch: list[Envelope] = [others[name].incident(T0 + n) for name in others]
            batch += [event for _, event in zip(range(2), bomb, strict=False)] if hostile_too else []
            records = [Record(offset + i, T0 + n, e.subject.encode(), encode(e)) for i, e in enumerate(batch)]
            offset += 10
            out.extend(machine.telemetry("telemetry", records))
        out.extend(machine.time(T0 + 9 * HOUR))
        rows = [*out.decisions, *out.commands, *out.permits, *out.evidence]
        mine = [msgspec.json.encode(row) for row in rows if getattr(row, "pilot", "") in others]
        said.append((mine, [machine.pilots.raw(name) for name in others]))
        assert not pilots
    assert said[0] == said[1]
