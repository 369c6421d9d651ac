"""The command of the verifier: wrong use and unreadable inputs give no verdict, progress is on stderr."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from monitor.cli.ledger import verify
from monitor.notary.encoding import encode
from monitor.verifier import progress
from monitor.verifier.main import main, parser
from tests.ledger.made_log import policy, published
from tests.ledger.tampering import LOG_KEY, PILOT, ledger_files, record


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger file with its index, and its publication in `pub`."""
    raw = [encode(entry) for entry in record()[0]]
    files = ledger_files("ledger", raw) | {f"pub/{path}": data for path, data in published({PILOT: raw}).files.items()}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (found,) = (tmp_path / "ledger").glob("*.ledger")
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--nonsense", "x"],
        ["nothing-here"],
        ["{ledger}", "--root", "12"],
        ["{ledger}", "--log-key", "no key"],
        ["{ledger}", "--checkpoint", "nothing-here"],
        ["http://127.0.0.1:1/pub"],
    ],
)
def test_wrong_use_and_unreadable_inputs_give_no_verdict(
    ledger: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, with words on stderr: neither verified nor failed."""
    assert main([one.format(ledger=ledger) for one in arguments]) == 2
    assert capsys.readouterr().err


def test_ledger_verify_has_every_flag_of_the_verifier() -> None:
    """The verifier parses its flags with the standard library alone, so `ledger verify` lists them once more."""
    wanted = {name for action in parser("x")._actions for name in action.option_strings} - {"-h", "--help"}
    assert {name for option in verify.params for name in option.opts if name.startswith("-")} == wanted


def test_what_is_given_twice_is_no_contradiction(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several inputs are verified in one run, and one report is printed."""
    pub = ledger.parents[1] / "pub"
    assert main([str(ledger), str(pub), "--published", str(pub), *LOG_KEY, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {one["kind"] for one in report["ledgers"]} == {"ledger", "published log"}


def test_an_input_that_cannot_be_read_next_to_a_failure_is_a_failure(ledger: Path) -> None:
    """A failure stays one whatever else could not be read."""
    ledger.write_bytes(ledger.read_bytes()[:-1] + b"x")
    assert main([str(ledger), "nothing-here"]) == 1


def test_arguments_may_come_from_a_file(ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trust anchors that a reader keeps: one argument on each line."""
    (tmp_path / "policy").write_bytes(policy())
    (tmp_path / "anchors").write_text("\n".join([*LOG_KEY, "--policy", str(tmp_path / "policy")]))
    assert main([str(ledger.parents[1] / "pub"), f"@{tmp_path / 'anchors'}"]) == 0
    assert "pass     policy.satisfied" in capsys.readouterr().out


def test_without_json_the_checks_of_bodies_did_not_run(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--structure` is no silent pass: what it leaves out is listed with the reason."""
    assert main([str(ledger), "--structure"]) == 0
    assert "not run  entry.body" in capsys.readouterr().out


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(("terminal", "shown"), [(True, "\rverify: 50 % of 10"), (False, "verify: 50 % of 10\n")])
def test_long_work_shows_its_progress(monkeypatch: pytest.MonkeyPatch, terminal: bool, shown: str) -> None:
    """On a terminal one line is rewritten and cleared; elsewhere lines are printed; short work shows nothing."""
    stream = Stream(terminal)
    progress.Progress("verify", stream)(5, 10)
    assert stream.getvalue() == ""
    monkeypatch.setattr(progress, "TERMINAL_S", 0.0)
    monkeypatch.setattr(progress, "LOG_S", 0.0)
    bar = progress.Progress("verify", stream)
    bar(5, 10)
    bar.close()
    assert stream.getvalue().startswith(shown)
    assert stream.getvalue().endswith("\x1b[K" if terminal else "\n")
