"""The robust fit against known answers: tables of chi-square, simulated clean and bad periods."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.robust_fit import added, exceeds, explained, pearson, unpacked


@pytest.mark.parametrize(("degrees", "upper"), [(5, 20.515), (19, 43.820), (60, 99.607)])
def test_the_dispersion_is_rejected_at_the_quantile_of_chi_square(degrees: int, upper: float) -> None:
    """The upper .001 points of published tables, within 2 %."""
    assert not exceeds(0.98 * upper / degrees, degrees + 1, 1.0, 3.0902)
    assert exceeds(1.02 * upper / degrees, degrees + 1, 1.0, 3.0902)


def test_the_dispersion_is_pearsons_chi_square_over_its_degrees_of_freedom() -> None:
    """Counts 2, 4, 6 at equal exposure: (4 + 0 + 4) / 4 / 2."""
    assert pearson(12.0, 3.0, 4.0 + 16.0 + 36.0, 3, False) == pytest.approx(1.0)


@pytest.mark.parametrize("dispersion", [1.0, 2.0])
def test_of_clean_periods_hardly_any_is_left_out(dispersion: float) -> None:
    rng, left = np.random.default_rng(2), 0
    for _ in range(300):
        rate = 5.0 if dispersion == 1 else rng.gamma(5 / (dispersion - 1), dispersion - 1, 20)
        cells = [(float(k), 1.0) for k in rng.poisson(rate, 20)]
        left += len(explained(cells, dispersion, False, 2.0)) < 20
    assert left <= 3


def test_bad_proportions_are_left_out() -> None:
    """20 % instead of 4 % of 100 trials in 6 of 20 periods."""
    rng = np.random.default_rng(2)
    cells = [(float(rng.binomial(100, 0.2 if t < 6 else 0.04)), 100.0) for t in range(20)]
    kept = explained(cells, 1.0, True)
    assert len(kept) >= 13
    assert max(k for k, _ in kept) < 12


def test_merged_cells_hold_all_events_and_all_exposure() -> None:
    cells, span = b"", 1
    for t in range(333):
        cells, span = added(cells, span, t, float(t % 5), 2.0)
    assert sum(k for k, _ in unpacked(cells)) == sum(t % 5 for t in range(333))
    assert sum(x for _, x in unpacked(cells)) == 666
