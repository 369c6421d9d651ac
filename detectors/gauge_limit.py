"""Comparison of a gauge (a cost, a gain) with the charter's limit: no likelihood model, so no error guarantee."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import msgspec

from detectors.base import Design, Gauge, Observation, Score, within


class GaugeLimit(msgspec.Struct, kw_only=True):
    """Alarms in every period whose value lies beyond the limit; a value equal to the limit does not alarm.

    `statistic` is the value in its own unit, negated for direction `below`, so that larger is always worse.

    >>> GaugeLimit.design(Design(limit=3.0)).update(Gauge(value=3.5)).alarm
    True
    """

    observes: ClassVar[tuple[type, ...]] = (Gauge,)
    claims: ClassVar[str] = "Nothing beyond the comparison: every value past the limit alarms, no value within it does."

    sign: int
    limit: float

    @classmethod
    def design(cls, design: Design) -> Self:
        """Builds the comparison from the charter's limit (finite, in the gauge's unit) and direction. Raises
        ValueError."""
        if design.limit is None:
            raise ValueError("limit: a gauge is compared with a limit; give the indicator one")
        return cls(sign=design.sign, limit=within("limit", design.limit, low=-1e300))

    def update(self, observation: Observation) -> Score | None:
        """Compares one value with the limit."""
        assert isinstance(observation, Gauge)
        threshold = math.nextafter(self.sign * self.limit, math.inf)
        return Score(self.sign * observation.value, threshold, self.limit, observation.value)
