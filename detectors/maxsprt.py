"""Poisson MaxSPRT: an exact sequential test of a rate against an expected one, up to a planned number of expected
events.

Kulldorff, Davis, Kolczak, Lewis, Lieu, Platt (2011), A maximized sequential probability ratio test for drug and vaccine
safety surveillance, Sequential Analysis 30: 58-78. With c events where m were expected, LLR = (m - c) + c ln(c/m) if
c > m, else 0. The test signals when LLR >= the critical value and c >= `min_events`, at any moment before m reaches
`upper`. The critical value makes the probability of a signal at the expected rate exactly alpha; it is computed here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar, NamedTuple, Self

import msgspec

from detectors.base import Count, Design, Observation, Score, events_of, within


class MaxSprt(msgspec.Struct, kw_only=True, rename={"threshold": "bar"}):
    """Poisson MaxSPRT of the events against limit x exposure, until `horizon` events were expected; `None` after that.

    Compared with `limit_e_process`: shorter delay for an excess present from the first day, low power for one that
    begins after a long period within the limit, and a fixed end. Scores at the ends of periods are a subset of all
    moments, so alpha holds for them too. Counts only, Poisson only: a variance/mean above 1 is refused.

    >>> detector = MaxSprt.design(Design(limit=2.0, alpha=0.05), horizon=20)
    >>> [detector.update(Count(k=k, m=1.0)).alarm for k in (2, 6, 7)]
    [False, False, True]
    """

    observes: ClassVar[tuple[type, ...]] = (Count,)
    claims: ClassVar[str] = (
        "P(ever alarming before horizon events were expected) <= alpha for Poisson events within the limit and its "
        "uncertainty."
    )

    threshold: float
    alpha: float
    rate: float
    horizon: float
    minimum_events: int
    events: float = 0.0
    expected: float = 0.0

    @classmethod
    def design(cls, design: Design, *, horizon: float = 100.0) -> Self:
        """Builds the test from the charter's limit and alpha. Raises ValueError naming the parameter.

        `horizon` (0.1 to 200) is in events expected at the limit.
        """
        if design.alpha is None or not 0 < design.alpha < 1:
            raise ValueError(f"alpha: {design.alpha!r} allows no threshold; give the indicator a weight above 0")
        if design.variance_mean > 1:
            raise ValueError("variance_mean: maxsprt supports Poisson counts only; use limit_e_process")
        if design.sign < 0:
            raise ValueError("direction: maxsprt detects too many events only; use limit_e_process")
        upper = within("horizon", horizon, low=0.1, high=200)
        return cls(
            threshold=critical_value(upper, design.alpha, design.minimum_events),
            alpha=design.alpha,
            rate=design.allowed(),
            horizon=upper,
            minimum_events=design.minimum_events,
        )

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` once the horizon is passed."""
        k, m = events_of(observation)
        expected = self.rate * m
        self.expected += expected
        if self.expected > self.horizon:
            self.expected = 2 * self.horizon  # the test has ended; the sum stays finite
            return None
        self.events += k
        statistic = llr(self.events, self.expected) if self.events >= self.minimum_events else 0.0
        return Score(statistic, self.threshold, expected, k, self.alpha)


class Outcome(NamedTuple):
    """`power`: P(signal before `upper`); `time`: its expected time given a signal, in events expected at the null
    rate."""

    power: float
    time: float


def llr(c: float, m: float) -> float:
    """Returns the log likelihood ratio of `c` events where `m` >= 0 were expected, at the best-fitting rate; 0 unless
    c > m."""
    if c <= m:
        return 0.0
    return (m - c) + c * (math.log(c) - math.log(max(m, 1e-300)))


