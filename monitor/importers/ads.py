"""Crashes of driverless cars as filed with the US regulator, and driverless miles, as telemetry of one operator.

Incidents: rows of `incidents.csv` whose operating entity names the operator and whose operator type says that the car
had no driver (`None`, or `Remote (Commercial / Test)`, which is how Cruise filed its driverless fleet); one incident
for each distinct `incident_id` among these rows, however many versions and reporting entities it has. The public file
gives months: an incident has the first instant of its month as time and is received on the last day of the month of its
first submission. A later version with another grade of injury becomes an update, received on the last day of the month
of that version.

Exposure: miles for each month from the published running totals, in one of two variants, because monthly miles were
never published. `reconstructed` interpolates linearly between the published totals. `pace` differs for Cruise only: the
last rate published before August 2023 (one million miles from 7 July to 4 August) continues to the last published date.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

from monitor.importers import Row, Timed, months
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity

Variant: TypeAlias = Literal["reconstructed", "pace"]
VARIANTS: tuple[Variant, ...] = ("reconstructed", "pace")
OPERATORS = {"cruise": "Cruise", "waymo": "Waymo"}
UNIT = "driverless_mile"
MODEL = "as-reported"  # model versions are not in the public file
DRIVERLESS = frozenset({"None", "Remote (Commercial / Test)"})
_FIRST_REPORT = months.index("2021-07")  # the month from which crashes had to be reported
_LAST_REPORT = months.index("2025-05")  # the last month of the file
_PACE_UNTIL = int(datetime(2023, 8, 31, tzinfo=UTC).timestamp() * 1000)

_GRADE = {
    "Serious": (Severity.SERIOUS_INCIDENT, Harm.SERIOUS_INJURY),
    "Fatality": (Severity.SERIOUS_INCIDENT, Harm.DEATH),
    "Minor": (Severity.INCIDENT, Harm.MINOR_INJURY),
    "Moderate": (Severity.INCIDENT, Harm.MINOR_INJURY),
}


class _Item(NamedTuple):
    """One event before it has a sequence number, in the order of reception by the authority."""

    received: int
    rank: int  # exposure first, then reports, then updates
    key: str
    at: int
    amount: float = 0.0
    grade: tuple[Severity, Harm] = (Severity.INCIDENT, Harm.NONE)
    was: Severity | None = None


def events(operator: str, incidents: Iterable[Row], exposure: Iterable[Row], variant: Variant) -> list[Timed]:
    """Telemetry of `operator` (`cruise` or `waymo`), in order of reception. Raises KeyError for another operator."""
    points = [p for p in exposure if p["operator"] == operator]
    items = [*_incidents(OPERATORS[operator], incidents), *_miles(operator, points, variant)]
    emitter = Emitter(f"importer/ads/{operator}/{variant}", operator, model=MODEL)
    timed: list[Timed] = []
    for item in sorted(items, key=lambda i: i[:3]):
        severity, harm = item.grade
        if item.rank == 0:
            timed.append((item.received, emitter.exposure(item.at, item.amount, UNIT)))
        elif item.was is None:
            timed.append((item.received, emitter.incident(item.at, severity, harm, item.key)))
        else:
            timed.append((item.received, emitter.incident_update(item.at, item.key, item.was, severity, harm)))
    return timed


def monthly_miles(operator: str, exposure: Iterable[Row], variant: Variant) -> dict[str, float]:
    """Driverless miles of each month (`YYYY-MM`) in which any were driven and reports were due, in the given
    reading."""
    points = sorted(_published(p) for p in exposure if p["operator"] == operator)
    end = points[-1][0]
    if operator == "cruise" and variant == "pace":
        known = [p for p in points if p[0] <= _PACE_UNTIL]
        (t0, c0), (t1, c1) = known[-2:]
        points = [*known, (end, c1 + (c1 - c0) / (t1 - t0) * (end - t1))]
    first = max(_FIRST_REPORT, _month_of(points[0][0]))
    stop = min(_LAST_REPORT, _month_of(end - 1))
    return {
        months.name(i): _total(points, months.start(i + 1)) - _total(points, months.start(i))
        for i in range(first, stop + 1)
    }


def _incidents(entity: str, incidents: Iterable[Row]) -> list[_Item]:
    grouped: dict[str, list[Row]] = {}
    for row in incidents:
        if entity in row["operating_entity"] and row["operator_type"] in DRIVERLESS:
            grouped.setdefault(row["incident_id"], []).append(row)
    items = []
    for key, versions in grouped.items():
        # Two reporting entities may file the same version: by month, then version, so that neither undoes the other.
        versions.sort(key=lambda r: (r["report_submitted"], int(r["report_version"])))
        at = months.start(months.index(versions[0]["incident_month"]))
        grade = _grade(versions[0])
        items.append(_Item(_received(versions[0]), 1, key, at, grade=grade))
        for number, version in enumerate(versions[1:], start=2):
            now = _grade(version)
            if now != grade:
                items.append(_Item(_received(version), number, key, at, grade=now, was=grade[0]))
                grade = now
    return items


def _miles(operator: str, exposure: Iterable[Row], variant: Variant) -> list[_Item]:
    by_month = monthly_miles(operator, exposure, variant)
    ends = {month: months.last(months.index(month)) for month in by_month}
    return [_Item(ends[month], 0, month, ends[month], amount=amount) for month, amount in by_month.items()]


def _grade(row: Row) -> tuple[Severity, Harm]:
    return _GRADE.get(row["injury_severity"], (Severity.INCIDENT, Harm.NONE))


def _received(row: Row) -> int:
    return months.last(months.index(row["report_submitted"]))


def _published(row: Row) -> tuple[int, float]:
    at = datetime.fromisoformat(row["date"]).replace(tzinfo=UTC)
    return int(at.timestamp() * 1000), float(row["cumulative_driverless_miles"])


def _month_of(at: int) -> int:
    instant = datetime.fromtimestamp(at / 1000, UTC)
    return instant.year * 12 + instant.month - 1


def _total(points: Sequence[tuple[int, float]], at: int) -> float:
    """Running total at an instant: straight lines between points, flat before the first and after the last."""
    if at <= points[0][0]:
        return points[0][1]
    for (t0, c0), (t1, c1) in pairwise(points):
        if at <= t1:
            return c0 + (c1 - c0) * (at - t0) / (t1 - t0)
    return points[-1][1]
