"""The bill of materials of a version of a model: valid CycloneDX 1.7, and nothing that the ledger does not say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from msgspec import structs

from monitor.__main__ import cli
from monitor.notary.notary import Notary
from monitor.report.model_bom import PREFIX
from monitor.report.model_record import FiledEntry, ModelRecord, read_model
from monitor.report.stay import value_at
from tests.unit.engine.test_model_acts import LIMIT, MODEL, SCENARIO, V1, entry, filled, withdrawal
from tests.unit.lifecycle.founded import Founded
from tests.unit.report.test_model_record import ledgers as ledgers

WHOLE = "sha256:" + "ab" * 32
NO_CITATION = {"type", "bom-ref", "name"}  # of the component: what kind of record this is, and the key of the file


@pytest.fixture(scope="module")
def full(ledgers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger in which every field of every kind of entry says something."""
    world = _whole()
    gone = structs.replace(LIMIT, limitation="withdrawn-one")
    assert world.put(act := entry(world, "officer", gone)).decisions
    assert world.put(withdrawal(world, "officer", act.id)).decisions
    notary = Notary(tmp_path_factory.mktemp("bom") / "ledger")
    notary.record([one for one in world.decisions if one.pilot == MODEL])
    notary.close()
    return notary.directory


def _whole() -> Founded:
    world, _ = filled()
    more = (
        structs.replace(V1, version="2.0", digest=WHOLE, base="base-1", base_version="0.9"),
        structs.replace(SCENARIO, scenario="sentencing", intended=False),
        structs.replace(LIMIT, limitation="hallucinates", version="2.0", harm="fundamental_rights"),
    )
    for content in more:
        assert world.put(structs.replace(entry(world, "officer", content), words="in words")).decisions
    return world


def bom(ledgers: Path, *more: str) -> tuple[int, str]:
    found = CliRunner().invoke(cli, ["model", "bom", "m-1", "--ledger", str(ledgers), *more])
    return found.exit_code, found.output


def made(ledgers: Path, version: str, *more: str) -> Any:
    code, said = bom(ledgers, "--version", version, *more)
    assert code == 0, said
    return json.loads(said)


@pytest.mark.parametrize("version", ["1.0", "2.0", "sha256:aa", WHOLE])
def test_a_bill_is_valid_cyclonedx_1_7(full: Path, version: str) -> None:
    """By the JSON schema of the standard, in its strict form."""
    text = bom(full, "--version", version)[1]
    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(text) is None
    assert json.loads(text)["specVersion"] == "1.7"


