"""A model over all pilots that use it, from their ledgers alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.control import Withdrawal
from monitor.charter.spec import Model
from monitor.decide.control_acts import public_document
from monitor.model.records import Outputs
from monitor.notary.notary import Notary
from tests.unit.decide.test_exits import HOUR, T0, Bench, bench, do


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pilots, of which two use model m1; one of these was halted, the other ended."""
    halted = bench(hours=2, incidents=100)
    ended = Bench(models=(Model("m1", version="7.1"), Model("m2")))
    do(ended, Withdrawal, T0 + HOUR, outcome="stop", reason="r")
    other = Bench(models=(Model("m3"),))
    notary = Notary(tmp_path_factory.mktemp("ledgers") / "ledger")
    for name, made in (("p", halted), ("q", ended), ("r", other)):
        out: Outputs = made.out
        renamed = [structs.replace(one, pilot=name, id=f"{name}{one.id[1:]}") for one in out.decisions]
        document = public_document(made.machine.pilots["p"].charter)  # as where a sandbox is founded
        notary.record([structs.replace(renamed[0], document=document), *renamed[1:]])
    notary.close()
    return notary.directory


def shown(ledgers: Path, name: str, *more: str) -> tuple[int, str]:
    found = CliRunner().invoke(cli, ["model", "show", name, "--ledger", str(ledgers), *more])
    return found.exit_code, found.output


def test_the_pilots_that_use_a_model_are_joined(ledgers: Path) -> None:
    """By digest, with what happened to each and where that stands."""
    code, said = shown(ledgers, "m1", "--json")
    assert code == 0
    shown_ = json.loads(said.splitlines()[0])
    uses = {one["pilot"]: one for one in shown_["pilots"]}
    assert shown_["file"] is None
    assert set(uses) == {"p", "q"}
    assert set(uses["p"]["events"]["limits exceeded"][0]) == {"number", "id"}
    assert uses["p"]["events"]["halts"] == uses["p"]["events"]["limits exceeded"][-1:]
    assert uses["p"]["outcome"] == ""
    assert (uses["q"]["versions"], uses["q"]["outcome"]) == (["7.1"], "stop")


def test_a_model_is_found_by_its_version_as_well(ledgers: Path) -> None:
    """As people name it; one that no pilot uses is said to be unknown."""
    code, said = shown(ledgers, "7.1")
    assert code == 0
    assert "q of firm: 7.1, since decision 1, stop" in said
    code, said = shown(ledgers, "m9")
    assert code == 1
    assert "no pilot" in said


def test_a_damaged_ledger_is_said(ledgers: Path, tmp_path: Path) -> None:
    """Not passed over."""
    for path in ledgers.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    victim = next(tmp_path.glob("*.ledger"))
    raw = bytearray(victim.read_bytes())
    raw[-20] ^= 1
    victim.write_bytes(raw)
    assert shown(tmp_path, "m1")[0] == 1
