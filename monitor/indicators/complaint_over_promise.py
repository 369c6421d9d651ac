"""The share of complaints that were not resolved within the promised time."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detectors.base import Proportion
from monitor.charter import IndicatorSpec, SpanText
from monitor.indicators.base import Aggregate, Slot, listed, params, require_share
from monitor.periods import parse_span
from monitor.telemetry import ComplaintFiled, ComplaintResolved, ComplaintWithdrawn, Envelope, millis


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`promise`: the time within which a complaint must be resolved."""

    promise: SpanText


class ComplaintOverPromise:
    """`k` broken promises of `n` complaints, in the period in which each promise fell due (filing + `params.promise`).

    A complaint counts as broken from its filing on; resolving it in time takes that back, withdrawing it in time takes
    the complaint out altogether. So one that stays open is never ignored, and nothing is known of it too early.
    """

    reads = (ComplaintFiled, ComplaintResolved, ComplaintWithdrawn)
    observes = Proportion
    aggregate: Aggregate = "sum"

    def __init__(self, spec: IndicatorSpec) -> None:
        self.spec = spec
        self.promise = parse_span(params(spec, Params).promise)
        self.limit = require_share(spec)
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        segment = listed(self.spec, event.data.segment)  # type: ignore[attr-defined]
        if segment is None:
            return ()
        if type(event) is ComplaintFiled:
            return (Slot(self.promise.after(millis(event.time)), segment, 1.0, 1.0),)
        due = self.promise.after(millis(event.data.filed))  # type: ignore[attr-defined]
        if millis(event.time) > due:
            return ()
        return (Slot(due, segment, -1.0, -1.0 if type(event) is ComplaintWithdrawn else 0.0),)
