"""Incidents of at least a given severity, counted over exposure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from detectors.base import Count
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import (
    Aggregate,
    OpenPeriod,
    Slot,
    fold_count,
    fold_exposure,
    listed,
    params,
    require_exposure,
)
from monitor.model.events import Envelope, ExposureTallied, IncidentReported, IncidentUpdated, Severity, millis

GRAVITY = {severity: rank for rank, severity in enumerate(Severity)}


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`severity`: the least grave occurrence that counts."""

    severity: Severity = Severity.INCIDENT


class IncidentRate:
    """`k` incidents over `m` units of exposure, both by the time they happened.

    `slots` counts every report of at least `params.severity`; the machine counts each incident id once
    (`monitor/state/incidents.py`). So an update that lifts an incident to `params.severity` or beyond adds one, if the
    id had not counted before; one that lowers it takes nothing back, since the count may have been used.
    """

    reads = (IncidentReported, IncidentUpdated, ExposureTallied)
    observes = Count
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"

    def __init__(self, spec: IndicatorSpec) -> None:
        self.spec = spec
        self.unit = require_exposure(spec)
        self.least = GRAVITY[params(spec, Params).severity]
        nominal = spec.nominal()
        self.limit = None if nominal is None else nominal / spec.per
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, self.reads)
        segment = listed(self.spec, event.data.segment)
        if segment is None:
            return ()
        if isinstance(event, ExposureTallied):
            return (Slot(millis(event.time), segment, 0.0, event.data.amount),) if event.data.unit == self.unit else ()
        return (Slot(millis(event.time), segment, 1.0, 0.0),) if self._counts(event) else ()

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
        else:
            fold_count(self.spec, [event.data for event in events if self._counts(event)], opened)  # type: ignore[attr-defined]

    def _counts(self, event: Envelope) -> bool:
        assert isinstance(event, IncidentReported | IncidentUpdated)
        return GRAVITY[event.data.severity] >= self.least
