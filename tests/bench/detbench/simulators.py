"""Seeded streams with known truth: counts, proportions, outbreaks, silence, durations and unusual nulls.

Arrays are (streams, periods). Levels follow `profile` (cycle and trend, mean 1) times a change (`step`, `ramp`,
`spike`).
"""

from __future__ import annotations

import zlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rng = np.random.Generator

MEANS = (0.05, 0.5, 5.0, 50.0)
SPREADS = (1.0, 1.5, 2.0, 3.0, 5.0)  # variance/mean
CYCLES = (0.0, 0.3, 0.6)  # relative amplitude
TRENDS = (-0.2, 0.0, 0.2)  # relative change per year
STEPS = (1.2, 1.5, 2.0, 3.0, 5.0)
TRIALS = (5, 50, 500)
RHOS = (0.0, 0.01, 0.05)  # beta-binomial correlation within a period
DAY, WEEK, YEAR = 24, 168, 8766


def rng(name: str) -> Rng:
    """Returns a generator seeded by a name, so that goals use different numbers and every run repeats."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def profile(
    periods: int,
    *,
    cycle: float = 0.0,
    trend: float = 0.0,
    day: float = DAY,
    week: float | None = WEEK,
    year: float = YEAR,
    phase: float | Floats = 0.0,
) -> Floats:
    """Relative level of each period: a daily wave of amplitude `cycle`, a weekly one of a third of it, and a trend.

    `trend` is the relative change per `year` periods. `phase` in periods; an array of shape (streams, 1) gives each
    stream its own. The mean over whole cycles is 1.
    """
    t = np.arange(periods) + phase
    level = 1 + cycle * np.cos(2 * np.pi * t / day)
    if week is not None:
        level = level + cycle / 3 * np.cos(2 * np.pi * t / week)
    out: Floats = level * (1 + trend) ** ((t - periods / 2) / year)
    return out


def step(periods: int, onset: int, ratio: float) -> Floats:
    """1 before `onset`, `ratio` from it on."""
    return np.where(np.arange(periods) >= onset, ratio, 1.0)


def ramp(periods: int, onset: int, ratio: float, length: int) -> Floats:
    """1 before `onset`, `ratio` after `length` more periods, linear in between."""
    return 1 + (ratio - 1) * np.clip((np.arange(periods) - onset + 1) / length, 0, 1)


def spike(periods: int, onset: int, ratio: float, length: int = 1) -> Floats:
    """`ratio` for `length` periods from `onset`, else 1."""
    at = np.arange(periods) - onset
    return np.where((at >= 0) & (at < length), ratio, 1.0)


def counts(rng: Rng, mean: float | Floats, dispersion: float = 1.0, size: Any = None) -> Floats:
    """Returns Poisson (dispersion 1) or negative binomial counts with variance/mean `dispersion` (shape
    mean/(dispersion-1))."""
    level = np.broadcast_to(np.asarray(mean, float), size if size is not None else np.shape(mean))
    if dispersion > 1:
        level = rng.gamma(np.maximum(level, 1e-300) / (dispersion - 1), dispersion - 1)
    out: Floats = rng.poisson(level).astype(float)
    return out


def counts_of_shape(rng: Rng, mean: Floats, shape: float) -> Floats:
    """Negative binomial counts of fixed shape: variance mean + mean^2/shape."""
    out: Floats = rng.poisson(mean * rng.gamma(shape, 1 / shape, np.shape(mean))).astype(float)
    return out


def shares(
    rng: Rng, trials: int | NDArray[np.int64], share: float | Floats, rho: float = 0.0, size: Any = None
) -> Floats:
    """Returns successes out of `trials`, binomial (rho 0) or beta-binomial with correlation `rho` between trials of a
    period."""
    p = np.broadcast_to(np.asarray(share, float), size if size is not None else np.shape(share))
    if rho > 0:
        total = 1 / rho - 1
        p = rng.beta(p * total, (1 - p) * total)
    out: Floats = rng.binomial(trials, p).astype(float)
    return out


def outbreak(
    rng: Rng, size: float | Floats, weeks: int, shape: Literal["spike", "lognormal", "slow"], runs: int
) -> Floats:
    """Extra cases per week after Noufaily et al. (2013): Poisson(`size`) cases spread over time, (runs, weeks).

    `lognormal`: each case falls at exp(N(0, .5)) weeks, as in the paper; `spike`: all in the first week; `slow`: at
    4 exp(N(0, .5)) weeks, so that no single week stands out.
    """
    totals = rng.poisson(np.broadcast_to(np.asarray(size, float), (runs,)))
    if shape == "spike":
        out = np.zeros((runs, weeks))
        out[:, 0] = totals
        return out
    scale = 4.0 if shape == "slow" else 1.0
    at = np.minimum((scale * rng.lognormal(0.0, 0.5, int(totals.sum()))).astype(int), weeks - 1)
    out = np.zeros((runs, weeks))
    np.add.at(out, (np.repeat(np.arange(runs), totals), at), 1.0)
    return out


def events(rng: Rng, rate: Floats, width: float = 3600.0) -> Floats:
    """Times (s) of a Poisson stream whose rate in period i is `rate[i]` expected events; `width` seconds per period."""
    n = rng.poisson(rate)
    starts = np.repeat(np.arange(len(rate)), n)
    out: Floats = np.sort((starts + rng.random(len(starts))) * width)
    return out


def office_hours(periods: int, mean: float, *, closed: float = 0.02) -> Floats:
    """Returns expected events per hour with business hours (9-17, Monday to Friday), and `closed` x that rate
    outside."""
    t = np.arange(periods)
    open_ = (t % DAY >= 9) & (t % DAY < 17) & (t // DAY % 7 < 5)
    return np.where(open_, mean, mean * closed)


def late_batches(rng: Rng, times: Floats, share: float, delay: float) -> Floats:
    """Returns delivery times: `share` of the events come with the next delivery, every `delay` seconds; sorted."""
    late = rng.random(len(times)) < share
    out: Floats = np.sort(np.where(late, np.ceil(times / delay) * delay, times))
    return out


def durations(
    rng: Rng, median: float, n: int, *, sigma: float = 1.0, censor: float | None = None
) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns lognormal handling times and whether each was finished; those longer than `censor` are open at that
    age."""
    times = median * rng.lognormal(0.0, sigma, n)
    if censor is None:
        return times, np.ones(n, bool)
    return np.minimum(times, censor), times <= censor


def adversarial(periods: int = 20_000) -> dict[str, Floats]:
    """Returns streams of an unchanged pilot that cause false alarms in many monitors."""
    rare = np.zeros(periods)
    rare[periods // 2] = 1.0
    level = np.where(np.arange(periods) < periods // 4, 5.0, 9.0)
    r = rng("adversarial")
    return {
        "constant": np.full(periods, 4.0),
        "all zero": np.zeros(periods),
        "one event in all": rare,
        "level change, then stable": counts(r, level),
        "constant, then another constant": level,
        "unit change (x 1000)": counts(r, np.full(periods, 5.0))
        * np.where(np.arange(periods) < periods // 4, 1.0, 1000.0),
    }
