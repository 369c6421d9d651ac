"""What it costs the firm to comply with the charter, summed over a period."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from detectors.base import Gauge
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import Aggregate, Slot, params, refuse_segments
from monitor.model.events import CostReported, Envelope, millis


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`currency`: ISO 4217 code; amounts in any other are left out, as they cannot be added."""

    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]


class ComplianceCost:
    """The sum of the amounts booked in a period, in `params.currency`."""

    reads = (CostReported,)
    observes = Gauge
    aggregate: Aggregate = "sum"

    def __init__(self, spec: IndicatorSpec) -> None:
        refuse_segments(spec)
        self.currency = params(spec, Params).currency
        self.limit = spec.limit
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, CostReported)
        if event.data.currency != self.currency:
            return ()
        return (Slot(millis(event.time), "", event.data.amount, 1.0),)
