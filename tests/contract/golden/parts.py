"""Sets up parts of the product for golden tests. Change imports here after a move, as in `names.py`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from monitor.act.alertmanager import Alertmanager
from monitor.act.queues import Saved
from monitor.charter.spec import charter_hash
from monitor.client.control import Outcome as Answer
from monitor.common_cause.machine import CommonCauseMachine
from monitor.compile.load import load_charter
from monitor.console.board_json import as_data
from monitor.console.fleet_view import FleetView
from monitor.embedded.monitor import Monitor as EmbeddedMonitor
from monitor.engine.history import ControlLine, EndLine, Header, JournalLine, TelemetryLine
from monitor.errors import Halted, Lapsed, Unavailable
from monitor.kafka.acls import AclUsers, grants
from monitor.kafka.log import KafkaLog
from monitor.kafka.settings import LogSettings
from monitor.model.notice import Notice
from monitor.model.records import Closed, Command, Decision, Evidence, Outputs, Permit, Record, Rejected
from monitor.model.signing import Signer
from monitor.notary.cursor import Cursor
from monitor.notary.encoding import encode as encode_entry
from monitor.notary.entries import entry_of
from monitor.notary.plaintexts import PlaintextStore
from monitor.notary.plaintexts import plaintext_dir as plaintext_folder
from monitor.projections.alerts import Alert, Facts
from monitor.projections.alerts import PilotAlerts as AlertStanding
from monitor.projections.alerts import after_decision as alerts_after
from monitor.projections.alerts import difference as alert_changes
from monitor.projections.known_state import KnownState as KnownState
from monitor.projections.known_state import known_of
from monitor.sdk.asgi import problem
from monitor.sdk.command_state import CommandState
from monitor.sdk.lease import Lease, NonceSealer
from monitor.sdk.shared_state import BOOT, SECRET, SharedState
from monitor.sdk.spool import Spool
from monitor.testing.records import decision, evidence, halted

from .filler import as_json, full

REPOSITORY = Path(__file__).parents[3]
HISTORY_LINES: dict[str, type] = {
    "header": Header,
    "telemetry": TelemetryLine,
    "control": ControlLine,
    "journal": JournalLine,
    "end": EndLine,
}
__all__ = ["AlertStanding", "alert_changes", "alerts_after"]


def ledger_entry(record: Decision | Command, key: bytes) -> tuple[bytes, list[Any]]:
    """The bytes of a record's entry, and the plaintexts that it only commits to."""
    entry, plaintexts = entry_of(record, key)
    return encode_entry(entry), plaintexts


def cursor_line(position: dict[str, int], epochs: dict[str, int], entries: dict[str, int]) -> str:
    """What a notary writes of where it stands."""
    return Cursor(position, epochs, entries).line().decode()


def nonce(secret: bytes, pilot: str, sent: int, salt: bytes) -> str:
    """The nonce of a heartbeat."""
    return NonceSealer(secret, pilot).seal(sent, salt)


def sdk_files(home: Path) -> dict[str, str]:
    """What the library for firms writes: a spool of two events of which one is delivered, the state that processes
    share, a notice and a resumption; names of files and their bytes in hex."""
    spool = Spool(home / "spool", limit=1 << 20)
    spool.append(b"one")
    end = spool.append(b"two, longer")
    spool.sync(end)
    ((first, _), *_) = spool.read(1, 1 << 20)
    spool.release(first)
    spool.close()
    state = SharedState(home / "state")
    state.lead()
    state.write_commands(full(CommandState))
    state.write_lease(Lease(17, 23, True))
    state.write_notice(Notice(rejected={"not_json": 2}, findings=("a//b",), rectify_by=9))
    state.resume("release-1")
    state.close()
    files = {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}
    board = bytearray(files["state/board"])
    board[SECRET : SECRET + 32] = bytes(32)  # drawn, and of this start of the machine
    board[BOOT : BOOT + 256] = bytes(256)
    files["state/board"] = bytes(board).rstrip(b"\0")
    return {name: raw.hex() for name, raw in files.items()}


def pooled_state() -> tuple[bytes, list[Decision]]:
    """The second stage's snapshot after four pilots of one vendor exceeded together, and its decisions."""
    pool, out = CommonCauseMachine(2, epoch=4, wait_ms=1000), Outputs()
    for period in range(30):
        values = [evidence(period, f"pilot-{n}", k=9.0, allowed=2.0) for n in range(4)]
        rows = [*values, Closed(partition=0, through=values[0].end - 1)] if period % 2 else values
        records = [
            Record(
                period * 10 + n,
                0,
                None,
                msgspec.json.encode(value),
                (("type", b"evidence" if isinstance(value, Evidence) else b"closed"), ("epoch", b"1")),
            )
            for n, value in enumerate(rows)
        ]
        out.extend(pool.telemetry("evidence/0", records))
        out.extend(pool.time(values[0].end))
    raw = pool.snapshots([""])[""]
    assert raw is not None
    return raw, out.decisions


