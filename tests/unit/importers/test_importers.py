"""Importers: what public records say, no more, and not before the authority could have read it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from monitor.importers import ads, complaints, fpr, months, rows
from monitor.importers.complaint_facts import facts
from monitor.model.events import (
    ComplaintFiled,
    ComplaintResolved,
    Envelope,
    ExposureTallied,
    Harm,
    IncidentReported,
    IncidentUpdated,
    OutcomesTallied,
    Severity,
    encode,
    millis,
)
from monitor.model.records import Record
from monitor.validate.parse import validate

DATA = Path(__file__).parents[2] / "data"
INCIDENTS, EXPOSURE = rows(DATA / "ads" / "incidents.csv"), rows(DATA / "ads" / "exposure.csv")
OUTCOMES, FILED = rows(DATA / "fpr" / "outcomes.csv"), rows(DATA / "complaints" / "complaints.csv")


def streams() -> list[list[tuple[int, Envelope]]]:
    return [
        *(ads.events(o, INCIDENTS, EXPOSURE, v) for o in ads.OPERATORS for v in ads.VARIANTS),
        fpr.events(OUTCOMES),
        *(complaints.events(a, FILED) for a in complaints.agencies(FILED)),
    ]


@pytest.mark.parametrize("timed", streams(), ids=lambda timed: timed[0][1].source)
def test_every_event_is_valid_numbered_without_gaps_and_in_order(timed: list[tuple[int, Envelope]]) -> None:
    """Importers only emit what `validate` takes, in order of reception, with sequence numbers 1, 2, 3 ..."""
    assert [int(event.sequence) for _, event in timed] == list(range(1, len(timed) + 1))
    assert [received for received, _ in timed] == sorted(received for received, _ in timed)
    assert len({event.id for _, event in timed}) == len(timed)
    for offset, (received, event) in enumerate(timed):
        assert millis(event.time) <= received
        result = validate(Record(offset, received, None, encode(event)), "telemetry", 0, secret=b"")
        assert not result.rejected, result.rejected


def test_cruise_by_month_of_the_crash() -> None:
    """One incident for each distinct id: the monthly counts of Cruise's driverless fleet, November 2021 to October
    2023."""
    timed = ads.events("cruise", INCIDENTS, EXPOSURE, "reconstructed")
    counted = Counter(f"{e.time:%Y-%m}" for _, e in timed if isinstance(e, IncidentReported))
    span = range(months.index("2021-11"), months.index("2023-10") + 1)
    expected = [0, 0, 0, 1, 1, 4, 0, 1, 4, 0, 1, 0, 0, 3, 0, 3, 9, 7, 7, 9, 16, 31, 15, 10]
    assert [counted.pop(months.name(i), 0) for i in span] == expected
    assert not counted


def test_waymo_has_825_incidents_without_a_driver() -> None:
    """The selection of driverless rows gives 825 distinct incidents of Waymo."""
    timed = ads.events("waymo", INCIDENTS, EXPOSURE, "reconstructed")
    assert sum(isinstance(e, IncidentReported) for _, e in timed) == 825


def test_a_report_becomes_visible_on_the_last_day_of_its_submission_month() -> None:
    """A month-precision report is received in the last millisecond of the month of its first submission, never
    before."""
    row = {
        "report_id": "1",
        "report_version": "1",
        "operating_entity": "Cruise LLC",
        "report_submitted": "2023-09",
        "incident_month": "2023-08",
        "incident_id": "abc",
        "operator_type": "Remote (Commercial / Test)",
        "injury_severity": "No Injuries Reported",
    }
    upgraded = {**row, "report_version": "2", "report_submitted": "2023-11", "injury_severity": "Serious"}
    aboard = {**row, "incident_id": "def", "operator_type": "In-Vehicle (Commercial / Test)"}
    timed = ads.events("cruise", [upgraded, aboard, row], EXPOSURE, "pace")
    found = [(r, e) for r, e in timed if isinstance(e, IncidentReported | IncidentUpdated)]
    assert [datetime.fromtimestamp(r / 1000, UTC).isoformat() for r, _ in found] == [
        "2023-09-30T23:59:59.999000+00:00",
        "2023-11-30T23:59:59.999000+00:00",
    ]
    first, second = (e for _, e in found)
    assert isinstance(second, IncidentUpdated)
    assert (first.data.severity, first.data.harm) == (Severity.INCIDENT, Harm.NONE)
    assert (second.data.was, second.data.severity, second.data.harm) == (
        Severity.INCIDENT,
        Severity.SERIOUS_INCIDENT,
        Harm.SERIOUS_INJURY,
    )
    assert f"{first.time:%Y-%m}" == f"{second.time:%Y-%m}" == "2023-08"


def test_the_same_version_of_two_reporting_entities_is_one_report() -> None:
    """A death that was withdrawn in version 2 is reported once, although two entities filed both versions."""
    timed = ads.events("cruise", INCIDENTS, EXPOSURE, "reconstructed")
    about = [
        e
        for _, e in timed
        if isinstance(e, IncidentReported | IncidentUpdated) and e.data.incident == "90c6a1024fa3128"
    ]
    assert [(type(e), e.data.harm) for e in about] == [(IncidentReported, Harm.DEATH), (IncidentUpdated, Harm.NONE)]


def test_miles_of_august_2023_in_both_readings() -> None:
    """Between published totals August 2023 has 0.453 million miles; at the last published pace, 1.107 million."""
    assert ads.monthly_miles("cruise", EXPOSURE, "reconstructed")["2023-08"] == pytest.approx(453_000, abs=500)
    assert ads.monthly_miles("cruise", EXPOSURE, "pace")["2023-08"] == pytest.approx(31e6 / 28, abs=1)
    assert ads.monthly_miles("cruise", EXPOSURE, "pace")["2023-07"] == pytest.approx(
        ads.monthly_miles("cruise", EXPOSURE, "reconstructed")["2023-07"]
    )


@pytest.mark.parametrize("operator", ads.OPERATORS)
def test_reconstructed_miles_add_up_to_the_published_total(operator: str) -> None:
    """Months add up to what was published between the first and the last month, whatever lies between."""
    miles = ads.monthly_miles(operator, EXPOSURE, "reconstructed")
    assert list(miles) == sorted(miles)
    if operator == "cruise":
        assert sum(miles.values()) == pytest.approx(5_000_000)
    else:
        assert sum(m for month, m in miles.items() if "2023-11" <= month <= "2024-05") == pytest.approx(
            14_860_000 * 213 / 243, rel=1e-2
        )


def test_waymo_has_one_reading_only() -> None:
    """No pace was published for Waymo that departs from its totals."""
    assert ads.monthly_miles("waymo", EXPOSURE, "pace") == ads.monthly_miles("waymo", EXPOSURE, "reconstructed")


def test_false_positive_rates_are_those_of_the_source() -> None:
    """Adding up all tallies gives the source's totals: A 641 of 1,514, B 282 of 1,281, C 95 of 568."""
    fp, n = Counter[str](), Counter[str]()
    for _, event in fpr.events(OUTCOMES):
        assert isinstance(event, OutcomesTallied)
        fp[event.data.segment] += event.data.fp
        n[event.data.segment] += event.data.fp + event.data.tn
    assert (dict(fp), dict(n)) == ({"A": 641, "B": 282, "C": 95}, {"A": 1514, "B": 1281, "C": 568})


