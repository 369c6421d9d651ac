"""Disparity between segments: e-values whose expectation is at most 1, false alarms within alpha, and the interval."""

from __future__ import annotations

from math import exp, lgamma, log

import numpy as np
import pytest

from detectors import build
from detectors.base import Compared, Design, Detector, Score
from detectors.disparity import Disparity, line_of
from tests.strength import examples


def watch(**params: float) -> Detector:
    return build("disparity", Design(alpha=0.05, **params))


def pgf(theta: float, mean: float, v: float) -> float:
    """ln of the probability generating function of a Poisson (v = 1) or negative binomial count."""
    return mean * (theta - 1) if v == 1 else -mean / (v - 1) * log(1 - (v - 1) * (theta - 1))


def test_for_poisson_counts_the_e_value_is_the_binomial_likelihood_ratio() -> None:
    """Given the number of events, the segment's part of them is binomial."""
    a, b = line_of(2.0, 0.3, 1.0)
    p, q = 0.3, 2 * 0.3 / (1 + 0.3)  # the odds double
    assert 5 * a + 7 * b == pytest.approx(5 * log(q / p) + 7 * log((1 - q) / (1 - p)))


@pytest.mark.parametrize("v", [1.0, 1.5, 2.0, 5.0, 20.0])
@pytest.mark.parametrize("ratio", [1.1, 1.5, 3.0, 10.0])
@pytest.mark.parametrize("part", [0.01, 0.3, 0.9])
def test_the_expectation_is_one_at_the_limit_for_every_common_rate(v: float, ratio: float, part: float) -> None:
    """Exactly 1 at the assumed dispersion, at most 1 for smaller ones (also different ones), and for smaller ratios."""
    a, b = line_of(ratio, part, v)
    for mean in (0.1, 5.0, 500.0):

        def expectation(part: float, mine: float, rest: float, mean: float = mean) -> float:
            return pgf(exp(a), mean * part, mine) + pgf(exp(b), mean * (1 - part), rest)

        assert expectation(part, v, v) == pytest.approx(0.0, abs=1e-6 * mean)
        for smaller in (1.0, (1 + v) / 2):
            assert expectation(part, smaller, smaller) <= 1e-6 * mean
            assert expectation(part, smaller, v) <= 1e-6 * mean
            assert expectation(part, v, smaller) <= 1e-6 * mean
        assert expectation(0.8 * part, v, v) <= 1e-6 * mean


@pytest.mark.parametrize(("v", "common"), [(1.0, 0.0), (1.0, 0.5), (3.0, 0.0), (3.0, 0.5)])
def test_a_segment_at_the_limit_rarely_alarms(v: float, common: float) -> None:
    """Two years of weeks at exactly 1.25 times the others, alpha 5 %, with overdispersion and common shocks."""
    rng, runs, found = np.random.default_rng(1), examples(60, 400), 0
    for _ in range(runs):
        detector, alarm = watch(variance_mean=v), False
        for _ in range(104):
            shock = rng.gamma(1 / common, common) if common else 1.0
            means = shock * 1.25 * 10, shock * 20
            k, rest = (rng.poisson(m) if v == 1 else rng.negative_binomial(m / (v - 1) + 1e-9, 1 / v) for m in means)
            score = detector.update(Compared(float(k), 1000.0, float(rest), 2000.0))
            alarm = alarm or (score is not None and score.alarm)
        found += alarm
    assert found <= 0.05 * runs + 3 * (0.05 * runs) ** 0.5


def days(factor: float, periods: int, seed: int = 2) -> list[Compared]:
    rng = np.random.default_rng(seed)
    return [
        Compared(float(rng.poisson(6 * factor)), 300.0, float(rng.poisson(14)), 700.0, is_proportion=True)
        for _ in range(periods)
    ]


def first(detector: Detector, stream: list[Compared]) -> int | None:
    scores = [detector.update(o) for o in stream]
    return next((i for i, s in enumerate(scores) if s is not None and s.alarm), None)


def test_twice_the_rate_of_the_others_is_found_within_three_weeks_also_after_a_good_year() -> None:
    assert first(watch(), days(1.0, 365)) is None
    soon = first(watch(), days(2.0, 60))
    later = first(watch(), [*days(1.0, 365), *days(2.0, 90, 3)])
    assert soon is not None
    assert soon < 30
    assert later is not None
    assert 365 <= later < 365 + 60


def test_direction_below_finds_a_segment_that_is_left_out() -> None:
    below = Design(alpha=0.05, direction="below")
    assert first(build("disparity", below), days(0.4, 60)) is not None
    assert first(build("disparity", below), days(1.0, 365)) is None
    assert first(build("disparity", below), days(3.0, 365)) is None


def test_the_confidence_sequence_covers_the_ratio_at_all_times() -> None:
    """95 %, looked at after every period of half a year."""
    missed, runs = 0, examples(20, 200)
    for seed in range(runs):
        detector = watch()
        assert isinstance(detector, Disparity)
        out = False
        for o in days(1.6, 180, 100 + seed):
            detector.update(o)
            found = detector.interval()
            out = out or (found is not None and not found[1] <= 1.6 <= found[2])
        missed += out
    assert missed <= 0.05 * runs + 3 * (0.05 * runs) ** 0.5


def test_an_alarm_states_the_ratio_and_its_interval() -> None:
    detector = watch()
    scores: list[Score] = [s for o in days(2.5, 60) if (s := detector.update(o)) is not None]
    found = next(s for s in scores if s.alarm)
    assert found.ratio is not None
    assert found.ratio[1] < found.ratio[0] < found.ratio[2]
    assert found.ratio[1] > 1.0


def test_no_exposure_on_either_side_is_no_comparison() -> None:
    detector = watch()
    assert detector.update(Compared(3.0, 0.0, 5.0, 10.0)) is None
    assert detector.update(Compared(3.0, 10.0, 0.0, 0.0)) is None


def test_the_exact_binomial_tail_bounds_the_evidence_for_a_single_period() -> None:
    """The largest e-value over alternatives is a Chernoff bound of the conditional binomial tail: never above its
    inverse."""
    n, p = 30, 0.3
    for k in range(10, 25):
        tail = sum(
            exp(lgamma(n + 1) - lgamma(j + 1) - lgamma(n - j + 1) + j * log(p) + (n - j) * log(1 - p))
            for j in range(k, n + 1)
        )
        best = max(k * a + (n - k) * b for r in np.linspace(1.01, 20, 200) for a, b in [line_of(float(r), p, 1.0)])
        assert best <= -log(tail) + 1e-9


@pytest.mark.parametrize("wrong", [{"at_most": 0.5}, {"ratios": [0.9]}])
def test_a_wrong_parameter_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}: "):
        build("disparity", Design(alpha=0.05), wrong)
