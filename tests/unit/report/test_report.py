"""The documents of a stay come from the ledger alone, and a separate program finds every number that is not right."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from monitor.charter.control import Withdrawal
from monitor.charter.exit_acts import ReportIssue
from monitor.cli.report import report
from monitor.model.records import Closed, Evidence
from monitor.notary.charters import charter_of
from monitor.notary.encoding import EntryType
from monitor.notary.evidence_entries import EvidenceGatherer
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.notary.verify import entries
from monitor.report import recompute
from monitor.report.fields import DOCUMENTS
from tests.unit.decide.test_exits import DIGEST, END, HOUR, T0, Bench, approve, bench, do

ROOT = Path(recompute.__file__)


class Written:
    """A ledger, its documents, and the evidence of a stay."""

    def __init__(self, made: Bench, where: Path) -> None:
        self.ledgers = where / "ledger"
        notary = Notary(self.ledgers)
        charter = made.machine.pilots["p"].charter
        key = charter_of(made.out.decisions[0])
        assert key is not None
        notary.record(made.out.decisions, made.out.commands, charters={key: charter})
        gatherer = EvidenceGatherer()
        for place, one in enumerate((*made.out.evidence, Closed(partition=0, through=1 << 50))):
            notary.record_evidence(gatherer.take(place, one))
        notary.close()
        self.ledger = self.ledgers / file_name("p")
        self.entered = sorted(self.ledgers.glob("evidence-*.ledger"))
        self.out = where / "report"
        found = CliRunner().invoke(report, ["p", "--ledger", str(self.ledgers), "--out", str(self.out)])
        assert found.exit_code == 0, found.output
        self.evidence = where / "evidence.jsonl"
        lines = [msgspec.json.encode(one) for one in made.out.evidence if isinstance(one, Evidence)]
        self.evidence.write_bytes(b"\n".join(lines) + b"\n")

    def check(self, name: str = "exit-report", ledger: Path | None = None, evidence: bool = True) -> tuple[int, str]:
        """Exit code and output of the program, run without the monitor and without installed packages."""
        arguments = [str(self.out / f"{name}.json"), str(ledger or self.ledger)]
        arguments += [str(self.evidence)] if evidence else []
        command = [sys.executable, "-I", "-S", str(self.out / "recompute.py"), *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        return ran.returncode, ran.stdout + ran.stderr


def stay(outcome: str, hours: int = 60, incidents: int = 0, **changes: Any) -> Bench:
    """A stay that ends with this outcome."""
    made = bench(hours, incidents, **changes)
    at = T0 + hours * HOUR
    if outcome == "scale":
        approve(made, at)
    assert not do(made, Withdrawal, at + 1, outcome=outcome, reason="r", met=(1,)).rejected
    return made


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A pilot that exited with `scale`."""
    made = stay("scale", incidents=1)
    do(made, ReportIssue, END + 10, report=DIGEST, proof=DIGEST)
    return Written(made, tmp_path_factory.mktemp("scaled"))


def test_every_number_is_the_same_in_ledger_evidence_and_recomputation(scaled: Written) -> None:
    """In each document; nothing is missing."""
    for name in DOCUMENTS:
        code, said = scaled.check(name)
        assert code == 0, said
        assert "0 different, 0 missing" in said


@pytest.mark.parametrize(("outcome", "hours", "incidents"), [("insufficient_evidence", 2, 0), ("stop", 30, 5)])
def test_other_outcomes_are_recomputed_as_well(tmp_path: Path, outcome: str, hours: int, incidents: int) -> None:
    """With what is lacking."""
    code, said = Written(stay(outcome, hours, incidents), tmp_path).check()
    assert code == 0, said
    assert "0 different, 0 missing" in said


def test_without_evidence_the_counts_are_missing(scaled: Written) -> None:
    """That is said, and is no difference."""
    code, said = scaled.check(evidence=False)
    assert code == 0
    assert "1 missing" in said


