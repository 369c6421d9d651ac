"""The confidence sequence of a mean rate: exact where it has a closed form, and valid at all times at once."""

from __future__ import annotations

from math import exp, log

import pytest

from detectors.intervals import proportion_interval, rate_interval
from detectors.likelihood import count_line, proportion_line
from detectors.rate_sequence import (
    _ABOVE,
    _BELOW,
    _NOTHING_SEEN,
    proportion_lower,
    proportion_upper,
    rate_lower,
    rate_upper,
)
from tests.bench.detbench import g22_exit, simulators

COUNTS = [(0.0, 10.0), (1.0, 10.0), (10.0, 10.0), (400.0, 10.0), (1e6, 1e5)]


def test_the_weights_of_each_mixture_sum_to_one() -> None:
    """Otherwise it is no e-process of the stated error."""
    assert sum(w for _, w in _BELOW) + _NOTHING_SEEN == pytest.approx(1)
    assert sum(w for _, w in _ABOVE) == pytest.approx(1)


@pytest.mark.parametrize("v", [1.0, 2.5])
@pytest.mark.parametrize(("k", "m"), COUNTS)
def test_the_evidence_against_each_bound_is_one_over_alpha(k: float, m: float, v: float) -> None:
    """The bound is where the mixture of likelihood ratios reaches it, computed here term by term."""
    high, low = rate_upper(k, m, 0.02, v), rate_lower(k, m, 0.02, v)
    assert high is not None
    assert low is not None
    lines = [(w, count_line(r, high, v)) for r, w in _BELOW]
    at_high = sum(w * exp(s * k + c * m) for w, (s, c) in lines)
    if not k:
        at_high += _NOTHING_SEEN * exp(high * m * (log(v) / (v - 1) if v > 1 else 1.0))
    assert at_high == pytest.approx(50, rel=1e-6)
    if low:
        lines = [(w, count_line(r, low, v)) for r, w in _ABOVE]
        assert sum(w * exp(s * k + c * m) for w, (s, c) in lines) == pytest.approx(50, rel=1e-6)
    else:
        assert max(w * exp(count_line(r, 1.0, v)[0] * k) for r, w in _ABOVE) < 50


@pytest.mark.parametrize(("k", "n"), [(0.0, 50.0), (3.0, 50.0), (25.0, 50.0), (49.0, 50.0)])
def test_the_evidence_against_each_bound_of_a_share_is_one_over_alpha(k: float, n: float) -> None:
    """As for counts, with odds ratios."""
    high, low = proportion_upper(k, n, 0.02), proportion_lower(k, n, 0.02)
    assert high is not None
    assert low is not None
    if high < 1:
        lines = [(w, proportion_line(r, high)) for r, w in _BELOW]
        found = sum(w * exp(s * k + c * n) for w, (s, c) in lines)
        found += _NOTHING_SEEN * (1 - high) ** -n if not k else 0
        assert found == pytest.approx(50, rel=1e-6)
    if low:
        lines = [(w, proportion_line(r, low)) for r, w in _ABOVE]
        assert sum(w * exp(s * k + c * n) for w, (s, c) in lines) == pytest.approx(50, rel=1e-6)


@pytest.mark.parametrize(("k", "m"), COUNTS)
def test_it_includes_the_exact_interval_of_a_single_look(k: float, m: float) -> None:
    """What holds at all times is wider than what holds once, and less than three times as wide."""
    once = [bound / m for bound in rate_interval(k, 0.98)]
    high, low = rate_upper(k, m, 0.01), rate_lower(k, m, 0.01)
    assert high is not None
    assert low is not None
    assert low <= once[0] < once[1] <= high
    assert k > 1e5 or high - low < 3 * (once[1] - once[0])
    share = [proportion_upper(min(k, 5.0), 20.0, 0.01), proportion_lower(min(k, 5.0), 20.0, 0.01)]
    exact = proportion_interval(min(k, 5.0), 20.0, 0.98)
    assert share[1] is not None
    assert share[0] is not None
    assert share[1] <= exact[0] < exact[1] <= share[0]


def test_without_exposure_there_is_no_bound() -> None:
    """`None` is no value."""
    assert rate_upper(3.0, 0.0, 0.01) is None
    assert rate_lower(0.0, 0.0, 0.01) is None
    assert proportion_upper(0.0, 0.0, 0.01) is None


def test_extreme_counts_have_finite_bounds() -> None:
    """No overflow, whatever telemetry may carry."""
    for k, m in ((1e300, 1.0), (0.0, 1e300), (1e18, 1e18), (1.0, 1e-300)):
        high = rate_upper(k, m, 1e-9, 3.0)
        low = rate_lower(k, m, 1e-9, 3.0)
        assert high is not None
        assert low is not None
        assert 0 <= low <= high < float("inf")


def test_the_simulation_uses_the_same_bounds() -> None:
    """What G22 simulates is where the bounds of the product cross the limit."""
    g22_exit.agrees()


@pytest.mark.parametrize("setting", g22_exit.SETTINGS, ids=str)
def test_a_pilot_above_its_limit_is_found_fit_with_at_most_alpha(setting: g22_exit.Setting) -> None:
    """Over all looks, within Monte Carlo error."""
    runs = 2_000
    hits = g22_exit.fit(simulators.rng(str(setting)), setting, runs).sum()
    assert hits / runs <= g22_exit.ALPHA + 3 * (g22_exit.ALPHA * 0.95 / runs) ** 0.5
