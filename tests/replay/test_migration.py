"""A directory that an older version wrote: today's version opens it, takes up its pilots, decides the same from its
logs, verifies its ledger, and goes on from there. `tests/data/migration/README.md` says what was recorded."""

from __future__ import annotations

import asyncio
import gzip
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec import structs

from monitor.__main__ import cli
from monitor.embedded.monitor import Monitor
from monitor.embedded.output_reader import OutputReader
from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import Incoming, Store
from monitor.engine.history import decode
from monitor.engine.history_replay import HistoryReplay
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.lifecycle.life import state_words
from monitor.model.records import Evidence, Outputs, Reason
from monitor.model.signing import HEADER, Signer, Trusted
from monitor.notary.verify import verify
from monitor.state.acts_once import validity
from monitor.state.snapshots import restore, snapshot
from monitor.testing.clock import MovingClock

DATA = Path(__file__).parents[1] / "data" / "migration"
RUNNING, HALTED, EXITING, EXITED, EXITED_HALTED, RELEASED, AMENDED = (f"pilot-000{n}" for n in range(1, 8))
LIVES = {
    RUNNING: "running",
    HALTED: "running halted",
    EXITING: "exiting halted",
    EXITED: "exited",
    EXITED_HALTED: "exited halted",
    RELEASED: "running",
    AMENDED: "running",
}
STANDINGS = {RUNNING: 22, HALTED: 22, EXITING: 35, EXITED: 9, EXITED_HALTED: 13, RELEASED: 17, AMENDED: 13}
FIRM, ADMITTER, FIRST, SECOND = (Signer(bytes([n]) * 32) for n in (1, 2, 3, 4))
SIGNERS = {"firm": FIRM, "admitter": ADMITTER, "regulator-1": FIRST, "regulator-2": SECOND}


class Before:
    """A copy of what was recorded `open` or `keyed`."""

    def __init__(self, home: Path, name: str) -> None:
        shutil.copytree(DATA / name, home)
        (home / "monitor.db").write_bytes(gzip.decompress((home / "monitor.db.gz").read_bytes()))
        (home / "monitor.db.gz").unlink()
        for key in home.glob("*/*.key"):
            key.chmod(0o600)
        self.home, self.keys = home, name == "keyed"
        self.admitters = [ADMITTER.public] if self.keys else []

    async def emitted(self) -> Outputs:
        """All outputs in the store."""
        store, every = Store(self.home / "monitor.db"), Outputs()
        reader = OutputReader(store)
        while (out := await reader.read()) is not None:
            every.extend(out)
        await store.close()
        return every

    def replayed(self) -> Outputs:
        """What the exported history gives today."""
        run = CliRunner().invoke(cli, ["export", "--dir", str(self.home), "--quiet"], catch_exceptions=False)
        every = Outputs()
        for out in HistoryReplay().steps(decode(run.stdout_bytes.splitlines(keepends=True))):
            every.extend(out)
        return every

    def machine(self, partition: int, epoch: int) -> Machine:
        """A machine of the same deployment."""
        return Machine(partition, epoch, secret=b"secret", admitters=Trusted(self.admitters), open_mode=not self.keys)