def test_the_ledger_holds_charter_and_evidence_and_every_number_keeps_its_place(scaled: Written) -> None:
    """Entries that are no decisions count as none; all files of a pilot may be given, in any order, and the evidence
    is counted from its ledger."""
    kinds = [entry.type for entry in entries(scaled.ledger)]
    assert EntryType.CHARTER in kinds
    assert len(scaled.entered) == 1
    for files in ([*scaled.entered, scaled.ledger], [scaled.ledger, *scaled.entered]):
        command = [sys.executable, "-I", "-S", str(ROOT), str(scaled.out / "exit-report.json"), *map(str, files)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout
        assert "0 different, 0 missing" in ran.stderr
        assert "incidents: complete: counted 59" in ran.stdout
    alone = subprocess.run([*command[:5], str(scaled.entered[0])], capture_output=True, text=True, check=False)
    assert alone.returncode == 1
    assert "give one ledger of decisions" in alone.stderr


def test_periods_that_are_not_entered_yet_are_missing(scaled: Written, tmp_path: Path) -> None:
    """A ledger of evidence that is shorter than the stay is no difference; one that says otherwise is."""
    raw, cut = scaled.entered[0].read_bytes(), tmp_path / "cut.ledger"
    record = next(e.record() for e in entries(scaled.ledger) if "assessment" in e.record().get("finding", {}))
    numbers = record["finding"]["assessment"]
    cut.write_bytes(raw[: len(raw) * 2 // 3])
    assert "missing" in {result for _, result, _ in recompute.count_again([cut], numbers, "p")}
    assert "different" not in {result for _, result, _ in recompute.count_again([cut], numbers, "p")}
    numbers["streams"][0]["events"] = numbers["streams"][0].get("events", 0) + 20
    assert "different" in {result for _, result, _ in recompute.count_again(scaled.entered, numbers, "p")}


def numbers_of(text: str) -> list[tuple[int, int]]:
    """The places of all numbers of a report (field, row)."""
    made = json.loads(text)
    return [(f, r) for f, field in enumerate(made["fields"]) for r in range(len(field["rows"]))]


def test_each_tampered_number_of_a_report_is_found(scaled: Written) -> None:
    """Whichever it is."""
    path = scaled.out / "exit-report.json"
    original = path.read_text("utf-8")
    bodies, leaves = recompute.read_ledger(scaled.ledger)
    for field, row in numbers_of(original):
        made = json.loads(original)
        value = made["fields"][field]["rows"][row]["value"]
        made["fields"][field]["rows"][row]["value"] = value + 1 if isinstance(value, int | float) else "other"
        found = [result for _, result, _ in recompute.check_report(made, bodies, leaves)]
        assert found.count("different") + found.count("missing") == 1


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "events": lambda row: row.update(events=row["events"] - 20),
    "exposure": lambda row: row.update(exposure=row["exposure"] * 2),
    "rate": lambda row: row.update(rate=row["rate"] / 2),
    "high": lambda row: row.update(high=row["high"] * 0.99),
    "low": lambda row: row.update(low=row["low"] * 1.01),
    "power": lambda row: row.update(power=row["power"] - 0.2),
    "keeps": lambda row: row.update(keeps=not row["keeps"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_number_that_the_monitor_computed_wrongly_is_found(scaled: Written, name: str) -> None:
    """Also where ledger and report agree about it."""
    record = next(e.record() for e in entries(scaled.ledger) if "assessment" in e.record().get("finding", {}))
    numbers = record["finding"]["assessment"]
    CHANGES[name](numbers["streams"][0])
    found = recompute.check_stream(numbers["streams"][0]) + recompute.check_outcome(numbers)
    found += recompute.count_again([scaled.evidence], numbers, "p")
    assert "different" in {result for _, result, _ in found}


def test_a_wrong_outcome_is_found(scaled: Written) -> None:
    """What is lacking follows from the numbers, and the outcome from what is lacking."""
    record = next(e.record() for e in entries(scaled.ledger) if "assessment" in e.record().get("finding", {}))
    numbers = record["finding"]["assessment"]
    for change in ({"advised": "stop"}, {"lacks": ["quiet_too_short"]}, {"clocks_missed": 1}, {"quiet": 0}):
        found = recompute.check_outcome({**numbers, **change})
        assert "different" in {result for _, result, _ in found}


def test_a_changed_ledger_is_found(scaled: Written, tmp_path: Path) -> None:
    """By its leaf hashes, or by the root that the report names."""
    raw = bytearray(scaled.ledger.read_bytes())
    place = raw.index(b'"outcome":"scale"')
    raw[place + 12] ^= 1
    changed = tmp_path / "changed.ledger"
    changed.write_bytes(raw)
    assert scaled.check(ledger=changed)[0] == 1
    bodies, leaves = recompute.read_ledger(scaled.ledger)
    made = json.loads((scaled.out / "exit-report.json").read_text("utf-8"))
    found = recompute.check_report(made, bodies, [*leaves[:1], bytes(32), *leaves[2:]])
    assert ("ledger root", "different") in {(name, result) for name, result, _ in found}
    shorter = recompute.check_report(made, bodies[:-1], leaves[:-1])
    assert [result for _, result, _ in shorter] == ["missing"]


def test_a_report_stays_valid_while_the_ledger_grows(scaled: Written, tmp_path: Path) -> None:
    """It names the size and the root from which it was made."""
    made = stay("scale", incidents=1)
    first = Written(made, tmp_path)
    do(made, ReportIssue, END + 10, report=DIGEST, proof=DIGEST)
    notary = Notary(first.ledgers)
    notary.record(made.out.decisions, made.out.commands)
    notary.close()
    code, said = first.check()
    assert code == 0, said


def test_the_program_uses_the_standard_library_alone() -> None:
    """None of the monitor's code: its file names no other module."""
    found = set()
    for node in ast.walk(ast.parse(ROOT.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    assert {name.split(".")[0] for name in found} <= sys.stdlib_module_names


def test_the_pages_show_each_number_with_its_entry(scaled: Written) -> None:
    """No scripts, nothing external, names escaped."""
    page = (scaled.out / "exit-report.html").read_text("utf-8")
    assert "<script" not in page
    assert "http:" not in page
    assert "https" not in page
    made = json.loads((scaled.out / "exit-report.json").read_text("utf-8"))
    for field in made["fields"]:
        for row in field["rows"]:
            assert row.get("entry", "") in page
    assert "incidents: rate" in page


def test_a_ledger_of_another_pilot_is_refused(scaled: Written, tmp_path: Path) -> None:
    """With what to give."""
    found = CliRunner().invoke(report, ["q", "--ledger", str(scaled.ledger), "--out", str(tmp_path)])
    assert found.exit_code == 1
    assert "not of q" in found.output
    found = CliRunner().invoke(report, ["q", "--ledger", str(scaled.ledgers), "--out", str(tmp_path)])
    assert "has no ledger of q" in found.output
