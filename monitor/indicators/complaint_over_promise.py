"""The share of complaints that were not resolved within the promised time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from detectors.base import Proportion
from monitor.charter.spec import IndicatorSpec, SpanText
from monitor.indicators.base import Aggregate, OpenPeriod, Slot, listed, params, require_share
from monitor.indicators.promises import Promise
from monitor.model.events import ComplaintFiled, ComplaintResolved, ComplaintWithdrawn, Envelope, millis
from monitor.model.periods import parse_span


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`promise`: the time within which a complaint must be resolved."""

    promise: SpanText


class ComplaintOverPromise:
    """`k` broken promises of `n` complaints, in the period in which each promise fell due (filing + `params.promise`).

    A complaint counts as broken from its filing on; a resolution in time takes that back, a withdrawal in time removes
    the complaint. So an open complaint is never ignored, and it is judged only when its promise is due.
    """

    reads = (ComplaintFiled, ComplaintResolved, ComplaintWithdrawn)
    observes = Proportion
    aggregate: Aggregate = "sum"
    placed_by: Literal["due"] = "due"

    def __init__(self, spec: IndicatorSpec) -> None:
        self.spec = spec
        self.promise = parse_span(params(spec, Params).promise)
        self.promises = Promise(spec, self.promise)
        self.limit = require_share(spec)
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        segment = listed(self.spec, event.data.segment)  # type: ignore[attr-defined]
        if segment is None:
            return ()
        at = millis(event.time)
        if type(event) is ComplaintFiled:
            return (self.promises.filed(at, segment),)
        filed = millis(event.data.filed)  # type: ignore[attr-defined]
        return self.promises.closed(at, filed, segment, withdrawn=type(event) is ComplaintWithdrawn)

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[tuple[str, int], OpenPeriod | None],
    ) -> None:
        kind = type(events[0])
        k, m = (1.0, 1.0) if kind is ComplaintFiled else (-1.0, -1.0 if kind is ComplaintWithdrawn else 0.0)
        self.promises.fold(events, k, m, opened)
