"""The file of a model read from its ledger, and the pilots that use it, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.control import Override
from monitor.charter.spec import Model
from monitor.notary.notary import Notary
from monitor.notary.plaintexts import plaintext_dir
from monitor.report.model_record import read_model
from tests.unit.engine.test_model_acts import MODEL, V1, entry, filled, withdrawal
from tests.unit.lifecycle.founded import OWN, Founded


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledgers of a sandbox with one model: of the model, of the sandbox, of a halted pilot that uses the model, and
    of one of another firm that uses another model of the same version name."""
    world, ids = filled()
    last = structs.replace(entry(world, "officer", structs.replace(V1, version="2.0", digest="sha256:bb")), words="new")
    assert world.put(last).decisions
    assert world.put(withdrawal(world, "supplier", ids["limitation"])).decisions
    notary = Notary(tmp_path_factory.mktemp("ledgers") / "ledger")
    notary.record(world.decisions)
    user = Founded(admit=structs.replace(OWN, models=(Model("sha256:aa", version="1.0"),)))
    assert user.put(Override(**user.by("officer"), level="halt", reason="x")).decisions
    other = Founded(admit=structs.replace(OWN, models=(Model("sha256:zz", version="1.0"),)))
    for name, firm, one in (("user", "firm", user), ("other", "rival", other)):
        renamed = [structs.replace(d, pilot=name, participant=firm, id=f"{name[0]}{d.id[1:]}") for d in one.decisions
                   if d.pilot == "p"]  # fmt: skip
        notary.record(renamed)
    notary.close()
    return notary.directory


def shown(ledgers: Path, *more: str) -> tuple[int, str]:
    found = CliRunner().invoke(cli, ["model", "show", *more, "--ledger", str(ledgers)])
    return found.exit_code, found.output


def test_the_file_of_a_model_is_read_from_its_ledger(ledgers: Path) -> None:
    """Every entry with its number, typed fields and the role of its author; withdrawn ones are kept, and marked."""
    record = read_model(ledgers, "m-1")
    assert record is not None
    assert [one.number for one in record.entries] == list(range(1, 9))
    assert [one.size for one in record.ledgers] == [9]
    assert [(one.kind, one.number, one.withdrawn) for one in record.entries if one.withdrawn] == [("limitation", 5, 9)]
    assert [one.fields["version"] for one in record.of("version")] == ["1.0", "2.0"]
    assert record.of("evaluation")[0].fields["result/recall"] == 0.9
    assert record.of("limitation") == []
    assert record.digests == {"sha256:aa", "sha256:bb"}
    found = record.version("sha256:bb")
    assert found is not None
    assert found.fields["version"] == "2.0"


def test_words_are_shown_to_those_who_may_read_them(ledgers: Path, tmp_path: Path) -> None:
    """The ledger alone has a commitment to them."""
    words = next(one for one in read_model(ledgers, "m-1").entries if one.number == 8)  # type: ignore[union-attr]
    assert words.words == "new"
    copied = tmp_path / "ledger"
    copied.mkdir()
    for file in ledgers.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    assert plaintext_dir(ledgers).exists()
    alone = next(one for one in read_model(copied, "m-1").entries if one.number == 8)  # type: ignore[union-attr]
    assert alone.words == ""
    assert len(alone.commitment) == 64
    assert "(words not disclosed)" in shown(copied, "m-1")[1]


def test_pilots_are_joined_by_the_digests_of_the_file(ledgers: Path) -> None:
    """With references to their own entries; a pilot whose other model has the same version name is not one of them."""
    code, said = shown(ledgers, "m-1", "--json")
    assert code == 0
    found = json.loads(said.splitlines()[0])
    assert [one["pilot"] for one in found["pilots"]] == ["user"]
    use = found["pilots"][0]
    assert len(use["events"]["halts"]) == 1
    assert len(use["events"]["halts"][0]["id"]) == 32
    assert found["file"]["entries"][0]["by"] == "officer"


def test_a_firm_sees_nothing_of_other_firms(ledgers: Path) -> None:
    """Its own pilots with the file of the model."""
    code, said = shown(ledgers, "m-1", "--firm", "rival")
    assert code == 0
    assert "user" not in said
    assert "0 pilots" in said
    assert "user of firm" in shown(ledgers, "m-1", "--firm", "firm")[1]


def test_a_model_without_a_file_is_named(ledgers: Path) -> None:
    """With what to check."""
    code, said = shown(ledgers, "m-9")
    assert code == 1
    assert "no pilot" in said
    assert MODEL not in said
