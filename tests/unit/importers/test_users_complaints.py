"""A public file of complaints: which rows are taken, refused and repeated."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from monitor.charter.users_acts import UserComplaint
from monitor.importers.users_complaints import LAYOUTS, Refused, RowRefusal, public_pseudonym, rows, time_of

PUBLIC = Path(__file__).parents[2] / "data" / "complaints" / "complaints.csv"
CFPB = "Date received,Product,Company,State,Complaint ID\n"


def test_a_file_in_a_public_layout_is_read_by_its_names_of_columns() -> None:
    """Rows of other companies are left out; times are those of the zone."""
    text = CFPB + "03/14/2025,Mortgage,ACME,CA,77\n03/14/2025,Mortgage,OTHER,CA,78\n"
    (one,) = rows(io.StringIO(text), LAYOUTS["cfpb"], [("Company", "ACME")], "America/New_York")
    assert isinstance(one, UserComplaint)
    assert (one.complaint, one.segment) == (public_pseudonym("77"), "CA")
    assert one.time.isoformat() == "2025-03-14T04:00:00+00:00"


def test_each_row_that_is_no_complaint_has_a_line_and_a_reason() -> None:
    """And it stops no other row."""
    text = CFPB + (
        "03/14/2025,x,A,CA,1\n,x,A,CA,2\n03/14/2025,x,A,CA,\n03/14/2025,x,A,CA,1\n03/14/2025,x\n"
        f"03/14/2025,x,A,{'C' * 65},5\n03/14/2025,x,A,CA,6\n"
    )
    found = list(rows(io.StringIO(text), LAYOUTS["cfpb"]))
    assert [one.why for one in found if isinstance(one, Refused)] == [
        RowRefusal.NO_TIME, RowRefusal.NO_ID, RowRefusal.REPEATED, RowRefusal.OTHER_COLUMNS, RowRefusal.TOO_LONG,
    ]  # fmt: skip
    assert [one.line for one in found if isinstance(one, Refused)] == [3, 4, 5, 6, 7]
    assert sum(isinstance(one, UserComplaint) for one in found) == 2


@pytest.mark.parametrize("text", ["x" * 200_000 + ",y\n1,2\n", CFPB + "x" * 200_000 + ",x,A,CA,1\n"])
def test_what_is_no_csv_is_refused_with_its_line(text: str) -> None:
    """In the header too."""
    with pytest.raises(ValueError, match=r"line [12]: field larger than field limit"):
        list(rows(io.StringIO(text), LAYOUTS["cfpb"]))


def test_a_column_that_is_missing_is_named_with_those_that_are_there() -> None:
    """So that the fix is obvious."""
    with pytest.raises(ValueError, match="--map id: the file has no column 'Complaint ID'; it has a, b"):
        list(rows(io.StringIO("a,b\n1,2\n"), LAYOUTS["cfpb"]))


@pytest.mark.parametrize("text", ["", "soon", "0001-01-01", "9999-12-31T23:59:59-14:00", "1969-12-31"])
def test_a_time_that_cannot_be_is_no_time(text: str) -> None:
    """Also one that no log can hold."""
    assert time_of(text, "UTC") is None


def test_every_row_of_a_real_public_file_is_taken() -> None:
    """4,969 complaints, each under its pseudonym."""
    with PUBLIC.open() as lines:
        found = list(rows(lines, LAYOUTS["plain"], zone="America/New_York"))
    assert len(found) == 4_969
    assert len({one.complaint for one in found if isinstance(one, UserComplaint)}) == 4_969
