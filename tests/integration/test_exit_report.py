"""From assessment to report on a real monitor: the acts as commands, the documents, and their recomputation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.__main__ import cli
from monitor.charter.spec import Responses
from monitor.model.records import Reason
from monitor.notary.store import file_name
from monitor.testing.environments import ENVIRONMENTS
from monitor.testing.wait import Until

WORLD = [pytest.param("embedded"), pytest.param("kafka", marks=pytest.mark.kafka)]


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("name", WORLD)
def test_a_stay_is_assessed_ended_and_reported(tmp_path: Path, name: str) -> None:
    """`scale` is refused with what is missing; another outcome carries the numbers. On the embedded runtime the
    documents come from its ledger and the recomputation from its export."""
    environment: Any = ENVIRONMENTS[name](tmp_path, 1, Responses())
    try:
        pilot = environment.next().pilot
        to = ["--to", str(environment.settings(environment.proxy())["to"])]
        to += ["--prefix", "halt"] if name == "kafka" else []
        to += ["--author", "regulator-1", "--wait", "60"]
        done = ran("assess", pilot, "--outcome", "continue", "--reason", "first look", *to)
        assert done.exit_code == 0, done.output
        assert "assessed" in done.output
        refused = ran("exit", pilot, "--outcome", "scale", "--reason", "r", *to)
        assert refused.exit_code == 1
        assert "limits_not_kept" in refused.output
        done = ran("exit", pilot, "--outcome", "insufficient_evidence", "--reason", "too few cases", *to)
        assert done.exit_code == 0, done.output
        _, decision = environment.decisions.wait(pilot, Reason.EXITED)
        assert decision.finding.content == {"outcome": "insufficient_evidence", "advised": "insufficient_evidence"}
        assert decision.finding.assessment.streams
        if name == "embedded":
            Until(120.0)(lambda: entered(tmp_path, pilot, decision.id))
    finally:
        environment.close()
    if name == "embedded":
        reported(tmp_path, pilot)


def entered(home: Path, pilot: str, decision: str) -> bool:
    """Whether the ledger of the pilot has the decision; it is written a moment after the decision."""
    return any(decision.encode() in path.read_bytes() for path in home.rglob("*.ledger") if pilot in path.name)


def reported(home: Path, pilot: str) -> None:
    """Report and recomputation, while the monitor is down."""
    ledgers = next(path for path in home.rglob("ledger") if path.is_dir())
    out = home / "report"
    done = ran("report", pilot, "--ledger", str(ledgers), "--out", str(out))
    assert done.exit_code == 0, done.output
    history, evidence = home / "pilot.history", home / "evidence.jsonl"
    exported = ran("export", "--dir", str(ledgers.parent), "--pilot", pilot, "--quiet")
    assert exported.exit_code == 0, exported.stderr
    history.write_bytes(exported.stdout_bytes)
    assert ran("replay", str(history), "--evidence", str(evidence), "--no-progress").exit_code == 0
    ledger = ledgers / file_name(pilot)
    program = [sys.executable, "-I", "-S", str(out / "recompute.py")]
    for document in ("exit-report", "written-proof", "good-faith"):
        arguments = [str(out / f"{document}.json"), str(ledger), str(evidence)]
        checked = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "0 different, 0 missing" in checked.stderr
    made = json.loads((out / "exit-report.json").read_text("utf-8"))
    made["fields"][6]["rows"][1]["value"] = "scale"
    (out / "exit-report.json").write_text(json.dumps(made), encoding="utf-8")
    arguments = [str(out / "exit-report.json"), str(ledger)]
    checked = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    assert "different  7 outcome" in checked.stdout
