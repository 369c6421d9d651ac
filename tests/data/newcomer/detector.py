"""A record detector: alarms when a period holds more events than any period before it."""

from __future__ import annotations

from typing import ClassVar, Self

import msgspec

from detectors.base import Count, Design, Observation, Score


class Record(msgspec.Struct, kw_only=True):
    """Alarms when the count of a period passes the highest count before it; no opinion in the first period.

    >>> record = Record.design(Design())
    >>> record.update(Count(k=3.0, m=1.0)), record.update(Count(k=4.0, m=1.0)).alarm
    (None, True)
    """

    observes: ClassVar[tuple[type, ...]] = (Count,)
    claims: ClassVar[str] = "In n exchangeable periods at most one in n is expected to be a record at the n-th."

    highest: float | None = None

    @classmethod
    def design(cls, design: Design) -> Self:
        """A record needs no parameters."""
        return cls()

    def update(self, observation: Observation) -> Score | None:
        """Compare one count with the highest before it."""
        assert isinstance(observation, Count)
        before = self.highest
        self.highest = observation.k if before is None else max(before, observation.k)
        if before is None:
            return None
        return Score(statistic=observation.k - before, threshold=0.5, expected=before, observed=observation.k)
