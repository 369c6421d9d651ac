"""The legal deadlines of an incident by the commands that a firm and an authority use, embedded and on Kafka."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.unit.lifecycle.applied import application

from .test_walk_of_entry import Office, has
from .test_walk_of_entry import office as office  # the fixture

pytestmark = pytest.mark.servers


def running(office: Office) -> str:
    """A pilot that was admitted. Returns its name."""
    charter = office.charter()
    path, pilot = office.file(charter), charter.pilot
    stated = office.home / "application.yaml"
    stated.write_bytes(msgspec.json.encode(application(charter)))
    has(office.run("apply", "firm", str(stated), path), "taken")
    has(office.run("screen", "officer", pilot), "taken")
    for author in ("firm", "officer"):
        has(office.run("agree", author, pilot, path), "taken")
    has(office.run("admit", "officer", path), "taken: admitted")
    return pilot


def rules(office: Office, pilot: str) -> dict[str, tuple[str, str]]:
    """State and debtor of each clock that asks for something, by its rule."""
    clocks = msgspec.json.decode(office.status(pilot, "--json"))["clocks"]
    return {clock["rule"]: (clock["state"], clock["owed_by"]) for clock in clocks}


def test_an_incident_is_classified_missed_and_reported(office: Office) -> None:
    """`status` and the ledger say what is owed, by whom; a report that comes too late settles the miss as late."""
    pilot = running(office)
    long_ago = (datetime.fromtimestamp(time.time(), UTC) - timedelta(days=40)).isoformat()
    said = office.run("reclassify", "officer", pilot, "--incident", "i-1", "--reason", "r")
    has(said, "name at least one --class", 2)
    said = office.run("reclassify", "firm", pilot, "--incident", "i-1", "--not-serious", "--reason", "r")
    has(said, "not_an_officer", 1)
    arguments = ("--incident", "i-1", "--class", "death", "--aware", long_ago, "--reason", "found on site")
    has(office.run("reclassify", "officer", pilot, *arguments), "taken: incident_reclassified")
    found = rules(office, pilot)
    assert found["incident-report"] == ("missed", "firm")
    assert found["complete-report"] == found["evidence-hold"] == ("running", "firm")
    assert "overdue by" in office.status(pilot)
    assert "level      escalate" in office.status(pilot)
    has(
        office.run("notice", "firm", pilot, "--about", "change", "--notice", "m2 replaces m1"), "taken: change_notified"
    )
    assert "evidence-hold" not in rules(office, pilot)
    said = office.run("notice", "firm", pilot, "--about", "suspension", "--notice", "told")
    has(said, "not_an_officer", 1)
    report = ("--incident", "i-1", "--report", "case 12")
    other = office.run("report-incident", "firm", pilot, "--incident", "i-9", "--report", "case 13", "--initial")
    has(other, "no open deadline of incident i-9 was found, so this ends none; open are: i-1")
    has(office.run("report-incident", "firm", pilot, *report, "--initial"), "taken: incident_report_received")
    assert set(rules(office, pilot)) == {"complete-report"}
    assert "level      normal" in office.status(pilot)
    has(office.run("report-incident", "firm", pilot, *report, "--complete"), "taken: incident_report_received")
    assert rules(office, pilot) == {}
