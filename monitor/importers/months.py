"""Calendar months in UTC, as `YYYY-MM` text: what sources of month precision speak in."""

from __future__ import annotations

from datetime import UTC, datetime


def index(month: str) -> int:
    """Months since year 0.

    >>> index("2023-10") - index("2021-11")
    23
    """
    year, number = month.split("-")
    return int(year) * 12 + int(number) - 1


def name(number: int) -> str:
    """The month of an index, as `YYYY-MM`."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def start(number: int) -> int:
    """First millisecond of the month of an index (ms since 1970)."""
    return int(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)


def last(number: int) -> int:
    """Last millisecond of the month of an index (ms since 1970): what was known by the end of its last day.

    >>> datetime.fromtimestamp(last(index("2023-08")) / 1000, UTC).isoformat()
    '2023-08-31T23:59:59.999000+00:00'
    """
    return start(number + 1) - 1
