"""Simulated fleets do what their scenarios say, and say truly what they did."""

from __future__ import annotations

import itertools
import tracemalloc
from collections import Counter
from random import Random

import msgspec
import pytest

from monitor.charter.spec import Charter, canonical_charter
from monitor.engine.replay import replay_charters, timed_records
from monitor.model.events import (
    ComplaintFiled,
    Envelope,
    ExposureTallied,
    Heartbeat,
    IncidentReported,
    ModelChanged,
    Severity,
    millis,
)
from monitor.model.records import Level
from monitor.simulation.fleet import Fleet, binomial, gamma_poisson, poisson
from monitor.simulation.scenarios import SCENARIOS

HOUR = 3_600_000


def fleet(*scenarios: str, hours: int = 96, pilots: int = 0, seed: int = 5, **more: object) -> Fleet:
    """A small fleet."""
    return Fleet(seed, pilots=pilots or len(scenarios), scenarios=scenarios, hours=hours, **more)  # type: ignore[arg-type]


def only(scenario: str, **more: int) -> tuple[Fleet, list[tuple[int, Envelope]]]:
    """One pilot of that scenario and everything it sends."""
    one = fleet(scenario, **more)  # type: ignore[arg-type]
    return one, list(one)


def sequences(events: list[tuple[int, Envelope]]) -> list[int]:
    """Numbers in order of receipt."""
    return [int(event.sequence) for _, event in events]


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not() -> None:
    """A fleet is a function of its arguments."""
    one, two, other = (
        msgspec.json.encode(list(fleet("calm", "late", "duplicates", hours=30, seed=seed))) for seed in (1, 1, 2)
    )
    assert one == two
    assert one != other


def test_events_come_in_received_order_and_never_before_they_happened() -> None:
    """Received times never fall, over all pilots; nothing is received before its own time."""
    last = 0
    for received, event in fleet(*SCENARIOS, hours=60):
        assert received >= last
        assert millis(event.time) <= received
        last = received


def test_a_fleet_is_a_stream() -> None:
    """Ten times as long a run needs no more memory: what was sent is not kept."""

    def peak(hours: int) -> int:
        tracemalloc.start()
        for _ in fleet("calm", "late", hours=hours):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(10)
    assert peak(600) < 2 * peak(60)


@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - {"gaps", "duplicates"}))
def test_numbers_rise_by_one(scenario: str) -> None:
    """Without a scenario that says otherwise there is neither gap nor repeat, and heartbeats state the true
    exposure."""
    _, events = only(scenario, hours=72)
    assert sequences(events) == list(range(1, len(events) + 1))
    total = 0.0
    for _, event in events:
        if isinstance(event, ExposureTallied):
            total += event.data.amount
        elif isinstance(event, Heartbeat):
            assert event.data.exposure == total


def test_gaps_and_duplicates_are_where_the_scenarios_say() -> None:
    """`gaps` loses numbers and repeats none; `duplicates` repeats events whole and loses none."""
    _, gaps = only("gaps", hours=100)
    numbers = sequences(gaps)
    assert 0.003 < 1 - len(numbers) / numbers[-1] < 0.03
    assert len(set(numbers)) == len(numbers)
    _, twice = only("duplicates", hours=100)
    assert sorted(set(sequences(twice))) == list(range(1, max(sequences(twice)) + 1))
    counted = Counter(event.id for _, event in twice)
    assert 0.07 < sum(n - 1 for n in counted.values()) / len(counted) < 0.13


def test_a_silent_pilot_sends_nothing_for_as_long_as_the_truth_says() -> None:
    """Between onset and end not one event is received, but for what was under way; before and after there are many."""
    one, events = only("silence", hours=120)
    truth = one.truth("pilot-0001")
    assert truth.onset is not None
    assert truth.until is not None
    assert not [r for r, _ in events if truth.onset + 10_000 <= r < truth.until]
    assert [r for r, _ in events if r < truth.onset]
    assert [r for r, _ in events if r >= truth.until]


def test_half_of_the_reports_of_a_late_pilot_are_late() -> None:
    """Incidents and complaints, not exposure, come after up to 6 periods."""
    _, events = only("late", hours=200)
    delays = [
        (received - millis(event.time)) / HOUR
        for received, event in events
        if isinstance(event, ComplaintFiled | IncidentReported)
    ]
    assert 0.4 < sum(d >= 1 for d in delays) / len(delays) < 0.6
    assert max(delays) < 6.1


def test_models_change_as_told() -> None:
    """An upgrade is announced; a silent change is seen only in what events carry."""
    _, announced = only("upgrade")
    _, silent = only("silent_model")
    assert [e.data.model for _, e in announced if isinstance(e, ModelChanged)] == ["m2"]
    assert {e.data.model for _, e in announced} == {"m1", "m2"}  # type: ignore[attr-defined]
    assert not [e for _, e in silent if isinstance(e, ModelChanged)]
    assert {e.data.model for _, e in silent} == {"m1", "m9"}  # type: ignore[attr-defined]


