"""`ledger compare`: what a firm reads, and the exit codes that a script reads."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from monitor.__main__ import cli
from monitor.errors import ReplayDiffers
from monitor.notary.appeal import SENTENCES, Cause, Verdict
from tests.ledger.planted import Planted, Story, planted


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def differences(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Planted]:
    return {one.name: one for one in planted(tmp_path_factory.mktemp("planted"))}


def compared(ledger: Path, replay: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["ledger", "compare", str(ledger), str(replay), *options])


def objects(result: Result) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in result.stdout.splitlines()]


def test_a_history_that_agrees_ends_with_zero_and_names_each_decision(story: Story) -> None:
    """Every decision and command is listed as the same, and the summary says what the comparison does not show."""
    result = compared(story.ledger, story.file)
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == len(story.decisions) + 1  # one command
    assert all(line.startswith("same ") for line in result.stdout.splitlines())
    assert "verdict: same" in result.stderr
    assert "not shown: that the telemetry in the history is what the service sent" in result.stderr


def test_one_ledger_file_is_compared_with_the_evidence_next_to_it(story: Story) -> None:
    """Given the file of the decisions, the observations of closed periods are compared as well."""
    (file,) = (one for one in story.ledger.glob("*.ledger") if "evidence" not in one.name)
    (file.parent / "of-another-pilot.ledger").write_bytes(b"damaged")
    result = compared(file, story.file)
    (file.parent / "of-another-pilot.ledger").unlink()
    assert result.exit_code == 0, result.output
    assert "observations of closed periods: " in result.stderr
    assert ", 0 not" in result.stderr


def test_a_difference_is_the_named_error_with_both_values(differences: dict[str, Planted]) -> None:
    """Exit code 1, the error by its name, the field, and what each side has."""
    one = differences["edited_statistic"]
    result = compared(one.ledger, one.replay)
    assert result.exit_code == 1
    assert isinstance(result.exception, ReplayDiffers)
    assert str(result.exception).startswith("replay differs from the record: values, first: ")
    assert "finding.statistic: ledger 14.54" in result.stdout
    assert "replay 9.69" in result.stdout
    assert "first difference: " in result.stderr
    assert "verdict: replay differs from the record" in result.stderr


@pytest.mark.parametrize(
    "name", ["changed_telemetry", "missing_telemetry", "wrong_pilot", "events_alone", "other_program"]
)
def test_what_cannot_be_judged_is_no_accusation(differences: dict[str, Planted], name: str) -> None:
    """Exit code 2, why there is no verdict, and no sentence that the two differ."""
    one = differences[name]
    result = compared(one.ledger, one.replay)
    assert result.exit_code == 2, result.output
    assert f"{one.cause}: {SENTENCES[one.cause]}" in result.stderr
    assert "verdict: none" in result.stderr
    assert ReplayDiffers.TEXT not in result.output


def test_the_version_is_named_before_the_differences(differences: dict[str, Planted]) -> None:
    """Another program is named first, then what differs."""
    one = differences["other_program"]
    summary = objects(compared(one.ledger, one.replay, "--json"))[-1]["summary"]
    causes = [named["cause"] for named in summary["named"]]  # type: ignore[index]
    assert causes[0] == Cause.PROGRAM_VERSION
    assert len(causes) > 1


def test_json_has_an_object_for_each_decision_and_the_error(differences: dict[str, Planted]) -> None:
    """Scripts read verdicts, fields, counts and the error."""
    one = differences["removed"]
    lines = objects(compared(one.ledger, one.replay, "--json"))
    judged = [line["judged"] for line in lines[:-1]]
    assert [j["verdict"] for j in judged].count(Verdict.MISSING) == 1  # type: ignore[index]
    summary = lines[-1]["summary"]
    assert summary["error"] == "replay differs from the record"  # type: ignore[index]
    assert summary["counts"]["missing"] == 1  # type: ignore[index]
    assert summary["first"]["replayed"]  # type: ignore[index]


def test_what_replay_printed_can_be_compared_later(story: Story, tmp_path: Path) -> None:
    """The output of `replay --json` is compared as the history is, without commands; cut short it is no replay."""
    printed = CliRunner().invoke(cli, ["replay", str(story.file), "--json", "--no-progress"]).stdout_bytes
    path = tmp_path / "mine.replay"
    path.write_bytes(printed)
    result = compared(story.ledger, path)
    assert result.exit_code == 0, result.output
    assert "command" not in result.stdout
    path.write_bytes(printed[: len(printed) // 2].rpartition(b"\n")[0] + b"\n")
    assert compared(story.ledger, path).exit_code == 2


def test_every_cause_has_a_sentence() -> None:
    """A person reads what a cause means, and what to do about it."""
    assert set(SENTENCES) == set(Cause)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[" * 200_000,
        b'{"replay":[]}\n',
        b'{"replay":{"kind":"history","pilots":[[]]}}\n{"decision":{"standing":"x"}}\n',
        b'{"replay":{"kind":"history","pilots":["p"]}}\n{"summary":[]}\n',
        b"\xff\xfe\x00\n",
    ],
    ids=["empty", "deep", "list", "no decision", "no summary", "UTF-16"],
)
def test_what_is_no_replay_gives_no_verdict(story: Story, tmp_path: Path, text: bytes) -> None:
    """Exit code 1 says that the record differs; a file that cannot be compared says nothing of it."""
    (tmp_path / "odd.jsonl").write_bytes(text)
    result = compared(story.ledger, tmp_path / "odd.jsonl")
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)


def test_a_pipe_is_refused(story: Story, tmp_path: Path) -> None:
    """It would be read twice, and without a writer for ever."""
    os.mkfifo(tmp_path / "pipe.ledger")
    assert compared(tmp_path / "pipe.ledger", story.file).exit_code == 2
    assert compared(story.ledger, tmp_path / "pipe.ledger").exit_code == 2
