"""A rise of a rate in a window against a baseline, by an exact conditional test.

Of `k` events over exposure `m` and a baseline of `k0` over `m0`, given their sum n = k + k0, `k` is binomial with share
m/(m + m0) if both rates are equal (Przyborowski and Wilenski 1940, Homogeneity of results in testing samples from
Poisson series, Biometrika 31: 313-323). The p-value is P(K >= k), so for Poisson counts whose rate in the window is at
most that of the baseline, P(p-value <= s) <= s in each window.

Counts that vary more than Poisson counts (`variance_mean` > 1) are divided by it first, the window's rounded down and
the baseline's up. That is an approximation; `tests/unit/detectors/test_trend.py` simulates it, also where the
assumed dispersion is right and the distribution is not Poisson.
"""

from __future__ import annotations

from math import ceil, floor, isfinite
from typing import NamedTuple

from detectors.intervals import beta_i, proportion_interval


class Trend(NamedTuple):
    """`p_value` of a rise; `ratio` of the rates with its exact lower 97.5 % limit `low` (`None` where the baseline has
    no events, or the window no exposure); `expected` events in the window at the rate of the baseline."""

    p_value: float
    ratio: float | None
    low: float | None
    expected: float


def rise(k: float, m: float, k0: float, m0: float, variance_mean: float = 1.0) -> Trend:
    """The trend of `k` >= 0 events over exposure `m` >= 0 against `k0` >= 0 over `m0` > 0. Raises ValueError for
    numbers outside of these ranges.

    >>> found = rise(9, 100.0, 3, 100.0)
    >>> round(found.p_value, 4), found.ratio, found.expected
    (0.073, 3.0, 3.0)
    """
    if not (k >= 0 and m >= 0 and k0 >= 0 and m0 > 0 and variance_mean >= 1 and isfinite(k + m + k0 + m0)):
        raise ValueError(f"no trend of {k} over {m} against {k0} over {m0}, variance/mean {variance_mean}")
    expected = k0 * m / m0
    few, many = floor(k / variance_mean + 1e-9), ceil(k0 / variance_mean - 1e-9)
    share = m / (m + m0)
    p_value = beta_i(few, many + 1, share) if few > 0 and m > 0 else 1.0
    if not (k0 and m):
        return Trend(p_value, None, None, expected)
    low = proportion_interval(few, few + many)[0]
    return Trend(p_value, k * m0 / (m * k0), low / (1 - low) * m0 / m, expected)
