"""Calendars: local days begin and end when a person there says so, also where the clocks change at midnight."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.deadlines.calendars import Calendar, NamedDay
from monitor.deadlines.durations import MOST, Counting, Duration, Unit, due_instant
from monitor.model.events import LAST_MS, millis
from tests.strength import examples

YEARS = date(1990, 1, 1), date(2100, 1, 1)


def calendar(zone: str = "Europe/Berlin", *holidays: date) -> Calendar:
    return Calendar(name="c", zone=zone, covers=YEARS, holidays=tuple(NamedDay(day, "off") for day in holidays))


@pytest.mark.parametrize(
    ("zone", "day", "begin", "why"),
    [
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00+00:00", "the clocks went forward the day before"),
        ("Europe/Berlin", "2026-10-26", "2026-10-25T23:00:00+00:00", "the clocks went back the day before"),
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00+00:00", "0:00 does not exist: the day begins at 1:00"),
        ("Africa/Cairo", "2024-11-01", "2024-10-31T22:00:00+00:00", "23:00 is repeated: it is of the day before"),
        ("America/Havana", "2025-11-02", "2025-11-02T04:00:00+00:00", "0:00 is repeated: the first begins the day"),
        ("America/Havana", "2025-03-09", "2025-03-09T05:00:00+00:00", "0:00 does not exist"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00", "30 December 2011 does not exist in Samoa"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00+00:00", "31 December follows the 29th"),
        ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15:00+00:00", "an offset of 5:45"),
    ],
)
def test_a_local_day_begins_once(zone: str, day: str, begin: str, why: str) -> None:
    """A day begins at the first instant from which on it is that day or later by local time."""
    assert calendar(zone).begin_of(date.fromisoformat(day)) == millis(datetime.fromisoformat(begin)), why


@settings(max_examples=examples(100, 2000), deadline=None)
@given(
    zone=st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe"]),
    day=st.dates(date(2000, 1, 1), date(2037, 1, 1)),
)
def test_days_agree_with_the_standard_library(zone: str, day: date) -> None:
    """Just before the begin of a day it is an earlier day, from then on never again, by the rules of `zoneinfo`."""
    # The pinned package: the zones of the machine may be of another year.
    with files("tzdata").joinpath("zoneinfo", *zone.split("/")).open("rb") as file:
        c, rules = calendar(zone), ZoneInfo.from_file(file, key=zone)
    begin = c.begin_of(day)

    def local(ms: int) -> date:
        return datetime.fromtimestamp(ms / 1000, rules).date()

    assert local(begin - 1000) < day
    assert all(local(begin + minutes * 60_000) >= day for minutes in range(0, 180, 15))
    assert c.day_of(begin) == local(begin) == day
    assert c.day_of(begin - 1) == day - timedelta(days=1)


def test_a_worked_weekend_day_is_a_working_day_and_a_holiday_is_not() -> None:
    """Holidays and exchanged weekend days come from the data, everything else from the weekend."""
    c = Calendar(
        name="c",
        zone="Asia/Shanghai",
        covers=YEARS,
        holidays=(NamedDay(date(2026, 2, 16), "Spring Festival"),),
        working_weekends=(NamedDay(date(2026, 2, 14), "exchanged"),),
    )
    assert [c.working(date(2026, 2, day)) for day in (13, 14, 15, 16, 17)] == [True, True, False, False, True]


@settings(max_examples=examples(100, 2000), deadline=None)
@given(
    start=st.integers(-(1 << 62), 1 << 62),
    unit=st.sampled_from(list(Unit)),
    share=st.floats(0, 1),
    zone=st.sampled_from(["Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12"]),
)
def test_a_due_instant_exists_for_every_start(start: int, unit: Unit, share: float, zone: str) -> None:
    """Whatever time a firm states, the due instant is a time that can be represented, after the clipped start."""
    period = Duration(max(1, int(MOST[unit] * share)), unit)
    eu = Counting(name="eu", next_working_day=True, least_working_days=2)
    due = due_instant(start, period, calendar(zone), eu)
    assert min(max(start, 0), LAST_MS - 21 * 366 * 86_400_000) < due.at < LAST_MS


@settings(max_examples=examples(100, 2000), deadline=None)
@given(
    start=st.integers(1_700_000_000_000, 1_900_000_000_000),
    later=st.integers(0, 40 * 86_400_000),
    count=st.integers(1, 40),
    unit=st.sampled_from(list(Unit)),
)
def test_who_starts_later_is_never_due_earlier(start: int, later: int, count: int, unit: Unit) -> None:
    """A due instant does not decrease with the start, nor with the length of the period."""
    eu = Counting(name="eu", next_working_day=True, least_working_days=2)
    c = calendar("Europe/Berlin", date(2025, 12, 25), date(2025, 12, 26), date(2026, 1, 1))
    due = due_instant(start, Duration(count, unit), c, eu).at
    assert due <= due_instant(start + later, Duration(count, unit), c, eu).at
    assert due <= due_instant(start, Duration(count + 1, unit), c, eu).at


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"zone": "Europe/Berln"}, "zone"),
        ({"covers": (date(2027, 1, 1), date(2026, 1, 1))}, "covers"),
        ({"weekend": (1, 2, 3, 4, 5, 6, 7)}, "weekend"),
        ({"holidays": (NamedDay(date(1900, 1, 1), "x"),)}, "holidays"),
        ({"holidays": (NamedDay(date(2026, 1, 1), "x"),) * 2}, "holidays"),
        ({"working_weekends": (NamedDay(date(2026, 1, 1), "x"),)}, "working_weekends"),
    ],
)
def test_a_wrong_calendar_is_refused_with_the_field(changes: dict[str, object], field: str) -> None:
    """Each mistake in a calendar names its field."""
    fields: dict[str, object] = {"name": "c", "zone": "Europe/Berlin", "covers": YEARS, "holidays": ()}
    flaws = list(Calendar(**(fields | changes)).flaws())  # type: ignore[arg-type]
    assert any(flaw.startswith(f"{field}: ") for flaw in flaws), flaws


def test_a_correct_calendar_has_no_flaws() -> None:
    """The calendar from which the wrong ones are made is correct."""
    assert list(calendar("Europe/Berlin", date(2026, 1, 1)).flaws()) == []
