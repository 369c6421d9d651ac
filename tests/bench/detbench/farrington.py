"""Farrington's method in its flexible form, the standard of public health agencies for weekly counts: the reference
of G5.

A quasi-Poisson regression of five years of weeks (a trend, ten seasons a year), past outbreaks weighted down, and a
negative binomial bound on this week. The last half year is left out, so that an outbreak does not raise its own
bound.

Noufaily, Enki, Farrington, Garthwaite, Andrews, Charlett (2013), An improved algorithm for outbreak detection in
multiple surveillance systems, Statistics in Medicine 32: 1206-1222. All series are fitted at once, in numpy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

YEAR = 52
HALF_WINDOW, SEASONS, LEFT_OUT, YEARS = 3, 10, 26, 5
DOWN_FROM = 2.58  # Anscombe residuals above this are weighted down
_ROUNDS = 30


class Expected(NamedTuple):
    """Per series: expected count of this week, and variance/mean (1 or more)."""

    mean: Floats
    dispersion: Floats


def expected(history: Floats) -> Expected:
    """Returns the forecast of the week after `history` (series, weeks; oldest first). Raises ValueError below three
    years.

    The trend is dropped for a series whose forecast would exceed all its counts, as in the paper.
    """
    weeks = history.shape[1]
    used = np.arange(max(0, weeks - YEARS * YEAR - HALF_WINDOW), weeks - LEFT_OUT)
    if len(used) < 3 * YEAR - LEFT_OUT:
        raise ValueError(f"history: {weeks} weeks are too few; give at least {3 * YEAR}")
    design, now = _design(used, weeks)
    y = history[:, used]
    with_trend = _fit(y, design, now)
    without = np.delete(design, 1, axis=1), np.delete(now, 1)
    wild = with_trend.mean > y.max(axis=1)
    if not wild.any():
        return with_trend
    plain = _fit(y[wild], *without)
    mean, dispersion = with_trend.mean.copy(), with_trend.dispersion.copy()
    mean[wild], dispersion[wild] = plain
    return Expected(mean, dispersion)


def _design(used: NDArray[np.int64], week: int) -> tuple[Floats, Floats]:
    """Returns the design matrix (constant, trend in years before this week, nine seasons) and the row of this week,
    whose season, 7 weeks long, is the tenth.
    """
    distance = (week - used) % YEAR
    around = np.minimum(distance, YEAR - distance) <= HALF_WINDOW
    rest = YEAR - 2 * HALF_WINDOW - 1
    place = (distance - HALF_WINDOW - 1) * (SEASONS - 1) // rest
    columns = [np.ones(len(used)), (used - week) / YEAR]
    columns += [np.where(~around & (place == s), 1.0, 0.0) for s in range(SEASONS - 1)]
    return np.stack(columns, axis=1), np.array([1.0, 0.0] + [0.0] * (SEASONS - 1))


def _fit(y: Floats, design: Floats, now: Floats) -> Expected:
    """Fits, weights down outliers, and fits again. Returns the forecast and the dispersion."""
    weight = np.ones_like(y)
    mean, hat, _ = _regress(y, design, weight)
    dispersion = _dispersion(y, mean, weight, design.shape[1])
    residual = 1.5 * (y ** (2 / 3) - mean ** (2 / 3)) / mean ** (1 / 6)
    residual /= np.sqrt(dispersion[:, None] * np.maximum(1 - hat, 1e-6))
    weight = np.where(residual > DOWN_FROM, np.maximum(residual, DOWN_FROM) ** -2.0, 1.0)
    weight *= y.shape[1] / weight.sum(axis=1, keepdims=True)
    mean, _, coefficients = _regress(y, design, weight)
    dispersion = _dispersion(y, mean, weight, design.shape[1])
    return Expected(np.exp(np.clip(coefficients @ now, -20, 20)), dispersion)


def _regress(y: Floats, design: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Weighted Poisson regression with log link by iteratively reweighted least squares: fitted means, leverages,
    coefficients.

    A small ridge penalty keeps a season without any count finite.
    """
    p = design.shape[1]
    ridge = np.diag([0.0] + [1e-3] * (p - 1))
    coefficients = np.zeros((len(y), p))
    coefficients[:, 0] = np.log(np.maximum(y.mean(axis=1), 1e-3))
    outer = (design[:, :, None] * design[:, None, :]).reshape(len(design), p * p)
    for _ in range(_ROUNDS):
        eta = np.clip(coefficients @ design.T, -20, 20)
        mean = np.exp(eta)
        w = weight * mean
        normal = (w @ outer).reshape(-1, p, p) + ridge
        right = (w * eta + weight * (y - mean)) @ design
        found = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        done = np.abs(found - coefficients).max() < 1e-6
        coefficients = np.clip(found, -20, 20)
        if done:
            break
    mean = np.exp(np.clip(coefficients @ design.T, -20, 20))
    w = weight * mean
    inverse = np.linalg.inv((w @ outer).reshape(-1, p, p) + ridge)
    hat = w * (inverse.reshape(-1, p * p) @ outer.T)
    return mean, hat, coefficients


def _dispersion(y: Floats, mean: Floats, weight: Floats, parameters: int) -> Floats:
    pearson = (weight * (y - mean) ** 2 / mean).sum(axis=1) / (y.shape[1] - parameters)
    out: Floats = np.maximum(pearson, 1.0)
    return out
