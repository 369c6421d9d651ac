"""What an indicator is held against: hours in which nothing is owed, what went before, a new level that was accepted;
and the words in which a decision says it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import monitor.decide.context as case
from detectors.base import Count
from monitor.charter.control import Acceptance, Amendment
from monitor.charter.spec import BaselineSpec, Charter, DetectorSpec, IndicatorSpec, canonical_charter
from monitor.compile.lint import alpha_shares, lint
from monitor.compile.plan import Plan, build_detectors, design_of
from monitor.indicators.base import BadSpec
from monitor.indicators.silence import Silence
from monitor.model.records import Level, Reason
from monitor.projections.wording import sentence
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, charter

DAY = 24 * HOUR
OFFICE: dict[str, Any] = {
    "every": "10m",
    "of": "any",
    "hours": [{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "08:00", "end": "18:00"}],
}
LEARNT = IndicatorSpec(
    name="change",
    kind="incident_rate",
    period="1h",
    reporting_delay="30m",
    exposure=RATE.exposure,
    detectors=(DetectorSpec("e_detector", "escalate", {"arl0": 1000, "baseline_periods": 20}),),
)
BEFORE = msgspec.structs.replace(RATE, limit=None, per=1.0, baseline=BaselineSpec(events=30, exposure=6000, times=2))


def silence(**params: Any) -> Silence:
    return Silence(IndicatorSpec(name="silence", kind="silence", params=params))


# ---- silence with business hours


def test_a_night_and_a_weekend_are_no_silence() -> None:
    """From Friday 17:00 to Monday 09:00 two business hours pass, and twelve events are missing, not three hundred."""
    midnight = T0 - T0 % DAY
    friday, monday = midnight + 4 * DAY + 17 * HOUR, midnight + 7 * DAY + 9 * HOUR
    assert silence(**OFFICE).gap(friday, monday).expected == pytest.approx(12.0)
    assert silence(every="10m").gap(friday, monday).expected == pytest.approx(384.0)


def test_the_machine_waits_for_business_hours_before_it_does_not_know() -> None:
    """Nothing heard since Friday evening is found on Monday, to the millisecond at which the threshold is reached, not
    at night."""
    spec = IndicatorSpec(name="silence", kind="silence", params=OFFICE, detectors=(DetectorSpec("silence", "watch"),))
    bench = Bench(spec, cycle=charter().cycle)
    friday = T0 - T0 % DAY + 4 * DAY + 17 * HOUR
    bench.send(bench.emitter.heartbeat(friday), at=friday)
    before = len(bench.out.decisions)
    bench.time(friday + 2 * DAY)
    assert bench.out.decisions[before:] == []
    bench.time(friday + 4 * DAY)
    first = next(d for d in bench.out.decisions[before:] if d.reason == Reason.SILENCE)
    watch = Plan(charter(spec)).indicator("silence")
    assert watch.silence is not None
    (detector,) = build_detectors(charter(spec), watch, 1)
    score = detector.update(watch.silence.gap(friday, first.at))
    earlier = detector.update(watch.silence.gap(friday, first.at - 1))
    assert score is not None
    assert earlier is not None
    assert earlier.statistic < score.threshold <= score.statistic
    assert (first.at - (T0 - T0 % DAY)) // DAY == 7  # Monday


@given(
    heard=st.integers(0, 10**13),
    missing=st.floats(0.5, 500.0),
    params=st.sampled_from(
        [{"every": "30s"}, {"every": "7s"}, OFFICE, {**OFFICE, "outside": "3h"}, {"week": [0.0] * 100 + [6.0] * 68}]
    ),
)
def test_a_silence_is_due_when_so_many_events_are_missing(heard: int, missing: float, params: dict[str, Any]) -> None:
    """`due` is the first millisecond at which `gap` has reached the number; a clock may round one millisecond."""
    watch = silence(**params)
    due = watch.due(heard, missing)
    assert due > heard
    assert watch.gap(heard, due).expected >= missing * (1 - 1e-6)
    assert watch.gap(heard, max(heard, due - 2)).expected <= missing * (1 + 1e-6)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "params.every"),
        ({"every": "1m", "week": [1.0] * 168}, "params.every"),
        ({"every": "1m", "outside": "1h"}, "params.outside"),
        ({"week": [1.0] * 168, "hours": OFFICE["hours"]}, "params.hours"),
        ({"week": [1.0] * 24}, "params.week"),
        ({"week": [0.0] * 168}, "params.week"),
        ({"every": "1m", "hours": [{"days": ["mon"], "start": "08:30", "end": "18:00"}]}, "params.hours[0]"),
        ({"every": "1m", "hours": [{"days": ["mon"], "start": "18:00", "end": "08:00"}]}, "params.hours[0]"),
        ({"every": "1m", "hours": OFFICE["hours"], "outside": "0s"}, "params.outside"),
    ],
)
def test_a_week_that_cannot_be_is_named(params: dict[str, Any], field: str) -> None:
    """Each mistake in the hours of a silence is refused with its field."""
    with pytest.raises(BadSpec) as caught:
        silence(**params)
    assert caught.value.field == field


# ---- a limit of so many times what went before


def test_a_short_baseline_buys_a_wider_limit_and_a_higher_bar() -> None:
    """Twice 30 events in 6,000 is held as twice the largest rate that 30 events do not rule out; its doubt is paid from
    alpha."""
    made = charter(BEFORE)
    design = design_of(made, Plan(made).indicator("incidents"), 1)
    long = charter(msgspec.structs.replace(BEFORE, baseline=BaselineSpec(events=30_000, exposure=6_000_000, times=2)))
    wide = design_of(long, Plan(long).indicator("incidents"), 1)
    assert design.limit is not None
    assert wide.limit is not None
    assert design.alpha is not None
    assert 0.010 < wide.limit < 0.0103 < 0.015 < design.limit
    (share,) = alpha_shares(made)
    assert design.alpha == pytest.approx(0.2 * share.alpha)
    assert share.bar == pytest.approx(1 / design.alpha)


def test_a_baseline_halts_who_breaks_it_and_leaves_who_keeps_it() -> None:
    """At half the nominal limit nothing moves; at four times it the pilot is halted, with the ratio in the record."""
    kept, broken = Bench(BEFORE), Bench(BEFORE)
    for hour in range(48):
        kept.hour(hour, incidents=5)
        broken.hour(hour, incidents=40)
    kept.time(T0 + 50 * HOUR)
    broken.time(T0 + 50 * HOUR)
    assert kept.level == Level.NORMAL
    assert broken.level == Level.HALT


def test_a_charter_without_a_baseline_keeps_its_hash() -> None:
    """The field is written out only where it says something."""
    assert b"baseline" not in canonical_charter(charter())
    assert b'"baseline":{"doubt"' in canonical_charter(charter(BEFORE))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"limit": 5.0}, "indicators[0].limit"),
        ({"weight": 0.0}, "indicators[0].weight"),
        ({"kind": "false_positive_rate", "exposure": None}, "indicators[0].baseline"),
        (
            {"direction": "below", "baseline": BaselineSpec(events=0, exposure=1, times=1)},
            "indicators[0].baseline.events",
        ),
    ],
)
def test_a_baseline_that_cannot_be_is_named(changes: dict[str, Any], field: str) -> None:
    """One limit only, of counts over exposure, paid for with alpha, and never from nothing."""
    errors = [p.field for p in lint(charter(msgspec.structs.replace(BEFORE, **changes))) if p.severity == "error"]
    assert field in errors


def test_an_amendment_moves_a_baseline_and_no_bar() -> None:
    """Another baseline is another limit in the same product; another share for its doubt would move the running bar."""
    bench = Bench(BEFORE)

    def amend(version: int, **changes: float) -> str:
        baseline = msgspec.structs.replace(BEFORE.baseline, **changes)
        new: Charter = charter(msgspec.structs.replace(BEFORE, baseline=baseline), version=version)
        out = bench.act(Amendment(id=f"a{version}", pilot="p", author="anna", charter=new), T0 + version)
        return out.rejected[0].detail if out.rejected else ""

    assert amend(2, events=60) == ""
    assert "running_bar" in amend(3, doubt=0.5)


# ---- a new level that was accepted


def test_a_new_level_alarms_until_it_is_accepted_and_is_then_usual() -> None:
    """A change escalates; its acceptance clears the finding, and the detector learns the new level and stays quiet."""
    bench = Bench(LEARNT, hard_rules=())
    for hour in range(48):
        bench.hour(hour, incidents=4 if hour < 40 else 12)
    assert bench.level == Level.ESCALATE
    act = Acceptance(id="ok", pilot="p", author="anna", indicator="change", reason="a new product line")
    out = bench.act(act, T0 + 48 * HOUR)
    assert [d.reason for d in out.decisions] == [Reason.CLEARED, Reason.LEVEL_ACCEPTED]
    assert out.decisions[1].finding.detail == "a new product line"
    assert bench.level == Level.NORMAL
    seen = len(bench.out.decisions)
    for hour in range(48, 400):
        bench.hour(hour, incidents=12)
    assert [d.reason for d in bench.out.decisions[seen:]] == []


@pytest.mark.parametrize(
    ("indicators", "name", "author", "words"),
    [
        ((RATE,), "incidents", "anna", "nothing_learnt"),
        ((LEARNT,), "no-such", "anna", "unknown_indicator"),
        ((LEARNT,), "change", "firm", "not_an_officer"),
    ],
)
def test_only_what_is_learnt_is_accepted_and_only_by_officers(
    indicators: tuple[IndicatorSpec, ...], name: str, author: str, words: str
) -> None:
    """A limit is never accepted away, and the firm accepts nothing."""
    bench = Bench(*indicators)
    out = bench.act(Acceptance(id="x", pilot="p", author=author, indicator=name, reason="y"), T0 + 1)
    assert words in out.rejected[0].detail
    assert out.decisions == []


# ---- in words


def test_a_decision_carries_its_rate_ratio_its_interval_and_its_sentence() -> None:
    """The record says how many times as many, within which interval of that period, and how much evidence is needed."""
    bench = Bench()
    for hour in range(3):
        bench.hour(hour, incidents=20)
    bench.time(T0 + 5 * HOUR)
    halt = next(d for d in bench.out.decisions if d.level == Level.HALT)
    f = halt.finding
    assert f.observed is not None
    assert f.expected is not None
    assert f.ratio is not None
    assert f.ratio == pytest.approx(f.observed / f.expected, rel=1e-3)
    assert f.ratio_low is not None
    assert f.ratio_high is not None
    assert f.ratio_low < f.ratio < f.ratio_high
    assert f.explanation.startswith(f"{f.observed:g} events against a limit of {f.expected:g} (ratio {f.ratio:.3g}, ")
    assert f.explanation.endswith("threshold reached.")
    assert "times as many (95 % interval" in sentence(halt)


def test_a_silence_says_how_many_events_are_missing() -> None:
    """Silence is explained in events that did not come."""
    spec = IndicatorSpec(
        name="silence", kind="silence", params={"every": "60s"}, detectors=(DetectorSpec("silence", "watch"),)
    )
    bench = Bench(spec)
    bench.time(T0 + HOUR)
    found = next(d for d in bench.out.decisions if d.finding.rule == "silence" and d.level == Level.WATCH)
    assert found.finding.explanation.startswith("No event for ")
    assert found.finding.ratio is None


def test_what_moves_nothing_is_not_put_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding that stands is looked at with every event, and explained once."""
    calls: list[Count] = []
    explain = case.explain

    def counted(*given: Any, **more: Any) -> Any:
        calls.append(given[0])
        return explain(*given, **more)

    monkeypatch.setattr(case, "explain", counted)
    bench = Bench()
    for hour in range(10):
        bench.hour(hour, incidents=20)
    assert 1 <= len(calls) == sum(1 for d in bench.out.decisions if d.finding.explanation)
    assert len(calls) < 10
