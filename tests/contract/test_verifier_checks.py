"""The registry of the verifier: ids that never change, and no code of the pipeline behind it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import jsonschema
import pytest

from monitor.notary.notary import Notary
from monitor.testing.records import decision
from monitor.verifier.anchors import Anchors
from monitor.verifier.checks import CHECKS, RETIRED
from monitor.verifier.report import Report
from monitor.verifier.run import verify_all

ROOT = Path(__file__).parents[2]
IDS = (Path(__file__).parent / "golden" / "verifier_checks.txt").read_text().split()
ALLOWED = (
    "monitor.verifier", "monitor.tlog",
    "monitor.notary.authority_leaf", "monitor.notary.commitment", "monitor.notary.cursor", "monitor.notary.dense",
    "monitor.notary.encoding", "monitor.notary.entry_rules", "monitor.notary.format", "monitor.notary.not_entered",
    "monitor.notary.placement", "monitor.notary.retired", "monitor.notary.typed",
    "monitor.model.canonical", "monitor.stamps.verify", "monitor.stamps.problems", "monitor.stamps.chain",
    "monitor.stamps.pem", "monitor.stamps.revocation", "monitor.stamps.token", "monitor.stamps.der",
)  # fmt: skip


def test_an_id_is_never_renamed_removed_or_reused() -> None:
    """Every id that a report ever named is still a check or retired; new ones are appended to the list."""
    known = {check.id for check in CHECKS} | set(RETIRED)
    assert set(IDS) <= known, sorted(set(IDS) - known)
    assert known <= set(IDS), f"append to golden/verifier_checks.txt: {sorted(known - set(IDS))}"
    assert len(IDS) == len(set(IDS))
    assert not {check.id for check in CHECKS} & set(RETIRED)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_says_what_it_shows(check: object) -> None:
    """An id is `group.name` in lower case; a sentence says what a pass establishes."""
    group, _, name = check.id.partition(".")  # type: ignore[attr-defined]
    assert group.isalpha()
    assert name.replace("-", "").isalpha()
    assert check.shows  # type: ignore[attr-defined]


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def sources() -> list[Path]:
    """Every file that the verifier is made of, by following its imports."""
    pending = sorted((ROOT / "monitor" / "verifier").glob("*.py"))
    seen: set[Path] = set()
    while pending:
        path = pending.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in imported(path):
            here = ROOT / Path(*module.split("."))
            pending += [p for p in (here.with_suffix(".py"), here / "__init__.py") if p.exists()]
    return sorted(seen)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_verifier_has_no_code_of_the_pipeline(path: Path) -> None:
    """Standard library, `cryptography` and `rfc3161_client` alone; of ours only formats, tlog and the verifier."""
    import sys

    for module in imported(path):
        top = module.split(".")[0]
        if top == "monitor":
            assert module in ("monitor", "monitor.tlog", "monitor.stamps") or module.startswith(ALLOWED), (
                f"{path} imports {module}"
            )
        else:
            assert top in sys.stdlib_module_names | {"cryptography", "rfc3161_client"}, f"{path} imports {module}"


def test_an_unregistered_check_is_refused() -> None:
    """A result without a registered id cannot be reported."""
    with pytest.raises(KeyError):
        Report().passed("ledger.nice", "x")


def test_the_json_report_meets_its_schema(tmp_path: Path) -> None:
    """The schema that is documented describes what is printed, for each verdict."""
    schema = json.loads((ROOT / "monitor" / "verifier" / "report.schema.json").read_text())
    Notary(tmp_path / "good").record([decision(1)])
    (tmp_path / "bad.ledger").write_bytes(b"no ledger")
    seen = set()
    for inputs in (["good"], ["bad.ledger"], ["nothing"]):
        report = verify_all([str(tmp_path / name) for name in inputs], Anchors())
        jsonschema.validate(report.as_json(), schema)
        seen.add(report.verdict.exit_code)
    assert seen == {0, 1, 2}
