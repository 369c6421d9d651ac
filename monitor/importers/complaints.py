"""Complaints to a city's hotline, filed and resolved, as telemetry of one pilot for each agency.

Each row of `complaints.csv` is a complaint filed at that minute and received with it, and, where the row names one, its
resolution, received with it too. Times in the file are local (America/New_York) and become instants with an offset; a
time that the clocks repeat in autumn would be read as the first of the two. Exposure is the day: one tally of 1 `day`
for every day (UTC) between the first and the last whole day of the file, received at the day's last millisecond. Free
text and places stay out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.importers import Row, Timed
from monitor.model.builders import Emitter

MODEL = "as-published"
UNIT = "day"
LOCAL = ZoneInfo("America/New_York")
_DAY = 86_400_000


def pilot_of(agency: str) -> str:
    """The pilot that an agency's complaints belong to."""
    return agency.lower()


def agencies(complaints: Iterable[Row]) -> list[str]:
    """The agencies that the rows name, in alphabetical order."""
    return sorted({row["agency"] for row in complaints})


def instant(text: str) -> int:
    """A local time of the file as ms since 1970.

    >>> instant("2025-01-01T07:52:00"), instant("2025-03-10T07:52:00")
    (1735735920000, 1741607520000)
    """
    return int(datetime.fromisoformat(text).replace(tzinfo=LOCAL).timestamp() * 1000)


def events(agency: str, complaints: Iterable[Row]) -> list[Timed]:
    """Telemetry of one agency, in order of reception."""
    every = list(complaints)
    moments: list[tuple[int, int, str, Row | None]] = []  # received, rank, key, row
    for row in every:
        if row["agency"] != agency:
            continue
        moments.append((instant(row["filed"]), 1, row["complaint_id"], row))
        if row["resolved"]:
            moments.append((instant(row["resolved"]), 2, row["complaint_id"], row))
    first, last = _days(every)
    moments += [((n + 1) * _DAY - 1, 0, "", None) for n in range(first, last + 1)]
    emitter = Emitter(f"importer/complaints/{pilot_of(agency)}", pilot_of(agency), model=MODEL)
    timed: list[Timed] = []
    for received, rank, key, found in sorted(moments, key=lambda m: m[:3]):
        if found is None:
            timed.append((received, emitter.exposure(received, 1.0, UNIT)))
        elif rank == 1:
            timed.append((received, emitter.complaint(received, key)))
        else:
            timed.append((received, emitter.complaint_resolved(received, key, filed=instant(found["filed"]))))
    return timed


def _days(every: Iterable[Row]) -> tuple[int, int]:
    """First and last whole UTC day (as days since 1970) that the file, over all agencies, covers."""
    filed = [instant(row["filed"]) for row in every]
    return min(filed) // _DAY, max(filed) // _DAY - 1