@pytest.fixture(params=["open", "keyed"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Before:
    return Before(tmp_path / "old", request.param)


def test_pilots_are_taken_up_in_the_states_that_their_snapshots_say(before: Before) -> None:
    """Without an application, an admitted pilot is running, a halt stands, an exit is pending or done. The last part
    of the journal is stepped again, emits nothing, and ends at the numbers that were emitted."""

    async def story() -> None:
        store = Store(before.home / "monitor.db", clock=lambda: 0)
        last = await store.last_output()
        runner = Runner(SqliteLog(store), clock=lambda: 0, machine=before.machine)
        await runner.recover()
        pilots = {pilot.id: pilot for pilot in runner.machine.pilots.values()}
        assert {name: state_words(pilot.life) for name, pilot in pilots.items()} == LIVES
        assert {name: pilot.standing.counter for name, pilot in pilots.items()} == STANDINGS
        assert await store.last_output() == last
        assert not runner.replaying
        assert runner.machine.open_mode is not before.keys
        await store.close()

    asyncio.run(story())


def test_old_snapshots_say_the_states_and_are_written_as_they_were(before: Before) -> None:
    """Halted, leaving and exited say the life, so it takes no bytes: read and written, a snapshot is the same, byte for
    byte."""

    async def kept() -> dict[str, bytes]:
        store = Store(before.home / "monitor.db", clock=lambda: 0)
        recovery = await SqliteLog(store).claim()
        await store.close()
        return recovery.snapshots

    snapshots = {pilot: raw for pilot, raw in asyncio.run(kept()).items() if pilot}
    assert {pilot: state_words(restore(raw)[0].life) for pilot, raw in snapshots.items()} == LIVES
    assert {pilot: snapshot(restore(raw)[0]) for pilot, raw in snapshots.items()} == snapshots


def in_full(outputs: Outputs) -> list[bytes]:
    """Decisions and commands as bytes, evidence of closed periods as bytes, and what was rejected, without the digest,
    whose key is not in a history."""
    rejected = [structs.replace(one, digest="") for one in outputs.rejected]
    closed = [one for one in outputs.evidence if not (isinstance(one, Evidence) and one.late)]
    return [msgspec.json.encode(one) for one in (*outputs.decisions, *outputs.commands, *closed, *rejected)]


def late_sums(outputs: Outputs) -> Counter[tuple[str, ...]]:
    """The amounts of events that came too late, by stream."""
    sums: Counter[tuple[str, ...]] = Counter()
    for one in outputs.evidence:
        if isinstance(one, Evidence) and one.late:
            stream = (one.pilot, one.indicator, one.segment)
            sums.update({(*stream, "k"): one.k, (*stream, "m"): one.m})
    return sums


def test_old_logs_give_the_same_decisions_commands_and_numbers(before: Before) -> None:
    """Byte for byte: ids, standings, times, epochs, explanations and scores. One thing differs: late events of one
    stream that arrive before its next period closes are one record of evidence, no longer several; their sums are
    equal."""
    stood, again = asyncio.run(before.emitted()), before.replayed()
    assert len(stood.decisions) == 131
    assert in_full(again) == in_full(stood)
    assert late_sums(again) == late_sums(stood)
    reasons = {decision.reason for decision in stood.decisions}
    assert {Reason.LIMIT_EXCEEDED, Reason.RELEASED, Reason.EXITED, Reason.EXIT_PENDING, Reason.AMENDED} <= reasons
    assert {Reason.MONITOR_GAP, Reason.HALT_VERIFIED, Reason.HALT_CONTRADICTED, Reason.DRILL_PASSED} <= reasons


def test_old_ledgers_verify(before: Before) -> None:
    """The ledger of every pilot is sound and holds all standings."""
    found = {one.model: one for one in map(verify, (before.home / "ledger").glob("*.ledger"))}
    assert {name: one.last for name, one in found.items()} == STANDINGS
    assert all(one.first == 1 and not one.remarks for one in found.values())


Step = tuple[str, str, str, dict[str, Any], str]
ON_TOP: tuple[Step, ...] = (
    ("pause", RUNNING, "firm", {"reason": "holidays"}, "running pause_requested"),
    ("grant", RUNNING, "regulator-1", {}, "paused"),
    ("evaluation", HALTED, "regulator-1", {"passed": True, "report": "r",
                                           "results": {"replayed-week": {"false_alarms": 1.0}}}, "running halted"),
    ("approval", HALTED, "regulator-1", {}, "running halted"),
    ("approval", HALTED, "regulator-2", {}, "running halted"),
    ("release", HALTED, "regulator-1", {"reason": "seen on site"}, "running"),
    ("hold", AMENDED, "regulator-1", {"reason": "evidence is needed"}, "running evidence_held"),
    ("override", EXITED, "regulator-1", {"level": "halt", "reason": "too late"}, "exited"),  # refused
    ("guidance", RELEASED, "regulator-2", {"answer": "that is so"}, "running"),
)  # fmt: skip


def incoming(before: Before, monitor: Monitor, step: Step, number: int) -> Incoming:
    """An act, signed where there are keys. The firm is the participant of the pilot."""
    kind, pilot, who, fields, _ = step
    state = monitor.runner.machine.pilots[pilot]
    author = state.charter.participant.id if who == "firm" else who
    body = {"type": f"sandbox.control.{kind}", "id": f"new-{number}", "pilot": pilot, "author": author, **fields}
    raw = msgspec.json.encode(body | validity(state.standing.counter, monitor.clock()))
    headers = ((HEADER, SIGNERS[who].sign("control", raw).encode()),) if before.keys else ()
    return Incoming(raw, pilot.encode(), headers)


def test_the_monitor_goes_on_from_there(before: Before) -> None:
    """A whole monitor starts on the directory. Acts of then and of now apply on top: a halt of before is released by
    steps of which the first was recorded before. Ledgers go on without a gap, and the whole history replays."""
    first = asyncio.run(before.emitted())
    clock = MovingClock(max(decision.at for decision in first.decisions) + 3_600_000)

    async def story() -> None:
        monitor = Monitor(before.home, port=0, clock=clock, admitters=before.admitters)
        await monitor.start()
        try:
            for number, step in enumerate(ON_TOP):
                clock.advance(1_000)
                kept = await monitor.store.feed_control([incoming(before, monitor, step, number)])
                monitor.arrived.ring()
                for _ in range(60_000):
                    if monitor.runner.next_control >= kept.next:
                        break
                    await asyncio.sleep(0.01)
                assert state_words(monitor.runner.machine.pilots[step[1]].life) == step[4], step
        finally:
            await monitor.stop()

    asyncio.run(story())
    every = asyncio.run(before.emitted())
    assert every.decisions[: len(first.decisions)] == first.decisions
    new = every.decisions[len(first.decisions) :]
    assert [d.reason for d in new if d.cause.startswith("control:new-")] == [
        "pause_requested",
        "pause_granted",
        "evaluation_recorded",
        "approval_recorded",
        "approval_recorded",
        "released",
        "evidence_held",
        "guidance_given",
    ]
    # The firm asked, the officer granted; a halt of before was lifted; a pilot that had left stays as it was.
    refused = [one.detail.partition(":")[0] for one in every.rejected if one.topic == "control"]
    assert refused[-1] == "after_exit"
    for path in (before.home / "ledger").glob("*.ledger"):
        one = verify(path)
        assert one.last == max(d.standing for d in every.decisions if d.pilot == one.model)
        assert one.first == 1
    assert before.replayed().decisions == every.decisions
