"""Replay: the same files give the same record, byte for byte, for any batch size and in every process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from monitor.cli.replay import replay as command
from monitor.cli.simulate import simulate
from monitor.compile.load import load_charter
from monitor.engine.replay import read_lines, replay_charters, timed_records, write_lines
from monitor.errors import ControlRefused
from monitor.importers import ads, complaints, fpr, rows
from monitor.model.events import Envelope
from monitor.model.records import Decision, Evidence, Outputs, Reason

DATA = Path(__file__).parents[1] / "data"
CHARTERS = DATA / "charters"
SCENARIOS = ("calm", "step", "spike", "group", "death", "silence", "late", "duplicates", "gaps", "silent_model")


def cruise() -> list[tuple[int, Envelope]]:
    incidents, exposure = rows(DATA / "ads" / "incidents.csv"), rows(DATA / "ads" / "exposure.csv")
    return ads.events("cruise", incidents, exposure, "reconstructed")


def of_each_set() -> list[tuple[str, list[tuple[int, Envelope]]]]:
    return [
        ("ads-cruise", cruise()),
        ("fpr-risk-score", fpr.events(rows(DATA / "fpr" / "outcomes.csv"))),
        ("complaints-dohmh", complaints.events("DOHMH", rows(DATA / "complaints" / "complaints.csv"))),
    ]


def judged(outputs: Iterable[Outputs]) -> bytes:
    """All decisions, commands and evidence, in order, as bytes."""
    every = list(outputs)
    return msgspec.json.encode(
        (
            [d for o in every for d in o.decisions],
            [c for o in every for c in o.commands],
            [e for o in every for e in o.evidence if isinstance(e, Evidence)],
        )
    )


@pytest.mark.parametrize(("name", "events"), of_each_set(), ids=lambda v: v if isinstance(v, str) else "")
def test_results_do_not_depend_on_batching(name: str, events: list[tuple[int, Envelope]]) -> None:
    """One record at a time, seven, or all at once give the same decisions, commands and evidence, also when
    repeated."""
    charter = load_charter(CHARTERS / f"{name}.yaml")
    once = judged(replay_charters([charter], timed_records(events)))
    assert once == judged(replay_charters([charter], timed_records(events)))
    for batch in (7, len(events)):
        assert once == judged(replay_charters([charter], timed_records(events), batch=batch)), f"batch of {batch}"


def test_a_file_of_json_lines_replays_like_the_events(tmp_path: Path) -> None:
    """Written out as JSON lines and read back, a log gives the same record."""
    charter = load_charter(CHARTERS / "ads-cruise.yaml")
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(write_lines(cruise())))
    with file.open("rb") as stream:
        assert judged(replay_charters([charter], read_lines(stream))) == judged(
            replay_charters([charter], timed_records(cruise()))
        )


def test_pilots_replayed_together_decide_as_each_does_alone() -> None:
    """Two pilots in one log decide as they do in two logs: telemetry of one pilot never changes another pilot's
    standing."""
    incidents, exposure = rows(DATA / "ads" / "incidents.csv"), rows(DATA / "ads" / "exposure.csv")
    both = [load_charter(CHARTERS / f"ads-{o}.yaml") for o in ads.OPERATORS]
    events = {o: ads.events(o, incidents, exposure, "reconstructed") for o in ads.OPERATORS}
    merged = sorted((t for timed in events.values() for t in timed), key=lambda t: t[0])
    together = [d for o in replay_charters(both, timed_records(merged)) for d in o.decisions if d.pilot == "waymo"]
    alone = [d for o in replay_charters(both[1:], timed_records(events["waymo"])) for d in o.decisions]
    assert together == alone
    assert len(alone) == 7  # one report came half a year late and counts nowhere: a finding that begins and ends
    assert [d.reason for d in alone].count(Reason.LATE_DROPPED) == 1


def test_a_charter_that_is_named_twice_is_refused() -> None:
    """A pilot has one charter: the second admission is refused, and the replay with it."""
    charter = load_charter(CHARTERS / "ads-cruise.yaml")
    with pytest.raises(ControlRefused, match="already_admitted"):
        list(replay_charters([charter, charter], timed_records(cruise())))


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    file = tmp_path / "cruise.jsonl"
    good = list(write_lines(cruise()))
    good[3:3] = [b"{ not json\n", b'{"specversion": "1.0", "type": "sandbox.rumour"}\n', b"\n"]
    good.append(b"[" + good[-1].strip() + b"]\n")  # a repeat, as a batch: counts once
    file.write_bytes(b"".join(good))
    return file


def test_bad_lines_are_listed_with_their_number_and_stop_nothing(recorded: Path) -> None:
    """Invalid lines of the file are listed as rejected, by line; every good event is still counted."""
    result = CliRunner().invoke(command, [str(CHARTERS / "ads-cruise.yaml"), str(recorded)])
    assert result.exit_code == 0, result.output
    refused = [line for line in result.stdout.splitlines() if " rejected: " in line]
    assert [line.split(":")[0] for line in refused] == ["line 4 rejected", "line 5 rejected"]
    assert "e-value 106, threshold 164" in result.stdout


def test_json_output_is_one_object_a_line(recorded: Path, tmp_path: Path) -> None:
    """With --json each line of stdout is one decision or one rejection, and messages go to stderr; the page has a
    picture."""
    page = tmp_path / "out" / "report.html"
    arguments = ["--json", "--out", str(page), str(CHARTERS / "ads-cruise.yaml"), str(recorded)]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    objects = [msgspec.json.decode(line) for line in result.stdout.splitlines()]
    assert [o["line"] for o in objects if "rejected" in o] == [4, 5]
    assert [o["decision"]["reason"] for o in objects if "decision" in o] == [
        "admitted",
        "hard_rule",
        "limit_half_way",
        "hard_rule",
        "hard_rule",
    ]
    text = page.read_text(encoding="utf-8")
    assert "threshold 164 → halt" in text
    assert "Rejected lines" in text
    assert "<script" not in text


def test_a_directory_of_charters_admits_them_all_and_rejects_no_events_of_other_pilots(recorded: Path) -> None:
    """A directory stands for all charters in it; pilots without events are still admitted and watched."""
    result = CliRunner().invoke(command, [str(CHARTERS), str(recorded), "--until", "2023-10-31"])
    assert result.exit_code == 0, result.output
    assert "2023-08-31 23:59:59 UTC  cruise  normal to escalate" in result.stdout


def test_a_usage_error_names_the_fix(recorded: Path, tmp_path: Path) -> None:
    """A wrong date, an empty directory, one pilot with two charters: exit code 2 and one message with the fix."""
    good = str(CHARTERS / "ads-cruise.yaml")
    for arguments, words in (
        ([good, str(recorded), "--until", "soon"], "write YYYY-MM-DD"),
        ([str(tmp_path / "none"), str(recorded)], "holds no .yaml file"),
        ([good, good, str(recorded)], "are both charters of pilot cruise"),
    ):
        (tmp_path / "none").mkdir(exist_ok=True)
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 2, result.output
        assert words in " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One simulated pilot of each scenario, two days of hours, as a file next to its charters."""
    file = tmp_path_factory.mktemp("fleet") / "fleet.jsonl"
    named = [word for name in SCENARIOS for word in ("--scenario", name)]
    size = ["--pilots", str(len(SCENARIOS)), "--hours", "48", "--volume", "150"]
    arguments = [str(file), "--to", "file", "--admit", *size, *named]
    result = CliRunner().invoke(simulate, [*arguments, "--start", "2026-01-05"])
    assert result.exit_code == 0, result.output
    return file


