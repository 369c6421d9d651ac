"""How long complaints take to be resolved, open ones included."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.base import Count
from monitor.charter import IndicatorSpec
from monitor.indicators.base import Aggregate, BadSpec, Direction, NoParams, Slot, listed, params
from monitor.telemetry import ComplaintFiled, ComplaintResolved, ComplaintWithdrawn, Envelope, millis


class ComplaintHandlingTime:
    """`k` resolutions over `m` complaint-hours that complaints stood open in the period: a rate of resolving per hour.

    An open complaint is right-censored: it adds hours and no resolution. With a constant rate, `m / k` is the maximum
    likelihood estimate of the mean handling time under censoring (Kalbfleisch & Prentice, The Statistical Analysis of
    Failure Time Data, 2nd ed. 2002, section 3.2). The charter's `limit` is the longest mean in hours; slow handling is
    a *low* rate, so detectors get the limit 1 / hours with the sides exchanged. Handling times are rarely exponential:
    this indicator may watch and escalate, and `charter check` refuses a halt on it.
    """

    reads = (ComplaintFiled, ComplaintResolved, ComplaintWithdrawn)
    observes = Count
    aggregate: Aggregate = "sum"

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        if spec.per != 1:
            raise BadSpec("per", "the limit is a number of hours and is not scaled", "remove it")
        self.spec = spec
        self.limit = None if spec.limit is None else 1.0 / spec.limit
        self.direction: Direction = "below" if spec.direction == "above" else "above"

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        segment = listed(self.spec, event.data.segment)  # type: ignore[attr-defined]
        if segment is None:
            return ()
        if type(event) is ComplaintFiled:
            return (Slot(millis(event.time), segment, 0.0, 0.0, 1.0),)
        return (Slot(millis(event.time), segment, 1.0 if type(event) is ComplaintResolved else 0.0, 0.0, -1.0),)
