"""What the pilot gains against doing without it: the mean of the shares reported in a period."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.base import Gauge
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import Aggregate, NoParams, Slot, params, refuse_segments
from monitor.model.events import Envelope, GainReported, millis


class EfficiencyGain:
    """The mean gain of a period: 0.2 = 20 % less effort, negative = a loss. Charters usually set `direction: below`."""

    reads = (GainReported,)
    observes = Gauge
    aggregate: Aggregate = "mean"

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        refuse_segments(spec)
        self.limit = spec.limit
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, GainReported)
        return (Slot(millis(event.time), "", event.data.share, 1.0),)
