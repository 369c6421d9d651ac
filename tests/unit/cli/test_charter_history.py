"""`charter check --history`: what it proposes is what was recorded, and can be put into the charter."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from monitor.cli.charter import charter
from monitor.engine.replay import write_lines
from monitor.errors import SandboxMonitorError
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, millis

DAY, START = 86_400_000, millis(datetime(2025, 1, 1, tzinfo=UTC))
CHARTER = {
    "schema": "sandbox-charter/1",
    "pilot": "pilot-a",
    "participant": {"id": "firm", "name": "Firm"},
    "scenario": "test",
    "tier": "limited",
    "cycle": {"start": "2026-01-01", "end": "2026-12-31"},
    "models": [{"digest": "m1", "version": "1"}],
    "authorities": [{"id": "authority", "name": "Authority", "approvers": ["a", "b"]}],
    "hard_rules": [{"name": "any", "level": "halt", "severity": ["incident"]}],
    "indicators": [
        {
            "name": "incidents", "kind": "incident_rate", "period": "1d", "limit": 2, "per": 1000, "weight": 1,
            "exposure": {"unit": "decisions", "cap": 20000},
            "detectors": [{"name": "limit_e_process", "level": "halt"}],
        }
    ],
}  # fmt: skip


def written(path: Path, **indicator: object) -> Path:
    """The charter with changes of its indicator."""
    [spec] = CHARTER["indicators"]  # type: ignore[misc]
    path.write_text(yaml.safe_dump(CHARTER | {"indicators": [{**spec, **indicator}]}, sort_keys=False))
    return path


def recording(path: Path, daily: list[int], late: int = 0) -> Path:
    """A thousand decisions a day with so many incidents; `late` more of the first day arrive at the end."""
    emit = Emitter("s", "pilot-a")
    events: list[tuple[int, Envelope]] = []
    for day, count in enumerate(daily):
        at = START + day * DAY
        events += [(at + n + 1, emit.incident(at + n + 1)) for n in range(count)]
        close = at + DAY - 1000  # a source that is heard at its end completes a period
        events.append((close, emit.exposure(close)))
    end = START + len(daily) * DAY
    events += [(end - 1, emit.incident(START + 5000 + n)) for n in range(late)]
    path.write_bytes(b"".join(write_lines(events)))
    return path


def draw(variance_mean: float, days: int = 200) -> list[int]:
    """Negative binomial counts with mean 6."""
    rng = np.random.default_rng(11)
    rates = rng.gamma(6 / (variance_mean - 1), variance_mean - 1, days) if variance_mean > 1 else np.full(days, 6.0)
    return [int(k) for k in rng.poisson(rates)]


def run(*args: object) -> Result:
    """The check of a charter against a recording; fails unless it succeeds."""
    done = CliRunner().invoke(charter, ["check", *map(str, args)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def test_what_is_proposed_goes_into_the_charter_and_covers_the_recording(tmp_path: Path) -> None:
    """Variance/mean 4 under a charter that grants 1 is above granted; with the pasted lines it no longer is."""
    events = recording(tmp_path / "events.jsonl", draw(4.0))
    done = run(written(tmp_path / "c.yaml"), "--history", events)
    assert "above granted" in done.stdout
    start = done.stdout.index("# incidents")
    pasted = yaml.safe_load(done.stdout[start:])
    assert 4 <= pasted["variance_mean"] <= 8
    assert 6 <= pasted["limit"] <= 10
    again = run(written(tmp_path / "again.yaml", **pasted), "--history", events)
    assert "above granted" not in again.stdout


def test_honest_dispersion_is_not_above_granted(tmp_path: Path) -> None:
    """Poisson counts under a charter that grants 1."""
    done = run(written(tmp_path / "c.yaml"), "--history", recording(tmp_path / "events.jsonl", draw(1.0)))
    assert "above granted" not in done.stdout


def test_every_period_counts_whatever_the_draft_would_have_halted(tmp_path: Path) -> None:
    """The draft halts on each incident and has a third of the rate as limit; all days, and late events, are counted.

    The recording is from before the cycle of the charter."""
    daily = draw(1.0, days=60)
    events = recording(tmp_path / "events.jsonl", daily, late=7)
    done = run(written(tmp_path / "c.yaml"), "--json", "--history", events)
    [row] = json.loads(done.stdout)["history"]
    assert row["periods"] == 60
    assert row["rate"] == pytest.approx((sum(daily) + 7) / 60)


def test_without_history_the_answer_has_no_such_field(tmp_path: Path) -> None:
    """Readers of the JSON see what they saw before."""
    assert "history" not in json.loads(run(written(tmp_path / "c.yaml"), "--json").stdout)


def test_a_short_recording_proposes_nothing(tmp_path: Path) -> None:
    """Ten days are two blocks: the rate is shown, and nothing is to be pasted."""
    events = recording(tmp_path / "events.jsonl", draw(1.0, days=10))
    done = run(written(tmp_path / "c.yaml"), "--history", events)
    assert "too little recorded" in done.stdout
    assert "limit:" not in done.stdout


def test_a_recording_of_another_pilot_is_refused_with_the_fix(tmp_path: Path) -> None:
    """The error names both pilots and the field."""
    events = recording(tmp_path / "events.jsonl", [1] * 5)
    made = written(tmp_path / "c.yaml")
    made.write_text(made.read_text().replace("pilot-a", "pilot-b"))
    done = CliRunner().invoke(charter, ["check", str(made), "--history", str(events)])
    assert isinstance(done.exception, SandboxMonitorError)
    assert "pilot-b" in str(done.exception)
    assert "pilot-a; set `pilot`" in str(done.exception)


def test_a_history_is_refused_with_the_command_that_gives_its_telemetry(tmp_path: Path) -> None:
    """A history holds its own charters, which are not the one to be checked."""
    history = tmp_path / "pilot.history"
    history.write_bytes(b'{"history":1,"pilots":["pilot-a"]}\n')
    done = CliRunner().invoke(charter, ["check", str(written(tmp_path / "c.yaml")), "--history", str(history)])
    assert isinstance(done.exception, SandboxMonitorError)
    assert "export --telemetry" in str(done.exception)


def test_periods_without_complete_exposure_are_left_out_and_named(tmp_path: Path) -> None:
    """Days whose exposure is not known in full say nothing about a rate; the table says how many there were."""
    events = recording(tmp_path / "events.jsonl", draw(1.0, days=60))
    kept = [line for line in events.read_bytes().splitlines(keepends=True) if b'"2025-01-07T' not in line]
    events.write_bytes(b"".join(kept))
    made = written(tmp_path / "c.yaml")
    [row] = json.loads(run(made, "--json", "--history", events).stdout)["history"]
    assert row["partial"] >= 1
    assert row["periods"] + row["partial"] == 59  # the last day is not over at the last event
    assert f"{row['partial']} periods left out" in run(made, "--history", events).stdout
