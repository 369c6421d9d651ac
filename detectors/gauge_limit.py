"""Is a gauge (a cost, a gain) beyond what the charter states? A plain comparison: no likelihood, so no promise of error."""

from __future__ import annotations

import math
from typing import ClassVar, Self

import msgspec

from detectors.base import Design, Gauge, Observation, Score, within


class GaugeLimit(msgspec.Struct, kw_only=True):
    """Alarms in every period whose value lies beyond the limit; a value at the limit keeps it.

    `statistic` is the value in its own unit, with its sign turned for `below`, so that more is always worse.

    >>> GaugeLimit.design(Design(limit=3.0)).update(Gauge(value=3.5)).alarm
    True
    """

    observes: ClassVar[tuple[type, ...]] = (Gauge,)
    claims: ClassVar[str] = "Nothing beyond the comparison: every value past the limit alarms, no value within it does."

    sign: int
    limit: float

    @classmethod
    def design(cls, design: Design) -> Self:
        """From the charter's limit (any finite number) and direction; the gauge's unit is the limit's."""
        if design.limit is None:
            raise ValueError("limit: a gauge is compared with a limit; give the indicator one")
        return cls(sign=design.sign, limit=within("limit", design.limit, low=-1e300))

    def update(self, observation: Observation) -> Score | None:
        """Compare one value with the limit."""
        assert isinstance(observation, Gauge)
        threshold = math.nextafter(self.sign * self.limit, math.inf)
        return Score(self.sign * observation.value, threshold, self.limit, observation.value)
