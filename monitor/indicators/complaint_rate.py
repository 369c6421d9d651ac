"""Complaints filed, counted over exposure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from detectors.base import Count
from monitor.charter import IndicatorSpec
from monitor.indicators.base import (
    Aggregate,
    NoParams,
    Open,
    Slot,
    fold_count,
    fold_exposure,
    listed,
    params,
    require_exposure,
)
from monitor.telemetry import ComplaintFiled, Envelope, ExposureTallied, millis


class ComplaintRate:
    """`k` complaints by time of filing over `m` units of exposure. A withdrawal takes nothing back."""

    reads = (ComplaintFiled, ExposureTallied)
    observes = Count
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        self.spec = spec
        self.unit = require_exposure(spec)
        self.limit = None if spec.limit is None else spec.limit / spec.per
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, self.reads)
        segment = listed(self.spec, event.data.segment)
        if segment is None:
            return ()
        if isinstance(event, ComplaintFiled):
            return (Slot(millis(event.time), segment, 1.0, 0.0),)
        return (Slot(millis(event.time), segment, 0.0, event.data.amount),) if event.data.unit == self.unit else ()

    def fold(self, events: Sequence[Envelope], received: int, since: datetime, opened: Mapping[str, Open]) -> None:
        if isinstance(events[0], ComplaintFiled):
            fold_count(self.spec, events, opened)
        else:
            fold_exposure(self.spec, self.unit, events, opened)
