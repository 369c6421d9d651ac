"""Complaints that users made outside the firm, counted over exposure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from detectors.base import Count
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import (
    Aggregate,
    NoParams,
    OpenPeriod,
    Slot,
    fold_count,
    fold_exposure,
    listed,
    params,
    require_exposure,
)
from monitor.indicators.outside import is_outside
from monitor.model.events import ComplaintFiled, Envelope, ExposureTallied, millis


class OutsideComplaintRate:
    """`k` complaints of the users' channel, and of the reporters of the charter, over `m` units of exposure. Complaints
    that the firm reports do not count. A withdrawal takes nothing back."""

    reads = (ComplaintFiled, ExposureTallied)
    observes = Count
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"
    outside = True  # complaints of the users' channel count here

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        self.spec = spec
        self.unit = require_exposure(spec)
        nominal = spec.nominal()
        self.limit = None if nominal is None else nominal / spec.per
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, self.reads)
        segment = listed(self.spec, event.data.segment)
        if segment is None:
            return ()
        if isinstance(event, ComplaintFiled):
            return (Slot(millis(event.time), segment, 1.0, 0.0),) if is_outside(event) else ()
        return (Slot(millis(event.time), segment, 0.0, event.data.amount),) if event.data.unit == self.unit else ()

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[str, OpenPeriod],
    ) -> None:
        if isinstance(events[0], ComplaintFiled):
            outside = [payload for event, payload in zip(events, data, strict=True) if is_outside(event)]
            fold_count(self.spec, outside, opened)
        else:
            fold_exposure(self.spec, self.unit, data, opened)
