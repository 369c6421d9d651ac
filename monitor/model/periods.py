"""Closed stretches of event time: fixed lengths counted from a Monday midnight UTC, or calendar months in UTC.

A span is written `30s 5m 1h 1d 1w 1mo`. A period has an index; `start(i)` and `start(i + 1)` are its edges in ms.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from msgspec import Struct

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONDAY = 4 * _UNITS["d"]  # 1970-01-05 was a Monday


class Span(Struct, frozen=True):
    """A length of time: `ms` milliseconds, or `months` calendar months (exactly one of them is set)."""

    ms: int = 0
    months: int = 0

    def after(self, instant: int) -> int:
        """`instant` (ms) plus this span; months keep the day of month where the month has it, else its last day."""
        if not self.months:
            return instant + self.ms
        at = datetime.fromtimestamp(instant / 1000, UTC)
        year, month = divmod(at.year * 12 + at.month - 1 + self.months, 12)
        last = (datetime(year + (month == 11), (month + 1) % 12 + 1, 1) - datetime(year, month + 1, 1)).days
        return int(at.replace(year=year, month=month + 1, day=min(at.day, last)).timestamp() * 1000)


def parse_span(text: str) -> Span:
    """Read `30s`, `5m`, `1h`, `1d`, `1w`, `1mo`.

    Raises ValueError naming the accepted forms.

    >>> parse_span("1h"), parse_span("1mo")
    (Span(ms=3600000, months=0), Span(ms=0, months=1))
    """
    match = re.fullmatch(r"([0-9]+)(mo|ms|s|m|h|d|w)", text)
    if match is None:
        raise ValueError(f"{text!r} is not a span; write a whole number and one of ms s m h d w mo, such as 1h")
    number, unit = int(match[1]), match[2]
    return Span(months=number) if unit == "mo" else Span(ms=number * _UNITS[unit])


class Period(Struct, frozen=True):
    """A grid of periods of one span."""

    span: Span

    def index(self, instant: int) -> int:
        """The period that holds `instant` (ms)."""
        if not self.span.months:
            return (instant - _MONDAY) // self.span.ms
        at = datetime.fromtimestamp(instant / 1000, UTC)
        return (at.year * 12 + at.month - 1) // self.span.months

    def start(self, index: int) -> int:
        """First millisecond (ms since 1970) of period `index`; its end is `start(index + 1)`.

        >>> month = Period(parse_span("1mo"))
        >>> month.start(month.index(1698105600000))  # 24 October 2023 lies in the month that starts here
        1696118400000
        """
        if not self.span.months:
            return index * self.span.ms + _MONDAY
        year, month = divmod(index * self.span.months, 12)
        return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp() * 1000)
