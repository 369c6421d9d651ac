"""Is this silence longer than chance? How many events should have come in the gap, against a bar set by false alarms a year."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import msgspec

from detectors.base import Design, Gap, Observation, Score, within

_YEAR = 31_557_600.0  # seconds


class Silence(msgspec.Struct, kw_only=True):
    """Under Poisson a gap in which `expected` events should have come has probability exp(-expected).

    A stream of `rate` events a year has as many gaps, so the bar ln(rate / false_per_year) lets about `false_per_year` of
    them pass it by chance. The bar is never below 1: at least one expected event must be missing.

    >>> detector = Silence.design(Design(limit=1 / 60))
    >>> score = detector.update(Gap(seconds=960.0, expected=16.0))
    >>> round(score.bar, 2), score.alarm
    (15.48, True)
    """

    observes: ClassVar[tuple[type, ...]] = (Gap,)
    claims: ClassVar[str] = (
        "At most about false_per_year false alarms a year if events come as a Poisson stream at the rate."
    )

    rate: float | None
    false_per_year: float

    @classmethod
    def design(cls, design: Design, *, false_per_year: float = 0.1) -> Self:
        """From the charter; `limit` is the expected rate (events per second); without one, each gap brings its own."""
        rate = None if design.limit is None else within("limit", design.limit)
        return cls(rate=rate, false_per_year=within("false_per_year", false_per_year, low=1e-9, high=1e6))

    def update(self, observation: Observation) -> Score | None:
        """Score the gap so far; `None` for a gap of no length whose rate is not known."""
        assert isinstance(observation, Gap)
        rate = self.rate
        if rate is None:
            if observation.seconds <= 0:
                return None
            rate = observation.expected / observation.seconds
        yearly = min(max(rate * _YEAR, 1e-300), 1e300)
        bar = max(1.0, math.log(yearly) - math.log(self.false_per_year))
        return Score(observation.expected, bar, observation.expected, 0.0)
