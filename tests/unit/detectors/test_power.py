"""Computed power: agrees with simulation, with exact values, and with what a person expects of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from detectors.arl_pmf import poisson_pmf
from detectors.base import Count, Design
from detectors.e_process import LimitEProcess
from detectors.power import FINE, Curve, Planned, power, smallest_exposure

sys.path.insert(0, str(Path(__file__).parents[3]))  # the bench is no package of the product

from tests.bench.detbench import g19_power, simulators

RUNS = 4_000


def detector(limit: float = 2.0, **changes: object) -> LimitEProcess:
    return LimitEProcess.design(Design(limit=limit, **{"alpha": 0.01, **changes}))  # type: ignore[arg-type]


def test_the_simulation_runs_the_detector() -> None:
    """The vectorised recursion of the bench and `LimitEProcess.update` give the same first alarms."""
    g19_power.agrees()


def test_fifty_settings_are_compared() -> None:
    """The grid of the bench has fifty different settings, with counts, shares and both directions."""
    assert len(set(g19_power.CELLS)) == 50
    assert {bool(cell.trials) for cell in g19_power.CELLS} == {True, False}
    assert any(cell.design == g19_power.BELOW for cell in g19_power.CELLS)


@pytest.mark.parametrize("cell", [c for c in g19_power.CELLS if c.periods <= 60], ids=str)
def test_power_agrees_with_simulation(cell: g19_power.Cell) -> None:
    """Within one percentage point, and four standard errors of the small simulation."""
    curve = power(cell.detector(), cell.planned)
    for mark, computed, simulated in g19_power.compared(cell, curve, simulators.rng(str(cell)), RUNS):
        assert abs(computed - simulated.value) <= 0.01 + 4 * simulated.error, f"by period {mark}"


def test_blocks_of_periods_agree_with_single_periods() -> None:
    """A series computed in growing blocks has the curve of the one computed period by period."""
    planned = Planned(1.0, 400, 0.12)
    single = power(detector(0.06), planned, FINE._replace(single=400))
    blocks = power(detector(0.06), planned, FINE._replace(single=32, octave=32))
    assert len(blocks.ends) < len(single.ends) / 2
    assert max(abs(f - single.by(end)) for end, f in zip(blocks.ends, blocks.found, strict=True)) < 0.01


def test_the_first_period_is_exact() -> None:
    """After one period the probability is the tail of the Poisson distribution from the first count that alarms."""
    first = next(k for k in range(100) if (score := detector().update(Count(k, 1.0))) is not None and score.alarm)
    exact = 1 - sum(poisson_pmf(4.0, first))
    assert power(detector(), Planned(1.0, 1, 4.0)).by(1) == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("variance_mean", [1.0, 3.0])
def test_a_pilot_within_its_limit_keeps_alpha(variance_mean: float) -> None:
    """At the limit the probability of an alarm over the whole series is at most alpha."""
    found = power(detector(variance_mean=variance_mean, alpha=0.05), Planned(1.0, 300, 2.0)).by(300)
    assert 0.001 < found <= 0.05


def test_power_rises_with_ratio_time_and_exposure() -> None:
    """More excess, more periods or more exposure never find less."""
    curve = power(detector(), Planned(1.0, 24, 3.5))
    assert list(curve.found) == sorted(curve.found)
    by_rate = [power(detector(), Planned(1.0, 12, rate)).by(12) for rate in (2.0, 3.0, 4.0, 6.0)]
    by_exposure = [power(detector(), Planned(x, 12, 3.0)).by(12) for x in (0.5, 1.0, 2.0, 4.0)]
    assert by_rate == sorted(by_rate)
    assert by_exposure == sorted(by_exposure)


def test_minimum_events_delay_an_alarm() -> None:
    """An alarm waits for the events that the charter asks for, and none comes before there can be as many."""
    plain = power(detector(0.2), Planned(1.0, 12, 1.0))
    asking = power(detector(0.2, minimum_events=12), Planned(1.0, 12, 1.0))
    assert asking.by(6) < plain.by(6) - 0.1
    assert asking.by(2) == pytest.approx(1 - sum(poisson_pmf(2.0, 12)), rel=1e-3)


def test_huge_and_tiny_plans_are_computed() -> None:
    """A billion units in a period, one unit in ten thousand periods, and a rate that is next to nothing."""
    assert power(detector(), Planned(1e9, 3, 4.0)).by(3) == pytest.approx(1.0, abs=1e-6)
    assert power(detector(variance_mean=900.0), Planned(1e5, 2, 4.0)).by(2) > 0.9
    assert 0 <= power(detector(), Planned(1e-4, 100_000, 3.0)).by(100_000) <= 1
    assert power(detector(), Planned(1.0, 10, 1e-9)).by(10) < 1e-6
    share = LimitEProcess.design(Design(limit=0.01, alpha=0.01))
    assert power(share, Planned(0.2, 100, 0.02, is_proportion=True)).by(100) < 0.1
    assert power(share, Planned(1e7, 2, 0.02, is_proportion=True)).by(1) == pytest.approx(1.0, abs=1e-6)


def test_an_exceeded_share_of_one_is_never_found() -> None:
    """A limit that no share can exceed has no power, as the detector gives no score."""
    share = LimitEProcess.design(Design(limit=0.9, uncertainty=0.2, alpha=0.01))
    curve = power(share, Planned(100, 10, 0.95, is_proportion=True))
    assert (curve.by(10), curve.when(0.5)) == (0.0, None)


def test_the_smallest_exposure_finds_what_is_asked() -> None:
    """With the exposure that is returned the probability is reached; with a fifth less it is not."""
    planned = Planned(0.1, 12, 4.0)
    needed = smallest_exposure(detector(), planned, 0.8)
    assert needed is not None
    assert power(detector(), planned._replace(exposure=needed)).by(12) == pytest.approx(0.85, abs=0.06)
    assert power(detector(), planned._replace(exposure=0.8 * needed)).by(12) < 0.8
    assert smallest_exposure(detector(), planned, 0.8, largest=2.0) is None


@pytest.mark.parametrize(
    ("planned", "named"),
    [(Planned(0.0, 1, 1.0), "exposure"), (Planned(1.0, 0, 1.0), "periods"), (Planned(1.0, 1, -1.0), "rate")],
)
def test_a_plan_of_nothing_is_refused(planned: Planned, named: str) -> None:
    """The number that is not above 0 is named; so is a share of 1."""
    with pytest.raises(ValueError, match=f"^{named}: "):
        power(detector(), planned)
    with pytest.raises(ValueError, match=r"^rate: "):
        power(detector(), Planned(1.0, 1, 1.0, is_proportion=True))


def test_a_curve_is_read_between_and_after_its_ends() -> None:
    """Between two ends the earlier probability holds; after the last one it stays."""
    curve = Curve((1, 4), (0.2, 0.7))
    assert [curve.by(period) for period in (0, 1, 3, 4, 99)] == [0.0, 0.2, 0.2, 0.7, 0.7]
    assert (curve.when(0.5), curve.when(0.71)) == (4, None)
