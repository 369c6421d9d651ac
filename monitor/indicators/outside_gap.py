"""The share of complaints that reach the authority from users and not through the firm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from detectors.base import Proportion
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import Aggregate, NoParams, OpenPeriod, Slot, by_segment, listed, params, require_share
from monitor.indicators.outside import is_outside
from monitor.model.events import ComplaintFiled, Envelope, millis


class OutsideGap:
    """`k` complaints made outside the firm of `m` complaints made outside or reported by the firm, by time of filing.

    Two Poisson counts over exposures E_out and E_in with rates a and b, given their sum n, are binomial: k of n with
    the share a E_out / (a E_out + b E_in) (Przyborowski & Wilenski 1940, Biometrika 31). Where both channels are open
    to the same users over the same time the exposures are equal and cancel, so that more use of the system moves
    nothing; else the limit has to have their ratio in it. A limit s on the share is one of s / (1 - s) on the ratio of
    outside to inside.

    A complaint that a user makes in both places counts on both sides.
    """

    reads = (ComplaintFiled,)
    observes = Proportion
    aggregate: Aggregate = "sum"
    placed_by: Literal["time"] = "time"
    outside = True  # complaints of the users' channel count here

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        self.spec = spec
        self.limit = require_share(spec)
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        assert isinstance(event, ComplaintFiled)
        segment = listed(self.spec, event.data.segment)
        return () if segment is None else (Slot(millis(event.time), segment, float(is_outside(event)), 1.0),)

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[str, OpenPeriod],
    ) -> None:
        for segment, some in by_segment(self.spec, events, data):
            outside = sum(map(is_outside, some))
            period = opened[segment]
            period.k += outside
            period.m += len(some)
            period.tallies += len(some) - outside
