"""The share of items that have a property: the label of generated content, or a harm that a review found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from detectors.base import Proportion
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import (
    Aggregate,
    Label,
    OpenPeriod,
    Slot,
    added,
    by_segment,
    listed,
    params,
    require_share,
    selected,
)
from monitor.model.events import Envelope, ItemsTallied, millis


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`measure`: which tallies count, such as `labelled` or `harmful`."""

    measure: Label


class ItemShare:
    """`k` = marked of `n` = marked + unmarked items of `params.measure` in each period, per segment.

    Harmful outputs have a highest share (of the outputs that were sampled and reviewed); a label has a least share
    (`direction: below`), and a share below it violates the limit.
    """

    reads = (ItemsTallied,)
    observes = Proportion
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"

    def __init__(self, spec: IndicatorSpec) -> None:
        self.spec = spec
        self.selects = selected(params(spec, Params).measure)
        self.limit = require_share(spec)
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, ItemsTallied)
        segment = listed(self.spec, event.data.segment)
        items = event.data.marked + event.data.unmarked
        if segment is None or not items or event.data.measure not in self.selects:
            return ()
        return (Slot(millis(event.time), segment, float(event.data.marked), float(items)),)

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[str, OpenPeriod],
    ) -> None:
        mine = [payload for payload in data if payload.measure in self.selects]
        for segment, some in by_segment(self.spec, mine, mine):
            marked = [payload.marked for payload in some]
            items = [payload.marked + payload.unmarked for payload in some]
            empty = items.count(0)
            if empty < len(some):
                period = opened[segment]
                period.k, period.m = added(period.k, marked), added(period.m, items)
                period.tallies += marked.count(0) - empty
