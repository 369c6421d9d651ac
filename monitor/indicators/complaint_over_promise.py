"""The share of complaints that were not resolved within the promised time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from detectors.base import Proportion
from monitor.charter import IndicatorSpec, SpanText
from monitor.indicators.base import Aggregate, Open, Slot, listed, params, require_share
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
    placed_by: Literal["due"] = "due"

    def __init__(self, spec: IndicatorSpec) -> None:
        self.spec = spec
        self.grid = spec.grid()
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

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[tuple[str, int], Open | None],
    ) -> None:
        kind, after, index = type(events[0]), self.promise.after, self.grid.index
        k, m = (1.0, 1.0) if kind is ComplaintFiled else (-1.0, -1.0 if kind is ComplaintWithdrawn else 0.0)
        for event, payload in zip(events, data, strict=True):
            segment = listed(self.spec, payload.segment)
            if segment is None:
                continue
            due = after(millis(event.time if k > 0 else payload.filed))
            if k < 0 and millis(event.time) > due:
                continue
            period = opened[segment, index(due)]
            if period is not None:
                period.k += k
                period.m += m