def test_every_complaint_of_an_agency_is_filed_once_and_open_ones_stay_open() -> None:
    """4,969 complaints over four agencies are filed; as many are resolved as the file says, and no more."""
    filed = resolved = 0
    for agency in complaints.agencies(FILED):
        kinds = Counter(type(e) for _, e in complaints.events(agency, FILED))
        filed, resolved = filed + kinds[ComplaintFiled], resolved + kinds[ComplaintResolved]
        assert kinds[ExposureTallied] == 72  # 1 January to 13 March: the 14th is cut off by the end of the file
    assert (filed, resolved) == (4969, 4969 - 277)


def test_complaints_carry_neither_place_nor_free_text() -> None:
    """Nothing of place, category or words of a complaint reaches telemetry."""
    text = b"".join(encode(e) for _, e in complaints.events("DPR", FILED)).decode()
    assert not any(word in text for word in ("BROOKLYN", "Dog", "Park"))


def test_facts_about_an_alarm_are_counts_of_the_file() -> None:
    """The sentence about an alarm can be counted in the file: DPR, fourteen days up to 1 March 2025, 01:00 UTC."""
    at = millis(msgspec.json.decode(b'"2025-03-01T01:00:00Z"', type=datetime))
    own = [r for r in FILED if r["agency"] == "DPR"]
    window = [r for r in own if at - 14 * 86_400_000 <= complaints.instant(r["filed"]) < at]
    assert f"{len(window) / 14:.1f} complaints a day in the 14 days before" in facts("DPR", FILED, "complaint_rate", at)
    late = facts("DOHMH", FILED, "over_promise", at)
    assert "whose 30 days ran out in the 14 days before" in late
