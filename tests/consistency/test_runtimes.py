"""The two runtimes are one monitor: the same logs give the same decisions with the same ids on Kafka and on SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import TOPIC_BITS, Store
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.kafka.dump import PartitionDump, dump_partition
from monitor.model.events import encode
from monitor.model.records import Closed, Command, Decision, Evidence, Record, Rejected, TimeRead
from monitor.notary.evidence_entries import EvidenceGatherer
from monitor.notary.notary import Notary
from monitor.notary.plaintexts import KEY, plaintext_dir
from monitor.notary.verify import entries
from monitor.projections.charter_record import charter_in
from monitor.simulation.fleet import Fleet
from monitor.testing.kafka import Fresh, Sent, gathered, until
from monitor.testing.wait import Until
from monitor.testing.workers import Worker
from monitor.validate.parse import validate_control

Row = Decision | Command | Evidence


def load(store: Store, logs: PartitionDump) -> None:
    """Put a partition's logs into an embedded store as they stand on Kafka: offsets, times, holes and journal
    included."""

    def change(db: sqlite3.Connection) -> None:
        for number, (topic, records) in enumerate(sorted(logs.telemetry.items())):
            after = records[-1].offset + 1 if records else 0
            db.execute("INSERT INTO topics VALUES (?, ?, ?)", (number, topic, after))
            rows = [
                ((number << TOPIC_BITS) + r.offset, r.received, r.key, r.value, msgspec.msgpack.encode(r.headers))
                for r in records
            ]
            db.executemany("INSERT INTO telemetry VALUES (?, ?, ?, ?, ?)", rows)
        db.executemany(
            "INSERT INTO control (place, received, key, value) VALUES (?, ?, ?, ?)",
            [(r.offset, r.received, r.key, r.value) for r in logs.control],
        )
        db.executemany(
            "INSERT INTO journal VALUES (?, ?, ?, ?)",
            [(j.offset, j.received, j.entry.epoch, msgspec.json.encode(j.entry)) for j in logs.journal],
        )
        db.execute("UPDATE owner SET epoch = ?", (max((j.entry.epoch for j in logs.journal), default=0),))

    asyncio.run(store.write(change))


async def embedded(store: Store, logs: PartitionDump) -> None:
    """Let the embedded runtime's own runner recover the loaded logs from their beginning, then read to their end."""
    log = SqliteLog(store)
    runner = Runner(log, clock=lambda: 0, machine=lambda partition, epoch: Machine(logs.partition, epoch))
    await runner.recover()
    for topic in sorted(logs.telemetry):
        while records := await log.telemetry(topic, runner.next_telemetry.get(topic, 0), 1 << TOPIC_BITS):
            await runner.telemetry(topic, records)


