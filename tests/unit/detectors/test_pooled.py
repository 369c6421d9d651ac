"""The random-effects estimate against published values."""

from __future__ import annotations

from math import log

import pytest

from detectors.pooled import log_odds, log_rate, pooled, student_t

# Thirteen trials of the BCG vaccine against tuberculosis, Colditz et al. (1994), JAMA 271: 698-702: cases and others
# among the vaccinated, and among the rest. The values below are those that textbooks print for it.
BCG = (
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
    (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
)  # fmt: skip
EFFECTS = [log((a / (a + b)) / (c / (c + d))) for a, b, c, d in BCG]
VARIANCES = [1 / a - 1 / (a + b) + 1 / c - 1 / (c + d) for a, b, c, d in BCG]


def test_it_gives_the_published_values_of_the_vaccine_trials() -> None:
    """DerSimonian and Laird's estimate and variance, Cochran's Q, I^2, and the interval of Hartung and Knapp."""
    found = pooled(EFFECTS, VARIANCES)
    assert [round(value, 4) for value in (found.estimate, found.error, found.between)] == [-0.7141, 0.1787, 0.3088]
    assert (round(found.q, 4), round(100 * found.i2, 2)) == (152.2330, 92.12)
    assert (round(found.low, 4), round(found.high, 4)) == (-1.1078, -0.3204)


def test_equal_effects_differ_by_chance_only() -> None:
    """Then the estimate is the weighted mean, and the interval is not narrower than without differences."""
    found = pooled([0.5, 0.5, 0.5], [0.1, 0.2, 0.4])
    assert (found.estimate, found.between, found.i2) == (pytest.approx(0.5), 0.0, 0.0)
    assert found.high - found.estimate == pytest.approx(student_t(0.975, 2) * (1 / (10 + 5 + 2.5)) ** 0.5)


def test_two_pilots_say_nothing_of_a_third() -> None:
    """A prediction interval needs three."""
    assert pooled([0.1, 0.2], [0.1, 0.1]).next_low is None
    for effects, variances in (([0.1], [0.1]), ([0.1, 0.2], [0.1]), ([0.1, 0.2], [0.1, 0.0])):
        with pytest.raises(ValueError, match="two or more"):
            pooled(effects, variances)


def test_quantiles_of_student() -> None:
    """Against tables."""
    assert [round(student_t(p, n), 3) for p, n in ((0.975, 1), (0.975, 10), (0.95, 4), (0.995, 30))] == [
        12.706, 2.228, 2.132, 2.750,
    ]  # fmt: skip


def test_nothing_and_everything_have_an_effect() -> None:
    """No events, and only events, give finite effects."""
    assert log_rate(0.0, 100.0) == (log(0.5 / 100), 2.0)
    assert log_odds(0.0, 10.0)[0] == log(0.5 / 10.5)
    assert log_odds(10.0, 10.0)[0] == -log(0.5 / 10.5)
