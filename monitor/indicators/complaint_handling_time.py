"""How long complaints take to be resolved, open ones included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from detectors.base import Count
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import (
    Aggregate,
    BadSpec,
    Direction,
    NoParams,
    OpenPeriod,
    Slot,
    by_segment,
    listed,
    params,
)
from monitor.model.events import EPOCH, ComplaintFiled, ComplaintResolved, ComplaintWithdrawn, Envelope, millis


class ComplaintHandlingTime:
    """`k` resolutions over `m` complaint-hours that complaints stood open in the period: a rate of resolving per hour.

    An open complaint is right-censored: it adds hours and no resolution. With a constant rate, `m / k` is the maximum
    likelihood estimate of the mean handling time under censoring (Kalbfleisch & Prentice, The Statistical Analysis of
    Failure Time Data, 2nd ed. 2002, section 3.2). The charter's `limit` is the longest mean in hours; slow handling is
    a *low* rate, so detectors get the limit 1 / hours with the sides exchanged. Handling times are rarely exponential:
    this indicator may watch and escalate, and `charter check` refuses a halt on it.
    """

    reads = (ComplaintFiled, ComplaintResolved, ComplaintWithdrawn)
    observes = Count
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        if spec.per != 1:
            raise BadSpec("per", "the limit is a number of hours and is not scaled", "remove it")
        self.spec = spec
        self.grid = spec.grid()
        self.limit = None if spec.limit is None else 1.0 / spec.limit
        self.direction: Direction = "below" if spec.direction == "above" else "above"

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        segment = listed(self.spec, event.data.segment)  # type: ignore[attr-defined]
        if segment is None:
            return ()
        if type(event) is ComplaintFiled:
            return (Slot(millis(event.time), segment, 0.0, 0.0, 1.0),)
        return (Slot(millis(event.time), segment, 1.0 if type(event) is ComplaintResolved else 0.0, 0.0, -1.0),)

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[str, OpenPeriod],
    ) -> None:
        end = self.grid.start(self.grid.index(millis(events[0].time)) + 1)
        kind = type(events[0])
        change, k = (1.0 if kind is ComplaintFiled else -1.0), (1.0 if kind is ComplaintResolved else 0.0)
        for segment, some in by_segment(self.spec, events, data):
            since = [event.time - EPOCH for event in some]
            # `millis` of each, summed without a call per event.
            at = sum([s.days * 86_400_000 + s.seconds * 1000 + s.microseconds // 1000 for s in since])
            period, count = opened[segment], len(some)  # all that is added are whole numbers: in any order the same
            period.k += k * count
            period.stock += change * count
            period.held += change * (end * count - at)
