"""What an indicator is: a pure map from one event to increments of periods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from detectors.base import Observation
from monitor.telemetry import Envelope


class Slot(NamedTuple):
    """An increment at the period of `segment` that holds `at` (ms).

    `k` adds events (or a gauge's sum), `m` adds exposure or trials (or a gauge's number of values). `stock` changes the
    number of things open from `at` on: the machine adds stock x hours to `m` of every period they stay open.
    """

    at: int
    segment: str
    k: float
    m: float
    stock: float = 0.0


class Indicator(Protocol):
    """The extension point: `reads` names the event types, `observes` the kind of observation, `slots` does the counting.

    Built as `INDICATORS[spec.kind](spec)` from its `IndicatorSpec`. Contract: `slots` is pure, finite, bounded.
    """

    reads: tuple[type[Envelope], ...]
    observes: type[Observation]

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        """Increments caused by `event`, an instance of one of `reads`, received at `received` (ms)."""
