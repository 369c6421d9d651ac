"""Claims of some kinds, such as those of holders of rights, counted over exposure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from detectors.base import Count
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import (
    Aggregate,
    Label,
    Labels,
    OpenPeriod,
    Slot,
    fold_count,
    fold_exposure,
    listed,
    params,
    require_exposure,
    selected,
)
from monitor.model.events import ClaimFiled, Envelope, ExposureTallied, millis


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`claim`: the kind of claim that counts, or several, such as `copyright`."""

    claim: Label | Labels


class ClaimRate:
    """`k` claims of the kinds in `params.claim` by time of filing over `m` units of exposure. A withdrawal takes
    nothing back."""

    reads = (ClaimFiled, ExposureTallied)
    observes = Count
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"

    def __init__(self, spec: IndicatorSpec) -> None:
        self.spec = spec
        self.selects = selected(params(spec, Params).claim)
        self.unit = require_exposure(spec)
        nominal = spec.nominal()
        self.limit = None if nominal is None else nominal / spec.per
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, self.reads)
        segment = listed(self.spec, event.data.segment)
        if segment is None:
            return ()
        if isinstance(event, ClaimFiled):
            return (Slot(millis(event.time), segment, 1.0, 0.0),) if event.data.kind in self.selects else ()
        return (Slot(millis(event.time), segment, 0.0, event.data.amount),) if event.data.unit == self.unit else ()

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[str, OpenPeriod],
    ) -> None:
        if isinstance(events[0], ClaimFiled):
            fold_count(self.spec, [payload for payload in data if payload.kind in self.selects], opened)
        else:
            fold_exposure(self.spec, self.unit, data, opened)
