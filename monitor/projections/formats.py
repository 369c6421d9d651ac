"""Turns values and dates into places on paper and into words: the arithmetic that every picture shares."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil, exp, floor, log, log10

from msgspec import Struct

LN10 = log(10)
_DAY = 86_400_000
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Scale(Struct, frozen=True):
    """A straight line from `[low, high]` to `[start, stop]` (pixels); what lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Where `value` stands, in pixels, rounded to a tenth (so that pictures are byte for byte repeatable).

        >>> Scale(0, 10, 100, 0)(5), Scale(0, 10, 100, 0)(99)
        (50.0, 0.0)
        """
        if self.high == self.low:
            return round((self.start + self.stop) / 2, 1)
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return round(self.start + share * (self.stop - self.start), 1)


def moment(ms: int) -> datetime:
    """The instant `ms` (since 1970, UTC), kept inside the years that a calendar can write."""
    return datetime.fromtimestamp(min(max(ms, 0), 253_370_764_800_000) / 1000, UTC)


def day(ms: int) -> str:
    """`2023-10-01`: the UTC day that holds `ms`.

    >>> day(1696118399999), day(1696118400000)
    ('2023-09-30', '2023-10-01')
    """
    return moment(ms).strftime("%Y-%m-%d")


def stamp(ms: int) -> str:
    """`2023-10-01 00:00:05 UTC`: the second that holds `ms`."""
    return moment(ms).strftime("%Y-%m-%d %H:%M:%S UTC")


def when(ms: int, length: float) -> str:
    """The day that holds `ms`; in a `length` (ms) of three days or less, where days say too little, the second.

    >>> when(1696118405000, 4 * 86_400_000), when(1696118405000, 5_000)
    ('2023-10-01', '2023-10-01 00:00:05')
    """
    return day(ms) if length > 3 * _DAY or ms % _DAY == 0 else stamp(ms)[:19]


def span(start: int, stop: int) -> str:
    """From one instant to another; with seconds where the minutes alone would cut something off.

    >>> span(1696118400000, 1696204800000), span(1696118400000, 1696118405000)
    ('2023-10-01 00:00 to 2023-10-02 00:00', '2023-10-01 00:00:00 to 2023-10-01 00:00:05')
    """
    cut = 16 if start % 60_000 == stop % 60_000 == 0 else 19
    return f"{stamp(start)[:cut]} to {stamp(stop)[:cut]}"


def figure(value: float) -> str:
    """A number as a person would write it: three significant figures, thousands parted, powers of ten when it is huge.

    >>> figure(0.7532), figure(105.6), figure(3758.2), figure(4.1e12), figure(0)
    ('0.753', '106', '3,758', '4.1×10¹²', '0')
    """
    size = abs(value)
    if value == int(value) and size < 1e10:
        return f"{int(value):,}"
    if 1e-3 <= size < 100:
        return f"{value:.3g}"
    if 100 <= size < 1e6:
        return f"{value:,.0f}"
    power = floor(log10(size))
    return f"{value / 10**power:.2g}×{_power(power)}"


def e_value(ln_e: float) -> str:
    """An e-value given as its natural logarithm, written as `figure`; huge ones never overflow.

    >>> e_value(4.6636), e_value(2000.0)
    ('106', '10⁸⁶⁹')
    """
    if ln_e > 300:
        return _power(round(ln_e / LN10))
    return figure(exp(max(ln_e, -300.0)))


def decades(low: float, high: float) -> list[tuple[float, str]]:
    """At most seven (ln value, label) marks at whole powers of ten between two natural logarithms.

    >>> [label for _, label in decades(log(0.1), log(1000))]
    ['0.1', '1', '10', '100', '1,000']
    """
    first, last = ceil(low / LN10 - 1e-9), floor(high / LN10 + 1e-9)
    step = max(1, ceil((last - first) / 6))
    marks = [n for n in range(first, last + 1) if n % step == 0]
    return [(n * LN10, _decade(n)) for n in marks]


def round_ticks(high: float) -> list[float]:
    """Zero and up to three round numbers that reach no further than `high` (> 0).

    >>> round_ticks(31), round_ticks(0.6)
    ([0.0, 10.0, 20.0, 30.0], [0.0, 0.2, 0.4, 0.6])
    """
    rough = high / 3
    power = 10.0 ** floor(log10(rough))
    step = max((f * power for f in (1, 2, 5) if f * power <= rough * 1.0001), default=power)
    if high / step > 4:
        step *= 2
    return [round(step * i, 10) for i in range(floor(high / step + 1e-9) + 1)]


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
    pattern = "%d %b %Y" if step >= _DAY else "%d %b %H:%M" if step >= 60_000 else "%H:%M:%S"
    return [(at, moment(at).strftime(pattern)) for at in range(first, stop + 1, step) if at >= start]


def _month_ticks(start: int, stop: int) -> list[tuple[int, str]]:
    a, b = moment(start), moment(stop)
    first, last = a.year * 12 + a.month - 1, b.year * 12 + b.month - 1
    step = next((s for s in (1, 2, 3, 6, 12, 24, 60, 120) if (last - first) / s <= 9), 600)
    ticks = []
    for index in range(-(-first // step) * step, last + 1, step):
        at = int(datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
        if start <= at <= stop:
            ticks.append((at, moment(at).strftime("%Y" if step >= 12 else "%b %Y")))
    return ticks


def _decade(n: int) -> str:
    if -3 <= n < 0:
        return f"{10.0**n:g}"
    return f"{10**n:,}" if 0 <= n <= 4 else _power(n)


def _power(n: int) -> str:
    return "10" + str(n).translate(_SUPERSCRIPT)


def is_evidence(detector: str) -> bool:
    """Whether a detector of this name speaks in e-values (natural logarithms), rather than in units of its own."""
    return "e_process" in detector or "e_detector" in detector or "e_value" in detector
