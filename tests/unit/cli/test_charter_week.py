"""`charter week`: what it prints can be put into a charter, and is the week that was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from monitor.charter.spec import IndicatorSpec
from monitor.cli.charter import charter
from monitor.engine.replay import write_lines
from monitor.errors import SandboxMonitorError
from monitor.indicators.silence import Silence
from monitor.model.events import Heartbeat, HeartbeatData, millis

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def beats(path: Path, minutes: list[int]) -> Path:
    """Heartbeats of one source, so many minutes after Monday."""
    events = [
        Heartbeat(
            specversion="1.0", id=f"e{n}", source="s", subject="pilot-a", time=MONDAY + timedelta(minutes=minute),
            sequence=f"{n:020d}"[-18:], data=HeartbeatData(nonce=f"n{n}", serving=True),
        )
        for n, minute in enumerate(minutes)
    ]  # fmt: skip
    path.write_bytes(b"".join(write_lines((millis(e.time), e) for e in events)))
    return path


def log(path: Path, weeks: int) -> Path:
    """Every ten minutes from 08:00 to 18:00 on weekdays, every hour elsewhere."""
    office = {hour for hour in range(168) if hour < 120 and 8 <= hour % 24 < 18}
    minutes = [
        60 * (168 * w + h) + m
        for w in range(weeks)
        for h in range(168)
        for m in (range(0, 60, 10) if h in office else [0])
    ]
    return beats(path, minutes)


def test_the_week_that_was_seen_goes_into_a_charter(tmp_path: Path) -> None:
    """Six an hour in office hours and one outside, after twenty weeks to a fifth; the silence holds gaps against it."""
    done = CliRunner().invoke(charter, ["week", str(log(tmp_path / "log.jsonl", 20)), "--pilot", "pilot-a"])
    assert done.exit_code == 0, done.output
    params = yaml.safe_load(done.stdout)
    assert [params["week"][hour] for hour in (9, 3, 130)] == pytest.approx([6, 1, 1], rel=0.2)
    silence = Silence(IndicatorSpec(name="silence", kind="silence", params=params))
    start = millis(MONDAY)
    assert silence.gap(start + 9 * 3_600_000, start + 10 * 3_600_000).expected == pytest.approx(6, rel=0.1)


def test_a_pilot_that_is_not_in_the_file_is_said(tmp_path: Path) -> None:
    """The error says which options to look at."""
    done = CliRunner().invoke(charter, ["week", str(log(tmp_path / "log.jsonl", 1)), "--pilot", "pilot-b"])
    assert isinstance(done.exception, SandboxMonitorError)
    assert "fewer than two events of pilot-b (any); check --pilot and --of" in str(done.exception)


def test_events_of_one_moment_are_no_week(tmp_path: Path) -> None:
    """The error names the field, the moment that all events share, and what to give instead."""
    done = CliRunner().invoke(charter, ["week", str(beats(tmp_path / "log.jsonl", [5, 5, 5])), "--pilot", "pilot-a"])
    assert isinstance(done.exception, SandboxMonitorError)
    assert "time: all 3 events of pilot-a (any) say 2026-01-05T00:05:00+00:00" in str(done.exception)
    assert "give a recording in which `time` is when each event happened" in str(done.exception)
