"""How long nothing has been heard, in the number of events that should have come."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Literal

import msgspec

from detectors.base import Gap
from detectors.hours import HourOfWeek, LocalWeek
from monitor.charter.spec import DAYS, IndicatorSpec, SpanText, Window
from monitor.charter.time_zones import near, zone
from monitor.indicators.base import Aggregate, BadSpec, Slot, params, refuse_segments
from monitor.model.events import EVENT_TYPES, Envelope, Heartbeat
from monitor.model.periods import parse_span


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`every`: the usual time between two events; with `hours`, inside of these windows (whole hours), and `outside` of
    them (without it no event is expected there). In their place `week`: events per hour for each of a week's 168 hours,
    Monday 00:00 first. Both are in the time of `zone`, an IANA name such as Europe/Berlin with its summer time; UTC
    without it. `of`: which events break the silence."""

    every: SpanText | None = None
    of: Literal["heartbeat", "any"] = "heartbeat"
    hours: tuple[Window, ...] = ()
    outside: SpanText | None = None
    week: tuple[float, ...] = ()
    zone: str = ""


class Silence:
    """A gap without events: the machine remembers when one of `reads` was last received; `gap` says how many should
    have come since, `due` when so many will be missing. Nothing is placed in periods."""

    observes = Gap
    aggregate: Aggregate = "sum"

    def __init__(self, spec: IndicatorSpec) -> None:
        given = params(spec, Params)
        refuse_segments(spec)
        if (given.every is None) == (not given.week):
            raise BadSpec("params.every", "the usual rate must be given exactly once", "write either `every` or `week`")
        if given.outside is not None and not given.hours:
            raise BadSpec("params.outside", "`outside` has no meaning without `hours`", "add `hours`")
        if given.hours and given.week:
            raise BadSpec("params.hours", "`week` already contains the hours", "remove one of them")
        if given.zone and not given.hours and not given.week:
            raise BadSpec("params.zone", "a time zone has no meaning without hours", "add `hours` or `week`")
        self._profile = _local(_profile(given), given.zone) if given.hours or given.week else None
        if self._profile is None:
            assert given.every is not None
            self.rate = _rate("every", given.every)
        else:
            self.rate = self._profile.rate
        self.reads: tuple[type[Envelope], ...] = (
            (Heartbeat,) if given.of == "heartbeat" else tuple(EVENT_TYPES.values())
        )
        self.limit = spec.limit
        self.direction = spec.direction

    def slots(self, event: Envelope, received: int) -> Iterable[Slot]:
        return ()

    def gap(self, heard: int, now: int) -> Gap:
        """The observation of a silence from `heard` to `now` (ms).

        >>> from monitor.charter.spec import IndicatorSpec
        >>> Silence(IndicatorSpec(name="silence", kind="silence", params={"every": "30s"})).gap(10_000, 100_000)
        Gap(seconds=90.0, expected=3.0)
        """
        if self._profile is not None:
            return self._profile.gap(heard / 1000, now / 1000)
        seconds = (now - heard) / 1000
        return Gap(seconds, seconds * self.rate)

    def due(self, heard: int, missing: float) -> int:
        """When (ms, rounded up, later than `heard`) `missing` > 0 events should have come since `heard` (ms)."""
        if self._profile is not None:
            return max(heard + 1, ceil(self._profile.when(heard / 1000, missing) * 1000))
        return heard + max(1, ceil(missing / self.rate * 1000 - 1e-6))


def _profile(given: Params) -> HourOfWeek:
    if given.week:
        try:
            return HourOfWeek.of(given.week)
        except ValueError as error:
            raise BadSpec(
                "params.week", str(error).partition(": ")[2], "write 168 numbers, Monday 00:00 first"
            ) from None
    inside = 3600 * _rate("every", given.every or "")
    outside = 0.0 if given.outside is None else 3600 * _rate("outside", given.outside)
    per_hour = [outside] * 168
    for index, window in enumerate(given.hours):
        first, last = int(window.start[:2]), int(window.end[:2])
        if window.start[3:] != "00" or window.end[3:] != "00" or last <= first:
            at = f"params.hours[{index}]"
            raise BadSpec(
                at, f"{window.start} to {window.end} are not whole hours of one day", "write 08:00 and 18:00, say"
            )
        for day in window.days:
            start = 24 * DAYS.index(day)
            per_hour[start + first : start + last] = [inside] * (last - first)
    return HourOfWeek.of(per_hour)


def _local(profile: HourOfWeek, name: str) -> HourOfWeek | LocalWeek:
    """The profile in the time of a zone. Raises BadSpec for an unknown one."""
    if not name:
        return profile
    try:
        table = zone(name)
    except KeyError:
        raise BadSpec("params.zone", f"there is no time zone {name!r}", near(name)) from None
    return LocalWeek(profile, table.changes, table.offsets)


def _rate(field: str, text: str) -> float:
    span = parse_span(text)
    if span.ms <= 0:
        raise BadSpec(f"params.{field}", f"{text} is no fixed length of time", "write a span such as 30s or 1d")
    return 1000 / span.ms
