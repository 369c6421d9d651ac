"""The share of events that arrive after their period has closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from detectors.base import Proportion
from monitor.charter import IndicatorSpec
from monitor.indicators.base import Aggregate, NoParams, Open, Slot, params, refuse_segments, require_share
from monitor.telemetry import EPOCH, EVENT_TYPES, CommandAcknowledged, Envelope, Heartbeat, millis


class LateShare:
    """`k` late of `n` events, in the period in which they were received.

    Late: received at or after the close (end of the period that holds the event's `time`, plus the reporting delay; this
    indicator's own `period` and `reporting_delay`). Heartbeats and acknowledgements are left out, since any number of
    them would dilute the share.
    """

    reads = tuple(t for t in EVENT_TYPES.values() if t not in (Heartbeat, CommandAcknowledged))
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
        closes = self.delay.after(self.grid.start(self.grid.index(millis(event.time)) + 1))
        return (Slot(received, "", float(received >= closes), 1.0),)

    def fold(self, events: Sequence[Envelope], received: int, since: datetime, opened: Mapping[str, Open]) -> None:
        late = self._late(events, received, since)
        period = opened[""]
        period.k += late
        period.m += len(events)
        period.tallies += len(events) - late

    def _late(self, events: Sequence[Envelope], received: int, since: datetime) -> int:
        if self.delay.months:
            return sum(int(slot.k) for event in events for slot in self.slots(event, received))
        # A period that begins at or after this closes later than now.
        edge = max(0, self.grid.start(self.grid.index(received - self.delay.ms)))
        first = EPOCH + timedelta(milliseconds=edge)
        return 0 if since >= first else sum([event.time < first for event in events])
