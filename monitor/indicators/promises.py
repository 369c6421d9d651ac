"""Promises to answer something within a time: broken ones of all, in the period in which each falls due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import OpenPeriod, Slot, by_segment
from monitor.model.events import millis
from monitor.model.periods import Span


class Promise:
    """What was filed counts as broken from its filing on; an answer in time takes that back, and a withdrawal in time
    takes all of it back. So what is open is never ignored, and it is judged when its promise is due.
    """

    def __init__(self, spec: IndicatorSpec, promise: Span) -> None:
        self.spec, self.promise, self.grid = spec, promise, spec.grid()

    def filed(self, at: int, segment: str) -> Slot:
        """The increment of something that was filed at `at` (ms)."""
        return Slot(self.promise.after(at), segment, 1.0, 1.0)

    def closed(self, at: int, filed: int, segment: str, *, withdrawn: bool) -> tuple[Slot, ...]:
        """The increments of something that was `filed` then and closed at `at` (ms): none if it was too late."""
        due = self.promise.after(filed)
        return (Slot(due, segment, -1.0, -1.0 if withdrawn else 0.0),) if at <= due else ()

    def fold(
        self,
        events: Sequence[Any],
        k: float,
        m: float,
        opened: Mapping[tuple[str, int], OpenPeriod | None],
    ) -> None:
        """The same for a run of events of one kind, as `Folding.fold` must: `k` > 0 for what was filed."""
        after, index = self.promise.after, self.grid.index
        for segment, some in by_segment(self.spec, events, [event.data for event in events]):
            times = [event.time for event in some]
            filed = times if k > 0 else [event.data.filed for event in some]
            first, last = after(millis(min(filed))), after(millis(max(filed)))
            if index(first) == index(last) and (k > 0 or millis(max(times)) <= first):
                places = {index(first): len(some)}  # as a rule: all in time, and all due in one period
            else:
                dues = [after(millis(at)) for at in filed]
                in_time = [due for due, at in zip(dues, times, strict=True) if k > 0 or millis(at) <= due]
                places = Counter(map(index, in_time))
            for place, count in places.items():
                period = opened[segment, place]
                if period is not None:
                    period.k += k * count
                    period.m += m * count
