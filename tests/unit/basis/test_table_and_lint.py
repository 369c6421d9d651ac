"""Rule by rule what charters cite, the table instruments x objectives, and what `charter check` warns of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import UNSET, structs

from monitor.__main__ import cli
from monitor.basis.citations import RuleKind, charter_rules, sandbox_rules
from monitor.basis.table import basis_table
from monitor.charter.clauses import CharterBasis, Clauses, LegalBasis
from monitor.charter.spec import Charter, HardRule
from monitor.compile.lint_basis import basis_warnings
from monitor.model.events import Harm
from tests.unit.basis.small import SMALL, small
from tests.unit.lifecycle.founded import OWN, SANDBOX


def with_rule(*clauses: str, level: str = "halt") -> Charter:
    """A charter with one hard rule, and indicators that cite a strong clause."""
    rule = HardRule("death", level, harm=(Harm.DEATH,), clauses=clauses or UNSET)  # type: ignore[arg-type]
    indicators = tuple(structs.replace(one, clauses=("law-1",)) for one in OWN.indicators)
    return structs.replace(OWN, indicators=indicators, hard_rules=(rule,))


def said(charter: Charter) -> list[tuple[str, str]]:
    return [(flaw.field, flaw.problem) for flaw in basis_warnings(charter, small())]


@pytest.mark.parametrize(
    ("clauses", "field", "problem"),
    [
        ((), "hard_rules[0].clauses", "may halt and cites no clause"),
        (("notice-1",), "hard_rules[0].clauses", "cites only weak clauses: the strongest is notice-1 with APE 2 of 50"),
        (("law-9",), "hard_rules[0].clauses[0]", "catalogue small version 3 has no clause law-9"),
        (("law-1", "old-1"), "hard_rules[0].clauses[1]", "old-1 is repealed"),
        (("draft-1",), "hard_rules[0].clauses", "may halt and cites no clause in force"),
    ],
)  # fmt: skip
def test_a_rule_that_may_halt_needs_a_clause_that_exists_is_in_force_and_is_not_weak(
    clauses: Clauses, field: str, problem: str
) -> None:
    """Each lack is a warning at its field."""
    found = said(with_rule(*clauses))
    assert any(at == field and problem in words for at, words in found), found


@pytest.mark.parametrize("clauses", [("law-1",), ("law-2",), ("notice-1", "law-2")])
def test_one_strong_clause_is_enough_and_the_middle_of_the_scales_is_strong(clauses: Clauses) -> None:
    """The threshold is 18, which is not below itself; weak clauses next to a strong one do no harm."""
    assert said(with_rule(*clauses)) == []


def test_a_rule_that_does_not_halt_may_rest_on_anything_that_exists() -> None:
    """Only a halt needs a strong basis."""
    assert said(with_rule(level="escalate")) == []
    assert said(with_rule("notice-1", level="escalate")) == []
    assert said(with_rule("draft-1", level="escalate")) == []


def test_a_charter_that_cites_nothing_has_one_warning_that_names_what_may_halt() -> None:
    """Older charters are not drowned in warnings; one without a halt has none."""
    halts = structs.replace(OWN, hard_rules=(HardRule("death", "halt", harm=(Harm.DEATH,)),))
    (only,) = basis_warnings(halts, small())
    assert only.field == "basis"
    assert "death" in only.problem
    calm = structs.replace(OWN, indicators=(), hard_rules=(HardRule("death", "escalate", harm=(Harm.DEATH,)),))
    assert not list(basis_warnings(calm, small()))


def test_the_threshold_of_the_sandbox_replaces_the_default() -> None:
    """An authority may ask for more, or for less."""
    basis = LegalBasis(id="small", version=3, digest="0" * 64, weak_below=40)
    strict = structs.replace(SANDBOX, legal_basis=basis)
    found = [flaw.problem for flaw in basis_warnings(with_rule("law-2"), small(), strict)]
    assert any("below 40" in words for words in found)
    assert not [w for w in basis_warnings(with_rule("law-2"), small(), None, 2) if "weak" in w.problem]


def test_the_rules_of_a_sandbox_have_its_clocks_and_the_acts_that_may_halt() -> None:
    """An act that may halt is there also where it cites nothing."""
    basis = LegalBasis(id="small", version=3, digest="0" * 64, acts={"suspend": ("law-1",)})
    rules = {(rule.kind, rule.name): rule for rule in sandbox_rules(structs.replace(SANDBOX, legal_basis=basis))}
    assert rules[RuleKind.ACT, "suspend"].clauses == ("law-1",)
    assert rules[RuleKind.ACT, "recall"].may_halt
    assert rules[RuleKind.ACT, "recall"].clauses == ()
    clock = rules[RuleKind.CLOCK, "incident-report"]
    assert clock.clauses == ("eu-aia-73-2", "eu-aia-73-5", "eu-aia-73-3", "eu-aia-73-4")
    assert {rule.kind for rule in sandbox_rules(SANDBOX)} == {RuleKind.CLOCK}


def test_the_table_counts_each_citation_once_and_keeps_the_highest_ape() -> None:
    """Two charters, one of which cites twice."""
    one = with_rule("law-1", "old-1")
    two = structs.replace(
        with_rule("notice-1", "gone-1"), indicators=(), basis=CharterBasis(acts={"suspend": ("law-2",)})
    )
    none = structs.replace(with_rule(), indicators=())
    rules = [("one", list(charter_rules(one))), ("two", list(charter_rules(two))), ("three", list(charter_rules(none)))]
    found = basis_table(small(), rules)
    law = found.cell("law", "safety")
    assert law is not None
    assert (law.citations, law.charters, law.ape) == (2 + len(OWN.indicators), 1, 50)
    redress = found.cell("law", "redress")
    assert redress is not None
    assert (redress.citations, redress.halting, redress.ape) == (1, 1, 18)
    assert found.cell("draft", "safety") is None
    assert found.uncited == ("three: death",)
    assert found.unknown == ("two: gone-1",)
    assert found.not_in_force == ("one: old-1",)
    assert sum(cell.citations for cell in found.cells) == sum(
        len(rule.clauses) for _, every in rules for rule in every
    ) - len(found.unknown)


class TestCommands:
    """`sandbox-monitor basis`."""

    def folder(self, tmp_path: Path) -> Path:
        for name in ("automated_driving", "consumer_finance"):
            text = CliRunner().invoke(cli, ["charter", "new", name]).stdout
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path

    def test_rules_prints_each_rule_of_a_charter_with_its_scores(self, tmp_path: Path) -> None:
        """As text, as JSON and as CSV the same rows."""
        file = str(self.folder(tmp_path) / "consumer_finance.yaml")
        text = CliRunner().invoke(cli, ["basis", "rules", file])
        found = json.loads(CliRunner().invoke(cli, ["basis", "rules", file, "--json"]).stdout)
        rows = CliRunner().invoke(cli, ["basis", "rules", file, "--csv"]).stdout.splitlines()
        assert text.exit_code == 0
        assert {rule["name"] for rule in found["rules"]} >= {"false-positives", "fundamental-rights"}
        cited = [clause["clause"] for rule in found["rules"] for clause in rule["clauses"]]
        assert len(rows) == 1 + len(cited)
        assert all(name in text.stdout for name in cited)

    def test_table_prints_all_formats_and_names_files_that_are_no_charter(self, tmp_path: Path) -> None:
        """A wrong file is left out and the exit code says so."""
        folder, page = self.folder(tmp_path), tmp_path / "table.html"
        ok = CliRunner().invoke(cli, ["basis", "table", str(folder), "--html", str(page)])
        assert ok.exit_code == 0
        assert "eu-aia" in ok.stdout
        assert "<table>" in page.read_text()
        found = json.loads(CliRunner().invoke(cli, ["basis", "table", str(folder), "--json"]).stdout)["table"]
        assert found["charters"] == 2
        (folder / "wrong.yaml").write_text("schema: nothing\n")
        wrong = CliRunner().invoke(cli, ["basis", "table", str(folder), "--csv"])
        assert wrong.exit_code == 1
        assert "wrong.yaml" in wrong.stderr
        assert wrong.stdout.startswith("instrument,objective,")

    def test_check_prints_the_digest_and_every_mistake(self, tmp_path: Path) -> None:
        """Exit code 1 for a wrong catalogue."""
        file = tmp_path / "small.yaml"
        file.write_text(SMALL)
        ok = CliRunner().invoke(cli, ["basis", "check", str(file)])
        assert ok.exit_code == 0
        assert "5 clauses of 3 instruments for 2 objectives; digest" in ok.stdout
        file.write_text(SMALL.replace("score: 5, reason: a law", "score: 9, reason: a law"))
        wrong = CliRunner().invoke(cli, ["basis", "check", str(file)])
        assert isinstance(wrong.exception, Exception)
        assert "da.score" in str(wrong.exception)

    def test_charter_check_takes_another_catalogue(self, tmp_path: Path) -> None:
        """With one that lacks the clauses every citation is a warning, and the charter is valid all the same."""
        file = tmp_path / "small.yaml"
        file.write_text(SMALL)
        charter = str(self.folder(tmp_path) / "automated_driving.yaml")
        found = CliRunner().invoke(cli, ["charter", "check", charter, "--basis", str(file)])
        assert found.exit_code == 0
        assert "catalogue small version 3 has no clause eu-aia-57-11" in found.stderr
        assert "has no clause" not in CliRunner().invoke(cli, ["charter", "check", charter]).stderr
