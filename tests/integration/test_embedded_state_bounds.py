"""The embedded monitor starts on a store whose state grew without bound under an older version, and watches every
pilot."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import msgspec

from monitor.model.bounds import STATE_BYTES
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Decision, Reason
from monitor.state.snapshots import VERSION
from monitor.testing.wait import Until
from tests.integration.test_embedded_serve import ended, fleet, prepare, serve

until = Until(60.0, every=0.1)


def poison(path: Path, pilot: str) -> int:
    """Put a state of version 5 in place, with 512 sources of a thousand missing numbers each; returns its bytes."""
    high = 1_790_000_000_000_000
    missing = dict.fromkeys(range(high - 1023, high), 1_767_571_200_000)
    sources = {f"{n:03d}{'x' * 190}": [high + n, missing, 0, 0.0, 0.0, [], 0, False] for n in range(512)}
    with sqlite3.connect(path) as db:
        ((raw,),) = db.execute("SELECT value FROM state WHERE pilot = ?", (pilot,)).fetchall()
        fields = msgspec.msgpack.decode(raw)
        assert fields[0] == VERSION
        old = msgspec.msgpack.encode([5, *fields[1:8], sources, *fields[9:18]])
        db.execute("UPDATE state SET value = ? WHERE pilot = ?", (old, pilot))
    db.close()
    return len(old)


def decided(path: Path, pilot: str, reason: Reason) -> bool:
    db = sqlite3.connect(path)
    rows = db.execute("SELECT * FROM decisions WHERE pilot = ?", (pilot,)).fetchall()
    db.close()
    return any(msgspec.json.decode(row[2], type=Decision).reason is reason for row in rows)


def test_a_store_with_a_state_above_the_limit_is_opened(tmp_path: Path) -> None:
    """The next state of the pilot is below the limit, and another pilot is still halted on a death."""
    options, _, _ = prepare(tmp_path)
    hostile, other = fleet().pilots
    process, _ = serve(tmp_path, *options)
    store = tmp_path / "data" / "monitor.db"
    until(lambda: decided(store, other, Reason.ADMITTED))
    ended(process)
    assert poison(store, hostile) > 8_000_000
    now = time.time_ns() // 1_000_000
    death = Emitter("svc/new", other).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
    alive = Emitter("svc/new", hostile).heartbeat(now)
    events = tmp_path / "more.jsonl"
    events.write_bytes(encode(death) + b"\n" + encode(alive) + b"\n")
    process, _ = serve(tmp_path, *options, "--read", str(events))
    until(lambda: decided(store, other, Reason.HARD_RULE))
    ended(process)
    db = sqlite3.connect(store)
    ((size,),) = db.execute("SELECT length(value) FROM state WHERE pilot = ?", (hostile,)).fetchall()
    db.close()
    assert size <= STATE_BYTES
