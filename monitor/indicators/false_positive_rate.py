"""The share of harmless cases that the system flagged: false positives of all true negatives and false positives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from detectors.base import Proportion
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import (
    Aggregate,
    NoParams,
    OpenPeriod,
    Slot,
    added,
    by_segment,
    listed,
    params,
    require_share,
)
from monitor.model.events import Envelope, OutcomesTallied, millis


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
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[str, OpenPeriod],
    ) -> None:
        for segment, some in by_segment(self.spec, data, data):
            flagged = [payload.fp for payload in some]
            trials = [payload.fp + payload.tn for payload in some]
            empty = trials.count(0)
            if empty < len(some):
                period = opened[segment]
                period.k, period.m = added(period.k, flagged), added(period.m, trials)
                period.tallies += flagged.count(0) - empty
