"""The e-detector, the CUSUM, silence, gauges and river: what each detects, and what causes no alarm."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from detectors import build
from detectors.base import Count, Design, Detector, Gap, Gauge, Observation, Proportion, Score

WAVE = (3, 6, 4, 7, 5, 9, 2, 6, 5, 3)


def run(detector: Detector, stream: list[Observation]) -> list[Score | None]:
    return [detector.update(o) for o in stream]


def alarms(scores: list[Score | None]) -> list[int]:
    return [i for i, s in enumerate(scores) if s is not None and s.alarm]


def counts(factor: float, periods: int) -> list[Observation]:
    return [Count(k=float(round(factor * WAVE[i % 10])), m=1.0) for i in range(periods)]


def test_the_e_detector_is_the_shiryaev_roberts_sum() -> None:
    """M = mean over ratios of the sum over onsets of products, computed directly."""
    detector = build("e_detector", Design(), {"baseline": 5.0, "ratios": [2], "arl0": 1e6})
    seen = [4.0, 7.0, 5.0, 12.0]
    for t, k in enumerate(seen, 1):
        score = detector.update(Count(k=k, m=1.0))
        total = sum(math.prod(r**c * math.exp(-(r - 1) * 5) for c in seen[j:t]) for r in (2.0, 0.5) for j in range(t))
        assert score is not None
        assert score.statistic == pytest.approx(math.log(total / 2), abs=1e-12)
        assert score.threshold == pytest.approx(math.log(1e6))


@pytest.mark.parametrize("factor", [2.5, 0.2], ids=["a rise", "a fall"])
def test_the_e_detector_finds_a_change_and_then_learns_the_new_level(factor: float) -> None:
    """After 60 learnt periods a change is detected within 14 periods, once; the new level is then learnt."""
    detector = build("e_detector", Design(), {"baseline_periods": 60, "arl0": 3650})
    scores = run(detector, [*counts(1.0, 120), *counts(factor, 300)])
    found = alarms(scores)
    assert scores[59] is None
    assert scores[60] is not None
    assert len(found) == 1
    assert 120 <= found[0] < 134


def test_the_e_detector_defaults_to_one_false_alarm_in_ten_years_of_periods() -> None:
    """With monthly periods the threshold is ln 120."""
    detector = build("e_detector", Design(periods_per_year=12), {"baseline": 1.0})
    score = detector.update(Count(k=1.0, m=1.0))
    assert score is not None
    assert score.threshold == pytest.approx(math.log(120))


def test_a_stream_of_zeros_is_normal_and_a_burst_in_it_is_not() -> None:
    """A stream without events gives an upper limit, so that the first burst is detected."""
    detector = build("e_detector", Design(), {"arl0": 3650})
    scores = run(
        detector, [*[Count(k=0.0, m=1.0)] * 300, Count(k=4.0, m=1.0), Count(k=4.0, m=1.0), Count(k=4.0, m=1.0)]
    )
    assert alarms(scores)[:1]
    assert alarms(scores)[0] >= 300


def test_the_cusum_finds_a_doubled_rate_and_clears() -> None:
    """Against a limit of 5 it alarms within 6 periods of doubling, and no longer once the rate is back."""
    detector = build("cusum", Design(limit=5.0))
    scores = run(detector, [*counts(1.0, 60), *counts(2.0, 20), *counts(1.0, 60)])
    found = alarms(scores)
    assert found
    assert 60 <= found[0] < 66
    assert found[-1] < 84


def test_the_cusum_tightens_to_its_exact_threshold_once_the_exposure_is_known() -> None:
    """Twenty periods of exposure 1 at limit 5: from ln 1000 down to 7.75 events (reference 7.25), the smallest
    threshold whose run length is 1000.
    """
    detector = build("cusum", Design(limit=5.0), {"arl0": 1000})
    scores = run(detector, counts(1.0, 30))
    assert scores[0] is not None
    assert scores[-1] is not None
    assert scores[0].threshold == pytest.approx(math.log(1000))
    assert scores[-1].threshold == pytest.approx(7.75 * math.log(2))


@pytest.mark.parametrize(
    ("change", "mean"), [({"variance_mean": 2.0}, 5), ({"direction": "below"}, 5), ({"variance_mean": 1.5}, 1)]
)
def test_the_cusum_tightens_downward_and_for_assumed_overdispersion(change: dict[str, object], mean: int) -> None:
    """Negative binomial and downward charts also get the smallest threshold whose simulated run length is the
    declared one."""
    made = msgspec.structs.replace(Design(limit=float(mean)), **change)
    chance, lengths = np.random.default_rng(21), []
    for _ in range(400):
        detector, t = build("cusum", made, {"arl0": 200}), 0
        for _ in range(20):
            detector.update(Count(k=float(mean), m=1.0))
        while True:
            t += 1
            v = made.variance_mean
            k = chance.negative_binomial(mean / (v - 1), 1 / v) if v > 1 else chance.poisson(mean)
            score = detector.update(Count(k=float(k), m=1.0))
            if score is not None and score.alarm:
                break
        lengths.append(t)
    assert score.threshold < math.log(200)
    error = float(np.std(lengths)) / 20
    assert 200 - 3 * error <= np.mean(lengths) <= 240 + 3 * error


def test_the_cusum_of_beta_binomial_proportions_keeps_its_run_length() -> None:
    """Trials with correlated outcomes (correlation .05, 50 a period): the exact threshold is higher than ln(arl0),
    and needed."""
    chance, lengths, n, rho = np.random.default_rng(22), [], 50, 0.05
    made = Design(limit=0.1, variance_mean=1 + (n - 1) * rho)
    size = 1 / rho - 1
    for _ in range(400):
        detector, t = build("cusum", made, {"arl0": 200}), 0
        for _ in range(20):
            detector.update(Proportion(k=5.0, n=float(n)))
        while True:
            t += 1
            score = detector.update(
                Proportion(k=float(chance.binomial(n, chance.beta(0.1 * size, 0.9 * size))), n=50.0)
            )
            if score is not None and score.alarm:
                break
        lengths.append(t)
    error = float(np.std(lengths)) / 20
    assert 200 - 3 * error <= np.mean(lengths) <= 230 + 3 * error


def test_the_cusum_of_proportions_finds_a_doubled_share() -> None:
    """10 % of 50 going to 20 % is found within 10 periods; constant 10 % never alarms."""
    same: list[Observation] = [Proportion(k=5.0, n=50.0)] * 200
    twice: list[Observation] = [Proportion(k=10.0, n=50.0)] * 10
    assert alarms(run(build("cusum", Design(limit=0.1)), same)) == []
    assert alarms(run(build("cusum", Design(limit=0.1)), [*same, *twice]))


def test_the_cusum_looks_down_where_less_is_worse() -> None:
    """With `below` a halved rate is detected."""
    detector = build("cusum", Design(limit=5.0, direction="below"))
    assert alarms(run(detector, [*counts(1.2, 40), *counts(0.3, 10)]))


def test_a_learnt_cusum_does_not_alarm_for_ever() -> None:
    """A lasting change is detected, learnt, and no longer alarms."""
    found = alarms(run(build("cusum", Design()), [*counts(1.0, 60), *counts(3.0, 400)]))
    assert found
    assert found[0] >= 60
    assert found[-1] < 120


def test_silence_waits_as_long_as_chance_allows() -> None:
    """One event a minute and one false alarm in ten years: the threshold is ln(5,259,600), 15.5 minutes."""
    detector = build("silence", Design(limit=1 / 60))
    short, long = (detector.update(Gap(seconds=60 * e, expected=e)) for e in (15.4, 15.5))
    assert short is not None
    assert long is not None
    assert (short.alarm, long.alarm) == (False, True)
    assert long.threshold == pytest.approx(math.log(525_960 / 0.1))


def test_silence_without_a_rate_takes_the_gaps_own() -> None:
    """The rate is the gap's expected events over its length; a gap of length 0 has none."""
    detector = build("silence", Design())
    assert detector.update(Gap(seconds=0.0, expected=0.0)) is None
    score = detector.update(Gap(seconds=960.0, expected=16.0))
    assert score is not None
    assert score.threshold == pytest.approx(math.log(525_960 / 0.1))