@lru_cache(maxsize=256)
def critical_value(upper: float, alpha: float = 0.05, min_events: int = 1) -> float:
    """Returns the critical value at which P(signal before `upper` expected events) is `alpha` at the null rate, to
    1e-9.

    Raises ValueError if requiring `min_events` alone makes a signal rarer than alpha.

    >>> round(critical_value(20), 6)
    3.628123
    """
    within("upper", upper, low=1e-6, high=10_000)
    within("alpha", alpha, low=1e-12, high=0.5)
    if within("min_events", min_events, low=1, high=10_000) != int(min_events):
        raise ValueError(f"min_events: {min_events!r} is not a whole number from 1 to 10000")
    min_events = int(min_events)

    def excess(critical: float) -> float:
        """Returns ln(spent alpha / alpha), which decreases nearly linearly in the critical value."""
        return math.log(max(_spent(critical, upper, min_events), 1e-300) / alpha)

    low, high = 2.0, 4.0
    f_low, f_high = excess(low), excess(high)
    while f_high > 0:
        low, f_low = high, f_high
        high *= 2
        f_high = excess(high)
    while f_low < 0:
        if low < 1e-6:
            raise ValueError(
                f"min_events: {min_events} events are rarer than alpha {alpha} within {upper} expected ones"
            )
        high, f_high = low, f_low
        low /= 4
        f_low = excess(low)
    side = 0
    while high - low > 1e-9:  # Illinois: false position that cannot stall
        middle = (low * f_high - high * f_low) / (f_high - f_low)
        if not low + 1e-11 < middle < high - 1e-11:
            middle = (low + high) / 2
        f = excess(middle)
        if f > 0:
            low, f_low = middle, f
            f_high, side = (f_high / 2 if side > 0 else f_high), 1
        else:
            high, f_high = middle, f
            f_low, side = (f_low / 2 if side < 0 else f_low), -1
        if abs(f) < 1e-12:
            return middle
    return (low + high) / 2


def power(critical: float, upper: float, rate_ratio: float, min_events: int = 1) -> Outcome:
    """Returns power and time to signal of a test with this `critical` value at `rate_ratio` times the expected rate.

    >>> found = power(critical_value(10), 10, 2.0)
    >>> round(found.power, 7), round(found.time, 6)
    (0.6850634, 4.130985)
    """
    within("rate_ratio", rate_ratio, low=1e-6, high=1e6)
    signalled = weighted = 0.0
    for chance, moment in _walk(critical, upper, rate_ratio, min_events):
        signalled += chance
        weighted += moment
    return Outcome(signalled, weighted / signalled if signalled else math.inf)


def _spent(critical: float, upper: float, min_events: int) -> float:
    return sum(chance for chance, _ in _walk(critical, upper, 1.0, min_events))


def _walk(critical: float, upper: float, ratio: float, min_events: int) -> Iterator[tuple[float, float]]:
    """Yields P(signal) and E[time; signal] for each interval of time in which the same number of events signals."""
    survivors, now, needed = [1.0], 0.0, min_events
    while now < upper:
        until = min(upper, _latest(needed, critical))
        step = max(0.0, until - now) * ratio
        pmf = _poisson(step)
        at_least = [1.0]  # P(N >= j) for j = 0, 1, ...
        for p in pmf:
            at_least.append(at_least[-1] - p)
        for j in range(len(pmf) - 1, -1, -1):  # recomputed from the small end, where subtraction loses digits
            at_least[j] = (at_least[j + 1] if j + 1 < len(pmf) else 0.0) + pmf[j]
        at_least.append(0.0)
        chance = moment = 0.0
        near = max(0, needed - len(pmf) + 1)  # fewer events cannot signal in this interval
        for have, weight in enumerate(survivors[near:], near):
            missing = needed - have
            chance += weight * at_least[missing]
            later = at_least[missing + 1] if missing + 1 < len(pmf) else 0.0
            moment += weight * (now * at_least[missing] + missing / ratio * later)
        yield chance, moment
        survivors, now, needed = _moved(survivors, pmf, needed), until, needed + 1


def _moved(survivors: list[float], pmf: list[float], below: int) -> list[float]:
    """Returns the distribution of the count after an interval, restricted to counts under `below`."""
    if len(survivors) > 250:  # plain Python up to here: bit-equal on every machine for every horizon a charter may set
        import numpy as np

        return [float(p) for p in np.convolve(survivors, pmf)[:below]]
    moved = [0.0] * below
    for have, weight in enumerate(survivors):
        if weight:
            for j, p in enumerate(pmf[: below - have]):
                moved[have + j] += weight * p
    return moved


def _poisson(mean: float) -> list[float]:
    """Returns P(0), P(1), ... until the terms are below 1e-18 of the largest."""
    if mean <= 0:
        return [1.0]
    made, k, peak = [], 0, 0.0
    while True:
        p = math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))
        made.append(p)
        peak = max(peak, p)
        if k > mean and p < 1e-18 * peak:
            return made
        k += 1


def _latest(c: int, critical: float) -> float:
    """Returns the largest m < c at which c events signal: the root of x - 1 - ln x = critical / c with x = m / c <
    1."""
    y = critical / c
    x = math.exp(-1 - y)
    for _ in range(200):
        move = (x - 1 - math.log(x) - y) / (1 - 1 / x)
        x = min(max(x - move, x / 2), (1 + x) / 2)
        if abs(move) < 1e-15 * x:
            break
    return c * x
