"""Numbers, e-values and times as text, the same on every page, picture and command."""

from __future__ import annotations

from datetime import UTC, datetime
from math import exp, floor, log, log10

from monitor.translation import mark, tr

LN10 = log(10)
_DAY = 86_400_000
_MONTHS = (
    mark("Jan"), mark("Feb"), mark("Mar"), mark("Apr"), mark("May"), mark("Jun"), mark("Jul"), mark("Aug"), mark("Sep"),
    mark("Oct"), mark("Nov"), mark("Dec"),
)  # fmt: skip
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def moment(ms: int) -> datetime:
    """The time `ms` (since 1970, UTC), clamped to the years that `datetime` can represent."""
    return datetime.fromtimestamp(min(max(ms, 0), 253_370_764_800_000) / 1000, UTC)


def day(ms: int) -> str:
    """`2023-10-01`: the UTC day of `ms`.

    >>> day(1696118399999), day(1696118400000)
    ('2023-09-30', '2023-10-01')
    """
    return moment(ms).strftime("%Y-%m-%d")


def stamp(ms: int) -> str:
    """`2023-10-01 00:00:05 UTC`: the second of `ms`."""
    return moment(ms).strftime("%Y-%m-%d %H:%M:%S UTC")


def when(ms: int, length: float) -> str:
    """The day of `ms`; the second for a span of `length` (ms) up to three days.

    >>> when(1696118405000, 4 * 86_400_000), when(1696118405000, 5_000)
    ('2023-10-01', '2023-10-01 00:00:05')
    """
    return day(ms) if length > 3 * _DAY or ms % _DAY == 0 else stamp(ms)[:19]


def span(start: int, stop: int) -> str:
    """From one time to another, in minutes, or in seconds where a time is not a whole minute.

    >>> span(1696118400000, 1696204800000), span(1696118400000, 1696118405000)
    ('2023-10-01 00:00 to 2023-10-02 00:00', '2023-10-01 00:00:00 to 2023-10-01 00:00:05')
    """
    first, last = ends(start, stop)
    return tr("{start} to {end}", start=first, end=last)


def ends(start: int, stop: int) -> tuple[str, str]:
    """Both times of `span`."""
    cut = 16 if start % 60_000 == stop % 60_000 == 0 else 19
    return stamp(start)[:cut], stamp(stop)[:cut]


def axis_day(ms: int) -> str:
    """The day of a mark on an axis.

    >>> axis_day(1767571200000)
    '05 Jan 2026'
    """
    at = moment(ms)
    return tr("{day} {month} {year}", day=f"{at:%d}", month=_month(at), year=at.year)


def axis_minute(ms: int) -> str:
    """The day and minute of a mark on an axis: `05 Jan 12:30`."""
    at = moment(ms)
    return tr("{day} {month} {time}", day=f"{at:%d}", month=_month(at), time=f"{at:%H:%M}")


def axis_month(ms: int) -> str:
    """The month of a mark on an axis: `Jan 2026`."""
    at = moment(ms)
    return tr("{month} {year}", month=_month(at), year=at.year)


def _month(at: datetime) -> str:
    return tr(_MONTHS[at.month - 1])


def figure(value: float) -> str:
    """A number with three significant figures and thousands separators; a power of ten from 10¹⁰ on.

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
    return f"{value / 10**power:.2g}×{power_of_ten(power)}"


def percent(share: float) -> str:
    """A share in per cent, with three significant figures.

    >>> percent(0.0476), percent(1), percent(-0.9), percent(0.00001)
    ('4.76 %', '100 %', '-90 %', '0.001 %')
    """
    return f"{figure(float(f'{share * 100:.3g}'))} %"


def e_value(ln_e: float) -> str:
    """An e-value given as its natural logarithm, formatted as by `figure`; large ones never overflow.

    >>> e_value(4.6636), e_value(2000.0)
    ('106', '10⁸⁶⁹')
    """
    if ln_e > 300:
        return power_of_ten(round(ln_e / LN10))
    return figure(exp(max(ln_e, -300.0)))


def power_of_ten(n: int) -> str:
    """`10` with `n` as a superscript."""
    return "10" + str(n).translate(_SUPERSCRIPT)


def is_evidence(detector: str) -> bool:
    """Whether the statistic of this detector is the natural logarithm of an e-value."""
    return "e_process" in detector or "e_detector" in detector or "e_value" in detector
