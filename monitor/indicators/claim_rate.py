"""Claims of some kinds, such as those of holders of rights, counted over exposure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import Label, Labels, params, selected
from monitor.indicators.over_exposure import CountOverExposure
from monitor.model.events import ClaimFiled, Envelope, ExposureTallied


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`claim`: the kind of claim that counts, or several, such as `copyright`."""

    claim: Label | Labels


class ClaimRate(CountOverExposure):
    """`k` claims of the kinds in `params.claim` by time of filing over `m` units of exposure. A withdrawal takes
    nothing back."""

    reads = (ClaimFiled, ExposureTallied)

    def __init__(self, spec: IndicatorSpec) -> None:
        self.selects = selected(params(spec, Params).claim)
        super().__init__(spec)

    def counting(self, events: Sequence[Envelope]) -> Sequence[Envelope]:
        return [event for event in events if event.data.kind in self.selects]  # type: ignore[attr-defined]