def test_a_fleet_of_many_scenarios_decides_the_same_for_any_batch_size(fleet: Path) -> None:
    """Bursts, silence, gaps, repeats, late events, model changes: each pilot's record is the same for any batch."""
    charters = [load_charter(path) for path in sorted(Path(f"{fleet}.charters").glob("*.yaml"))]

    def by_pilot(batch: int) -> dict[str, list[Decision]]:
        found: dict[str, list[Decision]] = {c.pilot: [] for c in charters}
        with fleet.open("rb") as stream:
            for out in replay_charters(charters, read_lines(stream), batch=batch):
                for decision in out.decisions:
                    found[decision.pilot].append(decision)
        return found

    once = by_pilot(1)
    reasons = {d.reason for decisions in once.values() for d in decisions}
    assert {Reason.LIMIT_EXCEEDED, Reason.HARD_RULE, Reason.SILENCE, Reason.SEQUENCE_GAP} <= reasons
    assert Reason.UNREGISTERED_MODEL in reasons
    assert by_pilot(7) == once
    assert by_pilot(1_000_000) == once


def test_a_receive_time_in_the_year_9999_does_not_advance_time(recorded: Path) -> None:
    """A receive time in the future is rejected with its line, and time continues from the other lines."""
    good = recorded.read_bytes().splitlines(keepends=True)
    event = msgspec.json.decode(good[0])
    wild = [{**event, "time": "9999-12-31T00:00:00Z", "recordedtime": "9999-12-31T00:00:00Z", "sequence": "77777"}]
    wild.append({**wild[0], "recordedtime": "soon"})
    good[1:1] = [msgspec.json.encode(line) + b"\n" for line in wild]
    recorded.write_bytes(b"".join(good))
    result = CliRunner().invoke(command, [str(CHARTERS / "ads-cruise.yaml"), str(recorded)])
    assert result.exit_code == 0, result.output
    assert [line for line in result.stdout.splitlines() if line.startswith(("line 2 ", "line 3 "))]
    assert "e-value 106, threshold 164" in result.stdout
    assert "unknown, " not in result.stdout, "no period was closed without its data"
