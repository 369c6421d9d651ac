"""The guarantees: expectations summed exactly, and error rates over thousands of pilots within their limit."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from detectors import build
from detectors.arl import binomial_pmf, poisson_pmf
from detectors.base import Count, Design, Proportion
from detectors.likelihood import count_line, proportion_line

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0)
PILOTS, PERIODS, ALPHA = 2_000, 104, 0.05


def negative_binomial_pmf(mean: float, dispersion: float, length: int) -> list[float]:
    """Counts of this mean and variance/mean > 1."""
    shape = mean / (dispersion - 1)
    return [
        math.exp(
            math.lgamma(k + shape) - math.lgamma(k + 1) - math.lgamma(shape)
            - shape * math.log(dispersion) + k * math.log((dispersion - 1) / dispersion)
        )
        for k in range(length)
    ]  # fmt: skip


def expectation(pmf: list[float], line: tuple[float, float], x: float) -> float:
    slope, cost = line
    return math.fsum(math.exp(math.log(p) + slope * k + cost * x) for k, p in enumerate(pmf) if p > 0)


@pytest.mark.parametrize(
    ("ratio", "share_of_limit", "mean"), list(product(RATIOS, (0.1, 0.5, 0.9, 1.0), (0.05, 1.0, 8.0)))
)
def test_poisson_e_values_expect_at_most_one_within_the_limit(ratio: float, share_of_limit: float, mean: float) -> None:
    """E[e] = 1 at the limit and < 1 below it; for `below` (inverse ratios) at and above it."""
    found = expectation(poisson_pmf(mean * share_of_limit, 400), count_line(ratio, 1.0), mean)
    assert found <= 1 + 1e-9
    if share_of_limit == 1.0:
        assert found == pytest.approx(1, abs=1e-9)
    assert expectation(poisson_pmf(mean / share_of_limit, 700), count_line(1 / ratio, 1.0), mean) <= 1 + 1e-9


@pytest.mark.parametrize(
    ("ratio", "assumed_dispersion", "actual", "share_of_limit", "mean"),
    list(product((1.25, 2.0, 5.0, 0.8, 0.5, 0.2), (1.5, 3.0), (1.0, 1.25, 1.5), (0.3, 1.0), (0.05, 1.0, 8.0))),
)
def test_overdispersed_e_values_expect_at_most_one_up_to_the_assumed_dispersion(
    ratio: float, assumed_dispersion: float, actual: float, share_of_limit: float, mean: float
) -> None:
    """Any variance/mean up to the assumed one and any rate within the limit: E[e] <= 1, and = 1 at both edges."""
    true_mean = mean * share_of_limit if ratio > 1 else mean / share_of_limit
    pmf = poisson_pmf(true_mean, 2_000) if actual == 1 else negative_binomial_pmf(true_mean, actual, 2_000)
    found = expectation(pmf, count_line(ratio, 1.0, assumed_dispersion), mean)
    assert found <= 1 + 1e-7
    if actual == assumed_dispersion and share_of_limit == 1:
        assert found == pytest.approx(1, abs=1e-7)


def test_a_ratio_of_two_negative_binomials_would_break_the_guarantee() -> None:
    """Two negative binomials of equal variance/mean give a Poisson pilot E[e] > 1, so they are not used."""
    mean, dispersion, ratio = 0.5, 2.0, 1.5
    shape = mean / (dispersion - 1)

    def familiar(k: int) -> float:
        return math.exp(
            math.lgamma(k + ratio * shape) + math.lgamma(shape) - math.lgamma(k + shape) - math.lgamma(ratio * shape)
            - (ratio - 1) * shape * math.log(dispersion)
        )  # fmt: skip

    at_the_limit = math.fsum(p * familiar(k) for k, p in enumerate(negative_binomial_pmf(mean, dispersion, 160)))
    assert at_the_limit == pytest.approx(1, abs=1e-6)
    assert math.fsum(p * familiar(k) for k, p in enumerate(poisson_pmf(mean, 160))) > 1.01


@pytest.mark.parametrize(("ratio", "p", "limit"), list(product(RATIOS, (0.01, 0.1, 0.3), (0.3, 0.5))))
def test_proportion_e_values_expect_at_most_one_within_the_limit(ratio: float, p: float, limit: float) -> None:
    """Binomial trials at or below the limit, independent or in correlated groups up to the assumed size."""
    for dispersion in (1, 2, 5):
        together = binomial_pmf(20 // dispersion, p, 21)
        pmf = [
            together[k // dispersion] if k % dispersion == 0 else 0.0 for k in range(20 // dispersion * dispersion + 1)
        ]
        assert expectation(pmf, proportion_line(ratio, limit, float(dispersion)), 20.0) <= 1 + 1e-9
        assert expectation(binomial_pmf(20, p, 21), proportion_line(ratio, limit, float(dispersion)), 20.0) <= 1 + 1e-9
    assert expectation(binomial_pmf(20, limit, 21), proportion_line(ratio, limit), 20.0) == pytest.approx(1, abs=1e-9)
    pairs = binomial_pmf(10, limit, 11)
    pmf = [pairs[k // 2] if k % 2 == 0 else 0.0 for k in range(21)]
    assert expectation(pmf, proportion_line(ratio, limit, 2.0), 20.0) == pytest.approx(1, abs=1e-9)
    assert expectation(binomial_pmf(20, max(p, limit), 21), proportion_line(1 / ratio, limit), 20.0) <= 1 + 1e-9


def error_margin(rate: float, runs: int = PILOTS) -> float:
    return 3 * math.sqrt(rate * (1 - rate) / runs)


@pytest.mark.parametrize("dispersion", [1.0, 2.0])
def test_two_thousand_pilots_within_their_limit_watched_for_two_years(dispersion: float) -> None:
    """Weekly scores of pilots exactly at their limit: at most alpha of them ever alarm (Ville)."""
    chance = np.random.default_rng(20260101)
    if dispersion == 1:
        counts = chance.poisson(5.0, (PILOTS, PERIODS))
    else:
        counts = chance.negative_binomial(5.0 / (dispersion - 1), 1 / dispersion, (PILOTS, PERIODS))
    halted = 0
    for pilot in counts:
        detector = build("limit_e_process", Design(limit=5.0, alpha=ALPHA, variance_mean=dispersion))
        halted += any(detector.update(Count(k=float(k), m=1.0)).alarm for k in pilot)  # type: ignore[union-attr]
    assert halted / PILOTS <= ALPHA + error_margin(ALPHA)


def test_proportions_at_their_limit_alarm_at_most_at_alpha() -> None:
    """Pilots exactly at a 30 % limit with 40 trials a week: at most alpha of them ever alarm."""
    chance = np.random.default_rng(20260102)
    halted = 0
    for pilot in chance.binomial(40, 0.3, (PILOTS, 52)):
        detector = build("limit_e_process", Design(limit=0.3, alpha=ALPHA))
        halted += any(detector.update(Proportion(k=float(k), n=40.0)).alarm for k in pilot)  # type: ignore[union-attr]
    assert halted / PILOTS <= ALPHA + error_margin(ALPHA)


def test_the_guarantee_holds_with_late_events_and_scores_of_open_periods() -> None:
    """A third of the events comes one period late and every period is peeked at half time: at most alpha alarm."""
    chance = np.random.default_rng(20260103)
    pilots = 1_000
    halted = 0
    for _ in range(pilots):
        detector = build("limit_e_process", Design(limit=5.0, alpha=ALPHA, late_window=2))
        late, alarmed = 0, False
        for k in chance.poisson(5.0, 60):
            early, now_late = int(k) - int(k) // 3, int(k) // 3
            glimpse = detector.peek((Count(k=float(early // 2), m=1.0),))  # type: ignore[attr-defined]
            score = detector.update(Count(k=float(early), m=1.0))
            raised = detector.raise_late(1, float(late))  # type: ignore[attr-defined]
            alarmed = alarmed or any(s.alarm for s in (glimpse, score, raised) if s is not None)
            late = now_late
        halted += alarmed
    assert halted / pilots <= ALPHA + error_margin(ALPHA, pilots)


def test_repeated_tests_break_the_guarantee() -> None:
    """A 5 % Poisson test each week alarms on most pilots within their limit in a year."""
    chance = np.random.default_rng(20260104)
    pmf = poisson_pmf(5.0, 60)
    critical = next(c for c in range(60) if sum(pmf[c:]) <= ALPHA)
    alarmed = (chance.poisson(5.0, (PILOTS, 52)) >= critical).any(axis=1).mean()
    assert alarmed > 0.75


@pytest.mark.parametrize("share", [False, True], ids=["counts", "shares"])
def test_the_e_detector_keeps_its_declared_run_length(share: bool) -> None:
    """Unchanged streams: the mean run to the first alarm is at least A."""
    chance = np.random.default_rng(20260105)
    declared, runs, longest = 50.0, 400, 5_000
    lengths = []
    for _ in range(runs):
        detector = build("e_detector", Design(), {"baseline": 0.3 if share else 4.0, "arl0": declared})
        t = 0
        while t < longest:
            t += 1
            if share:
                score = detector.update(Proportion(k=float(chance.binomial(20, 0.3)), n=20.0))
            else:
                score = detector.update(Count(k=float(chance.poisson(4.0)), m=1.0))
            if score is not None and score.alarm:
                break
        lengths.append(t)
    mean, error = float(np.mean(lengths)), float(np.std(lengths)) / math.sqrt(runs)
    assert mean + 3 * error >= declared
    assert mean < 30 * declared, "so long that no change would be detected"


def test_a_learnt_baseline_keeps_the_run_length_although_it_is_uncertain() -> None:
    """Learnt from ten periods: most runs are long. A chart against the point estimate alarms too early."""
    chance = np.random.default_rng(20260106)
    declared, runs, horizon = 50.0, 300, 50
    careful = naive = 0
    for _ in range(runs):
        stream = chance.poisson(3.0, 10 + horizon)
        ours = build("e_detector", Design(), {"arl0": declared, "baseline_periods": 10})
        rate = max(float(stream[:10].mean()), 0.1)
        theirs = build("e_detector", Design(), {"arl0": declared, "baseline": rate})
        first = [ours.update(Count(k=float(k), m=1.0)) for k in stream]
        second = [theirs.update(Count(k=float(k), m=1.0)) for k in stream[10:]]
        careful += any(s.alarm for s in first if s)
        naive += any(s.alarm for s in second if s)
    assert careful / runs < 0.25
    assert naive > 1.5 * careful


@pytest.mark.parametrize("baseline", [False, True], ids=["against a limit", "against a learnt baseline"])
def test_the_cusum_runs_about_as_long_as_it_declares(baseline: bool) -> None:
    """Constant exposure at the limit: the mean run is arl0 within its error; against a learnt upper bound it is
    longer."""
    chance = np.random.default_rng(20260107)
    declared, runs = 100.0, 300
    lengths = []
    for _ in range(runs):
        detector = build("cusum", Design(limit=None if baseline else 3.0), {"arl0": declared})
        for _ in range(25):
            detector.update(Count(k=3.0, m=1.0))
        t = 0
        while True:
            t += 1
            score = detector.update(Count(k=float(chance.poisson(3.0)), m=1.0))
            if t >= 3_000 or (score is not None and score.alarm):
                break
        lengths.append(t)
    mean, error = float(np.mean(lengths)), float(np.std(lengths)) / math.sqrt(runs)
    assert mean + 3 * error >= declared
    if not baseline:
        assert mean - 3 * error <= 2.5 * declared
