"""How long nothing has been heard, in the number of events that should have come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from detectors.base import Gap
from monitor.charter import IndicatorSpec, SpanText
from monitor.indicators.base import Aggregate, BadSpec, Slot, params, refuse_segments
from monitor.periods import parse_span
from monitor.telemetry import EVENT_TYPES, Envelope, Heartbeat


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`every`: the usual time between two events. `of`: which events break the silence."""

    every: SpanText
    of: Literal["heartbeat", "any"] = "heartbeat"


class Silence:
    """A gap without events: the machine measures the seconds since the last event of `reads` was received, and `gap` says
    how many should have come in them. Nothing is placed in periods."""

    observes = Gap
    aggregate: Aggregate = "sum"

    def __init__(self, spec: IndicatorSpec) -> None:
        given = params(spec, Params)
        refuse_segments(spec)
        every = parse_span(given.every)
        if every.ms <= 0:
            raise BadSpec("params.every", f"{given.every} is no fixed length of time", "write a span such as 30s or 1d")
        self.every = every.ms / 1000
        self.reads: tuple[type[Envelope], ...] = (
            (Heartbeat,) if given.of == "heartbeat" else tuple(EVENT_TYPES.values())
        )
        self.limit = spec.limit
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        return ()

    def gap(self, seconds: float) -> Gap:
        """The observation of `seconds >= 0` without an event.

        >>> from monitor.charter import IndicatorSpec
        >>> Silence(IndicatorSpec(name="silence", kind="silence", params={"every": "30s"})).gap(90.0)
        Gap(seconds=90.0, expected=3.0)
        """
        return Gap(seconds, seconds / self.every)
