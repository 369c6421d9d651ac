"""The published figures: scores of the limit e-process for two real robotaxi fleets under one charter."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from detectors import build
from detectors.base import Count, Design

ADS = Path(__file__).parents[2] / "data" / "ads"
ALPHA = 0.01 * 6 / math.pi**2  # the first restart's share
DRIVERLESS = {"None", "Remote (Commercial / Test)"}


def months(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first = date(first.year + first.month // 12, first.month % 12 + 1, 1)


def incidents(operator: str) -> Counter[str]:
    """Distinct driverless incidents per month of occurrence, as filed by the end of the following month."""
    seen: dict[str, str] = {}
    with (ADS / "incidents.csv").open() as rows:
        for row in csv.DictReader(rows):
            happened, filed = (int(row[c][:4]) * 12 + int(row[c][5:]) for c in ("incident_month", "report_submitted"))
            if operator in row["operating_entity"] and row["operator_type"] in DRIVERLESS and filed <= happened + 1:
                seen.setdefault(row["incident_id"], row["incident_month"])
    return Counter(seen.values())


def miles(operator: str, at: date) -> float:
    """Cumulative driverless miles at 00:00 of a day, interpolated linearly between the published totals."""
    with (ADS / "exposure.csv").open() as rows:
        points = [
            (date.fromisoformat(r["date"]).toordinal(), float(r["cumulative_driverless_miles"]))
            for r in csv.DictReader(rows)
            if r["operator"] == operator.lower()
        ]
    day = at.toordinal()
    for (a, start), (b, end) in pairwise(points):
        if a <= day <= b:
            return start + (end - start) * (day - a) / (b - a)
    return points[0][1] if day < points[0][0] else points[-1][1]


def replay(operator: str, first: date, last: date, uncertainty: float) -> dict[str, float]:
    """Returns the e-value at the close of each month."""
    counts = incidents(operator)
    detector = build("limit_e_process", Design(limit=20e-6, alpha=ALPHA, uncertainty=uncertainty, late_window=4))
    values: dict[str, float] = {}
    for month in months(first, last):
        after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        name = f"{month:%Y-%m}"
        score = detector.update(Count(k=float(counts[name]), m=miles(operator, after) - miles(operator, month)))
        assert score is not None
        values[name] = math.exp(score.statistic)
        assert score.threshold == pytest.approx(math.log(164.49), abs=1e-4)
    return values


def test_cruise_reaches_106_against_164_when_august_2023_closes() -> None:
    """With a margin of 20 % for the exposure the evidence is more than half-way (in log) and stays below the
    threshold."""
    values = replay("Cruise", date(2021, 11, 1), date(2023, 10, 1), 0.2)
    assert max(values, key=values.__getitem__) == "2023-08"
    assert values["2023-08"] == pytest.approx(105.73, abs=0.01)
    assert max(v for m, v in values.items() if m < "2023-08") < 1
    assert math.log(values["2023-08"]) > math.log(164.49) / 2


def test_cruise_at_face_value_crosses_when_august_2023_closes() -> None:
    """If the reconstructed exposure were exact, the evidence would be twenty times the threshold."""
    values = replay("Cruise", date(2021, 11, 1), date(2023, 10, 1), 0.0)
    assert values["2023-08"] == pytest.approx(3762.7, abs=0.1)
    assert max(v for m, v in values.items() if m < "2023-08") < 1


@pytest.mark.parametrize("uncertainty", [0.0, 0.2])
def test_waymo_never_passes_three_quarters(uncertainty: float) -> None:
    """Four years, 815 incidents filed in time: no evidence against the same limit in any month."""
    values = replay("Waymo", date(2021, 7, 1), date(2025, 5, 1), uncertainty)
    assert len(values) == 47
    assert max(values.values()) < 0.75


def test_adding_up_from_day_one_would_have_missed_it() -> None:
    """Without the mixture over onsets two years below the limit offset August 2023: the product never returns to 1."""
    counts, product = incidents("Cruise"), dict.fromkeys((1.25, 1.5, 2.0, 3.0, 5.0), 1.0)
    means = []
    for month in months(date(2021, 11, 1), date(2023, 10, 1)):
        after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        allowed = 24e-6 * (miles("Cruise", after) - miles("Cruise", month))
        product = {r: p * r ** counts[f"{month:%Y-%m}"] * math.exp(-(r - 1) * allowed) for r, p in product.items()}
        means.append(sum(product.values()) / 5)
    assert max(means) < 0.29
    assert max(means[2:]) < 0.11
    assert means[21] == pytest.approx(0.0024, abs=1e-4)
