"""A public file of complaints as reports of the users' channel: rows of CSV, columns by a mapping, ids as pseudonyms.

Ids of a public file are public, so their pseudonym is a plain SHA-256: the same row gives the same complaint for every
import of the file. Columns that are not mapped are not read.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from monitor.charter.users_acts import UserComplaint
from monitor.model.events import EPOCH

FIELDS = ("id", "time", "segment")
FORMATS = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d %H:%M:%S")
LAYOUTS: dict[str, dict[str, str]] = {
    "plain": {"id": "complaint_id", "time": "filed"},
    "cfpb": {"id": "Complaint ID", "time": "Date received", "segment": "State"},
    "nyc311": {"id": "Unique Key", "time": "Created Date", "segment": "Borough"},
}
"""Names of the columns in the layout of a public source: the Consumer Financial Protection Bureau's complaint database,
New York City's 311 service requests."""
SHOWN = 5  # lines that a report names for each reason


class RowRefusal(StrEnum):
    """Why a row is no complaint."""

    NO_ID = "no_id"
    NO_TIME = "no_time"
    TOO_LONG = "too_long"
    REPEATED = "repeated"  # the id is in the file before
    OTHER_COLUMNS = "other_columns"  # more or fewer values than the header has names


class Refused(NamedTuple):
    """A row that is not taken: its line in the file (the header is line 1), and why."""

    line: int
    why: RowRefusal


def public_pseudonym(name: str) -> str:
    """The id of a complaint that has a public id, 32 hex digits.

    >>> public_pseudonym("3238275") == public_pseudonym(" 3238275 "), len(public_pseudonym("x"))
    (True, 32)
    """
    return hashlib.sha256(b"public:" + name.strip().encode("utf-8", "replace")).hexdigest()[:32]


def time_of(text: str, zone: str) -> datetime | None:
    """A time of a public file; without an offset it is in `zone`. `None` where it has no known form.

    >>> str(time_of("03/14/2025", "UTC")), time_of("soon", "UTC")
    ('2025-03-14 00:00:00+00:00', None)
    """
    made: datetime | None = None
    text = text.strip()
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        for form in FORMATS:
            try:
                made = datetime.strptime(text, form)
                break
            except ValueError:
                continue
    if made is None:
        return None
    made = made if made.tzinfo else made.replace(tzinfo=ZoneInfo(zone))
    try:
        made = made.astimezone(UTC)
    except OverflowError:
        return None
    return made if made > EPOCH else None


def rows(
    lines: Iterable[str], columns: Mapping[str, str], where: Sequence[tuple[str, str]] = (), zone: str = "UTC"
) -> Iterator[UserComplaint | Refused]:
    """The complaints of a file, and the rows that are none. `where` are columns and the values that they must have;
    other rows are left out. Raises ValueError that names a column which the header does not have."""
    reader = csv.reader(lines)
    try:
        header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}; write CSV with commas") from None
    wanted = {**{f"--map {field}": name for field, name in columns.items()}, **{f"--where {n}": n for n, _ in where}}
    for option, name in wanted.items():
        if name not in header:
            raise ValueError(f"{option}: the file has no column {name!r}; it has {', '.join(header[:20]) or 'none'}")
    place = {name: header.index(name) for name in wanted.values()}
    seen: set[str] = set()
    try:
        for row in reader:
            if not row:
                continue
            line = reader.line_num
            if len(row) != len(header):
                yield Refused(line, RowRefusal.OTHER_COLUMNS)
                continue
            if any(row[place[name]].strip() != value for name, value in where):
                continue
            yield _complaint(line, {field: row[place[name]].strip() for field, name in columns.items()}, seen, zone)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}; write CSV with commas") from None


def _complaint(line: int, values: Mapping[str, str], seen: set[str], zone: str) -> UserComplaint | Refused:
    if not values["id"]:
        return Refused(line, RowRefusal.NO_ID)
    segment = values.get("segment", "")
    if len(segment) > 64:
        return Refused(line, RowRefusal.TOO_LONG)
    at = time_of(values["time"], zone)
    if at is None:
        return Refused(line, RowRefusal.NO_TIME)
    name = public_pseudonym(values["id"])
    if name in seen:
        return Refused(line, RowRefusal.REPEATED)
    seen.add(name)
    return UserComplaint(complaint=name, time=at, segment=segment)
