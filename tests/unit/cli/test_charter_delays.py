"""`charter check --history` warns where recorded events came too late to count, with the line that covers them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from monitor.engine.replay import write_lines
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Severity
from tests.unit.cli.test_charter_history import DAY, START, run, written

SHARES = {
    "name": "flags", "kind": "false_positive_rate", "period": "1d", "limit": 0.1, "per": 1, "exposure": None,
    "detectors": [{"name": "limit_e_process", "level": "halt"}],
}  # fmt: skip


def recorded(path: Path, delays: Iterable[float]) -> Path:
    """A thousand decisions a day, and an incident at the begin of each day, received so many days later."""
    emit, rows = Emitter("s", "pilot-a"), list[tuple[int, Envelope]]()
    for day, late in enumerate(delays):
        at = START + day * DAY
        rows.append((at + int(late * DAY) + 1, emit.incident(at + 1)))
        rows.append((at + DAY - 1000, emit.exposure(at + DAY - 1000)))
    path.write_bytes(b"".join(write_lines(sorted(rows, key=lambda row: row[0]))))
    return path


def delay_row(made: Path, events: Path) -> dict[str, object]:
    """The only row of `delays`."""
    [row] = json.loads(run(made, "--json", "--history", events).stdout)["delays"]
    found: dict[str, object] = row
    return found


def test_a_window_too_narrow_for_the_recorded_delays_is_a_warning_with_the_line_to_paste(tmp_path: Path) -> None:
    """One in ten incidents comes 8.5 days late, which is 8 closed periods; the pasted line ends the warning."""
    events = recorded(tmp_path / "events.jsonl", [8.5 if day % 10 == 3 else 0 for day in range(100)])
    done = run(written(tmp_path / "c.yaml"), "--history", events)
    assert "10 of 100 events" in done.stdout
    assert "late window of 4 closed periods" in done.stdout
    [pasted] = yaml.safe_load_all(done.stdout[done.stdout.rindex("# incidents: 10") :])
    assert pasted == {"late_window": 8}
    again = run(written(tmp_path / "again.yaml", **pasted), "--history", events)
    assert "late_window" not in again.stdout


def test_a_window_that_covers_the_delays_is_no_warning(tmp_path: Path) -> None:
    """Delays of four days are within four closed periods of a day; one event in two hundred may be later."""
    events = recorded(tmp_path / "events.jsonl", [20 if day == 50 else 4 for day in range(200)])
    made = written(tmp_path / "c.yaml")
    assert "late" not in run(made, "--history", events).stdout
    assert delay_row(made, events) == {
        "indicator": "incidents", "events": 200, "late": 200, "uncounted": 1, "late_window": 4, "needed": 4,
        "proposed_late_window": None, "proposed_reporting_delay": None,
    }  # fmt: skip


def test_a_reporting_delay_is_waiting_and_not_lateness(tmp_path: Path) -> None:
    """What comes 8.5 days late is in time under a reporting delay of eight days."""
    events = recorded(tmp_path / "events.jsonl", [8.5] * 50)
    assert delay_row(written(tmp_path / "c.yaml", reporting_delay="8d"), events)["late"] == 0


def test_regraded_incidents_are_as_late_as_their_regrading(tmp_path: Path) -> None:
    """An indicator of serious incidents counts an upgrade 30 days after the occurrence: once, whatever is repeated.
    With `by: classification` none is too late."""
    emit, rows = Emitter("s", "pilot-a"), list[tuple[int, Envelope]]()
    for day in range(60):
        at = START + day * DAY
        rows.append((at + 1, emit.incident(at + 1, incident=f"i{day}")))
        rows.append((at + DAY - 1000, emit.exposure(at + DAY - 1000)))
        for later in (30, 40):
            rows.append((at + later * DAY + 1, emit.incident_update(at + 1, f"i{day}", Severity.INCIDENT)))
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(write_lines(sorted(rows, key=lambda row: row[0]))))
    made = written(tmp_path / "c.yaml", params={"severity": "serious_incident"})
    row = delay_row(made, events)
    assert (row["events"], row["uncounted"], row["proposed_late_window"]) == (60, 60, 30)
    classified = written(tmp_path / "d.yaml", params={"severity": "serious_incident", "by": "classification"})
    assert json.loads(run(classified, "--json", "--history", events).stdout)["delays"] == []


@pytest.mark.parametrize(("late", "proposed"), [(0.49, "12h"), (5.2, "6d")])
def test_late_trials_never_count_so_they_need_a_reporting_delay(tmp_path: Path, late: float, proposed: str) -> None:
    """Outcomes tallied at the begin of a day and received after its end."""
    emit, rows = Emitter("s", "pilot-a"), list[tuple[int, Envelope]]()
    for day in range(60):
        at = START + day * DAY
        rows.append((at + int((1 + late) * DAY), emit.outcomes(at + 1)))
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(write_lines(sorted(rows, key=lambda row: row[0]))))
    made = tmp_path / "c.yaml"
    written(made)
    text = yaml.safe_load(made.read_text())
    spec = {key: value for key, value in SHARES.items() if value is not None} | {"weight": 1}
    made.write_text(yaml.safe_dump(text | {"indicators": [spec]}))
    row = delay_row(made, events)
    assert (row["uncounted"], row["proposed_reporting_delay"]) == (60, proposed)
    assert "came after its period had closed" in run(made, "--history", events).stdout


def test_delays_beyond_the_widest_window_need_a_reporting_delay(tmp_path: Path) -> None:
    """A late window holds at most 64 periods."""
    row = delay_row(written(tmp_path / "c.yaml"), recorded(tmp_path / "events.jsonl", [90.5] * 60))
    assert (row["proposed_late_window"], row["proposed_reporting_delay"]) == (None, "90d")


def test_a_recording_without_reception_times_says_nothing_of_delays(tmp_path: Path) -> None:
    """Without `recordedtime` in an order of event times no delay is known."""
    events = recorded(tmp_path / "events.jsonl", [0] * 50)
    lines = [json.loads(line) for line in events.read_bytes().splitlines()]
    for line in lines:
        del line["recordedtime"]
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = written(tmp_path / "c.yaml")
    assert json.loads(run(made, "--json", "--history", events).stdout)["delays"] == []
