"""The log of denied operations is followed: each line counts once, whole lines only, also after it was begun anew."""

from __future__ import annotations

from pathlib import Path

from monitor.kafka import denials
from monitor.kafka.denials import Denial, DenialLog, parse_denial

LINE = (
    "2026-11-30T03:00:00,000 Principal = User:firm-1 is Denied operation = WRITE from host = 127.0.0.1 on resource = "
    "Topic:LITERAL:sandbox.telemetry.firm-2 for request = Produce with resourceRefCount = 1 based on rule DefaultDeny\n"
)
DENIED = Denial("firm-1", "WRITE", "Topic", "sandbox.telemetry.firm-2", "Produce")


def test_a_line_of_the_log_is_read() -> None:
    """User, operation, resource and request; an allowed operation and any other line are none."""
    assert parse_denial(LINE) == DENIED
    assert parse_denial(LINE.replace("Denied", "Allowed")) is None
    assert parse_denial("") is None


def test_each_line_counts_once(tmp_path: Path) -> None:
    """Also one that is half written at first, and those of a log that was renamed and begun anew."""
    file = tmp_path / "authorizer.log"
    log = DenialLog(file)
    assert log.new() == []
    file.write_text(LINE + LINE[:50])
    assert log.new() == [DENIED]
    assert log.new() == []
    file.write_text(LINE * 2)
    assert log.new() == [DENIED]
    file.rename(tmp_path / "authorizer.log.1")
    file.write_text(LINE)
    assert log.new() == [DENIED]


def test_a_name_in_a_label_is_bounded(tmp_path: Path) -> None:
    """Users beyond the limit count as `other`."""
    log = DenialLog(tmp_path / "none")
    names = {log.known_user(f"user-{n}") for n in range(denials.USERS + 10)}
    assert len(names) == denials.USERS + 1
    assert "other" in names
    assert log.known_user("user-0") == "user-0"


def test_bytes_that_are_no_text_are_read_past(tmp_path: Path) -> None:
    """A firm chooses the names of its requests."""
    file = tmp_path / "authorizer.log"
    file.write_bytes(b"\xff\xfe\n" + b"x" * 200_000 + b"\n" + LINE.encode())
    assert DenialLog(file).new() == [DENIED]
