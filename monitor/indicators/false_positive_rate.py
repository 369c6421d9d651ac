"""The share of harmless cases that the system flagged: false positives of all true negatives and false positives."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.base import Proportion
from monitor.charter import IndicatorSpec
from monitor.indicators.base import Aggregate, NoParams, Slot, listed, params, require_share
from monitor.telemetry import Envelope, OutcomesTallied, millis


class FalsePositiveRate:
    """`k` = fp of `n` = fp + tn in each period, per segment."""

    reads = (OutcomesTallied,)
    observes = Proportion
    aggregate: Aggregate = "sum"

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        self.spec = spec
        self.limit = require_share(spec)
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, OutcomesTallied)
        segment = listed(self.spec, event.data.segment)
        trials = event.data.fp + event.data.tn
        if segment is None or not trials:
            return ()
        return (Slot(millis(event.time), segment, float(event.data.fp), float(trials)),)
