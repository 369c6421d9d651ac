"""Side files: a damaged one costs repeats and a warning, never a start; what must not start empty is refused with the
fix."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.act.deliver import Deliver
from monitor.act.json_lines import JsonLines
from monitor.embedded.monitor import Monitor, secret_of
from monitor.errors import Refused, SandboxMonitorError
from monitor.files.key_file import own_key
from monitor.sdk.incarnation import begin
from monitor.sdk.shared_state import SharedState
from monitor.testing.records import halted

DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(b"\x00\xff{garbage" * 7),
    "another JSON": lambda path: path.write_bytes(b"[1, 2]"),
    "a directory": lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
}


def delivered(directory: Path) -> Deliver:
    return Deliver({"a": JsonLines(str(directory / "out.jsonl"))}, directory / "delivered.json")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_cursors_of_actors_start_empty_with_repeats(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is kept under another name, the warning names it, and decisions are handed over again."""
    file = tmp_path / "delivered.json"
    first = delivered(tmp_path)
    first.feed([halted(standing=1)])
    first.tick(0)
    DAMAGES[damage](file)
    with caplog.at_level(logging.WARNING):
        again = delivered(tmp_path)
    [record] = [r for r in caplog.records if r.__dict__.get("sandbox_event") == "side_file.damaged"]
    assert record.__dict__["sandbox_fields"]["path"] == file
    assert record.__dict__["sandbox_fields"]["moved_to"] == "delivered.json.damaged"
    assert "records are" in record.__dict__["sandbox_fields"]["consequence"]
    assert (tmp_path / "delivered.json.damaged").exists()
    again.feed([halted(standing=1)])
    assert not again.idle
    again.tick(0)
    assert file.stat().st_size > 0


def test_a_second_damaged_file_does_not_replace_the_first(tmp_path: Path) -> None:
    """Both are kept for people to look at."""
    for text in ("{1", "{2"):
        (tmp_path / "delivered.json").write_text(text)
        delivered(tmp_path)
    assert (tmp_path / "delivered.json.damaged").read_text() == "{1"
    assert (tmp_path / "delivered.json.damaged.1").read_text() == "{2"


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "a directory"])
def test_a_damaged_digest_key_is_replaced(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An empty key would make digests of rejected bytes guessable; a lost one only makes old ones incomparable."""
    key = secret_of(tmp_path)
    assert secret_of(tmp_path) == key
    DAMAGES[damage](tmp_path / "digest.key")
    with caplog.at_level(logging.WARNING):
        assert len(secret_of(tmp_path)) == 32
    assert "digest.key" in caplog.text


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "a directory"])
def test_a_damaged_signing_key_is_refused_with_the_fix(damage: str, tmp_path: Path) -> None:
    """Services trust its public key: a new one is the decision of a person."""
    own_key(tmp_path / "signing.key")
    DAMAGES[damage](tmp_path / "signing.key")
    with pytest.raises(Refused, match=r"signing\.key.*; (restore it|make it)"):
        own_key(tmp_path / "signing.key")


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "another JSON"])
def test_a_damaged_line_of_the_decisions_file_hides_no_later_decision(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines that cannot be read are left where they are and said; decisions go on behind them."""
    path = tmp_path / "out.jsonl"
    JsonLines(str(path)).act(halted(standing=1))
    DAMAGES[damage](path)
    if damage != "truncated":
        with path.open("ab") as file:
            file.write(b"\n")
    JsonLines(str(path)).act(halted(standing=2))
    assert b'"standing":2' in path.read_bytes().splitlines()[-1]
    assert ("out.jsonl line=1" in caplog.text) == (damage in ("garbage", "another JSON"))


async def run_once(directory: Path) -> None:
    """Start an embedded monitor and stop it again."""
    monitor = Monitor(directory, port=0)
    try:
        await monitor.start()
    finally:
        await monitor.stop()


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that an embedded monitor left behind."""
    directory = tmp_path_factory.mktemp("left")
    asyncio.run(run_once(directory))
    (directory / "delivered.json").write_bytes(b'{"a":{"cursor":{"p":1},"standing":{}}}')
    return directory


EMBEDDED = ("lock", "delivered.json", "digest.key", "monitor.db", "signing.key", "ledger/cursor.json", "ledger/lock")


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "a directory"])
@pytest.mark.parametrize("name", EMBEDDED)
def test_no_damaged_file_ends_the_embedded_monitor_in_a_traceback(
    name: str, damage: str, left: Path, tmp_path: Path
) -> None:
    """It starts, or refuses in its own words, which name the file and what to do."""
    shutil.copytree(left, tmp_path, dirs_exist_ok=True)
    if not (tmp_path / name).exists():
        (tmp_path / name).touch()
    DAMAGES[damage](tmp_path / name)
    said = "started"
    try:
        asyncio.run(run_once(tmp_path))
    except SandboxMonitorError as error:
        said = str(error)
        assert Path(name).name in said or "ledger" in said
        assert ";" in said or "ledger" in said
    if name in ("delivered.json", "digest.key"):
        assert said == "started"


SDK = ("lock", "board", "leader", "resumed")


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "a directory"])
@pytest.mark.parametrize("name", SDK)
def test_no_damaged_file_of_the_guard_lets_a_service_work_or_ends_in_a_surprise(
    name: str, damage: str, tmp_path: Path
) -> None:
    """The shared state starts empty and permits nothing; or the directory is refused as the operating
    system does."""
    SharedState(tmp_path).close()
    if not (tmp_path / name).exists():
        (tmp_path / name).write_text("release-1\n")
    DAMAGES[damage](tmp_path / name)
    if damage == "a directory" and name != "resumed":
        with pytest.raises(OSError, match=name):
            SharedState(tmp_path).commands.number  # noqa: B018
        return
    shared = SharedState(tmp_path)
    assert shared.commands.number == 0
    assert shared.resumed != "release-1"
    shared.lead()
    shared.close()


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage"])
def test_a_damaged_place_of_the_spool_costs_repeats_only(damage: str, tmp_path: Path) -> None:
    """What was recorded is still there and is resent from the start of what is kept."""
    one, _ = begin(tmp_path, "p", 1 << 20)
    one.spool.append(b"an event")
    one.spool.sync(one.spool.written)
    one.close()
    (directory,) = (d for d in (tmp_path / "p").iterdir() if d.is_dir())
    if not (directory / "sent").exists():
        (directory / "sent").write_bytes(b"x" * 12)
    DAMAGES[damage](directory / "sent")
    _, (adopted,) = begin(tmp_path, "p", 1 << 20)
    assert [payload for _, payload in adopted.spool.read(10, 1 << 20)] == [b"an event"]