def per_pilot(rows: list[Row]) -> dict[str, list[Row]]:
    """Rows of each pilot in order, without the epoch, which says who wrote and not what."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        plain = row if isinstance(row, Evidence) else msgspec.structs.replace(row, epoch=0)
        found[f"{type(row).__name__} {row.pilot}"].append(plain)
    return dict(found)


def key_in(directory: Path) -> Path:
    """The directory, next to which the key of the commitments lies."""
    words = plaintext_dir(directory)
    words.mkdir()
    (words / KEY).write_bytes(bytes(32))
    return directory


def ledgers(directory: Path, rows: list[Row], control: list[Record], epoch: int | None = 1) -> dict[str, bytes]:
    """The ledgers and words that a notary of one key makes of these records; `epoch` in place of that of the owner."""
    notary = Notary(key_in(directory))
    plain = [row for row in rows if not isinstance(row, Evidence)]
    if epoch is not None:
        plain = [msgspec.structs.replace(row, epoch=epoch) for row in plain]
    charters = {}
    for record in control:
        act = validate_control(record, "control", 0, secret=b"")
        charters |= {} if isinstance(act, Rejected) else charter_in(act)
    # As both runtimes' notaries have it: one reads both logs, the other only decisions, which imply their commands.
    notary.record(
        [row for row in plain if isinstance(row, Decision)],
        [msgspec.structs.replace(row, again=0) for row in plain if isinstance(row, Command)],
        charters=charters,
    )
    gatherer = EvidenceGatherer()
    observed = [row for row in rows if isinstance(row, Evidence)]
    for place, row in enumerate([*observed, Closed(partition=0, through=1 << 50)]):
        notary.record_evidence(gatherer.take(place, row))
    notary.close()
    made = files(directory)
    pilots = len({row.pilot for row in plain})
    assert len(made) == 2 * pilots + len({row.pilot for row in observed})  # each was admitted, by somebody
    return made


def files(directory: Path) -> dict[str, bytes]:
    found = (*directory.glob("*.ledger"), *plaintext_dir(directory).glob("*.words"))
    return {path.name: path.read_bytes() for path in found}


def kept_by_a_notary(fresh: Fresh, directory: Path, entered: Mapping[str, int]) -> dict[str, bytes]:
    """The files of a notary that reads the logs, once each holds so many entries. It is killed on the way and started
    again."""
    key_in(directory)
    command = [sys.executable, "-m", "monitor", "notary", "--bootstrap", fresh.bootstrap, "--prefix"]
    command += [fresh.names.prefix, "--dir", str(directory), "--port", "0"]
    first = subprocess.Popen(command)
    try:
        Until(60.0, every=0.01)(lambda: any(directory.glob("evidence-*.ledger")))
    finally:
        first.kill()
        first.wait()
    process = subprocess.Popen(command)
    try:
        Until(60.0, every=0.2)(lambda: all(_held(directory / name) >= many for name, many in entered.items()))
    finally:
        process.terminate()
        assert process.wait(30) == 0
    return files(directory)


def _held(path: Path) -> int:
    return sum(1 for _ in entries(path)) if path.exists() else 0


@pytest.mark.kafka
def test_kafka_and_embedded_give_the_same_decisions_with_the_same_ids(tmp_path: Path) -> None:
    """A fleet runs on a real broker under a Faust worker; its logs, journal included, are stepped by the embedded
    runtime. Of what both emit a notary makes the same ledgers, byte for byte."""
    fresh = Fresh(partitions=2)
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", "--checkpoint-every", "1")

    async def feed() -> None:
        await fresh.send(fresh.control(fleet.admissions(), number.__getitem__))
        slices: defaultdict[int, list[Sent]] = defaultdict(list)
        for at, event in fleet:
            record = (fresh.telemetry, event.subject.encode(), encode(event), (), number[event.subject])
            slices[at // 100].append(record)
        for at, batch in sorted(slices.items()):
            await asyncio.sleep(max(0.0, (at + 1) / 10 - time.time()))
            await fresh.send(batch)
        await until(caught_up, 60)

    async def caught_up() -> bool:
        for partition in range(2):
            logs = await dump_partition(fresh.bootstrap, fresh.names, partition)
            times = [row.entry for row in logs.journal if isinstance(row.entry, TimeRead)]
            last = logs.telemetry[fresh.telemetry][-1].offset
            if not times or times[-1].telemetry_next.get(fresh.telemetry, 0) <= last:
                return False
        return True

    try:
        worker.wait_ready()
        fleet = Fleet(5, pilots=8, hours=60, period="200ms", start=int(time.time() * 1000) + 2_000)
        number = {pilot: i % 2 for i, pilot in enumerate(fleet.pilots)}
        asyncio.run(feed())
        assert worker.stop() == 0, worker.tail()
    finally:
        worker.kill()
    stood = gathered(asyncio.run(fresh.seen()))
    stated: dict[str, bytes] = {}
    assert any(d.level.word == "halt" for d in stood.decisions)
    for partition in range(2):
        logs = asyncio.run(dump_partition(fresh.bootstrap, fresh.names, partition))
        store = Store(tmp_path / f"partition-{partition}.db")
        try:
            load(store, logs)
            asyncio.run(embedded(store, logs))
            out, _ = asyncio.run(store.outputs_after(("decisions", "commands", "evidence"), 0, most=1 << 40))
        finally:
            asyncio.run(store.close())
        again: list[Row] = [msgspec.json.decode(raw, type=Decision) for raw in out["decisions"]]
        told = [msgspec.json.decode(raw, type=Command) for raw in out["commands"]]
        again += {c.id: c for c in reversed(told)}.values()  # resent until acknowledged; a reader takes an id once
        again += [e for raw in out["evidence"] if isinstance(e := _evidence(raw), Evidence)]
        mine = [r for r in (*stood.decisions, *stood.commands, *stood.evidence) if isinstance(r, Row)]
        mine = [r for r in mine if number[r.pilot] == partition]
        assert per_pilot(again) == per_pilot(mine)
        control = [record for record in logs.control if record.key in {pilot.encode() for pilot in number}]
        made = ledgers(tmp_path / f"again-{partition}", again, control)
        assert made == ledgers(tmp_path / f"mine-{partition}", mine, control)
        stated |= ledgers(tmp_path / f"stated-{partition}", mine, control, epoch=None)
    held = {path.name: _held(path) for path in tmp_path.glob("stated-?/*.ledger")}
    last = {name for name in held if name.startswith("evidence-")}  # its last period may be incomplete there
    assert last
    kept = kept_by_a_notary(fresh, tmp_path / "kept", {name: many - (name in last) for name, many in held.items()})
    for name in held:
        assert stated[name].startswith(kept[name]) if name in last else stated[name] == kept[name], name


def _evidence(raw: bytes) -> Evidence | None:
    return msgspec.json.decode(raw, type=Evidence) if b'"pilot"' in raw else None
