"""The share of claims that were not answered within the promised time, such as takedowns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from detectors.base import Proportion
from monitor.charter.spec import IndicatorSpec, SpanText
from monitor.indicators.base import Aggregate, Label, Labels, OpenPeriod, Slot, listed, params, require_share, selected
from monitor.indicators.promises import Promise
from monitor.model.events import ClaimClosed, ClaimFiled, Envelope, millis
from monitor.model.periods import parse_span


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`claim`: the kind of claim that counts, or several; `promise`: the time within which it must be answered."""

    claim: Label | Labels
    promise: SpanText


class ClaimOverPromise:
    """`k` broken promises of `n` claims of the kinds in `params.claim`, in the period in which each promise fell due.

    A claim counts as broken from its filing on; an answer in time takes that back, a withdrawal in time removes the
    claim. So what is never taken down counts from the day it is due.
    """

    reads = (ClaimFiled, ClaimClosed)
    observes = Proportion
    aggregate: Aggregate = "sum"
    placed_by: Literal["due"] = "due"

    def __init__(self, spec: IndicatorSpec) -> None:
        given = params(spec, Params)
        self.spec = spec
        self.selects = selected(given.claim)
        self.promise = parse_span(given.promise)
        self.promises = Promise(spec, self.promise)
        self.limit = require_share(spec)
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, ClaimFiled | ClaimClosed)
        segment = listed(self.spec, event.data.segment)
        if segment is None or event.data.kind not in self.selects:
            return ()
        at = millis(event.time)
        if isinstance(event, ClaimFiled):
            return (self.promises.filed(at, segment),)
        return self.promises.closed(at, millis(event.data.filed), segment, withdrawn=event.data.withdrawn)

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[tuple[str, int], OpenPeriod | None],
    ) -> None:
        mine: list[Any] = [event for event in events if event.data.kind in self.selects]  # type: ignore[attr-defined]
        if not mine:
            return
        if isinstance(mine[0], ClaimFiled):
            self.promises.fold(mine, 1.0, 1.0, opened)
            return
        for withdrawn in (False, True):
            some = [event for event in mine if event.data.withdrawn == withdrawn]
            if some:
                self.promises.fold(some, -1.0, -1.0 if withdrawn else 0.0, opened)
