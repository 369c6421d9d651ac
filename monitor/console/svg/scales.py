"""Coordinates and ticks of the axes of a picture. Pure; equal input gives equal output."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil, floor, log10

from msgspec import Struct

from monitor.projections.formats import LN10, axis_day, axis_minute, axis_month, moment, power_of_ten

_DAY = 86_400_000


class Scale(Struct, frozen=True):
    """A linear map from `[low, high]` to `[start, stop]` (pixels); a value outside is clamped to the edge."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The coordinate of `value` in pixels, rounded to a tenth so that pictures are equal byte for byte.

        >>> Scale(0, 10, 100, 0)(5), Scale(0, 10, 100, 0)(99)
        (50.0, 0.0)
        """
        if self.high == self.low:
            return round((self.start + self.stop) / 2, 1)
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return round(self.start + share * (self.stop - self.start), 1)


def decades(low: float, high: float) -> list[tuple[float, str]]:
    """At most seven (ln value, label) marks at whole powers of ten between two natural logarithms.

    >>> from math import log
    >>> [label for _, label in decades(log(0.1), log(1000))]
    ['0.1', '1', '10', '100', '1,000']
    """
    first, last = ceil(low / LN10 - 1e-9), floor(high / LN10 + 1e-9)
    step = max(1, ceil((last - first) / 6))
    marks = [n for n in range(first, last + 1) if n % step == 0]
    return [(n * LN10, _decade(n)) for n in marks]


def round_ticks(high: float, low: float = 0.0) -> list[float]:
    """Zero and up to four round numbers on the longer side of it, from `low` (<= 0) to `high` (>= 0).

    >>> round_ticks(31), round_ticks(0.6), round_ticks(0.0, -0.9)
    ([0.0, 10.0, 20.0, 30.0], [0.0, 0.2, 0.4, 0.6], [-0.8, -0.6, -0.4, -0.2, 0.0])
    """
    longer = max(high, -low)
    if longer <= 0:
        return [0.0]
    rough = longer / 3
    power = 10.0 ** floor(log10(rough))
    step = max((f * power for f in (1, 2, 5) if f * power <= rough * 1.0001), default=power)
    if longer / step > 4.999:
        step *= 2
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [float(f"{step * i:.10g}") for i in range(first, last + 1)]


def date_ticks(start: int, stop: int) -> list[tuple[int, str]]:
    """Three to ten (ms, label) marks at natural dates between two instants (ms)."""
    length = max(stop - start, 1)
    if length > 100 * _DAY:
        return _month_ticks(start, stop)
    for step in (1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 10_800_000, 43_200_000, _DAY):
        if length / step <= 9:
            break
    else:
        step = next(s for s in (2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY) if length / s <= 9)
    origin = 4 * _DAY  # Mondays, as periods are counted
    first = -((origin - start) // step) * step + origin
    write = axis_day if step >= _DAY else axis_minute if step >= 60_000 else _second
    return [(at, write(at)) for at in range(first, stop + 1, step) if at >= start]


def _second(at: int) -> str:
    return f"{moment(at):%H:%M:%S}"


def _month_ticks(start: int, stop: int) -> list[tuple[int, str]]:
    a, b = moment(start), moment(stop)
    first, last = a.year * 12 + a.month - 1, b.year * 12 + b.month - 1
    step = next((s for s in (1, 2, 3, 6, 12, 24, 60, 120) if (last - first) / s <= 9), 600)
    ticks = []
    for index in range(-(-first // step) * step, last + 1, step):
        at = int(datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
        if start <= at <= stop:
            ticks.append((at, str(moment(at).year) if step >= 12 else axis_month(at)))
    return ticks


def _decade(n: int) -> str:
    if -3 <= n < 0:
        return f"{10.0**n:g}"
    return f"{10**n:,}" if 0 <= n <= 4 else power_of_ten(n)
