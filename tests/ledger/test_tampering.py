"""Each way to tamper with a ledger is refused by the check that should see it; the shipped data are those made here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.verifier.main import main
from tests.ledger.tampering import FOLDER, cases

SHIPPED = json.loads((FOLDER / "cases.json").read_text())


def test_the_shipped_set_is_what_the_generator_makes() -> None:
    """The data need no trust: they can be made again, byte by byte."""
    made = cases()
    assert [case.name for case in made] == [case["name"] for case in SHIPPED]
    for case in made:
        for name, data in case.files.items():
            assert (FOLDER / name).read_bytes() == data, name


@pytest.mark.parametrize("case", SHIPPED, ids=lambda case: case["name"])
def test_tampering_is_refused_by_its_check(
    case: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 and the named check; what was not tampered with is verified."""
    monkeypatch.chdir(FOLDER)
    status = main([*case["arguments"], "--json"])
    report = json.loads(capsys.readouterr().out)
    failed = {check["id"] for check in report["checks"] if check["outcome"] == "fail"}
    expected = {case["check"]} - {""}
    assert (status, failed >= expected, bool(failed)) == (1 if expected else 0, True, bool(expected)), report["checks"]


def test_the_readme_shows_what_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The output in the folder's page is that of the shipped case."""
    monkeypatch.chdir(FOLDER)
    (case,) = [case for case in SHIPPED if case["name"] == "swapped-evaluation"]
    assert main(case["arguments"]) == 1
    page = (FOLDER.parents[3] / "monitor" / "verifier" / "README.md").read_text()
    assert f"\n{capsys.readouterr().out}```" in page
