"""Estimates with their Monte Carlo errors, and how to get them from a detector."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from detectors.base import Observation, Score


class Estimate(NamedTuple):
    """A figure and one standard error of its simulation."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.4g} +- {self.error:.2g}"


class Updates(Protocol):
    """What a detector does here."""

    def update(self, observation: Observation, /) -> Score | None: ...


def mean(values: ArrayLike) -> Estimate:
    """Mean of independent runs."""
    x = np.asarray(values, float)
    return Estimate(float(x.mean()), float(x.std(ddof=1) / math.sqrt(len(x))) if len(x) > 1 else math.inf)


def share(hits: int, runs: int) -> Estimate:
    """Fraction of independent runs; the error uses (successes + 1)/(runs + 2), so that it is positive without
    successes."""
    p = (hits + 1) / (runs + 2)
    return Estimate(hits / runs, math.sqrt(p * (1 - p) / runs))


def quantile(values: ArrayLike, q: float) -> Estimate:
    """Quantile of independent runs; the error is half the distance of the order statistics one binomial sd away."""
    x = np.sort(np.asarray(values, float))
    n = len(x)
    sd = math.sqrt(n * q * (1 - q))
    low, high = (int(np.clip(round(n * q + d), 0, n - 1)) for d in (-sd, sd))
    return Estimate(float(np.quantile(x, q)), float(x[high] - x[low]) / 2)


def arl(lengths: ArrayLike, cut: ArrayLike) -> Estimate:
    """Mean run length when some runs were cut short before an alarm: total time over alarms (exact if memoryless).

    `cut` says of each run whether it ended without an alarm. Raises ValueError if nothing alarmed.
    """
    t, c = np.asarray(lengths, float), np.asarray(cut, bool)
    alarms = int((~c).sum())
    if not alarms:
        raise ValueError("arl: no run alarmed; run longer")
    value = float(t.sum() / alarms)
    return Estimate(value, value / math.sqrt(alarms))


def ratio(above: Estimate, below: Estimate) -> Estimate:
    """Quotient of two independent estimates, error by the delta method."""
    value = above.value / below.value
    return Estimate(value, value * math.hypot(above.error / above.value, below.error / below.value))


def first_alarm(detector: Updates, observations: Iterable[Observation]) -> int | None:
    """Returns the number of observations until the first alarm (1 = the first one), or `None`."""
    for i, observation in enumerate(observations, 1):
        score = detector.update(observation)
        if score is not None and score.alarm:
            return i
    return None


def run_lengths(make: Callable[[], Updates], streams: Iterable[Sequence[Observation]]) -> tuple[list[int], list[bool]]:
    """Zero-state: a fresh detector per stream; lengths, and whether the stream ended first."""
    lengths: list[int] = []
    cut: list[bool] = []
    for stream in streams:
        at = first_alarm(make(), stream)
        lengths.append(len(stream) if at is None else at)
        cut.append(at is None)
    return lengths, cut


def steady(
    make: Callable[[], Updates], streams: Iterable[Sequence[Observation]], onset: int
) -> tuple[list[int], list[bool]]:
    """Steady-state: periods from `onset` to the first alarm at or after it; runs that alarmed before are left out."""
    lengths: list[int] = []
    cut: list[bool] = []
    for stream in streams:
        at = first_alarm(make(), stream)
        if at is not None and at <= onset:
            continue
        lengths.append((len(stream) if at is None else at) - onset)
        cut.append(at is None)
    return lengths, cut


def per_year(alarms: int, streams: int, periods: int, periods_per_year: float) -> Estimate:
    """False alarms per stream-year, Poisson error."""
    years = streams * periods / periods_per_year
    return Estimate(alarms / years, math.sqrt(alarms + 1) / years)


def cost(make: Callable[[], Updates], observations: Sequence[Observation], rounds: int = 5) -> tuple[float, int]:
    """Microseconds of processor time per update (best of `rounds`) and bytes of the snapshot afterwards."""
    best, detector = math.inf, make()
    for _ in range(rounds):
        detector = make()
        for o in observations[:200]:
            detector.update(o)
        began = time.process_time()  # processor time, because other programs share the machine
        for o in observations:
            detector.update(o)
        best = min(best, (time.process_time() - began) / len(observations))
    return best * 1e6, len(msgspec.msgpack.encode(detector))
