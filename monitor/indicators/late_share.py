"""The share of events that arrive after their period has closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from detectors.base import Proportion
from monitor.charter.spec import IndicatorSpec
from monitor.indicators.base import Aggregate, NoParams, OpenPeriod, Slot, params, refuse_segments, require_share
from monitor.model.events import (
    EVENT_TYPES,
    BoundaryBreached,
    CommandAcknowledged,
    Envelope,
    ExposureCorrected,
    Heartbeat,
    IncidentUpdated,
    OutcomesCorrected,
    millis,
)

LEFT_OUT = (
    Heartbeat, CommandAcknowledged, ExposureCorrected, OutcomesCorrected, IncidentUpdated, BoundaryBreached,
)  # fmt: skip


class LateShare:
    """`k` late of `n` events, in the period in which they were received.

    Late: received at or after the close (end of the period that holds the event's `time`, plus the reporting delay;
    this indicator's own `period` and `reporting_delay`). Heartbeats and acknowledgements are left out, since any number
    of them would dilute the share, and corrections and updates of incidents: both state when something happened that
    was reported before, so an honest one is late. Events that are late because of an outage of
    the monitor count as in time (`excused` in `monitor/state/late.py`).
    """

    reads = tuple(t for t in EVENT_TYPES.values() if t not in LEFT_OUT)
    observes = Proportion
    aggregate: Aggregate = "sum"
    placed_by: Literal["received"] = "received"

    def __init__(self, spec: IndicatorSpec) -> None:
        params(spec, NoParams)
        refuse_segments(spec)
        self.grid, self.delay = spec.grid(), spec.delay()
        self.limit = require_share(spec)
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        return (Slot(received, "", float(received >= self.closes(event)), 1.0),)

    def closes(self, event: Envelope) -> int:
        """From when on (ms) the event is late."""
        return self.delay.after(self.grid.start(self.grid.index(millis(event.time)) + 1))

    def fold(
        self,
        events: Sequence[Envelope],
        data: Sequence[Any],
        received: int,
        calm: bool,
        opened: Mapping[str, OpenPeriod],
    ) -> None:
        late = 0 if calm else sum([int(slot.k) for event in events for slot in self.slots(event, received)])
        period = opened[""]
        period.k += late
        period.m += len(events)
        period.tallies += len(events) - late

    def steady(self, since: int) -> int:
        return self.delay.after(self.grid.start(self.grid.index(since) + 1))
