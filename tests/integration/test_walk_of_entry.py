"""From an application to a running pilot, and to a refused one, by the commands that a firm and an authority use."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import Result
from msgspec import structs

from monitor.charter.application import SystemDescription
from monitor.charter.spec import Charter, Cycle, Participant, canonical_charter
from monitor.files.key_file import own_key, read_key
from monitor.testing.kafka import Fresh
from monitor.testing.workers import Worker
from tests.unit.lifecycle.applied import application
from tests.unit.lifecycle.founded import OWN

from .test_acts_answered import WORLD, ran
from .test_embedded_serve import ended, serve, until


class Office:
    """The keys and files of a firm and an authority, and where their commands go."""

    def __init__(self, home: Path, to: str, prefix: str) -> None:
        self.home, self.people, self.to, self.prefix = home, home / "people", to, prefix
        own_key(home / "firm.key")

    def run(self, command: str, author: str, *arguments: str) -> Result:
        """One command, signed with the author's key."""
        key = str((self.home if author == "firm" else self.people) / f"{author}.key")
        return ran(command, *arguments, "--to", self.to, "--prefix", self.prefix, "--author", author, "--key", key)

    def status(self, pilot: str, *more: str) -> str:
        """What `status` prints."""
        found = ran("status", pilot, "--to", self.to, "--prefix", self.prefix, *more)
        assert found.exit_code == 0, found.output
        return found.output

    def charter(self, **changes: object) -> Charter:
        """A charter of tier limited whose cycle has begun."""
        today = datetime.fromtimestamp(time.time(), UTC).date()
        cycle = Cycle((today - timedelta(days=1)).isoformat(), (today + timedelta(days=300)).isoformat())
        firm = Participant("firm", keys=(read_key(self.home / "firm.key").public,), contacts=("desk@firm.example",))
        return structs.replace(OWN, participant=firm, cycle=cycle, **changes)

    def file(self, charter: Charter) -> str:
        path = self.home / f"{charter.pilot}-{charter.version}.yaml"
        path.write_bytes(canonical_charter(charter))
        return str(path)

    def found(self) -> None:
        """Make the keys of the authority, and found the sandbox."""
        where = ("--to", self.to, "--prefix", self.prefix)
        made = ran("sandbox", "init", str(self.people), *where, "--key", str(self.home / "admitter.key"))
        assert made.exit_code == 0, made.output


@pytest.fixture(params=WORLD)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """A deployment with a founded sandbox, embedded or on Kafka."""
    key = own_key(tmp_path / "admitter.key").public
    if request.param == "embedded":
        process, address = serve(tmp_path, "--admit-key", key)
        try:
            made = Office(tmp_path, address.rstrip("/"), "sandbox")
            made.found()
            yield made
        finally:
            ended(process)
        return
    fresh = Fresh(1)
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", "--admit-key", key).wait_ready()
    try:
        made = Office(tmp_path, f"kafka://{fresh.bootstrap}", fresh.names.prefix)
        made.found()
        yield made
    finally:
        worker.kill()


def has(result: Result, words: str, code: int = 0) -> None:
    assert words in result.output, (words, result.output)
    assert result.exit_code == code, result.output


