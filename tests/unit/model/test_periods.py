"""Periods: every instant lies in exactly one, months are calendar months, spans are read or refused with the forms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.periods import Period, Span, parse_span

SPANS = ["250ms", "30s", "5m", "1h", "7h", "1d", "1w", "1mo", "3mo", "12mo"]
FROM_2000_TO_2100 = st.integers(946_684_800_000, 4_102_444_800_000)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@given(st.sampled_from(SPANS), FROM_2000_TO_2100)
def test_every_instant_lies_in_its_period_and_in_no_other(span: str, at: int) -> None:
    """start(i) <= at < start(i + 1)."""
    grid = Period(parse_span(span))
    index = grid.index(at)
    assert grid.start(index) <= at < grid.start(index + 1)
    assert grid.index(grid.start(index)) == index
    assert grid.index(grid.start(index + 1) - 1) == index


@given(st.sampled_from(SPANS), FROM_2000_TO_2100, st.integers(0, 10**10))
def test_a_span_never_goes_back_and_keeps_the_order(span: str, at: int, later: int) -> None:
    """after(x) > x, and a later instant never ends before an earlier one."""
    length = parse_span(span)
    assert at < length.after(at) <= length.after(at + later)


@pytest.mark.parametrize(
    ("at", "span", "expected"),
    [
        ("2024-01-31T10:00", "1mo", "2024-02-29T10:00"),
        ("2023-01-31T10:00", "1mo", "2023-02-28T10:00"),
        ("2023-12-15T00:00", "1mo", "2024-01-15T00:00"),
        ("2023-11-30T00:00", "1mo", "2023-12-30T00:00"),
        ("2023-08-31T23:59", "13mo", "2024-09-30T23:59"),
        ("2024-02-29T00:00", "12mo", "2025-02-28T00:00"),
        ("2024-02-28T23:00", "2h", "2024-02-29T01:00"),
    ],
)
def test_months_keep_the_day_where_the_month_has_it(at: str, span: str, expected: str) -> None:
    """The last day of a shorter month stands in for the days it lacks."""
    assert parse_span(span).after(ms(at)) == ms(expected)


def test_weeks_start_on_monday_and_months_on_the_first() -> None:
    """26 October 2023 was a Thursday."""
    at = ms("2023-10-26T15:30")
    week, month, quarter = (Period(parse_span(text)) for text in ("1w", "1mo", "3mo"))
    assert week.start(week.index(at)) == ms("2023-10-23T00:00")
    assert month.start(month.index(at)) == ms("2023-10-01T00:00")
    assert month.start(month.index(at) + 1) == ms("2023-11-01T00:00")
    assert quarter.start(quarter.index(at)) == ms("2023-10-01T00:00")


def test_months_are_as_long_as_the_calendar_says() -> None:
    """A leap year has 366 days in twelve periods."""
    grid = Period(parse_span("1mo"))
    first = grid.index(ms("2024-01-01T00:00"))
    lengths = [timedelta(milliseconds=grid.start(i + 1) - grid.start(i)).days for i in range(first, first + 12)]
    assert lengths == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


@pytest.mark.parametrize("text", ["", "1", "h", "1 h", "-1h", "1.5h", "1H", "1y", "1h30m", "١h\n", "1h\n"])
def test_a_span_of_another_form_is_refused_with_the_forms(text: str) -> None:
    """The message shows how to write one."""
    with pytest.raises(ValueError, match="such as 1h"):
        parse_span(text)


def test_spans_are_milliseconds_or_months_and_never_both() -> None:
    """A month has no fixed length."""
    assert parse_span("2w") == Span(ms=14 * 86_400_000)
    assert parse_span("2mo") == Span(months=2)
