"""The share of harmless cases that the system flagged: false positives of all true negatives and false positives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from detectors.base import Proportion
from monitor.charter import IndicatorSpec
from monitor.indicators.base import Aggregate, NoParams, Open, Slot, listed, params, require_share
from monitor.telemetry import Envelope, OutcomesTallied, millis


class FalsePositiveRate:
    """`k` = fp of `n` = fp + tn in each period, per segment."""

    reads = (OutcomesTallied,)
    observes = Proportion
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"

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

    def fold(
        self, events: Sequence[Envelope], data: Sequence[Any], received: int, calm: bool, opened: Mapping[str, Open]
    ) -> None:
        segments = self.spec.segments
        for payload in data:
            fp: int = payload.fp
            trials = fp + payload.tn
            if not trials or (segments and payload.segment not in segments):
                continue
            period = opened[payload.segment if segments else ""]
            period.k += fp
            period.m += trials
            if not fp:
                period.tallies += 1