def test_every_value_is_cited_with_its_entry(full: Path) -> None:
    """Each citation resolves, and each leaf of the component is under one, or names its entry itself."""
    bill = made(full, "1.0")
    pointers = [pointer for one in bill["citations"] for pointer in one["pointers"]]
    for pointer in pointers:
        value_at(bill, pointer)
    for path, value in _leaves(bill["metadata"]["component"], "/metadata/component"):
        cited = any(path == pointer or path.startswith(f"{pointer}/") for pointer in pointers)
        alone = path.count("/") == 3 and path.rsplit("/", 1)[1] in NO_CITATION
        own = path.startswith("/metadata/component/properties/")
        assert cited or alone or own, (path, value)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}/{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{place}")
    else:
        yield path, value


def test_cited_values_are_what_the_entries_say(full: Path) -> None:
    """Read from the ledger again: no value of the component is anywhere but in the entry that is cited for it."""
    bill, record = made(full, "1.0"), _record(full)
    by_number = {one.number: one for one in record.entries}
    for citation in bill["citations"]:
        one = by_number[int(citation["bom-ref"].removeprefix("entry-"))]
        assert f"entry {one.number}, {one.id}" in citation["note"]
        assert citation["attributedTo"] == f"role-{one.by}"
        assert not one.withdrawn
        known = set(_texts(one))
        for pointer in citation["pointers"]:
            for path, value in _leaves(value_at(bill, pointer), pointer):
                assert _said(str(value), known, path), (path, value, known)


FIXED = {"SHA-256", "declared", "dataset", "machine-learning-model", "personal data"}


def _said(value: str, known: set[str], path: str) -> bool:
    """Whether a value is made of fields of the entry and of words of the format alone."""
    if value in FIXED or path.endswith("/bom-ref") or value.startswith(PREFIX):
        return True
    for text in sorted(filter(None, known), key=len, reverse=True):
        value = value.replace(text, "")
    return re.fullmatch(r"([ :;,]|entry|by|passed|not|[0-9]+)*", value) is not None


def _texts(one: FiledEntry) -> Iterator[str]:
    yield from (one.id, one.by, one.words)
    for name, value in one.fields.items():
        if isinstance(value, list):
            yield from map(str, value)
        else:
            yield f"{value:.12g}" if isinstance(value, float) else str(value)
        yield name.removeprefix("result/")


def _record(ledgers: Path) -> ModelRecord:
    record = read_model(ledgers, "m-1")
    assert record is not None
    return record


def test_statements_of_a_supplier_are_marked_as_such(full: Path) -> None:
    """Who spoke is named for each: a supplier, an evaluator, an officer."""
    bill = made(full, "1.0")
    notes = {one["bom-ref"]: one["note"] for one in bill["citations"]}
    assert "a statement, not verified" in notes["entry-2"]
    assert "third party" in notes["entry-6"]
    assert all("signed by key" in note for note in notes.values())
    roles = {one["bom-ref"] for one in bill["metadata"]["authors"]}
    assert {one["attributedTo"] for one in bill["citations"]} <= roles


def test_a_bill_is_of_one_version(full: Path) -> None:
    """Entries about another version, and withdrawn ones, are left out; what is missing is named."""
    first, second = made(full, "1.0")["metadata"]["component"], made(full, "2.0")["metadata"]["component"]
    assert second["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert "hashes" not in first
    assert second["pedigree"]["ancestors"][0] == {
        "type": "machine-learning-model", "name": "base-1", "version": "0.9", "bom-ref": "base:base-1@0.9",
    }  # fmt: skip
    assert [one["name"] for one in first["modelCard"]["modelParameters"]["datasets"]] == ["corpus-1"]
    assert "datasets" not in second["modelCard"]["modelParameters"]
    assert second["modelCard"]["considerations"]["technicalLimitations"] == ["hallucinates: in words"]
    assert second["modelCard"]["considerations"]["ethicalConsiderations"] == [
        {"name": "hallucinates: fundamental_rights"}
    ]
    absent = {one["value"] for one in second["properties"] if one["name"] == f"{PREFIX}absent"}
    assert absent == {"data", "evaluations", "inspections"}
    assert "withdrawn-one" not in json.dumps([first, second])


def test_the_same_ledger_gives_the_same_bytes(full: Path, tmp_path: Path) -> None:
    """To a file as on stdout."""
    code, said = bom(full, "--version", "1.0", "-o", str(tmp_path / "bom.json"))
    assert code == 0
    assert said.strip().endswith("bom.json")
    assert (tmp_path / "bom.json").read_text() == bom(full, "--version", "1.0")[1]


def test_pilots_are_named_when_asked_for_and_a_firm_sees_its_own(ledgers: Path) -> None:
    """By references to entries of their ledgers."""
    silent, all_, rival = (
        json.dumps(made(ledgers, "1.0", *more)["metadata"]["component"]["properties"])
        for more in ((), ("--pilots",), ("--pilots", "--firm", "rival"))
    )
    assert "user" not in silent
    assert "user of firm, since entry " in all_
    assert f"{PREFIX}pilot:user:halts" in all_
    assert "user" not in rival


def test_an_unknown_version_is_refused_with_those_that_there_are(full: Path) -> None:
    """And an unknown model."""
    code, said = bom(full, "--version", "9.9")
    assert code == 1
    assert "1.0, 2.0" in said
    found = CliRunner().invoke(cli, ["model", "bom", "m-9", "--version", "1", "--ledger", str(full)])
    assert found.exit_code == 1
    assert "no file of the model m-9" in found.output
