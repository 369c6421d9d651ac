"""What indicators share that count events over units of exposure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from detectors.base import Count
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import (
    Aggregate,
    OpenPeriod,
    Slot,
    fold_count,
    fold_exposure,
    listed,
    require_exposure,
)
from monitor.model.events import Envelope, ExposureTallied, millis


class CountOverExposure:
    """`k` events over `m` units of exposure, both by their own time. Subclasses give `reads`, with `ExposureTallied` in
    it, and `counting` where not every other event counts."""

    reads: ClassVar[tuple[type[Envelope], ...]] = (ExposureTallied,)
    observes = Count
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"

    def __init__(self, spec: IndicatorSpec) -> None:
        """Raises BadSpec where the charter names no exposure."""
        self.spec = spec
        self.unit = require_exposure(spec)
        nominal = spec.nominal()
        self.limit = None if nominal is None else nominal / spec.per
        self.direction = spec.direction

    def counting(self, events: Sequence[Envelope]) -> Sequence[Envelope]:
        """Those of `events`, no tallies of exposure, that count."""
        return events

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        segment = listed(self.spec, event.data.segment)  # type: ignore[attr-defined]
        if segment is None:
            return ()
        if isinstance(event, ExposureTallied):
            return (Slot(millis(event.time), segment, 0.0, event.data.amount),) if event.data.unit == self.unit else ()
        return (Slot(millis(event.time), segment, 1.0, 0.0),) if self.counting((event,)) else ()

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[str, OpenPeriod],
    ) -> None:
        if isinstance(events[0], ExposureTallied):
            fold_exposure(self.spec, self.unit, data, opened)
            return
        counting = self.counting(events)
        fold_count(self.spec, data if counting is events else [event.data for event in counting], opened)  # type: ignore[attr-defined]
