"""Forecasts learn level, cycle, trend and dispersion with their uncertainty, and stay finite on unusual streams."""

from __future__ import annotations

import math
from random import Random

import msgspec
import pytest

from detectors.base import Count, Design, Proportion
from detectors.checks import CHECKS, SAMPLES
from detectors.predictive import NegativeBinomial, Predictor, SeasonalProportion, SeasonalRate
from detectors.predictive_change import SeasonalChange, evidence, threshold_of
from monitor.simulation.fleet import binomial, gamma_poisson


def level(hour: int, cycle: float) -> float:
    return 1 + cycle * math.cos(2 * math.pi * hour / 24)


def test_one_period_without_waves_is_the_conjugate_rule() -> None:
    """With a level alone the posterior is the gamma distribution of the textbook: Jeffreys' half an event, then
    sums."""
    rate = SeasonalRate(predictor=Predictor(drift=0.0))
    for k, m in ((3.0, 1.0), (0.0, 2.0), (4.0, 1.5)):
        rate.learn(k, m, 0)
        rate.squares = 0.0  # hold the dispersion at Poisson
    forecast = rate.predict(2.0, 0)
    assert forecast is not None
    assert forecast.mean == pytest.approx(2.0 * 7.5 / 4.5)
    assert forecast.shape == pytest.approx(7.5)


def test_the_forecast_variance_equals_the_forecast_error() -> None:
    """Over many learnt baselines the mean squared error of the next period equals the forecast's variance, and the
    mean error 0."""
    rng = Random(5)
    errors, squares = [], []
    for _ in range(400):
        rate = SeasonalRate(predictor=Predictor(cycles=((24.0, 1),)))
        for hour in range(60):
            rate.learn(gamma_poisson(rng, 5 * level(hour, 0.3), 3.0), 1.0, hour)
        forecast = rate.predict(1.0, 60)
        assert forecast is not None
        error = gamma_poisson(rng, 5 * level(60, 0.3), 3.0) - forecast.mean
        errors.append(error / math.sqrt(forecast.variance))
        squares.append(errors[-1] ** 2)
    assert abs(sum(errors) / 400) < 4 / math.sqrt(400)
    assert 0.7 < sum(squares) / 400 < 1.4


def test_cycle_trend_and_dispersion_are_learnt() -> None:
    """Two years of daily counts: amplitude, slope and variance/mean come out near the truth."""
    rng = Random(7)
    rate = SeasonalRate(predictor=Predictor(cycles=((7.0, 1),), trend=0.2, periods_per_year=365.25, drift=0.0))
    for day in range(730):
        mean = 20 * (1 + 0.3 * math.cos(2 * math.pi * day / 7)) * 1.2 ** (day / 365.25)
        rate.learn(gamma_poisson(rng, mean, 2.0), 1.0, day)
    _, slope, cosine, sine = rate.predictor.coefficients
    assert slope == pytest.approx(math.log(1.2), abs=0.08)
    assert math.hypot(cosine, sine) == pytest.approx(0.3, abs=0.05)
    assert rate.dispersion() == pytest.approx(2.0, abs=0.4)


def test_uncertain_exposure_widens_the_forecast() -> None:
    """A relative error of the exposure adds its square to the forecast's relative variance."""
    plain, unsure = SeasonalRate(), SeasonalRate(exposure_error=0.2)
    for hour in range(200):
        for rate in (plain, unsure):
            rate.learn(50.0, 1.0, hour)
    a, b = plain.predict(1.0, 200), unsure.predict(1.0, 200)
    assert a is not None
    assert b is not None
    assert b.variance - a.variance == pytest.approx((0.2 * 50) ** 2, rel=0.1)


def test_a_proportion_learns_its_correlation() -> None:
    """Correlated trials are detected: rho .05 out of groups of 50."""
    rng = Random(3)
    share = SeasonalProportion()
    for hour in range(2000):
        share.learn(binomial(rng, 50, rng.betavariate(0.1 * 19, 0.9 * 19)), 50, hour)
    assert share.rho(50) == pytest.approx(0.05, abs=0.01)
    forecast = share.predict(50, 2000)
    assert forecast is not None
    assert forecast.p == pytest.approx(0.1, abs=0.01)


def test_the_evidence_is_a_likelihood_ratio() -> None:
    """Its exponential has expectation exactly 1 under the forecast, for counts and proportions."""
    forecast = NegativeBinomial(3.0, 1.5)
    total = 0.0
    for k in range(400):
        log_p = math.lgamma(k + 1.5) - math.lgamma(1.5) - math.lgamma(k + 1)
        log_p += 1.5 * math.log(1.5 / 4.5) + k * math.log(3 / 4.5)
        total += math.exp(log_p + evidence([2.0], k, forecast)[0])
    assert total == pytest.approx(1.0, abs=1e-6)
    share = SeasonalProportion()
    for hour in range(5):
        share.learn(2.0, 20.0, hour)
    hits = share.predict(10.0, 5)
    assert hits is not None
    a, b = hits.p * hits.precision, (1 - hits.p) * hits.precision
    total = 0.0
    for k in range(11):
        log_p = math.lgamma(11) - math.lgamma(k + 1) - math.lgamma(11 - k)
        log_p += math.lgamma(k + a) + math.lgamma(10 - k + b) - math.lgamma(10 + a + b)
        log_p += math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        total += math.exp(log_p + evidence([3.0], k, hits)[0])
    assert total == pytest.approx(1.0, abs=1e-9)