def test_a_pilot_that_keeps_its_limits_keeps_them_in_every_period() -> None:
    """Over 80 simulated days of `busy`, incidents stay below the limit in the mean of each hour of the day."""
    one = fleet("busy", hours=24 * 80)
    counted, exposed = Counter[int](), Counter[int]()
    for _, event in one:
        hour = millis(event.time) // HOUR % 24
        if isinstance(event, IncidentReported) and event.data.severity is Severity.INCIDENT:
            counted[hour] += 1
        elif isinstance(event, ExposureTallied):
            exposed[hour] += int(event.data.amount)
    for hour in range(24):
        limit = exposed[hour] * 4 / 1000
        assert counted[hour] < limit + 3 * limit**0.5
    assert 0.75 < sum(counted.values()) / (sum(exposed.values()) * 4 / 1000) < 0.95


@pytest.mark.parametrize(("mean", "dispersion"), [(0.3, 1.0), (4.0, 1.0), (900.0, 1.0), (4.0, 2.0), (12.0, 3.0)])
def test_counts_have_the_mean_and_the_dispersion_asked_for(mean: float, dispersion: float) -> None:
    """Mean within 4 standard errors, variance/mean within 10 % over 20,000 draws (3,000 for the large mean)."""
    rng, n = Random(1), 3_000 if mean > 100 else 20_000
    draws = [gamma_poisson(rng, mean, dispersion) for _ in range(n)]
    average = sum(draws) / n
    variance = sum((d - average) ** 2 for d in draws) / (n - 1)
    assert abs(average - mean) < 4 * (mean * dispersion / n) ** 0.5
    assert variance / average == pytest.approx(dispersion, rel=0.1)


def test_binomial_and_poisson_at_their_edges() -> None:
    """No trials, no chance and no mean give 0; a binomial never exceeds its trials and has its mean."""
    rng = Random(2)
    assert poisson(rng, 0.0) == binomial(rng, 0, 0.5) == binomial(rng, 10, 0.0) == 0
    draws = [binomial(rng, 30, 0.9) for _ in range(5_000)]
    assert max(draws) <= 30
    assert sum(draws) / 5_000 == pytest.approx(27, abs=0.1)


def test_time_scales() -> None:
    """The same fleet in periods of two seconds: as many periods, the charter's spans with them."""
    quick = Fleet(1, pilots=2, scenarios=["calm"], hours=20, period="2s", start=1_700_000_000_000)
    events = list(quick)
    assert quick.start <= 1_700_000_000_000 < quick.start + 2_000
    assert quick.end - quick.start == 40_000
    assert events[-1][0] < quick.end + 1_000
    assert 20 * 2 * 15 < len(events) < 20 * 2 * 40
    spec = quick.charter_for("pilot-0001").indicator("incidents")
    assert (spec.grid().span.ms, spec.delay().ms) == (2_000, 1_000)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"scenarios": ["nonsense"]}, "choose from calm"), ({"period": "1mo"}, "no months"), ({"period": "5ms"}, "100ms")],
)
def test_what_cannot_be_simulated_is_refused_with_the_choices(change: dict[str, object], words: str) -> None:
    """A wrong scenario or period raises ValueError that says what is possible."""
    with pytest.raises(ValueError, match=words):
        Fleet(1, **change)  # type: ignore[arg-type]


def test_charters_survive_the_canonical_form() -> None:
    """A pilot's charter read back from its canonical bytes has the same bytes, hence the same hash;
    admissions have separate ids."""
    one = fleet("calm", "step", "overdispersed")
    for pilot in one.pilots:
        charter = one.charter_for(pilot)
        assert canonical_charter(msgspec.json.decode(canonical_charter(charter), type=Charter)) == canonical_charter(
            charter
        )
    assert len({a.id for a in one.admissions()}) == 3


def test_a_right_monitor_says_of_each_scenario_what_the_truth_owes() -> None:
    """The whole machine over five days of every scenario: halts exactly where a halt is owed, with an owed reason,
    after the onset; the levels below it where they are owed; nothing for a pilot that owes nothing."""
    one = fleet(*SCENARIOS, hours=120, seed=1, onset=48)
    decisions = list(
        itertools.chain.from_iterable(
            outputs.decisions
            for outputs in replay_charters([one.charter_for(p) for p in one.pilots], timed_records(one))
        )
    )
    for truth in one.truths():
        mine = [d for d in decisions if d.pilot == truth.pilot]
        halts = [d for d in mine if d.level is Level.HALT and d.was is not Level.HALT]
        assert bool(halts) == (truth.worst is Level.HALT), truth.scenario
        if halts:
            assert halts[0].reason in truth.reasons
            assert truth.onset is not None
            assert halts[0].at >= truth.onset
        elif truth.worst > Level.NORMAL:
            assert [d for d in mine if d.reason in truth.reasons and d.level >= Level.WATCH], truth.scenario
