"""The fields of Annex VIII and IX: each value is in an entry, and what no entry says is absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.__main__ import cli
from monitor.notary import verify as verifier
from monitor.report.ledger_dir import ledger_of
from monitor.report.model_annex import ABSENT, IX, A, B, C
from tests.unit.report.test_model_record import ledgers as ledgers


def annex(ledgers: Path, *more: str, name: str = "m-1") -> tuple[int, str]:
    found = CliRunner().invoke(cli, ["model", "annex", name, "--ledger", str(ledgers), *more])
    return found.exit_code, found.output


@pytest.fixture(scope="module")
def fields(ledgers: Path) -> list[dict[str, Any]]:
    code, said = annex(ledgers, "--json")
    assert code == 0, said
    found: list[dict[str, Any]] = json.loads(said)["fields"]
    return found


def test_every_point_of_both_annexes_is_there(fields: list[dict[str, Any]]) -> None:
    """13, 9 and 5 points of Annex VIII, and 5 of Annex IX for each pilot, numbered as in the act."""
    assert [len(rows) for rows in (A, B, C, IX)] == [13, 9, 5, 5]
    numbers = [(one["annex"], one["section"], one["point"]) for one in fields]
    assert numbers == [
        *(("VIII", section, n) for section, most in (("A", 13), ("B", 9), ("C", 5)) for n in range(1, most + 1)),
        *(("IX", "pilot user", n) for n in range(1, 6)),
    ]


def test_a_field_has_values_or_is_said_to_be_absent(fields: list[dict[str, Any]]) -> None:
    """Never both, never neither."""
    for one in fields:
        assert bool(one["values"]) != bool(one["absent"]), one
        assert one["absent"] in ("", ABSENT)
    absent = {(one["section"], one["point"]) for one in fields if one["absent"]}
    assert {("A", point) for point in (2, 3, 8, 9, 10, 11, 12, 13)} <= absent
    assert not absent & {("A", point) for point in (1, 4, 5, 6, 7)}


def test_every_value_is_in_the_entry_that_it_names(ledgers: Path, fields: list[dict[str, Any]]) -> None:
    """Read again from the ledger of the model or of the pilot: the words of each value are in the body of the entry."""
    bodies = {}
    for subject in ("model:m-1", "user"):
        for path in ledger_of(ledgers, subject):
            for entry in verifier.entries(path):
                bodies[subject, entry.id] = entry.record()
    checked = 0
    for one in fields:
        for value in one["values"]:
            body = bodies[value["ledger"], value["entry"]]
            assert body["standing"] == value["number"]
            if value["by"] in ("officer", "supplier", "evaluator"):
                assert body["finding"]["content"]["by"] == value["by"]
                said = json.dumps(body["finding"]["content"])
                assert value["value"].removeprefix("m-1 ").split(": ")[0] in said, value
                checked += 1
            elif value["by"] == "the charter in force" and value["name"] == "scenario":
                assert value["value"] == body["document"]["scenario"]
                checked += 1
    assert checked > 10


def test_a_halt_of_the_test_is_in_annex_ix(fields: list[dict[str, Any]]) -> None:
    """With its entry in the ledger of the pilot."""
    ends = next(one for one in fields if one["annex"] == "IX" and one["point"] == 5)
    assert [(one["name"], one["ledger"]) for one in ends["values"]] == [("halts", "user")]
    number = next(one for one in fields if one["annex"] == "IX" and one["point"] == 1)
    assert number["lacks"] == ["Union-wide number"]


def test_the_readable_form_names_what_is_absent(ledgers: Path) -> None:
    """And the place of each value."""
    code, said = annex(ledgers)
    assert code == 0
    assert "1. name, address and contact details of the provider" in said
    assert "base model developer: Example Models (decision 1 of model:m-1; stated by officer)" in said
    assert f"11. EU declaration of conformity (Art. 47): absent, {ABSENT}" in said
    assert "absent: address, contact details" in said


def test_a_firm_sees_nothing_of_other_firms(ledgers: Path) -> None:
    """Without a pilot of that firm Annex IX is absent as a whole."""
    said = annex(ledgers, "--firm", "rival")[1]
    assert "user" not in said.replace("users", "")
    assert annex(ledgers, name="m-9")[0] == 1
