"""The share of items that have a property: the label of generated content, or a harm that a review found."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import Label, params, selected
from monitor.indicators.share_of_tallies import ShareOfTallies
from monitor.model.events import ItemsData, ItemsTallied


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`measure`: which tallies count, such as `labelled` or `harmful`."""

    measure: Label


class ItemShare(ShareOfTallies):
    """`k` = marked of `n` = marked + unmarked items of `params.measure` in each period, per segment.

    Harmful outputs have a highest share (of the outputs that were sampled and reviewed); a label has a least share
    (`direction: below`), and a share below it violates the limit.
    """

    reads = (ItemsTallied,)

    def __init__(self, spec: IndicatorSpec) -> None:
        self.selects = selected(params(spec, Params).measure)
        super().__init__(spec)

    def counting(self, data: Sequence[ItemsData]) -> Sequence[ItemsData]:
        return [payload for payload in data if payload.measure in self.selects]

    def hits(self, data: Sequence[ItemsData]) -> list[int]:
        return [payload.marked for payload in data]

    def trials(self, data: Sequence[ItemsData]) -> list[int]:
        return [payload.marked + payload.unmarked for payload in data]
