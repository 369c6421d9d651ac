"""The commands for a pilot that runs, as firm and authority use them, on the embedded runtime and on Kafka."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result

from monitor.charter.spec import Responses
from monitor.model.records import Reason
from monitor.testing.environments import ENVIRONMENTS, Environment

from .test_acts_answered import WORLD, ran


@pytest.mark.parametrize("name", WORLD)
def test_a_pilot_runs_with_changes_pauses_guidance_and_inspections(tmp_path: Path, name: str) -> None:
    """Each command prints the entry that it made, or what is missing; the firm signs with its key."""
    environment: Environment = ENVIRONMENTS[name](tmp_path, 1, Responses())
    charter = environment.next()
    pilot, firm = charter.pilot, charter.participant.id
    to = ["--to", str(environment.settings(environment.proxy())["to"])]
    if name == "kafka":
        to += ["--prefix", "halt"]

    def officer(command: str, *more: str) -> Result:
        return ran(command, pilot, *more, *to, "--author", "regulator-1")

    def of_firm(command: str, *more: str) -> Result:
        return ran(command, pilot, *more, *to, "--author", firm, "--key", str(environment.key))

    why = ("--reason", "r")
    change = ("--kind", "data_type", "--subject", "logs", "--summary", "more logs")
    steps = [
        (lambda: of_firm("propose-change", *change), 0, "taken: change_proposed"),
        (lambda: of_firm("propose-change", *change), 1, "change_open"),
        (lambda: officer("refuse-change", *why), 0, "taken: change_refused"),
        (lambda: of_firm("propose-change", "--kind", "model_version", "--summary", "s"), 1, "content_missing"),
        (lambda: of_firm("pause", *why), 0, "taken: pause_requested"),
        (lambda: officer("grant"), 0, "taken: pause_granted"),
        (lambda: officer("grant"), 1, "nothing_requested"),
        (lambda: of_firm("resume"), 0, "taken: resumed"),
        (lambda: of_firm("propose-cycle", "--start", "2020-01-01", "--end", "2020-02-01", *why), 1, "bad_cycle"),
        (lambda: of_firm("propose-cycle", "--start", "2026-01-01", "--end", "2028-12-31", *why), 0, "cycle_requested"),
        (lambda: officer("decline", *why), 0, "taken: request_declined"),
        (lambda: officer("extend", "--end", "2150-12-31", *why), 1, "bad_cycle"),
        (lambda: of_firm("ask-guidance", "--question", "may we?", "--id", "q1"), 0, "taken: guidance_asked"),
        (lambda: officer("guide", "--answer", "yes", "--about", "q1", "--id", "g1"), 0, "taken: guidance_given"),
        (lambda: of_firm("follow-guidance", "--about", "g1", "--evidence", "e"), 0, "taken: guidance_followed"),
        (
            lambda: officer("inspect", "--id", "i1", "--scope", "logs", "--seen", "s",
                            "--finding", "rule@2099-01-01=no"),
            0,
            "taken: inspect",
        ),
        (lambda: officer("inspect", "--scope", "logs", "--seen", "s", "--finding", "rule"), 2, "NAME@YYYY-MM-DD=WORDS"),
        (
            lambda: of_firm("rectify", "--finding", "inspection/i1/rule", "--cause", "c", "--action", "a",
                            "--evidence", "e"),
            0,
            "rectification_recorded",
        ),
        (lambda: officer("hold", *why), 0, "taken: evidence_held"),
        (lambda: of_firm("propose-change", *change), 1, "evidence_held"),
        (lambda: officer("lift-hold", *why), 0, "taken: hold_lifted"),
        (lambda: officer("suspend", "--basis", "Art. 57(11)", *why), 0, "taken: suspended, watch -> halt"),
        (lambda: officer("release", *why), 1, "rectification_missing"),
    ]  # fmt: skip
    try:
        for run, code, words in steps:
            result = run()
            assert words in result.output, (words, result.output)
            assert result.exit_code == code, result.output
        environment.decisions.wait(pilot, Reason.SUSPENDED)
    finally:
        environment.close()
