"""Incidents of at least a given severity, counted over exposure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detectors.base import Count
from monitor.charter import IndicatorSpec
from monitor.indicators.base import Aggregate, Slot, listed, params, require_exposure
from monitor.telemetry import Envelope, ExposureTallied, IncidentReported, IncidentUpdated, Severity, millis

GRAVITY = {severity: rank for rank, severity in enumerate(Severity)}


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`severity`: the least grave occurrence that counts."""

    severity: Severity = Severity.INCIDENT


class IncidentRate:
    """`k` incidents over `m` units of exposure, both by the time they happened.

    A regrading that lifts an incident to `params.severity` or beyond adds one; a regrading downwards takes nothing back,
    since the count may have been used. So an incident that was regraded down and up again counts twice.
    """

    reads = (IncidentReported, IncidentUpdated, ExposureTallied)
    observes = Count
    aggregate: Aggregate = "sum"

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
        counted = isinstance(event, IncidentUpdated) and GRAVITY[event.data.was] >= self.least
        if counted or GRAVITY[event.data.severity] < self.least:
            return ()
        return (Slot(millis(event.time), segment, 1.0, 0.0),)
