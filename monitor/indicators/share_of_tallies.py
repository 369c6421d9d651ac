"""What indicators share that sum tallies to a proportion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from detectors.base import Proportion
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import Aggregate, OpenPeriod, Slot, added, by_segment, listed, require_share
from monitor.model.events import Envelope, millis


class ShareOfTallies:
    """`k` of `n` in each period, per segment. Subclasses give `reads`, `hits` and `trials`, and `counting` where not
    every tally counts. A tally without trials is no observation."""

    reads: ClassVar[tuple[type[Envelope], ...]] = ()
    observes = Proportion
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"

    def __init__(self, spec: IndicatorSpec) -> None:
        """Raises BadSpec where the charter's limit is no share."""
        self.spec = spec
        self.limit = require_share(spec)
        self.direction = spec.direction

    def hits(self, data: Sequence[Any]) -> list[int]:
        """What each payload adds to `k`."""
        raise NotImplementedError

    def trials(self, data: Sequence[Any]) -> list[int]:
        """What each payload adds to `n`, at least what it adds to `k`."""
        raise NotImplementedError

    def counting(self, data: Sequence[Any]) -> Sequence[Any]:
        """Those of the payloads that count."""
        return data

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        data: Any = event.data  # type: ignore[attr-defined]
        segment = listed(self.spec, data.segment)
        one = self.counting((data,))
        if segment is None or not one:
            return ()
        (trials,) = self.trials(one)
        return (Slot(millis(event.time), segment, float(self.hits(one)[0]), float(trials)),) if trials else ()

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[str, OpenPeriod],
    ) -> None:
        counting = self.counting(data)
        for segment, some in by_segment(self.spec, counting, counting):
            hits, trials = self.hits(some), self.trials(some)
            empty = trials.count(0)
            if empty < len(some):
                period = opened[segment]
                period.k, period.m = added(period.k, hits), added(period.m, trials)
                period.tallies += hits.count(0) - empty
