"""Is this silence longer than chance? How many events should have come in the gap, against a bar set by false alarms a year."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import msgspec

from detectors.base import Design, Gap, Observation, Score, within

_YEAR = 31_557_600.0  # seconds


class Silence(msgspec.Struct, kw_only=True, rename={"threshold": "bar"}):
    """Under Poisson a gap in which `expected` events should have come has probability exp(-expected).

    A stream of `rate` events a year has as many gaps, so the bar ln(rate / false_per_year) lets about `false_per_year` of
    them pass it by chance. The bar is never below 1: at least one expected event must be missing. With cycles that holds
    if the gap's `expected` is the integral of the rate over it (`hours.py`) and `limit` the mean rate.

    Events that come in clusters leave longer gaps. Where the charter grants a variance/mean v, the bar is that of clusters
    whose sizes make counts negative binomial: they come ln(v)/(v - 1) times as often as events, exactly as Poisson.

    >>> detector = Silence.design(Design(limit=1 / 60))
    >>> score = detector.update(Gap(seconds=960.0, expected=16.0))
    >>> round(score.threshold, 2), score.alarm
    (15.48, True)
    """

    observes: ClassVar[tuple[type, ...]] = (Gap,)
    claims: ClassVar[str] = (
        "At most about false_per_year false alarms a year if events come as a Poisson stream at the rate, or in clusters "
        "within the granted variance/mean."
    )

    rate: float | None
    false_per_year: float
    cluster: float = 1.0  # events per cluster, as gaps see them
    threshold: float | None = None  # worked out once where the rate is known

    @classmethod
    def design(cls, design: Design, *, false_per_year: float = 0.1) -> Self:
        """From the charter; `limit` is the expected rate (events per second); without one, each gap brings its own."""
        rate = None if design.limit is None else within("limit", design.limit)
        spread = within("variance_mean", design.variance_mean, low=1, high=1000) - 1
        made = cls(
            rate=rate,
            false_per_year=within("false_per_year", false_per_year, low=1e-9, high=1e6),
            cluster=spread / math.log1p(spread) if spread > 1e-9 else 1.0,
        )
        if rate is not None:
            made.threshold = made._threshold(rate)
        return made

    def update(self, observation: Observation) -> Score | None:
        """Score the gap so far; `None` for a gap of no length whose rate is not known."""
        assert isinstance(observation, Gap)
        threshold = self.threshold
        if threshold is None:
            if observation.seconds <= 0:
                return None
            threshold = self._threshold(observation.expected / observation.seconds)
        return Score(observation.expected, threshold, observation.expected, 0.0)

    def _threshold(self, rate: float) -> float:
        gaps = min(max(rate * _YEAR / self.cluster, 1e-300), 1e300)
        return self.cluster * max(1.0, math.log(gaps) - math.log(self.false_per_year))
