"""Time zones of a charter: working hours stay working hours when the clocks change, the same on every machine."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from detectors.hours import HOUR, HourOfWeek, LocalWeek
from monitor.charter.spec import Charter, Drills, IndicatorSpec, Window, charter_hash
from monitor.charter.time_zones import FIRST, LAST, names, zone
from monitor.compile.load import read_charter
from monitor.compile.plan import plan_of
from monitor.engine.replay import TimedRecord, replay_charters, timed_records
from monitor.indicators.base import BadSpec
from monitor.indicators.silence import Silence
from monitor.model.builders import Emitter
from monitor.model.records import Reason

TEXT = """
schema: sandbox-charter/1
pilot: p
participant: {id: firm}
scenario: test
tier: limited
cycle: {start: "2026-01-01", end: "2027-12-31"}
models: [{digest: "*"}]
authorities: [{id: a, approvers: [x, y]}]
indicators:
  - name: silence
    kind: silence
    params:
      {every: 5m, of: any, hours: [{days: [mon, tue, wed, thu, fri], start: "08:00", end: "18:00"}],
       zone: Europe/Berlin}
    detectors: [{name: silence, level: watch}]
"""


def at(*when: int) -> int:
    """Milliseconds of a moment in UTC."""
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc]


def charter(text: str = TEXT) -> Charter:
    reading = read_charter(text)
    assert reading.charter is not None
    assert reading.errors == ()
    return reading.charter


def working_days(first: datetime, days: int) -> list[TimedRecord]:
    """An event every four minutes from 08:00 to 18:00 by the clocks of Berlin, Monday to Friday."""
    service, berlin, events = Emitter("s", "p"), zone("Europe/Berlin"), []
    for day in (first + timedelta(days=n) for n in range(days)):
        if day.weekday() < 5:
            opens = int(day.timestamp()) + 8 * 3600 - berlin.offset(day.timestamp() + 12 * 3600)
            events += [((opens + s) * 1000, service.heartbeat((opens + s) * 1000)) for s in range(0, 36_000, 240)]
    return list(timed_records(events))


@pytest.mark.parametrize("first", [datetime(2026, 3, 23, tzinfo=UTC), datetime(2026, 10, 19, tzinfo=UTC)])
def test_working_hours_hold_over_both_changes_of_the_clocks(first: datetime) -> None:
    """No silence in the weeks around the change; the same hours in UTC find one on the first Monday after it."""
    start = f'cycle: {{start: "{first:%Y-%m-%d}"'
    text = TEXT.replace('cycle: {start: "2026-01-01"', start)
    log = working_days(first, 14)

    def silences(text: str) -> list[datetime]:
        out = [d for o in replay_charters([charter(text)], log) for d in o.decisions if d.reason is Reason.SILENCE]
        return [datetime.fromtimestamp(d.at / 1000, UTC) for d in out]

    assert silences(text) == []
    hours = ("08:00", "18:00", "07:00", "17:00") if first.month == 3 else ("08:00", "18:00", "06:00", "16:00")
    in_utc = text.replace(",\n       zone: Europe/Berlin", "").replace(hours[0], hours[2]).replace(hours[1], hours[3])
    assert {found.date() - first.date() for found in silences(in_utc)} <= {timedelta(days=n) for n in range(7, 12)}
    assert silences(in_utc)


def test_a_silence_in_working_hours_is_found_at_the_local_time() -> None:
    """In winter and in summer, as long after the doors opened."""
    silence = Silence(charter().indicators[0])
    found = [silence.due(at(*day, 0, 0), 12.0) for day in ((2026, 1, 12), (2026, 7, 13))]
    assert found == [at(2026, 1, 12, 8, 0), at(2026, 7, 13, 7, 0)]
    assert silence.gap(at(2026, 7, 10, 16), at(2026, 7, 13, 6)).expected == 0.0


def test_expected_events_add_up_over_any_change_and_the_timer_inverts_them() -> None:
    """The integral of a week does not depend on where it is cut; a lost hour owes nothing, a repeated one twice."""
    night = HourOfWeek.of([6.0 if h % 24 == 2 else 1.0 for h in range(168)])
    table = zone("Europe/Berlin")
    week = LocalWeek(night, table.changes, table.offsets)
    spring, autumn = at(2026, 3, 29) / 1000, at(2026, 10, 25) / 1000
    assert week.expected(spring, spring + 2 * HOUR) == pytest.approx(2.0)  # 01:00 to 02:00, then 03:00 to 04:00
    assert week.expected(autumn, autumn + 2 * HOUR) == pytest.approx(12.0)  # 02:00 to 03:00 twice
    for begin in (spring - 30 * HOUR, autumn - 30 * HOUR):
        whole = week.expected(begin, begin + 60 * HOUR)
        parts = sum(week.expected(begin + h * HOUR / 7, begin + (h + 1) * HOUR / 7) for h in range(420))
        assert parts == pytest.approx(whole)
        for wanted in (0.1, 20.0, 31.7, 55.0, 3_000.0):
            moment = week.when(begin, wanted)
            assert week.expected(begin, moment) == pytest.approx(wanted, abs=1e-6)


def test_a_zone_comes_from_the_pinned_package_and_not_from_the_machine() -> None:
    """Whatever zone files and TZ the machine has, the table is the same."""
    code = (
        "from monitor.charter.time_zones import zone; changes = zone('Africa/Casablanca').changes; "
        "print(hash(changes), len(changes))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": "0", **more}, capture_output=True, check=True
        ).stdout
        for more in ({}, {"PYTHONTZPATH": ""}, {"TZ": "Asia/Tokyo", "PYTHONTZPATH": "/usr/share/zoneinfo"})
    }
    assert len(seen) == 1


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
def test_a_table_is_rising_and_covers_its_years(name: str) -> None:
    """One offset more than changes; a zone with summer time has two changes a year."""
    table = zone(name)
    assert len(table.offsets) == len(table.changes) + 1
    assert list(table.changes) == sorted(set(table.changes))
    assert len(table.changes) in (0, 2 * (LAST - FIRST))


@pytest.mark.parametrize(
    ("wrong", "fix"), [("Europe/Berln", "did you mean Europe/Berlin"), ("../etc/passwd", "IANA"), ("", "")]
)
def test_an_unknown_zone_is_refused_with_the_nearest_names(wrong: str, fix: str) -> None:
    """At its place in the file; without a name hours are UTC, as they always were."""
    reading = read_charter(TEXT.replace("Europe/Berlin", f'"{wrong}"'))
    assert [(f.field, fix in f.fix) for f in reading.errors] == ([("indicators[0].params.zone", True)] if wrong else [])
    drills = TEXT + f'drills: {{full_stops: [{{days: [sun], start: "02:00", end: "04:00"}}], zone: "{wrong}"}}\n'
    assert [(f.field, fix in f.fix) for f in read_charter(drills).errors] == ([("drills.zone", True)] if wrong else [])


def test_a_zone_without_hours_is_refused() -> None:
    """There is nothing that it could shift."""
    with pytest.raises(BadSpec, match="without hours"):
        Silence(IndicatorSpec(name="s", kind="silence", params={"every": "30s", "zone": "Europe/Berlin"}))


def test_windows_of_full_stops_are_in_the_zone_of_the_drills() -> None:
    """02:00 in Berlin is 01:00 UTC in winter and 00:00 UTC in summer."""
    window = Window(days=("sun",), start="02:00", end="04:00")
    plan = plan_of(msgspec.structs.replace(charter(), drills=Drills(full_stops=(window,), zone="Europe/Berlin")))
    assert plan.full_stop_allowed(at(2026, 1, 11, 1, 0))
    assert not plan.full_stop_allowed(at(2026, 1, 11, 0, 59))
    assert plan.full_stop_allowed(at(2026, 7, 12, 0, 0))
    assert not plan.full_stop_allowed(at(2026, 7, 12, 2, 0))


def test_a_charter_without_a_zone_keeps_its_hash() -> None:
    """One that was admitted before zones existed is the same charter."""
    text = TEXT.replace(",\n       zone: Europe/Berlin", "")
    text += 'drills: {every: 30d, full_stops: [{days: [sun], start: "02:00", end: "04:00"}]}\n'
    assert charter_hash(charter(text)) == "20e8550477c6664458c40991cfec8f0cb81bd484ce5998744b3a76ab92d08232"
    assert (
        charter_hash(charter(text.replace('"04:00"}]}', '"04:00"}], zone: Europe/Berlin}')))
        != "20e8550477c6664458c40991cfec8f0cb81bd484ce5998744b3a76ab92d08232"
    )


def test_every_name_that_the_package_lists_can_be_read() -> None:
    """A charter may name any of them."""
    assert "Europe/Berlin" in names()
    for name in sorted(names())[::40]:
        assert zone(name).name == name
