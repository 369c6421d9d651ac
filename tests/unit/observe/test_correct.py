"""Corrections take back what was tallied too much, in open periods only and on record; one rule per test."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.charter.spec import DetectorSpec, ExposureSpec, IndicatorSpec
from monitor.model.events import Envelope, encode
from monitor.model.records import Decision, Evidence, Level, Reason, Record
from monitor.state.snapshots import snapshot
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, rejected

QUICK = (DetectorSpec("cusum", "watch"),)
RATE_0 = msgspec.structs.replace(RATE, exposure=ExposureSpec(unit="decisions"))
SHARE = IndicatorSpec(
    name="fpr", kind="false_positive_rate", period="1h", reporting_delay="30m", limit=0.5, weight=0, detectors=QUICK
)


def corrected(bench: Bench) -> list[Decision]:
    return [d for d in bench.out.decisions if d.reason == Reason.CORRECTED]


def evidence(bench: Bench, name: str) -> list[tuple[float, float, str]]:
    found = [e for e in bench.out.evidence if isinstance(e, Evidence) and e.indicator == name]
    return [(e.k, e.m, e.unknown) for e in found]


def test_exposure_below_zero_is_rejected_and_names_the_correction() -> None:
    """A tally only adds; taking back is a separate event type, so that the two cannot be confused."""
    bench = Bench()
    bench.send(msgspec.structs.replace(bench.emitter.exposure(T0, 1.0), data=negative(-900.0)), at=T0 + 1)
    assert rejected(bench.out) == [("data.amount", "out_of_range")]
    assert "sandbox.exposure.corrected" in bench.out.rejected[0].detail


def negative(amount: float) -> Any:
    return msgspec.structs.replace(Bench().emitter.exposure(T0, 1.0).data, amount=amount)


def test_a_correction_takes_back_exposure_while_its_period_is_open() -> None:
    """A thousand was tallied where it was a hundred: the period closes with a hundred, not partial, and both sides
    see the correction."""
    bench = Bench(RATE_0)
    bench.hour(0, exposure=1000)
    bench.send(bench.emitter.exposure_corrected(T0 + 1000, -900.0), at=T0 + HOUR)
    bench.hour(1, exposure=100)
    bench.time(T0 + 2 * HOUR)
    assert evidence(bench, "incidents") == [(0, 100, "")]
    (record,) = corrected(bench)
    assert (record.kind, record.level, record.finding.rule, record.finding.observed) == (
        "finding",
        Level.NORMAL,
        "exposure",
        -900,
    )
    assert record.finding.detail == "-900 decisions of 2026-01-05T00:00:01+00:00: taken back in incidents"


def test_a_correction_of_a_closed_period_is_on_record_and_changes_nothing() -> None:
    """A closed period does not change, in either direction."""
    for correction in ("exposure", "outcomes"):
        bench = Bench(RATE_0, SHARE)
        bench.send(bench.emitter.outcomes(T0 + 1000), at=T0 + 1000)
        bench.hour(0, incidents=3, exposure=1000)
        bench.hour(1, exposure=100)
        bench.time(T0 + 2 * HOUR)
        before = msgspec.msgpack.encode(
            [[s.blob(), s.next, s.open] for s in bench.machine.pilots["p"].streams.values()]
        )
        seen = len(bench.out.evidence)
        e = bench.emitter
        late = e.exposure_corrected(T0, -900.0) if correction == "exposure" else e.outcomes_corrected(T0, fp=-5)
        bench.send(late, at=T0 + 2 * HOUR + 1)
        after = msgspec.msgpack.encode([[s.blob(), s.next, s.open] for s in bench.machine.pilots["p"].streams.values()])
        assert (after, len(bench.out.evidence)) == (before, seen)
        assert "not taken back; no open period holds it in" in corrected(bench)[0].finding.detail
        assert bench.out.uncounted == {"correction": 1}


def test_a_correction_takes_back_no_more_than_was_tallied() -> None:
    """Exposure and counts never fall below zero, so that a correction does not reduce what is tallied later."""
    bench = Bench(RATE_0, SHARE)
    bench.send(bench.emitter.outcomes(T0, tp=0, fp=5, tn=50, fn=0), bench.emitter.exposure(T0, 10.0), at=T0 + 1)
    bench.send(
        bench.emitter.exposure_corrected(T0, -1e6), bench.emitter.outcomes_corrected(T0, fp=-9, tn=-9), at=T0 + 2
    )
    bench.send(bench.emitter.exposure(T0, 7.0), at=T0 + 3)
    streams = bench.machine.pilots["p"].streams
    assert next(iter(streams["incidents/"].open.values())).m == 7
    opened = next(iter(streams["fpr/"].open.values()))
    assert (opened.k, opened.m) == (0, 37)


def test_complaints_and_incidents_are_never_taken_back() -> None:
    """Complaints and incidents have no correction: two event types take back, both of them tallies."""
    bench = Bench(RATE_0)
    bench.send(*(bench.emitter.incident(T0) for _ in range(3)), bench.emitter.exposure(T0, 10.0), at=T0 + 1)
    bench.send(bench.emitter.exposure_corrected(T0, -5.0), bench.emitter.outcomes_corrected(T0, fp=-3), at=T0 + 2)
    assert next(iter(bench.machine.pilots["p"].streams["incidents/"].open.values())).k == 3


def test_a_correction_is_not_late_and_contradicts_no_halt() -> None:
    """A correction is about the past: it counts neither as a late event nor as a violation of a command to stop."""
    late = IndicatorSpec(name="late", kind="late_share", period="1h", limit=0.1, weight=0, detectors=QUICK)
    bench = Bench(RATE_0, late)
    bench.hour(0)
    bench.send(bench.emitter.exposure_corrected(T0, -5.0), at=T0 + 3 * HOUR)
    assert sum(o.k for o in bench.machine.pilots["p"].streams["late/"].open.values()) == 0


@pytest.mark.parametrize("bad", [{"amount": 0.0}, {"amount": 5.0}, {"amount": -2e15}])
def test_a_correction_only_takes_back(bad: dict[str, float]) -> None:
    """A correction must be positive: more exposure is stated with a tally."""
    bench = Bench()
    bench.send(bench.emitter.exposure_corrected(T0, **bad), at=T0 + 1)
    assert rejected(bench.out) == [("data.amount", "out_of_range")]


STEP = st.one_of(
    st.tuples(st.just("tally"), st.integers(0, 50)),
    st.tuples(st.just("correct"), st.integers(1, 80)),
    st.tuples(st.just("outcomes"), st.integers(0, 9)),
    st.tuples(st.just("correct_outcomes"), st.integers(0, 12)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, min_size=1, max_size=60), pack=st.integers(1, 60))
def test_corrections_mean_the_same_one_by_one_and_packed(steps: list[tuple[str, int]], pack: int) -> None:
    """The fast and the slow path leave the same state and records, and no period falls below zero."""
    results: list[Any] = []
    for fast_path in (False, True):
        bench = Bench(RATE_0, SHARE)
        bench.machine.fast_path = fast_path
        e, events = bench.emitter, list[Envelope]()
        for n, (kind, amount) in enumerate(steps):
            if kind == "tally":
                events.append(e.exposure(T0 + n, float(amount)))
            elif kind == "correct":
                events.append(e.exposure_corrected(T0 + n, -float(amount)))
            elif kind == "outcomes":
                events.append(e.outcomes(T0 + n, fp=amount, tn=amount))
            else:
                events.append(e.outcomes_corrected(T0 + n, fp=-amount))
        for number, start in enumerate(range(0, len(events), pack)):
            value = b"[" + b",".join(encode(event) for event in events[start : start + pack]) + b"]"
            bench._keep(bench.machine.telemetry("telemetry", [Record(number, T0 + 1000, b"p", value)]))
        results.append((snapshot(bench.machine.pilots["p"]), bench.out))
        for stream in bench.machine.pilots["p"].streams.values():
            assert all(opened.k >= 0 and opened.m >= 0 for opened in stream.open.values())
    assert results[0] == results[1]
