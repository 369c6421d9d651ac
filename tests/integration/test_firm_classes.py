"""A firm is classified by the command line on both runtimes: the class follows from its record, and reaches every
partition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.__main__ import cli
from monitor.charter.spec import Responses
from monitor.testing.environments import ENVIRONMENTS, Environment

WORLD = [pytest.param("embedded"), pytest.param("kafka", marks=pytest.mark.kafka)]


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("name", WORLD)
def test_a_firm_is_classified_and_an_annulled_halt_counts_no_longer(tmp_path: Path, name: str) -> None:
    """Halts of its pilots are in the record of the firm; a class that an officer sets carries it; an annulled halt is
    taken out, and the person who annulled does not set the class."""
    environment: Environment = ENVIRONMENTS[name](tmp_path, 6, Responses())
    try:
        charters = [environment.next() for _ in range(6)]
        to = ["--to", str(environment.settings(environment.proxy())["to"])]
        to += ["--prefix", "halt"] if name == "kafka" else []
        logs = ["--recompute"] if name == "kafka" else []
        people = tmp_path / "people"

        def act(author: str, *command: str) -> Result:
            return ran(*command, *to, "--author", author, "--key", str(people / f"{author}.key"))

        def shown(firm: str) -> dict[str, Any]:
            result = ran("firm", "show", firm, "--json", *logs, *to)
            assert result.exit_code == 0, result.output
            found: dict[str, Any] = json.loads(result.stdout)
            return found

        founded = ran("sandbox", "init", str(people), *to, "--authority", "sandbox-authority")
        assert founded.exit_code == 0, founded.output
        firm = charters[0].participant.id
        mine = [one.pilot for one in charters if one.participant.id == firm]
        for pilot in mine:
            assert act("officer", "override", pilot, "halt", "--reason", "x").exit_code == 0
        record = shown(firm)["record"]
        assert (record["pilots"], record["halts"], record["halts_standing"]) == (len(mine), len(mine), len(mine))
        listed = ran("firm", "list", *logs, *to)
        assert f"{firm}: " in listed.stdout
        assert len(listed.stdout.splitlines()) == len({one.participant.id for one in charters})

        assert act("approver-1", "firm", "classify", firm, *logs).exit_code == 1
        taken = act("officer", "firm", "classify", firm, *logs)
        assert taken.exit_code == 0, taken.output
        assert "taken: firm_classified" in taken.stdout
        assert ("copied" in taken.stderr) == (name == "kafka")

        halt = next(d for d in environment.decisions.of(mine[0]) if d.level > d.was)
        assert act("officer", "firm", "annul", firm, mine[0], halt.id, "--reason", "x").exit_code == 1
        annulled = act("approver-1", "firm", "annul", firm, mine[0], halt.id, "--reason", "wrong data")
        assert annulled.exit_code == 0, annulled.output
        record = shown(firm)["record"]
        assert (record["halts"], record["annulled"], record["subject"]) == (len(mine) - 1, 1, 2)
        again = act("officer", "firm", "classify", firm, *logs)
        assert again.exit_code == 0, again.output
        assert ran("sandbox", "sync", *to).stdout == ""
        assert ran("firm", "show", "no-such-firm", *logs, *to).exit_code == 1
    finally:
        environment.close()
