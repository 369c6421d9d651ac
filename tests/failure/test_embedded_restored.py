"""A part of an embedded monitor's directory is restored from an older copy: no silent loss, and the fix is named."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.embedded.monitor import Monitor
from monitor.embedded.store import Incoming
from monitor.errors import LedgerBroken
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity
from monitor.notary.store import file_name
from monitor.notary.verify import Verified, verify
from monitor.simulation.fleet_charter import HOUR_MS, charter

FILE = file_name("p1")


def run(directory: Path, deaths: range) -> None:
    """Start the monitor, report these deaths (one decision each), stop it once they are in the ledger."""

    async def story() -> None:
        now = time.time_ns() // 1_000_000
        plan = charter(
            "p1", number=0, period_ms=HOUR_MS, cap=1e6, dispersion=1.0, start=now - HOUR_MS, end=now + HOUR_MS
        )
        monitor = Monitor(directory, port=0, charters=[plan])
        try:
            await monitor.start()
            at = time.time_ns() // 1_000_000  # after the admission
            source = Emitter(f"firm-1/desk-{deaths.start}", "p1")
            events = [
                source.incident(at, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH, incident=f"i-{n}")
                for n in deaths
            ]
            await monitor.store.feed([Incoming(msgspec.json.encode(event)) for event in events])
            monitor.arrived.ring()
            end = time.monotonic() + 20
            last = f"i-{deaths.stop - 1}".encode()
            while not any(last in raw for _, raw in await monitor.store.outputs("decisions", 0)):
                assert time.monotonic() < end, (await monitor.store.outputs("rejected", 0))[-2:]
                await asyncio.sleep(0.02)
        finally:
            await monitor.stop()

    asyncio.run(story())


def found(directory: Path, *roots: str) -> Verified:
    return verify(directory / "ledger" / FILE, roots)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An older and a newer copy of one directory."""
    base = tmp_path_factory.mktemp("restored")
    run(base / "dir", range(1, 4))
    shutil.copytree(base / "dir", base / "older")
    run(base / "dir", range(4, 9))
    return base / "older", base / "dir"


def _restore(*names: str) -> Callable[[Path, Path], None]:
    def change(older: Path, here: Path) -> None:
        for name in names:
            shutil.copyfile(older / name, here / name)

    return change


def _remove(*names: str) -> Callable[[Path, Path], None]:
    def change(older: Path, here: Path) -> None:
        for name in names:
            (here / name).unlink()

    return change


LEDGER, INDEX, CURSOR = f"ledger/{FILE}", f"ledger/{Path(FILE).with_suffix('.index')}", "ledger/cursor.json"


def _old_cursor(older: Path, here: Path) -> None:
    """The ledger is older, and so is the version that wrote the cursor: it knows no sizes."""
    _restore(LEDGER, INDEX)(older, here)
    cursor = msgspec.json.decode((here / CURSOR).read_bytes())
    del cursor["entries"]
    (here / CURSOR).write_bytes(msgspec.json.encode(cursor))


@pytest.mark.parametrize(
    "change",
    [_restore(LEDGER, INDEX), _restore(LEDGER), _remove(LEDGER), _remove(LEDGER, INDEX), _old_cursor],
    ids=["ledger and index older", "ledger older", "ledger gone", "ledger and index gone", "older cursor"],
)
def test_a_ledger_older_than_the_cursor_is_refused_and_can_be_rebuilt(
    tmp_path: Path, copies: tuple[Path, Path], change: Callable[[Path, Path], None]
) -> None:
    """`serve` does not start and names the file to restore; after `ledger rebuild` it appends missing entries from its
    log, and the ledger has the same root as before."""
    older, newer = copies
    here = tmp_path / "dir"
    shutil.copytree(newer, here)
    whole = found(here)
    change(older, here)
    with pytest.raises(LedgerBroken, match="restore"):
        run(here, range(9, 10))
    assert CliRunner().invoke(ledger, ["rebuild", str(here / "ledger")]).exit_code == 0
    run(here, range(9, 12))
    assert found(here, whole.root).found == {whole.root: whole.entries}
    assert found(here).entries >= whole.entries + 3
    assert CliRunner().invoke(ledger, ["verify", str(here / "ledger")]).exit_code == 0


@pytest.mark.parametrize(
    "change",
    [_restore(CURSOR), _remove(CURSOR), _remove(INDEX), _restore(LEDGER, INDEX, CURSOR)],
    ids=["cursor older", "cursor gone", "index gone", "the whole ledger older"],
)
def test_what_the_log_can_restore_is_restored_automatically(
    tmp_path: Path, copies: tuple[Path, Path], change: Callable[[Path, Path], None]
) -> None:
    """With an older or missing cursor or index, or a ledger restored with its cursor, the log is read from there and
    the ledger is the same as before."""
    older, newer = copies
    here = tmp_path / "dir"
    shutil.copytree(newer, here)
    whole = found(here)
    change(older, here)
    run(here, range(9, 10))
    assert found(here, whole.root).found == {whole.root: whole.entries}


def test_a_database_older_than_the_ledger_is_refused_with_the_fix(tmp_path: Path, copies: tuple[Path, Path]) -> None:
    """An older monitor.db would decide again what the ledger holds: `serve` does not start, and names both fixes."""
    older, newer = copies
    here = tmp_path / "dir"
    shutil.copytree(newer, here)
    before = (here / LEDGER).read_bytes()
    for path in here.glob("monitor.db*"):
        path.unlink()
    for path in older.glob("monitor.db*"):
        shutil.copyfile(path, here / path.name)
    with pytest.raises(LedgerBroken, match=r"monitor\.db .*older than the ledger; fix: restore"):
        run(here, range(9, 10))
    assert (here / LEDGER).read_bytes() == before