@pytest.mark.parametrize(
    ("direction", "limit", "value", "alarm"),
    [
        ("above", 3.0, 3.0, False),
        ("above", 3.0, 3.1, True),
        ("below", 3.0, 3.0, False),
        ("below", 3.0, 2.9, True),
        ("below", 0.1, -0.2, True),
        ("above", -0.5, -0.6, False),
    ],
)
def test_a_gauge_at_its_limit_keeps_it(direction: str, limit: float, value: float, alarm: bool) -> None:
    """A value equal to the limit does not alarm, on either side of zero."""
    score = build("gauge_limit", Design(limit=limit, direction=direction)).update(Gauge(value=value))  # type: ignore[arg-type]
    assert score is not None
    assert score.alarm is alarm


def test_river_sees_a_new_level_once() -> None:
    """A shift of many standard deviations is detected; the new level is learnt, and nothing alarms before."""
    stream: list[Observation] = [Gauge(value=WAVE[i % 10] + (20.0 if i >= 200 else 0.0)) for i in range(900)]
    found = alarms(run(build("river_drift", Design()), stream))
    assert found
    assert 200 <= found[0] < 240
    assert found[-1] < 300


def test_river_returns_no_score_of_a_constant_or_while_it_warms_up() -> None:
    """A constant is scored 0 and never 1; the first numbers have no score."""
    scores = run(build("river_drift", Design()), [Gauge(value=7.0)] * 700)
    assert scores[:30] == [None] * 30
    assert {s.statistic for s in scores[30:] if s} == {0.0}


def test_river_restored_after_blocks_were_dropped_goes_on_alike() -> None:
    """After two blocks the window is rebuilt; a copy decoded from the numbers gives equal scores."""
    through = build("river_drift", Design(), {"block": 64})
    stream = [Gauge(value=float(WAVE[i * 7 % 10] + (i // 90) * 3)) for i in range(400)]
    for i, observation in enumerate(stream):
        if i == 131:
            copy = msgspec.msgpack.decode(msgspec.msgpack.encode(through), type=type(through))
        score = through.update(observation)
        if i >= 131:
            assert copy.update(observation) == score