def alert_labels() -> dict[str, Any]:
    """One alert as it is sent to Alertmanager; its sentences are left out."""
    actor = Alertmanager("http://127.0.0.1:1")
    standing = alerts_after(AlertStanding(), halted(), Facts("high", "finance", "EU"))
    (alert, *_) = standing.alerts()
    assert isinstance(alert, Alert)
    body = actor._alert(alert, 1_800_000_000_000, True)
    notes = body["annotations"]
    assert isinstance(notes, dict)
    return body | {"annotations": sorted(notes)}


def board_data(out: Outputs, charters: Iterator[Any]) -> dict[str, object]:
    """The board as data, after these outputs."""
    board = FleetView()
    for charter in charters:
        board.learn(charter)
    board.apply(out)
    return as_data(board, 1_767_700_000_000)


def guard_problems() -> dict[str, Any]:
    """Refusals of the guard as problem details, without their sentences; and what a standing says of a halt."""
    errors = {
        "halted": Halted("m", reason="hard_rule", decision="d"),
        "not resumed": Halted("m", reason="not_resumed"),
        "lapsed": Lapsed("m"),
        "unavailable": Unavailable("m"),
    }
    found: dict[str, Any] = {
        name: {k: v for k, v in problem("p", error).items() if k not in ("title", "detail")}
        for name, error in errors.items()
    }
    found["problem"] = list(problem("p", Lapsed("m")))
    found["known"] = msgspec.to_builtins(known_of([decision(1), halted(2)]))
    return found


def dashboard(path: Path) -> list[str]:
    """Identity of a dashboard and names of its variables."""
    board = json.loads(path.read_text("utf-8"))
    return [board["uid"], *(variable["name"] for variable in board["templating"]["list"])]


def plaintext_files(home: Path) -> dict[str, str]:
    """Files next to a ledger that hold what its entries only commit to; the key is drawn."""
    folder = plaintext_folder(home / "ledger")
    store = PlaintextStore(folder)
    store.key()
    _, plaintexts = entry_of(decision(7, kind="act", cause="control:a", author="officer"), bytes(32))
    store.add("model-1", plaintexts)
    found = {path.name: path.read_text("latin-1") for path in sorted(folder.iterdir())}
    return {"folder": folder.name} | {
        name: "drawn" if name == "commitment.key" else text for name, text in found.items()
    }


def embedded_files(home: Path) -> list[str]:
    """Names of the files of an embedded monitor that ran for a moment with an actor."""

    async def run() -> None:
        monitor = EmbeddedMonitor(home, port=0)
        await monitor.start()
        await monitor.stop()

    asyncio.run(run())
    return sorted(str(path.relative_to(home.parent)) for path in home.parent.rglob("*") if path.is_file())


def kept_by_actors() -> str:
    """What a lane of an actor keeps over restarts, `delivered.json`."""
    return as_json({"alertmanager": full(Saved)})


def answers() -> dict[str, str]:
    """Bodies of answers to a regulator's tools."""
    return {"act": as_json(full(Answer)), "standing": as_json(full(KnownState))}


def granted() -> list[str]:
    """Every grant on a cluster, as the line that grants it."""
    return [grant.command("broker:9092") for grant in grants("sandbox", "sandbox-monitor", ("acme",), AclUsers())]


def charter_hashes() -> dict[str, str]:
    """The digests of the charters that ship with the product."""
    files = sorted((REPOSITORY / "tests" / "data" / "charters").glob("*.yaml"))
    return {path.name: charter_hash(load_charter(path)) for path in files}


def kafka_lines() -> list[list[str]]:
    """Topic, key and headers under which each kind of output goes to Kafka."""
    log = KafkaLog(LogSettings(bootstrap="127.0.0.1:1", group="group", signer=Signer(bytes(32))), 3)
    log.epoch = 7
    out = Outputs(
        rejected=[full(Rejected)],
        decisions=[full(Decision)],
        commands=[full(Command)],
        permits=[full(Permit)],
        evidence=[full(Evidence), full(Closed)],
    )
    return [
        [topic, repr(key), *(f"{name}: {value.decode()}" for name, value in headers)]
        for topic, key, _, headers in log._lines.outputs(out, log.epoch)
    ]
