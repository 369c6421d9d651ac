"""Confidence sequence of the mean rate of a stream, or of its mean proportion: bounds that hold at all times at once.

Robbins (1970), Statistical methods related to the law of the iterated logarithm, Annals of Mathematical Statistics 41:
1397-1409; Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences,
Annals of Statistics 49: 1055-1080.

For one rate ratio r, the e-values of `detectors/likelihood.py` against the *true* rates, exp(slope k + cost m),
multiply to exp(slope K + cost E), where K are all events and E all events that were expected, given the past. A mixture
over ratios is an e-process too. By Ville's inequality it ever reaches 1/alpha with a probability of at most alpha, so
the values of E at which it has not are a confidence sequence: ratios below 1 give the upper bound, ratios above 1 the
lower.

E is linear in the rates: what is bounded is E/M, the mean of the conditional rates weighted by exposure, whatever
course the rates take. So it is for proportions, as ln(1 + (r - 1) p) is concave in p (Jensen's inequality). With an
assumed variance/mean it also holds for every smaller one.

A mean says nothing about a recent rise; `LimitEProcess` does.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, isinf, log, log1p

from detectors.base import LARGEST, within
from detectors.likelihood import count_line, proportion_line
from detectors.mixture import summed

_BELOW = ((0.15, 0.1), (0.3, 0.1), (0.45, 0.1), (0.58, 0.1), (0.68, 0.1), (0.76, 0.1), (0.82, 0.05), (0.87, 0.05),
          (0.91, 0.05), (0.94, 0.05), (0.96, 0.05), (0.98, 0.05))  # fmt: skip
_NOTHING_SEEN = 0.1  # weight of the ratio 0, which is evidence only while there is no event
_ABOVE = ((1.02, 0.05), (1.04, 0.05), (1.07, 0.05), (1.1, 0.05), (1.16, 0.05), (1.24, 0.1), (1.35, 0.1), (1.5, 0.15),
          (1.8, 0.15), (2.3, 0.1), (3.5, 0.1), (8.0, 0.05))  # fmt: skip
"""Rate ratios of the mixture and their weights, which sum to 1."""


def rate_upper(k: float, m: float, alpha: float, variance_mean: float = 1.0) -> float | None:
    """Returns the upper bound of the mean rate (events per unit) after `k` events over exposure `m`; `None` without
    exposure. P(ever below the true mean rate) <= alpha.

    >>> [round(rate_upper(k, 10.0, 0.01), 3) for k in (0.0, 10.0)]
    [0.641, 2.536]
    """
    k, m = _clipped(k, m)
    if not m:
        return None
    none = _nothing_seen(k, log(variance_mean) / (variance_mean - 1) if variance_mean > 1 else 1.0)
    lines = [(w, *count_line(r, 1.0, variance_mean)) for r, w in _BELOW]
    terms = [*none, *((log(w) + slope * k, cost) for w, slope, cost in lines)]
    return _root(lambda expected: _log_sum([a + cost * expected for a, cost in terms]), alpha, k, None) / m


def rate_lower(k: float, m: float, alpha: float, variance_mean: float = 1.0) -> float | None:
    """Returns the lower bound of the mean rate; `None` without exposure. P(ever above the true mean rate) <= alpha."""
    k, m = _clipped(k, m)
    if not m:
        return None
    lines = [(w, *count_line(r, 1.0, variance_mean)) for r, w in _ABOVE]
    terms = [(log(w) + slope * k, cost) for w, slope, cost in lines]
    return _root(lambda expected: _log_sum([a + cost * expected for a, cost in terms]), alpha, k, 0.0) / m


def proportion_upper(k: float, n: float, alpha: float, variance_mean: float = 1.0) -> float | None:
    """Returns the upper bound of the mean proportion after `k` of `n` trials; `None` without trials. P(ever below the
    true mean proportion) <= alpha.

    >>> [round(proportion_upper(k, 100.0, 0.01), 3) for k in (0.0, 10.0)]
    [0.062, 0.235]
    """
    return _share(k, n, alpha, variance_mean, _BELOW, 1.0)


def proportion_lower(k: float, n: float, alpha: float, variance_mean: float = 1.0) -> float | None:
    """Returns the lower bound of the mean proportion; `None` without trials. P(ever above the true one) <= alpha."""
    return _share(k, n, alpha, variance_mean, _ABOVE, 0.0)


def _share(
    k: float, n: float, alpha: float, variance_mean: float, ratios: tuple[tuple[float, float], ...], end: float
) -> float | None:
    k, n = _clipped(k, n)
    if not n:
        return None
    k, v = min(k, n), variance_mean

    def evidence(p: float) -> float:
        found = [log(w) + k * proportion_line(r, p, v)[0] + n * proportion_line(r, p, v)[1] for r, w in ratios]
        if end and not k:
            found.append(log(_NOTHING_SEEN) - n * log1p(-p) / v if p < 1 else inf)
        return _log_sum(found)

    return _root(evidence, alpha, k / n, end)


def _nothing_seen(k: float, cost: float) -> list[tuple[float, float]]:
    return [] if k else [(log(_NOTHING_SEEN), cost)]


def _root(evidence: Callable[[float], float], alpha: float, inside: float, end: float | None) -> float:
    """Returns where the evidence reaches ln(1/alpha), from `inside`, where it has not, towards `end` (`None`:
    upwards without an end); `end` if it does not."""
    bar = -log(within("alpha", alpha, low=1e-12, high=0.5))
    if end is None:
        end = 2 * inside + 1
        while evidence(end) < bar:
            end *= 2
    elif evidence(end) < bar:
        return end
    for _ in range(200):
        middle = (inside + end) / 2
        if middle in (inside, end):
            break
        inside, end = (middle, end) if evidence(middle) < bar else (inside, middle)
    return end


def _clipped(k: float, x: float) -> tuple[float, float]:
    return min(max(k, 0.0), LARGEST), min(max(x, 0.0), LARGEST)


def _log_sum(values: list[float]) -> float:
    top = max(values)
    return top if isinf(top) else top + log(summed([exp(v - top) for v in values]))
