"""How often the serving model changes."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.base import Count
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import Aggregate, NoParams, Slot, params, refuse_segments, require_exposure
from monitor.model.events import Envelope, ExposureTallied, ModelChanged, millis


class ModelChanges:
    """`k` changes of the model over `m` units of exposure."""

    reads = (ModelChanged, ExposureTallied)
    observes = Count
    aggregate: Aggregate = "sum"

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        refuse_segments(spec)
        self.unit = require_exposure(spec)
        self.limit = None if spec.limit is None else spec.limit / spec.per
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        if isinstance(event, ExposureTallied):
            return (Slot(millis(event.time), "", 0.0, event.data.amount),) if event.data.unit == self.unit else ()
        return (Slot(millis(event.time), "", 1.0, 0.0),)
