"""The share of harmless cases that the system flagged: false positives of all true negatives and false positives."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import NoParams, params
from monitor.indicators.share_of_tallies import ShareOfTallies
from monitor.model.events import OutcomesData, OutcomesTallied


class FalsePositiveRate(ShareOfTallies):
    """`k` = fp of `n` = fp + tn in each period, per segment."""

    reads = (OutcomesTallied,)

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        super().__init__(spec)

    def hits(self, data: Sequence[OutcomesData]) -> list[int]:
        return [payload.fp for payload in data]

    def trials(self, data: Sequence[OutcomesData]) -> list[int]:
        return [payload.fp + payload.tn for payload in data]
