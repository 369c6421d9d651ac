"""Gaps between groups: an anytime-valid test that a segment's rate is at most a multiple of the rate of the others."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, lgamma, log, log1p, nextafter
from typing import ClassVar, Self

import msgspec

from detectors.base import LARGEST, Compared, Design, Observation, Score, ratios_of, within
from detectors.mixture import advance, log_value, onset, unstarted

_NEWTON_STEPS = 6
_CONFIDENCE = 0.95
_TRACE = 1e-12  # smaller exposures are treated as 0


class Disparity(msgspec.Struct, kw_only=True, array_like=True):
    """Mixture of e-values over onsets and over ratios beyond `at_most`, as in `limit_e_process`; alarm at 1/alpha.

    P(ever an alarm) <= alpha if in every period the segment's rate is at most `at_most` times the rate of all other
    segments together (direction `below`: at least 1/`at_most` times), at every stopping time (Ville's inequality). What
    moves all segments alike, such as a busy day, drops out, whatever its size: the e-value of a period has expectation
    1 for every common rate.

    The e-value is a^k b^k_rest with a > 1 > b. For Poisson counts it is the likelihood ratio of the segment's part of
    all events, which is binomial given their number (Przyborowski and Wilenski 1940, Biometrika 31: 313-323). For an
    assumed variance/mean v, a and b solve the same equation for negative binomials; the expectation is then at most 1
    for all smaller dispersions, also if segments differ in theirs, because the probability generating functions are
    ordered. Proportions are covered by the Poisson bound, which is close for small ones and conservative for large.

    `ratio` of a score near its threshold is the ratio of the rates over all periods with a 95 % confidence sequence
    (Robbins 1970, Annals of Mathematical Statistics 41: 1397-1409: a beta mixture): valid at all times for a constant
    ratio and a constant division of the exposure, approximate otherwise.

    >>> detector = Disparity.design(Design(alpha=0.01), at_most=1.25)
    >>> detector.update(Compared(k=9.0, x=100.0, rest_k=8.0, rest_x=100.0)).alarm
    False
    >>> detector.update(Compared(k=49.0, x=100.0, rest_k=8.0, rest_x=100.0)).alarm
    True
    """

    observes: ClassVar[tuple[type, ...]] = (Compared,)
    claims: ClassVar[str] = (
        "P(ever alarming) <= alpha if the segment's rate is within at_most times that of the others in every period, "
        "for Poisson, negative binomial or binomial periods within the assumed variance/mean."
    )

    threshold: float
    alpha: float
    at_most: float  # with the margin for uncertain exposure
    dispersion: float
    above: bool
    ratios: tuple[float, ...]
    minimum_events: int
    periods: int = 0
    k: float = 0.0  # totals: of the segment, and of the others
    x: float = 0.0
    rest_k: float = 0.0
    rest_x: float = 0.0
    sums: Sequence[float] = ()
    logs: bool = False  # whether `sums` are logarithms

    @classmethod
    def design(
        cls, design: Design, *, at_most: float = 1.25, ratios: tuple[float, ...] = (1.1, 1.25, 1.5, 2.0, 3.0)
    ) -> Self:
        """Builds the detector from the charter's settings. Raises ValueError naming the parameter.

        `at_most`: the largest ratio allowed (1 to 1000). `ratios` (> 1): the ratios beyond it that are detected.
        """
        if design.alpha is None or not 0 < design.alpha < 1:
            raise ValueError(f"alpha: {design.alpha!r} allows no threshold; give the indicator a weight above 0")
        margin = 1 + within("uncertainty", design.uncertainty, low=0, high=10)
        chosen = ratios_of(ratios)
        return cls(
            threshold=-log(design.alpha),
            alpha=design.alpha,
            at_most=within("at_most", at_most, low=1, high=1000) * margin,
            dispersion=within("variance_mean", design.variance_mean, low=1, high=1000),
            above=design.sign > 0,
            ratios=chosen,
            minimum_events=design.minimum_events,
            sums=[0.0] * len(chosen),
        )

    def amend(self, design: Design) -> None:
        """Applies a changed `variance_mean` from the next period on. Threshold and evidence stay: the product of
        e-values, each for the dispersion assumed in its period, is still an e-process."""
        self.dispersion = within("variance_mean", design.variance_mean, low=1, high=1000)

    def update(self, observation: Observation) -> Score | None:
        """Processes one closed period. Returns `None` where the segment or the others have no exposure."""
        if type(observation) is not Compared:
            return None
        k, x = min(observation.k, LARGEST), min(observation.x, LARGEST)
        rest_k, rest_x = min(observation.rest_k, LARGEST), min(observation.rest_x, LARGEST)
        if x < _TRACE or rest_x < _TRACE:
            return None
        expected = rest_k / rest_x * (self.at_most if self.above else 1 / self.at_most)
        more, less = ((k, x), (rest_k, rest_x)) if self.above else ((rest_k, rest_x), (k, x))
        part = self.at_most * more[1] / (self.at_most * more[1] + less[1])
        self.periods += 1
        lines = tuple(number for r in self.ratios for number in line_of(r, part, self.dispersion))
        weights = [onset(self.periods) / len(self.ratios)] * len(self.ratios)
        self.sums, self.logs, _ = advance(self.sums, self.logs, lines, more[0], less[0], weights)
        statistic = log_value(self.sums, self.logs, unstarted(self.periods))
        self.k, self.x, self.rest_k, self.rest_x = self.k + k, self.x + x, self.rest_k + rest_k, self.rest_x + rest_x
        if (self.k if self.above else self.rest_k) < self.minimum_events:
            statistic = min(statistic, nextafter(self.threshold, -inf))
        ratio = self.interval() if statistic >= self.threshold / 2 else None
        if observation.is_proportion:
            return Score(statistic, self.threshold, expected, k / x, self.alpha, None, ratio)
        return Score(statistic, self.threshold, min(expected * x, LARGEST), k, self.alpha, None, ratio)

    def interval(self) -> tuple[float, float, float] | None:
        """Returns the ratio of the rates over all periods, and the ends of its 95 % confidence sequence; `None` before
        both sides have an event."""
        if not self.k or not self.rest_k:
            return None
        share = self.rest_x / self.x
        low, high = _part(self.k / self.dispersion, self.rest_k / self.dispersion)
        odds = [p / max(1 - p, 1e-12) * share for p in (low, high)]
        return self.k / self.rest_k * share, odds[0], odds[1]


def line_of(ratio: float, part: float, v: float) -> tuple[float, float]:
    """Returns (ln a, ln b): the log e-value per event of the segment and of the others, where the segment is expected
    to have `part` of all events at the limit, and `ratio` times the limit's ratio is the alternative.

    For v = 1 both follow from a = ratio b and part a + (1 - part) b = 1. Otherwise the means become `ratio` x rho and
    rho times the null's, at equal shapes (`likelihood.count_line`), and rho solves part ln(1 + ratio rho w) +
    (1 - part) ln(1 + rho w) = ln v with w = v - 1. Newton's steps stay below the root of this concave function, where
    the expectation of the e-value is below 1.
    """
    rho = 1 / (1 + (ratio - 1) * part)
    w = v - 1
    if w < 1e-9:
        return log(ratio * rho), log(rho)
    for _ in range(_NEWTON_STEPS):
        up, down = 1 + ratio * rho * w, 1 + rho * w
        miss = part * log(up) + (1 - part) * log(down) - log1p(w)
        rho -= miss / (w * (part * ratio / up + (1 - part) / down))
    return log(ratio * rho * v / (1 + ratio * rho * w)), log(rho * v / (1 + rho * w))


def _part(k: float, rest: float) -> tuple[float, float]:
    """Returns the confidence sequence of the proportion k / (k + rest): where the beta mixture (Jeffreys' prior) is
    less than 20 times as likely."""
    mixed = lgamma(k + 0.5) + lgamma(rest + 0.5) - lgamma(k + rest + 1) - 2 * lgamma(0.5)
    bound = mixed + log(1 - _CONFIDENCE)
    middle, ends = k / (k + rest), []
    for outer in (0.0, 1.0):
        near = middle
        far = outer
        for _ in range(50):
            p = (near + far) / 2
            inside = 0 < p < 1 and k * log(p) + rest * log1p(-p) > bound
            near, far = (p, far) if inside else (near, p)
        ends.append(far)
    return ends[0], ends[1]
