"""A replay divided over processes prints the same bytes as one process."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from monitor.cli.replay import replay as command
from monitor.engine.replay import CharterReplay, NotDivisible, Shard, merged, read_lines, timed_records, write_lines
from monitor.simulation.fleet import Fleet

START = 1_767_571_200_000  # Monday 5 January 2026
PILOTS = 10  # one of each scenario


def fleet(hours: int = 30, volume: float = 60.0) -> Fleet:
    return Fleet(3, pilots=PILOTS, start=START, hours=hours, period="1h", volume=volume)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file of a fleet with lines in it that cannot be used, and the directory of its charters."""
    home = tmp_path_factory.mktemp("recorded")
    charters, made = home / "charters", fleet()
    charters.mkdir()
    for pilot in made.pilots:
        (charters / f"{pilot}.yaml").write_bytes(msgspec.json.encode(made.charter_for(pilot)) + b"\n")
    written = list(write_lines(iter(made)))
    event = msgspec.json.decode(written[40])
    odd = [
        b"{ not json\n",
        b'{"specversion": "1.0", "type": "sandbox.rumour"}\n',
        b"\n",
        msgspec.json.encode({**event, "subject": "pilot-unknown"}) + b"\n",
        msgspec.json.encode({**event, "time": "yesterday"}) + b"\n",
        msgspec.json.encode({**event, "recordedtime": "soon"}) + b"\n",
        b"[" + written[40].strip() + b"," + msgspec.json.encode({**event, "id": 5}) + b"]\n",
    ]
    for at, line in enumerate(odd):
        written.insert(50 + 300 * at, line)
    file = home / "fleet.jsonl"
    file.write_bytes(b"".join(written))
    return charters, file


@functools.cache
def printed(charters: Path, file: Path, *options: str) -> tuple[str, str]:
    """Standard output and error of the replay of this file."""
    result = CliRunner().invoke(command, [str(charters), str(file), *options])
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


@pytest.mark.parametrize("options", [(), ("--json",), ("--admit-at", "first")], ids=["words", "json", "first"])
def test_a_divided_replay_prints_the_same_bytes(recorded: tuple[Path, Path], options: tuple[str, ...]) -> None:
    """Decisions, rejected lines with their numbers, what is used of alpha and the summary do not depend on
    processes."""
    alone = printed(*recorded, "--processes", "1", *options)
    assert alone == printed(*recorded, "--processes", "2", *options)
    assert "rejected" in alone[0]
    assert "halt" in alone[0]


def test_three_shards_print_the_same_as_one(recorded: tuple[Path, Path]) -> None:
    """The output does not depend on the number of shards."""
    assert printed(*recorded, "--processes", "1") == printed(*recorded, "--processes", "3")


def test_a_line_with_events_of_two_shards_is_stepped_in_one_process(
    recorded: tuple[Path, Path], tmp_path: Path
) -> None:
    """At a line with events of two pilots the replay continues in one process and prints nothing twice."""
    charters, file = recorded
    whole = file.read_bytes().splitlines(keepends=True)
    pair = {msgspec.json.decode(line)["subject"]: line.strip() for line in whole[-400:] if line.startswith(b"{")}
    two = [pair["pilot-0001"], pair["pilot-0002"]]
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_bytes(b"".join([*whole, b"[" + b",".join(two) + b"]\n"]))
    assert printed(charters, mixed, "--processes", "1") == printed(charters, mixed, "--processes", "2")
    made = fleet()
    with mixed.open("rb") as events, pytest.raises(NotDivisible):
        list(CharterReplay([made.charter_for(p) for p in made.pilots], shard=Shard(1, 2)).phases(read_lines(events)))


def test_shards_merge_to_one_replay_phase_by_phase() -> None:
    """In small steps, the merged phases of the shards equal those of one replay, in order."""
    made = fleet(hours=30)
    plans, log = [made.charter_for(p) for p in made.pilots], list(timed_records(iter(made)))

    def phases(number: int, of: int) -> list[tuple[int, list[object]]]:
        replay = CharterReplay(plans, batch=97, shard=Shard(number, of))
        return [(phase, [out.rejected, out.decisions, out.commands]) for phase, out in replay.phases(log)]

    shards = [CharterReplay(plans, batch=97, shard=Shard(n, 3)).phases(log) for n in range(3)]
    together = [(phase, [out.rejected, out.decisions, out.commands]) for phase, out in merged(shards)]
    assert [found for found in together if any(found[1])] == [found for found in phases(0, 1) if any(found[1])]


def test_events_of_sparse_pilots_are_taken_in_batches() -> None:
    """A few dozen events a day between the closing of periods: most of a calm pilot's events go the fast path."""
    made = Fleet(3, pilots=4, scenarios=["calm"], start=START, hours=20, period="1d", volume=400.0)
    replay = CharterReplay([made.charter_for(p) for p in made.pilots])
    for _ in replay.steps(timed_records(iter(made))):
        pass
    machine = replay._machine
    assert machine.fast_path_events > 0.8 * machine.events > 0
