"""The public part of a charter can be read from a ledger alone, by version."""

from __future__ import annotations

from pathlib import Path

import msgspec
from click.testing import CliRunner, Result
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.spec import charter_hash, public_part
from monitor.notary.notary import Notary
from tests.unit.lifecycle.founded import OWN, Founded

SECRET = structs.replace(OWN, data_source="a bureau", confidential=("data_source",))
SECOND = structs.replace(SECRET, version=2, scenario="another depot")


def show(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["charter", "show", *arguments], catch_exceptions=False)


def recorded(directory: Path) -> None:
    """A ledger of a pilot that was admitted and amended in a founded sandbox."""
    world = Founded(admit=SECRET)
    assert world.amended(SECOND).decisions
    notary = Notary(directory)
    notary.record([d for d in world.decisions if d.pilot == "p"])
    notary.close()


def test_each_version_is_in_the_ledger_without_its_confidential_parts(tmp_path: Path) -> None:
    """With the hash of the whole charter; the latest one without --version."""
    recorded(tmp_path / "ledger")
    for version, charter in ((1, SECRET), (2, SECOND)):
        shown = show("p", "--ledger", str(tmp_path / "ledger"), "--version", str(version), "--json")
        assert shown.exit_code == 0, shown.output
        assert msgspec.json.decode(shown.stdout) == msgspec.json.decode(public_part(charter))
        assert "a bureau" not in shown.output
        assert f"version {version} " in shown.stderr
        assert charter_hash(charter) in shown.stderr
    latest = show("p", "--ledger", str(tmp_path / "ledger"))
    assert '"another depot"' in latest.stdout


def test_what_a_ledger_does_not_hold_is_said(tmp_path: Path) -> None:
    """Another version, another pilot, no ledger: exit code 1 and what to do."""
    recorded(tmp_path / "ledger")
    assert show("p", "--ledger", str(tmp_path / "ledger"), "--version", "3").exit_code == 1
    other = CliRunner().invoke(cli, ["charter", "show", "q", "--ledger", str(tmp_path / "ledger")])
    assert other.exit_code != 0