def test_the_threshold_falls_with_the_overshoot() -> None:
    """Small counts overshoot the threshold by far, so theirs is lower; large ones need ln(arl0)."""
    fine = threshold_of(1000, (1.5, 2.0, 3.0), NegativeBinomial(1e-4, 1e9))
    coarse = threshold_of(1000, (1.5, 2.0, 3.0), NegativeBinomial(50.0, 1e9))
    assert fine == pytest.approx(math.log(1000), abs=0.02)
    assert coarse < math.log(1000) - 1


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("kind", [Count, Proportion])
@pytest.mark.parametrize("direction", ["above", "below"])
def test_it_passes_the_contract_suite(check, kind: type, direction: str) -> None:  # type: ignore[no-untyped-def]
    """The contract suite, with a short warm-up so that the chart runs on every stream."""
    design = msgspec.convert({"direction": direction, "variance_mean": 1.5}, Design)
    for stream in SAMPLES[kind].values():
        check(lambda: SeasonalChange.design(design, baseline_periods=20, cycles=(24.0,)), stream)


def test_it_returns_no_score_until_it_has_learnt() -> None:
    """`None` for `baseline_periods` periods and until `baseline_events` events came."""
    detector = SeasonalChange.design(Design(), baseline_periods=30, baseline_events=10)
    scores = [detector.update(Count(0.0 if hour < 40 else 1.0, 1.0, hour)) for hour in range(60)]
    assert scores[:50] == [None] * 50
    assert scores[50] is not None


def test_streams_without_a_change_do_not_alarm() -> None:
    """All-zero, constant, and one event in 10,000: no alarm."""
    for stream in ([0.0] * 10_000, [4.0] * 10_000, [0.0] * 5_000 + [1.0] + [0.0] * 4_999):
        detector = SeasonalChange.design(Design())
        for hour, k in enumerate(stream):
            score = detector.update(Count(k, 1.0, hour))
            assert score is None or not score.alarm, f"{k} at {hour}"


@pytest.mark.parametrize(("before", "after"), [(5.0, 10.0), (10.0, 5.0), (5.0, 5000.0)])
def test_a_new_level_is_learnt_and_does_not_alarm_for_ever(before: float, after: float) -> None:
    """Up, down, or a thousandfold: few alarms soon after the change, then the new level is forecast and nothing
    alarms."""
    rng = Random(11)
    detector = SeasonalChange.design(Design(), arl0=1e5, cycles=(24.0,))
    alarms: list[int] = []
    for hour in range(2_000):
        mean = (before if hour < 500 else after) * level(hour, 0.3)
        score = detector.update(Count(gamma_poisson(rng, mean, 1.0), 1.0, hour))
        if score is not None and score.alarm:
            alarms.append(hour)
    assert score is not None
    assert score.expected == pytest.approx(mean, rel=0.15)
    assert len([hour for hour in alarms if hour >= 500]) <= 3
    assert not [hour for hour in alarms if hour > 700]
    assert any(500 <= hour < 530 for hour in alarms) == (after > before)


def test_gaps_do_not_shift_the_phase() -> None:
    """Periods without exposure do not shift the daily cycle, because observations carry their index."""
    rng = Random(13)
    detector = SeasonalChange.design(Design(), cycles=(24.0,))
    expected = 0.0
    for hour in range(3_000):
        if hour % 7:
            score = detector.update(Count(gamma_poisson(rng, 20 * level(hour, 0.5), 1.0), 1.0, hour))
            expected = score.expected if score is not None else 0.0
    assert expected == pytest.approx(20 * level(2_999, 0.5), rel=0.1)


@pytest.mark.parametrize("kind", [Count, Proportion])
def test_shifts_are_changes_of_so_many_sds(kind: type) -> None:
    """Each shift moves the mean by its number of forecast standard deviations; for `below` the ratios are inverted."""
    up = SeasonalChange.design(Design(), shifts=(0.5, 2.0), baseline_periods=10)
    down = SeasonalChange.design(Design(direction="below"), shifts=(0.5, 2.0), baseline_periods=10)
    for hour in range(40):
        up.update(kind(8.0, 100.0, hour))
    assert up.model is not None
    forecast = up.model.predict(100.0, 40)
    assert forecast is not None
    ratios = up.alternatives(forecast)
    if isinstance(forecast, NegativeBinomial):
        moved = [r * forecast.mean - forecast.mean for r in ratios]
    else:
        p = forecast.p
        moved = [100 * (r * p / (1 + (r - 1) * p) - p) for r in ratios]
    deviation = math.sqrt(forecast.variance)
    assert moved == pytest.approx([0.5 * deviation, 2 * deviation])
    assert down.alternatives(forecast) == pytest.approx([1 / r for r in ratios])


def test_without_relearning_the_level_is_kept() -> None:
    """A lasting outbreak alarms repeatedly against the old level."""
    detector = SeasonalChange.design(Design(), relearn=False, drift=0.0)
    scores = [detector.update(Count(5.0 if hour < 200 else 15.0, 1.0, hour)) for hour in range(230)]
    alarms = [hour for hour, score in enumerate(scores) if score is not None and score.alarm]
    assert len(alarms) > 5
    assert min(alarms) >= 200


def test_the_state_is_under_a_kilobyte() -> None:
    """Two cycles of a harmonic each and a trend: less than 1,024 bytes after ten thousand periods."""
    detector = SeasonalChange.design(Design(), cycles=(24.0, 168.0), trend=0.2)
    for hour in range(10_000):
        detector.update(Count(float(hour % 5), 1.0, hour))
    assert len(msgspec.msgpack.encode(detector)) <= 1024
