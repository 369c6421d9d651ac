"""Silence detector: the events expected since the last one, against a threshold from the false alarms allowed per
year."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import msgspec

from detectors.base import Design, Gap, Observation, Score, within

_YEAR = 31_557_600.0  # seconds


class Silence(msgspec.Struct, kw_only=True, rename={"threshold": "bar"}):
    """In a Poisson process a gap in which `expected` events should have come has probability exp(-expected).

    A process of `rate` events a year has as many gaps, so the threshold ln(rate / false_per_year) is exceeded by
    about `false_per_year` gaps a year. The threshold is at least 1: at least one expected event must be missing. For
    rates with cycles this holds if the gap's `expected` is the integral of the rate over it (`hours.py`; the
    time-rescaling theorem, Brown et al. 2002, Neural Computation 14: 325-346) and `limit` is the mean rate.

    Clustered events leave longer gaps. For an assumed variance/mean v, the threshold is that of clusters whose sizes
    make the counts negative binomial: clusters form a Poisson process with ln(v)/(v - 1) times the rate of events.

    >>> detector = Silence.design(Design(limit=1 / 60))
    >>> score = detector.update(Gap(seconds=960.0, expected=16.0))
    >>> round(score.threshold, 2), score.alarm
    (15.48, True)
    """

    observes: ClassVar[tuple[type, ...]] = (Gap,)
    claims: ClassVar[str] = (
        "At most about false_per_year false alarms a year if events form a Poisson process at the rate, or come in "
        "clusters within the assumed variance/mean."
    )

    rate: float | None
    false_per_year: float
    cluster: float = 1.0  # mean events per cluster
    threshold: float | None = None  # `None` if the rate is not known in advance

    @classmethod
    def design(cls, design: Design, *, false_per_year: float = 0.1) -> Self:
        """Builds the detector from the charter's settings. Raises ValueError naming the parameter.

        `limit` is the expected rate (events per second); if `None`, each gap's own rate is used. `false_per_year` is
        the number of false alarms allowed per year.
        """
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
        """Scores the gap so far. Returns `None` for a gap of length 0 whose rate is not known."""
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
