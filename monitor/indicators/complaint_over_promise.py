"""The share of complaints that were not resolved within the promised time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from detectors.base import Proportion
from monitor.charter.spec import IndicatorSpec, SpanText
from monitor.indicators.base import Aggregate, OpenPeriod, Slot, by_segment, listed, params, require_share
from monitor.model.events import ComplaintFiled, ComplaintResolved, ComplaintWithdrawn, Envelope, millis
from monitor.model.periods import parse_span


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`promise`: the time within which a complaint must be resolved."""

    promise: SpanText


class ComplaintOverPromise:
    """`k` broken promises of `n` complaints, in the period in which each promise fell due (filing + `params.promise`).

    A complaint counts as broken from its filing on; a resolution in time takes that back, a withdrawal in time removes
    the complaint. So an open complaint is never ignored, and it is judged only when its promise is due.
    """

    reads = (ComplaintFiled, ComplaintResolved, ComplaintWithdrawn)
    observes = Proportion
    aggregate: Aggregate = "sum"
    placed_by: Literal["due"] = "due"

    def __init__(self, spec: IndicatorSpec) -> None:
        self.spec = spec
        self.grid = spec.grid()
        self.promise = parse_span(params(spec, Params).promise)
        self.limit = require_share(spec)
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        segment = listed(self.spec, event.data.segment)  # type: ignore[attr-defined]
        if segment is None:
            return ()
        if type(event) is ComplaintFiled:
            return (Slot(self.promise.after(millis(event.time)), segment, 1.0, 1.0),)
        due = self.promise.after(millis(event.data.filed))  # type: ignore[attr-defined]
        if millis(event.time) > due:
            return ()
        return (Slot(due, segment, -1.0, -1.0 if type(event) is ComplaintWithdrawn else 0.0),)

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[tuple[str, int], OpenPeriod | None],
    ) -> None:
        kind, after, index = type(events[0]), self.promise.after, self.grid.index
        k, m = (1.0, 1.0) if kind is ComplaintFiled else (-1.0, -1.0 if kind is ComplaintWithdrawn else 0.0)
        for segment, some in by_segment(self.spec, events, data):
            times = [event.time for event in some]
            filed = times if k > 0 else [event.data.filed for event in some]  # type: ignore[attr-defined]
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
