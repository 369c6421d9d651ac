"""`sandbox-monitor simulate`: what it writes is what replay reads; what it cannot do it says."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from monitor.charter.spec import charter_hash
from monitor.cli.simulate import simulate
from monitor.compile.load import load_charter
from monitor.model.events import Event, millis
from monitor.simulation.fleet import Fleet


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(simulate, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_a_file_holds_the_fleet_in_received_order(tmp_path: Path) -> None:
    """Each line is one event of the fleet with its received time; the charters next to it are those of the fleet."""
    path = tmp_path / "events.jsonl"
    code, out, err = run(
        str(path), "--to", "file", "--seed", "9", "--pilots", "3", "--hours", "12", "--start", "2026-01-05",
        "--scenario", "calm", "--scenario", "late", "--admit", "--json",
    )  # fmt: skip
    assert code == 0, err
    fleet = Fleet(9, pilots=3, scenarios=["calm", "late"], start=1_767_571_200_000, hours=12)
    rows = path.read_bytes().splitlines()
    received = [millis(datetime.fromisoformat(json.loads(row)["recordedtime"])) for row in rows]
    assert list(zip(received, (msgspec.json.decode(row, type=Event) for row in rows), strict=True)) == list(fleet)
    said = json.loads(out)
    assert said["events"] == len(rows)
    assert [t["scenario"] for t in said["truth"]] == ["calm", "late", "calm"]
    for pilot in fleet.pilots:
        charter = load_charter(tmp_path / "events.jsonl.charters" / f"{pilot}.yaml")
        assert charter_hash(charter) == charter_hash(fleet.charter_for(pilot))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "--to", "file", "--live"], "--live goes with"),
        (["x", "--to", "file", "--period", "1mo"], "no months"),
        (["http://127.0.0.1:9", "--to", "kafka"], "no address"),
        (["/nowhere/at/all", "--to", "file"], "cannot be written"),
        (["127.0.0.1:9", "--to", "carrier-pigeon"], "carrier-pigeon"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_why(arguments: list[str], words: str) -> None:
    """Usage errors name what is wrong, before anything is sent."""
    code, out, err = run(*arguments)
    assert code == 2
    assert words in err
    assert out == ""
