"""A limit as a multiple of a baseline pays for the baseline's uncertainty out of alpha."""

from __future__ import annotations

import math

import pytest

from detectors.base import Design
from detectors.baseline_limit import against_baseline, highest, lowest


def chance(k: int, mean: float, dispersion: float) -> float:
    """P(k events): Poisson or negative binomial with variance/mean `dispersion`, from the textbook."""
    if dispersion == 1:
        return math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))
    shape = mean / (dispersion - 1)
    ways = math.lgamma(k + shape) - math.lgamma(shape) - math.lgamma(k + 1)
    return math.exp(ways - shape * math.log(dispersion) + k * math.log(1 - 1 / dispersion))


@pytest.mark.parametrize(("events", "error", "bound"), [(0, 0.05, 2.9957), (1, 0.025, 5.5716), (10, 0.025, 18.3904)])
def test_highest_is_garwoods_bound(events: int, error: float, bound: float) -> None:
    """For Poisson it equals the tabulated upper limit."""
    assert highest(events, 2.0, 1.0, error) == pytest.approx(bound / 2, rel=1e-4)


@pytest.mark.parametrize("dispersion", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("mean", [3.0, 10.0, 30.0])
@pytest.mark.parametrize("side", ["highest", "lowest"])
def test_the_bound_misses_the_true_rate_at_most_as_often_as_stated(dispersion: float, mean: float, side: str) -> None:
    """Exact sum over all possible baselines: the probability that the bound is below the true rate is at most the
    error."""
    error, missed = 0.025, 0.0
    for k in range(120):
        bound = highest(k, 1.0, dispersion, error) if side == "highest" else lowest(k, 1.0, dispersion, error)
        if (bound < mean) if side == "highest" else (bound > mean):
            missed += chance(k, mean, dispersion)
    assert missed <= error + 1e-9
    assert missed > 0.0005 or mean < 10  # the bound cannot be that sharp for few counts


def test_many_events_hand_over_to_chernoff_without_a_step() -> None:
    """Where the exact sum ends, Chernoff's bound is slightly wider, never narrower."""
    exact = highest(20_000, 1.0, 1.0, 0.025), lowest(20_000, 1.0, 1.0, 0.025)
    bound = highest(20_001, 1.0, 1.0, 0.025), lowest(20_001, 1.0, 1.0, 0.025)
    assert exact[0] < bound[0] < exact[0] * 1.01
    assert exact[1] * 0.99 < bound[1] < exact[1]


def test_alpha_is_split_between_baseline_and_evidence() -> None:
    """Alpha spent on the baseline is not spent again; a longer baseline brings the limit closer to its multiple."""
    loose = against_baseline(Design(alpha=0.04), times=2.0, events=10, exposure=10.0, doubt=0.25)
    firm = against_baseline(Design(alpha=0.04), times=2.0, events=1000, exposure=1000.0, doubt=0.25)
    assert loose.alpha == firm.alpha == pytest.approx(0.03)
    assert loose.limit == pytest.approx(2 * highest(10, 10.0, 1.0, 0.01))
    assert firm.limit is not None
    assert loose.limit is not None
    assert 2.0 < firm.limit < 2.2 < loose.limit


def test_a_floor_takes_the_smallest_rate() -> None:
    """For `below` the limit is a multiple of the lower bound; a baseline without events is refused."""
    design = Design(alpha=0.05, direction="below")
    made = against_baseline(design, times=0.5, events=40, exposure=10.0)
    assert made.limit == pytest.approx(0.5 * lowest(40, 10.0, 1.0, 0.04))
    with pytest.raises(ValueError, match=r"^events: "):
        against_baseline(design, times=0.5, events=0, exposure=10.0)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"times": 0.0}, "times"),
        ({"events": -1.0}, "events"),
        ({"exposure": 0.0}, "exposure"),
        ({"doubt": 1.0}, "doubt"),
    ],
)
def test_a_wrong_number_is_named(change: dict[str, float], name: str) -> None:
    """ValueError that starts with the parameter's name."""
    good = {"times": 2.0, "events": 10.0, "exposure": 5.0, "doubt": 0.5}
    with pytest.raises(ValueError, match=f"^{name}: "):
        against_baseline(Design(alpha=0.05), **{**good, **change})


def test_without_alpha_there_is_no_threshold() -> None:
    """An indicator that may not spend any alpha cannot halt on a baseline either."""
    with pytest.raises(ValueError, match=r"^alpha: "):
        against_baseline(Design(), times=2.0, events=10, exposure=1.0)
