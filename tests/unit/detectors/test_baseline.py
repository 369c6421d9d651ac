"""The learnt baseline and its uncertainty."""

from __future__ import annotations

import math

import pytest

from detectors.baseline import Baseline, interval


@pytest.mark.parametrize(
    ("k", "x", "low", "high"),
    # Garwood's exact 95 % limits, from the chi-square quantiles
    [(100.0, 20.0, 4.068200, 6.081340), (3.0, 10.0, 0.0618672, 0.8767273), (0.0, 20.0, 0.0, 0.184443973)],
)
def test_count_limits_hold_garwoods_exact_ones(k: float, x: float, low: float, high: float) -> None:
    """Chernoff's limits are never narrower than the exact ones, and not much wider."""
    ours = interval(k, x, False, 1.0, math.log(40))
    assert ours[0] <= low + 1e-9
    assert ours[1] >= high - 1e-6
    assert ours[1] - ours[0] < 1.45 * (high - low)


def test_proportion_limits_hold_clopper_and_pearsons() -> None:
    """Also at the ends: no success, or only successes."""
    low, high = interval(3.0, 100.0, True, 1.0, math.log(40))
    assert low <= 0.006230
    assert high >= 0.085176
    assert interval(0.0, 100.0, True, 1.0, math.log(40)) == (0.0, pytest.approx(0.0362167, abs=1e-6))
    assert interval(100.0, 100.0, True, 1.0, math.log(40)) == (pytest.approx(0.9637833, abs=1e-6), 1.0)


def test_overdispersion_widens_the_limits() -> None:
    """Clustered events carry less information on the rate."""
    narrow, wide = (interval(100.0, 20.0, False, v, math.log(40)) for v in (1.0, 3.0))
    assert wide[0] < narrow[0] < 5 < narrow[1] < wide[1]


def test_dispersion_is_learnt_but_never_below_what_was_granted() -> None:
    """Twenty equal periods leave the assumed value; variable counts raise it to their estimate."""
    calm, wild = Baseline(dispersion=1.5), Baseline(dispersion=1.5)
    for i in range(20):
        calm.learn(5.0, 1.0, False)
        wild.learn(10.0 if i % 2 else 0.0, 1.0, False)
    assert calm.dispersion == 1.5
    assert wild.dispersion == pytest.approx(100 / 19)  # chi-square 100 on 19 degrees of freedom
    assert (calm.rate, wild.rate) == (5.0, 5.0)


def test_periods_without_exposure_teach_nothing() -> None:
    """A period without exposure is ignored."""
    baseline = Baseline(required_periods=2)
    for _ in range(10):
        assert not baseline.learn(0.0, 0.0, False)
    baseline.learn(1.0, 1.0, False)
    assert baseline.learn(1.0, 1.0, False)


def test_learning_waits_for_enough_events() -> None:
    """With a required number of events, periods without events do not end the learning."""
    baseline = Baseline(required_periods=2, required_events=3.0)
    assert [baseline.learn(1.0, 1.0, False) for _ in range(3)] == [False, False, True]


def test_a_trace_of_an_event_is_none() -> None:
    """The smallest floating-point numbers do not divide by zero."""
    assert interval(5e-324, 1.0, True, 1.0, 3.0)[0] == 0.0
    assert interval(5e-324, 1.0, False, 1.0, 3.0)[0] == 0.0


@pytest.mark.parametrize("bad", [{3: 25.0}, dict.fromkeys(range(5, 12), 25.0)])
def test_an_outbreak_among_the_first_periods_does_not_hide_a_later_change(bad: dict[int, float]) -> None:
    """Neither one bad period nor a week of them moves the learnt rate; the baseline is reported as unusable."""
    usual = [5.0, 4.0, 6.0, 3.0, 7.0, 5.0, 8.0, 2.0, 5.0, 4.0]
    baseline = Baseline.to_learn(20, 0.0, 0.95, 1.0)
    for t in range(20):
        baseline.learn(bad.get(t, usual[t % 10]), 1.0, False)
    assert baseline.ready
    assert baseline.unusable
    assert 4 < baseline.rate < 6
    assert baseline.dispersion < 1.5


def test_a_baseline_is_revised_while_there_is_no_sign_of_a_change() -> None:
    """A further block narrows the interval; one at another rate is not learnt."""
    baseline = Baseline.to_learn(20, 0.0, 0.95, 1.0)
    usual = [5.0, 4.0, 6.0, 3.0, 7.0]
    for t in range(20):
        baseline.learn(usual[t % 5], 1.0, False)
    wide, high = baseline.high - baseline.low, baseline.high
    assert not any(baseline.revise(2 * usual[t % 5], 1.0, False, True) for t in range(20))
    assert not any(baseline.revise(usual[t % 5], 1.0, False, False) for t in range(20))
    assert baseline.high == high
    assert any(baseline.revise(usual[t % 5], 1.0, False, True) for t in range(20))
    assert baseline.high - baseline.low < wide
    assert not baseline.settled
    for t in range(60):
        baseline.revise(usual[t % 5], 1.0, False, True)
    assert baseline.settled


def test_many_learning_periods_are_stored_in_bounded_memory() -> None:
    """Beyond 40 periods neighbours are merged."""
    baseline = Baseline.to_learn(5_000, 0.0, 0.95, 1.0)
    for t in range(4_999):
        baseline.learn(float(t % 7), 1.0, False)
        assert len(baseline.cells) <= 320
    assert baseline.learn(3.0, 1.0, False)
    assert baseline.cells == b""
