"""The share of complaints made outside the firm, on two real data sets.

Neither holds the two counts of one firm's complaints. What is real, and what is scripted:

- Crashes of driverless fleets: two real sources. The operator reports a crash, and so does another company (the
  contractor that runs the cars, the parent company). Nearly all that the other reports the operator reported too, so a
  real firm that reports everything must not be disturbed. That it withholds reports is scripted.
- Complaints to New York City's 311: real times, with their daily and weekly cycles and bursts. Which of them reach the
  firm is scripted: by the last digit of the id.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import Admission
from monitor.charter.spec import Cycle, DetectorSpec, IndicatorSpec, UsersChannel
from monitor.charter.users_acts import MOST_ITEMS, ComplaintFiling, UserComplaint
from monitor.engine.machine import Machine
from monitor.importers.users_complaints import public_pseudonym
from monitor.model.builders import Emitter
from monitor.model.events import encode, instant, millis
from monitor.model.records import Level, Outputs, Reason, Record
from tests.unit.engine.test_machine import charter

DATA = Path(__file__).parents[1] / "data"
HOUR = 3_600_000
DAY = 24 * HOUR
ADS, NYC = DATA / "ads" / "incidents.csv", DATA / "complaints" / "complaints.csv"


class Report(NamedTuple):
    """One report: when (ms), of which case, and whether somebody other than the firm made it."""

    at: int
    case: str
    outside: bool


class Found(NamedTuple):
    """When the limit was exceeded (ms; `None` = never), the highest level, and reports that counted, by side."""

    at: int | None
    level: Level
    inside: int
    outside: int


def replayed(reports: list[Report], limit: float, period: str) -> Found:
    """The reports in a machine under a charter with alpha 5 % for the gap."""
    first, last = min(one.at for one in reports), max(one.at for one in reports)
    spec = IndicatorSpec(
        "gap", "outside_gap", period=period, reporting_delay="3h", limit=limit, weight=1.0,
        detectors=(DetectorSpec("limit_e_process", "escalate"),),
    )  # fmt: skip
    days = [instant(at).date().isoformat() for at in (first - DAY, last + 99 * DAY)]
    made = charter(spec, alpha=0.05, cycle=Cycle(*days))
    made = structs.replace(made, users_channel=UsersChannel(counted_per_day=100_000))
    machine, out, firm = Machine(journalled=False), Outputs(), Emitter("firm/1", "p", model="m1")
    admission = Admission(id="adm", pilot="p", author="anna", charter=made)
    machine.control(Record(0, first - DAY, b"p", msgspec.json.encode(admission)))
    assert "p" in machine.pilots
    number, waiting = 0, list[Report]()

    def send(at: int) -> None:
        while waiting:
            some = [waiting.pop(0) for _ in range(min(MOST_ITEMS, len(waiting)))]
            complaints = [UserComplaint(complaint=public_pseudonym(one.case), time=instant(one.at)) for one in some]
            act = ComplaintFiling(id=f"a{number}", pilot="p", author="anna", complaints=tuple(complaints))
            out.extend(machine.control(Record(number, at, b"p", msgspec.json.encode(act))))

    for one in sorted(reports):
        number += 1
        if waiting and (len(waiting) == MOST_ITEMS or one.at - waiting[0].at > HOUR):
            send(waiting[-1].at)
        if one.outside:
            waiting.append(one)
            continue
        value = encode(firm.complaint(one.at, one.case))
        out.extend(machine.telemetry("telemetry", [Record(number, one.at, b"p", value)]))
    send(last)
    out.extend(machine.time(last + 90 * DAY))
    found = [one.at for one in out.decisions if one.reason is Reason.LIMIT_EXCEEDED]
    users = machine.pilots["p"].users
    level = max((one.level for one in out.decisions), default=Level.NORMAL)
    return Found(min(found, default=None), level, users.inside, users.counted)


def crashes(operator: str, told: Callable[[int, str], bool] = lambda at, case: True) -> list[Report]:
    """Each crash once for each side that reported it; `told` is whether the operator reports a crash."""
    found: dict[tuple[str, bool], int] = {}
    with ADS.open() as lines:
        for row in csv.DictReader(lines):
            if not row["operating_entity"].startswith(operator):
                continue
            at = millis(datetime.fromisoformat(row["incident_month"] + "-15").replace(tzinfo=UTC))
            key = row["incident_id"], not row["reporting_entity"].startswith(operator)
            found[key] = min(at, found.get(key, at))
    return [Report(at, case, side) for (case, side), at in found.items() if side or told(at, case)]


def calls(told: Callable[[int, str], bool]) -> list[Report]:
    """Complaints about animals in the city: those that reach the firm and are `told`; a quarter of all go outside."""
    reports = []
    with NYC.open() as lines:
        for row in csv.DictReader(lines):
            at, case = millis(datetime.fromisoformat(row["filed"]).replace(tzinfo=UTC)), row["complaint_id"]
            outside = int(case[-2:]) < 25
            if outside or told(at, case):
                reports.append(Report(at, case, outside))
    return reports


@pytest.mark.parametrize(("operator", "inside", "outside"), [("Waymo", 1_007, 140), ("Cruise", 155, 150)])
def test_a_firm_that_reports_all_that_others_report_is_not_disturbed(operator: str, inside: int, outside: int) -> None:
    """Four real years: one crash of 140, and one of 150, was reported by others alone; at most half of all reports may
    come from outside."""
    found = replayed(crashes(operator), 0.5, "1mo")
    assert (found.at, found.level, found.inside, found.outside) == (None, Level.NORMAL, inside, outside)


def test_reports_that_a_firm_withholds_show_in_those_of_others() -> None:
    """Cruise's real crashes; had it kept two of three from June 2023 on to itself, it would have been found in
    November: months with ten to thirty crashes are few."""
    since = millis(datetime(2023, 6, 1, tzinfo=UTC))
    found = replayed(crashes("Cruise", lambda at, case: at < since or int(case, 16) % 3 == 0), 0.5, "1mo")
    assert found.at is not None
    assert found.level is Level.ESCALATE
    assert instant(found.at).date().isoformat()[:7] == "2023-11"


def test_cycles_and_bursts_that_move_both_sides_alike_raise_no_finding() -> None:
    """74 days of 311, a quarter outside where 0.3 is allowed."""
    found = replayed(calls(lambda at, case: True), 0.3, "1d")
    assert (found.at, found.level) == (None, Level.NORMAL)
    assert found.inside + found.outside == 4_969


def test_a_firm_that_stops_reporting_half_of_its_complaints_is_found_within_days() -> None:
    """From 15 February on, in the same real stream."""
    since = millis(datetime(2025, 2, 15, tzinfo=UTC))
    found = replayed(calls(lambda at, case: at < since or int(case) % 2 == 0), 0.3, "1d")
    assert found.at is not None
    assert 0 < (found.at - since) / DAY <= 14
