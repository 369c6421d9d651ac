"""The README of the SDK: its examples run, and its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.sdk import BadEvent, Pilot
from monitor.testing.memory_link import MemoryLink

PAGE = Path(__file__).parents[2] / "monitor" / "sdk" / "README.md"


def test_the_first_event_of_the_page_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first Python block runs as printed; without a broker the event waits in the documented directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    block = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    block = block.replace("127.0.0.1:9092", "127.0.0.1:9").replace("pilot.close()", "pilot.close(timeout=0)")
    exec(compile(block, str(PAGE), "exec"), {})
    (segment,) = tmp_path.glob("sandbox-monitor/spool/pilot-0001/*/*.segment")
    assert b'"sandbox.exposure.tallied"' in segment.read_bytes()


def test_every_call_of_the_page_exists_and_every_call_is_on_the_page() -> None:
    """The table of reports lists exactly the reporting methods of `Pilot`."""
    text = PAGE.read_text()
    table = text[text.index("| call | when |") : text.index("Every call takes")]
    named = set(re.findall(r"`([a-z_]+)\(", table))
    verbs = {n for n in vars(Pilot) if not n.startswith("_") and callable(getattr(Pilot, n))}
    others = {
        "together",
        "guard",
        "guarded",
        "check",
        "on_halt",
        "on_rejected",
        "resume",
        "asgi",
        "status",
        "flush",
        "close",
    }
    assert named == verbs - others
    for other in others:
        assert other in text


def test_the_message_of_the_page_is_the_message(tmp_path: Path) -> None:
    """The example of an error message is the SDK's message."""
    with (
        Pilot("p", participant="f", to=MemoryLink(), spool_dir=tmp_path, heartbeat_s=0, follow=False) as pilot,
        pytest.raises(BadEvent) as refused,
    ):
        pilot.exposure(float("nan"), "decisions")
    assert str(refused.value) in PAGE.read_text()
