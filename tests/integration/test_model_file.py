"""The file of a model is kept by the command line on both runtimes, and read from the ledgers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.spec import Responses
from monitor.compile.sandbox_file import read_sandbox, sandbox_yaml
from monitor.files.key_file import new_key
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import Person
from monitor.notary.format import Damage
from monitor.notary.store import file_name
from monitor.report.model_record import read_model
from monitor.testing.environments import ENVIRONMENTS, Environment
from monitor.testing.wait import Until
from tests.integration.test_sandbox_configuration import WORLD

until = Until(60.0, every=0.2)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("name", WORLD)
def test_a_model_gets_its_file_from_officer_supplier_and_evaluator(tmp_path: Path, name: str) -> None:
    """Each adds what the table of acts lets it; refusals name the reason; the ledger holds every accepted entry."""
    environment: Environment = ENVIRONMENTS[name](tmp_path, 1, Responses())
    try:
        to = ["--to", str(environment.settings(environment.proxy())["to"])]
        to += ["--prefix", "halt"] if name == "kafka" else []
        people = tmp_path / "people"

        def act(command: list[str], author: str) -> Result:
            return ran(*command, *to, "--author", author, "--key", str(people / f"{author}.key"))

        assert ran("sandbox", "init", str(people), *to, "--authority", "sandbox-authority").exit_code == 0
        made = read_sandbox(people / "sandbox.yaml")
        maker = Person("maker", (Role.SUPPLIER,), "", (new_key(people / "maker.key").public,))
        (tmp_path / "new.yaml").write_text(sandbox_yaml(structs.replace(made, people=(*made.people, maker))))
        assert act(["sandbox", "propose", str(tmp_path / "new.yaml"), "--id", "c1"], "officer").exit_code == 0
        assert act(["sandbox", "approve", "c1"], "approver-1").exit_code == 0
        assert ran("sandbox", "sync", *to).exit_code == 0

        version = ["model", "add", "version", "triage", "--version", "1.0", "--digest", "sha256:aa", "--id", "v-1"]
        refused = act(version, "maker")
        assert refused.exit_code == 1
        assert "not_its_own" in refused.output
        named = act(["model", "add", "supplier", "triage", "--supplier", "maker", "--role", "deployer"], "officer")
        assert "taken: model_entry_added; decision 1 of model:triage, signed by key" in named.stdout, named.output
        assert "decision 2 of model:triage" in act([*version[:-1], "v-2"], "maker").stdout
        assert "repeated" in act([*version[:-1], "v-2"], "maker").stdout
        assert act(["model", "add", "scenario", "triage", "--scenario", "ward"], "maker").exit_code == 0
        evaluation = ["model", "add", "evaluation", "triage", "--version", "1.0", "--scenario", "ward", "--passed"]
        evaluation += ["--result", "error=0.02", "--words", "by hand"]
        found = act(evaluation, "evaluator")
        assert "decision 4 of model:triage" in found.stdout, found.output
        assert act(["model", "withdraw", "triage", "--entry", "v-2", "--reason", "wrong"], "evaluator").exit_code == 1
        assert act(["model", "withdraw", "triage", "--entry", "v-2", "--reason", "wrong"], "maker").exit_code == 0
        assert act(["override", "model:triage", "watch", "--reason", "x"], "officer").exit_code == 1
        assert ran("status", "model:triage", *to).exit_code == 2
        if name == "kafka":
            _notary(to[1].removeprefix("kafka://"), tmp_path)
    finally:
        environment.close()
    ledger = next(tmp_path.rglob(file_name("model:triage"))).parent
    verified = ran("ledger", "verify", str(ledger))
    assert verified.exit_code == 0, verified.output
    shown = json.loads(ran("model", "show", "triage", "--ledger", str(ledger), "--json").stdout)
    assert [(one["kind"], one["by"], one.get("withdrawn", 0)) for one in shown["file"]["entries"]] == [
        ("supplier", "officer", 0), ("version", "supplier", 5), ("scenario", "supplier", 0),
        ("evaluation", "evaluator", 0),
    ]  # fmt: skip
    assert ran("model", "annex", "triage", "--ledger", str(ledger)).exit_code == 0
    gone = ran("model", "bom", "triage", "--version", "1.0", "--ledger", str(ledger))
    assert gone.exit_code == 1  # its version was withdrawn
    assert "it has none" in gone.output


def _notary(bootstrap: str, home: Path) -> None:
    """Run a notary until it has entered every act on the model."""
    command = [sys.executable, "-m", "monitor", "notary", "--bootstrap", bootstrap, "--prefix", "halt"]
    with (home / "notary.log").open("wb") as log:
        process = subprocess.Popen([*command, "--dir", str(home / "ledger"), "--port", "0"], stdout=log, stderr=log)
    try:
        until(lambda: _entries(home / "ledger") == 5)
    finally:
        process.kill()
        process.wait()


def _entries(ledger: Path) -> int:
    """How many entries the ledger of the model has, while a notary writes it."""
    try:
        record = read_model(ledger, "triage")
    except Damage:  # its last entry is not whole yet
        return 0
    return 0 if record is None else record.ledgers[-1].size