def test_a_firm_comes_from_its_application_to_a_running_pilot(office: Office) -> None:
    """Each command prints its entry, `status` the next step and who owes it; a step that is not due is refused."""
    charter = office.charter()
    path, pilot = office.file(charter), charter.pilot
    stated = office.home / "application.yaml"
    stated.write_bytes(msgspec.json.encode(application(charter)))
    assert ran("status", pilot, "--to", office.to, "--prefix", office.prefix).exit_code == 1
    has(office.run("admit", "officer", path), "application_missing", 1)
    has(office.run("apply", "firm", str(stated), path), "taken: application_submitted")
    assert "officer owes `screen`" in office.status(pilot)
    has(office.run("agree", "firm", pilot, path), "screening_missing", 1)
    has(office.run("screen", "officer", pilot), "taken: application_screened")
    assert "firm owes `agree`" in office.status(pilot)
    has(office.run("agree", "firm", pilot, path), "taken: charter_signed")
    assert "firm owes" not in office.status(pilot)
    assert "officer owes `agree`" in office.status(pilot)
    has(office.run("admit", "officer", path), "signatures_missing", 1)
    has(office.run("agree", "officer", pilot, path), "taken: charter_agreed")
    assert "officer owes `admit`" in office.status(pilot)
    has(office.run("admit", "officer", path), "taken: admitted")
    said = office.status(pilot)
    assert f"{pilot} of firm: running" in said
    assert "level      normal" in said
    found = msgspec.json.decode(office.status(pilot, "--json"))
    assert found["states"]["pilot"] == "running"
    assert found["clocks"] == []
    new = office.charter(version=2, scenario="another depot")
    has(office.run("admit", "officer", office.file(new), "--amend"), "signatures_missing", 1)
    has(office.run("agree", "firm", pilot, office.file(new)), "taken: charter_signed")
    has(office.run("admit", "officer", office.file(new), "--amend"), "taken: amended")
    to = ("--to", office.to, "--prefix", office.prefix)
    changed = ran("charter", "diff", "1", "2", "--pilot", pilot, *to)
    has(changed, "scenario: ")
    has(ran("charter", "diff", "1", "3", "--pilot", pilot, *to), "version 3", 1)


def test_an_application_for_social_scoring_is_refused_with_its_item(office: Office) -> None:
    """The screening names item and reference, the refusal is on record with both, and the firm can read it."""
    charter = office.charter(pilot="scores")
    scored = SystemDescription("Trust", "a social score of tenants", "scores tenants", decides=True)
    stated = office.home / "application.yaml"
    stated.write_bytes(msgspec.json.encode(application(charter, system=scored)))
    has(office.run("apply", "firm", str(stated), office.file(charter)), "taken: application_submitted")
    screened = office.run("screen", "officer", "scores")
    has(screened, "screening_failed: eu-5-1-c, Social scoring (Regulation (EU) 2024/1689, Art. 5(1)(c))", 1)
    has(office.run("refuse", "firm", "scores", "--reason", "x"), "not_an_officer", 1)
    refused = office.run("refuse", "officer", "scores", "--item", "eu-5-1-c", "--reason", "the score decides on homes")
    has(refused, "taken: application_refused")
    said = office.status("scores")
    assert "scores of firm: refused" in said
    assert "eu-5-1-c, Social scoring (Regulation (EU) 2024/1689, Art. 5(1)(c))" in said
    has(office.run("admit", "officer", office.file(charter)), "application_closed", 1)


def test_an_application_survives_a_restart_of_the_monitor(tmp_path: Path) -> None:
    """What was screened before is agreed and admitted after it, and the numbers of the record continue."""
    key = own_key(tmp_path / "admitter.key").public
    process, address = serve(tmp_path, "--admit-key", key)
    office = Office(tmp_path, address.rstrip("/"), "sandbox")
    try:
        office.found()
        charter = office.charter()
        path, stated = office.file(charter), tmp_path / "application.yaml"
        stated.write_bytes(msgspec.json.encode(application(charter)))
        has(office.run("apply", "firm", str(stated), path), "taken: application_submitted")
        has(office.run("screen", "officer", charter.pilot), "taken: application_screened")
    finally:
        ended(process)
    process, address = serve(tmp_path, "--admit-key", key)
    office.to = address.rstrip("/")
    try:
        assert "firm owes `agree`" in office.status(charter.pilot)
        for author in ("firm", "officer"):
            has(office.run("agree", author, charter.pilot, path), "taken: charter_")
        has(office.run("admit", "officer", path), "taken: admitted")
        ledger = str(tmp_path / "data" / "ledger")  # the notary follows the decisions
        until(lambda: ran("charter", "show", charter.pilot, "--ledger", ledger).exit_code == 0)
    finally:
        ended(process)
