"""The statement of reasons of a halt: all that it must say, each line with the decision that says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.reasons import reasons
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.public_record.reading import read_pilot, texts_of
from monitor.public_record.statement import Statement, Version, statements
from monitor.public_record.statement_page import as_html
from monitor.public_record.statement_words import PARTS
from monitor.testing.records import halted

from .canaries import PEOPLE, PILOT, write


def made(home: Path, version: Version) -> list[Statement]:
    """The statements of a ledger."""
    record, files, remarks = read_pilot([home], PILOT)
    assert remarks == ()
    return statements(record, files[0], version, texts_of([home], PILOT))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path / "ledger", ("users", "evaluation"))
    return tmp_path / "ledger"


def test_a_halt_by_a_limit_states_counts_limit_method_and_guarantee(home: Path) -> None:
    """With the threshold, what it may spend, the declared dispersion, and the sentence of the detector."""
    said = made(home, "public")[0]
    assert said.text("facts", "what").startswith(
        "Charter limit exceeded: incidents: 20 in 1,000 decisions where at most 5"
    )
    assert said.text("facts", "limit") == "at most 5 per 1000 decisions in each period of 1 h"
    assert said.text("facts", "detector") == "20 events against a limit of 5"
    assert said.text("facts", "ratio") == "4 (95 % interval 2.4 to 6.2)"
    assert "e-value" in said.text("method", "method")
    assert "halted by a limit with a probability of at most 0.01" in said.text("method", "guarantee")
    assert said.text("method", "alpha of this threshold") == "0.006"
    assert said.text("method", "dispersion").startswith("variance/mean 1, ")
    assert "No person took part" in said.text("who", "decided by")
    assert said.text("after", "acknowledged").endswith("after 2 s")
    assert said.text("after", "verified stop") == "not on record"
    assert said.text("after", "released") != "not released"


def test_a_halt_by_a_hard_rule_states_the_event_and_no_statistic(home: Path) -> None:
    """With the conditions of the rule in the charter."""
    said = made(home, "public")[1]
    assert "incident i-7, severity serious incident, harm death" in said.text("facts", "what")
    assert said.text("ground", "hard rule") == "one event with harm death leads to halt"
    assert "no statistic is involved" in said.text("method", "method")
    assert said.text("method", "guarantee") == ""


def test_a_suspension_states_its_legal_basis_and_the_role_of_who_decided(home: Path) -> None:
    """The words of the officer are for the firm alone; the name of the officer is in neither version."""
    public, firm = (made(home, version)[2] for version in ("public", "firm"))  # type: ignore[arg-type]
    for said in (public, firm):
        assert said.text("ground", "basis") == "Art. 57(11)"
        assert said.text("who", "decided by") == "A person in the role of officer at the authority (auth)."
        assert not any(name in as_html(said) for name in PEOPLE[:3])
    assert public.text("who", "reason given") == ""
    assert firm.text("who", "reason given") == "words of a person"


def test_only_the_firm_sees_what_is_confidential(home: Path) -> None:
    """Scenarios, contacts of the authority, sources; the public version names what it leaves out."""
    public, firm = (made(home, version) for version in ("public", "firm"))  # type: ignore[arg-type]
    assert public[0].withheld == (
        "authorities.0.approvers", "authorities.0.contacts", "authorities.0.officers", "evaluation",
        "participant.contacts", "users",
    )  # fmt: skip
    assert firm[0].withheld == ()
    assert "desk@authority.example" in firm[0].text("redress", "authority")
    assert public[0].text("redress", "authority") == "auth"
    assert "canary-models/svc" in firm[0].text("after", "problem")
    assert "canary-models/svc" not in as_html(public[0])


def test_every_line_that_says_what_happened_names_its_decision(home: Path) -> None:
    """And the statement the ledger, its size and its root."""
    for said in made(home, "public"):
        assert [part.id for part in said.parts] == list(PARTS)
        for part in said.parts:
            for row in part.rows:
                fixed = part.id in ("redress", "verify") or row.name == "method" or row.text.startswith("not ")
                assert fixed or row.entry > 0, row
        assert said.ledger == file_name(PILOT)
        assert len(said.root) == 64
        assert said.decision in said.text("verify", "entry")


def test_the_command_prints_writes_and_refuses(home: Path, tmp_path: Path) -> None:
    """One halt or all, as text, JSON or a page; an unknown pilot or halt is exit code 1 with what there is."""
    ran = CliRunner().invoke(reasons, [str(home), PILOT])
    assert ran.exit_code == 0, ran.output
    assert ran.output.count("guarantee:") == 1
    assert ran.output.count(": halt ") == 3
    ran = CliRunner().invoke(reasons, [str(home), PILOT, "--halt", "6", "--json"])
    assert [one["halt"] for one in json.loads(ran.output)] == [6]
    ran = CliRunner().invoke(reasons, [str(home), PILOT, "--for", "firm", "--out", str(tmp_path / "out")])
    stem = Path(file_name(PILOT)).stem  # so that the pages of two pilots fit in one directory
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{stem}-halt-{number}-firm.html" for number in (2, 6, 8)
    ]
    page = (tmp_path / "out" / f"{stem}-halt-2-firm.html").read_text("utf-8")
    assert "<script" not in page
    assert all(title in page for title in PARTS.values())
    ran = CliRunner().invoke(reasons, [str(home), PILOT, "--halt", "3"])
    assert ran.exit_code == 1
    assert "decisions that began one: 2, 6, 8" in ran.output
    ran = CliRunner().invoke(reasons, [str(home), "q"])
    assert ran.exit_code == 1
    assert "has no ledger of q" in ran.output


def test_a_statement_of_an_older_ledger_without_a_charter_says_what_it_can(tmp_path: Path) -> None:
    """Without limit and guarantee, which stand in the charter."""
    notary = Notary(tmp_path / "ledger")
    notary.record([halted(1, PILOT)])
    notary.close()
    (said,) = made(tmp_path / "ledger", "public")
    assert said.text("ground", "charter").startswith("SHA-256 ")
    assert said.text("facts", "limit") == ""
    assert said.text("redress", "authority") == "not in the ledger"
    assert "Statement of reasons" in as_html(said)
