"""A directory that an older version wrote: today's version opens it, takes up its pilots, decides the same from its
logs, verifies its ledger, and goes on from there. `tests/data/migration/README.md` says what was recorded."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec import structs

from monitor.__main__ import cli
from monitor.deadlines.shipped import example_table
from monitor.embedded.monitor import Monitor
from monitor.embedded.output_reader import OutputReader
from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import Incoming, Store
from monitor.engine.history import decode
from monitor.engine.history_replay import HistoryReplay
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.lifecycle.first import FIRST_PEOPLE, first_sandbox
from monitor.lifecycle.life import Lifecycle, state_words
from monitor.lifecycle.sandbox import Sandbox
from monitor.model.records import Evidence, Outputs, Reason
from monitor.model.signing import HEADER, Signer, Trusted
from monitor.notary.entries import OF_DECISION
from monitor.notary.format import EVIDENCE
from monitor.notary.verify import verify
from monitor.report.fields import DOCUMENTS
from monitor.state.acts_once import validity
from monitor.state.snapshots import restore, snapshot
from monitor.testing.clock import MovingClock
from tests.unit.lifecycle.applied import application

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
REFUSED_BEFORE = 2  # acts that were refused when the directory was recorded
FIRM, ADMITTER, FIRST, SECOND = (Signer(bytes([n]) * 32) for n in (1, 2, 3, 4))
PEOPLE = {name: Signer(bytes([n]) * 32) for n, name in enumerate(FIRST_PEOPLE, 11)}
SIGNERS = PEOPLE | {"firm": FIRM, "admitter": ADMITTER, "regulator-1": FIRST, "regulator-2": SECOND}


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

    def exported(self) -> bytes:
        """The history of all pilots."""
        return (
            CliRunner().invoke(cli, ["export", "--dir", str(self.home), "--quiet"], catch_exceptions=False).stdout_bytes
        )

    def replayed(self) -> Outputs:
        """What the exported history gives today."""
        every = Outputs()
        for out in HistoryReplay().steps(decode(self.exported().splitlines(keepends=True))):
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
    whose key is not in a history. Of the ground of a command only what it always had: the rest is in its decision."""
    rejected = [structs.replace(one, digest="") for one in outputs.rejected]
    closed = [one for one in outputs.evidence if not (isinstance(one, Evidence) and one.late)]
    numbers: dict[str, Any] = {**dict.fromkeys(OF_DECISION), "unit": ""}
    commands = [
        one if one.ground is None else structs.replace(one, ground=structs.replace(one.ground, **numbers))
        for one in outputs.commands
    ]
    return [msgspec.json.encode(one) for one in (*outputs.decisions, *commands, *closed, *rejected)]


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
    found = {one.subject: one for one in map(verify, (before.home / "ledger").glob("*.ledger"))}
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
    state = monitor.runner.machine.pilots.get(pilot)
    charter = monitor.runner.machine.pilots[RUNNING].charter if state is None else state.charter
    author = charter.participant.id if who == "firm" else who
    if state is None:
        charter = structs.replace(charter, pilot=pilot, users=structs.replace(charter.users, cap=500))
        fields = fields | {"charter": charter}
    if kind == "application":
        fields = fields | {"application": application(charter)}
    body = {"type": f"sandbox.control.{kind}", "id": f"new-{number}", "pilot": pilot, "author": author, **fields}
    raw = msgspec.json.encode(body | validity(0 if state is None else state.standing.counter, monitor.clock()))
    headers = ((HEADER, SIGNERS[who].sign("control", raw).encode()),) if before.keys else ()
    return Incoming(raw, pilot.encode(), headers)


def state_of(monitor: Monitor, pilot: str) -> str:
    """The states of a pilot, or of an applicant."""
    machine = monitor.runner.machine
    found = machine.pilots.get(pilot) or machine.applicants.get(pilot)
    return state_words(Lifecycle() if found is None else found.life)


def continued(before: Before, steps: tuple[Step, ...], sandbox: Sandbox | None = None) -> Outputs:
    """A whole monitor starts on the directory an hour later, founds the sandbox if there is one, and takes the acts.
    Returns all outputs of the store. Each act leaves its pilot in the state that the step names."""
    first = asyncio.run(before.emitted())
    clock = MovingClock(max(decision.at for decision in first.decisions) + 3_600_000)

    async def story() -> None:
        monitor = Monitor(before.home, port=0, clock=clock, admitters=before.admitters, sandbox=sandbox)
        await monitor.start()
        try:
            for number, step in enumerate(steps):
                clock.advance(1_000)
                kept = await monitor.store.feed_control([incoming(before, monitor, step, number)])
                monitor.arrived.ring()
                for _ in range(60_000):
                    if monitor.runner.next_control >= kept.next:
                        break
                    await asyncio.sleep(0.01)
                assert state_of(monitor, step[1]) == step[4], step
        finally:
            await monitor.stop()

    asyncio.run(story())
    every = asyncio.run(before.emitted())
    assert every.decisions[: len(first.decisions)] == first.decisions
    return every


def answers(every: Outputs, steps: tuple[Step, ...]) -> list[str]:
    """Of each new act: the reason of its decision, or why it was refused."""
    found: dict[str, str] = {}
    for decision in every.decisions:
        found.setdefault(decision.cause, str(decision.reason))
    refused = [one.detail.partition(":")[0] for one in every.rejected if one.topic == "control"]
    new = iter(refused[REFUSED_BEFORE:])
    return [found.get(f"control:new-{number}") or next(new) for number in range(len(steps))]


def test_the_monitor_goes_on_from_there(before: Before) -> None:
    """Acts of then and of now apply on top: a halt of before is released by steps of which the first was recorded
    before. Ledgers go on without a gap, and the whole history replays."""
    every = continued(before, ON_TOP)
    assert answers(every, ON_TOP) == [
        "pause_requested",
        "pause_granted",
        "evaluation_recorded",
        "approval_recorded",
        "approval_recorded",
        "released",
        "evidence_held",
        "after_exit",
        "guidance_given",
    ]
    for path in (before.home / "ledger").glob("*.ledger"):
        one = verify(path)
        if one.log == EVIDENCE:
            continue
        assert (one.first, one.last) == (1, max(d.standing for d in every.decisions if d.pilot == one.subject))
    assert before.replayed().decisions == every.decisions


NEW, MODEL = "pilot-0008", "model:m-1"
FOUNDED: tuple[Step, ...] = (
    ("override", RUNNING, "regulator-1", {"level": "watch", "reason": "x"}, "running"),
    ("override", RUNNING, "officer", {"level": "watch", "reason": "x"}, "running"),
    ON_TOP[2],
    ("approval", HALTED, "approver-1", {}, "running halted"),
    *ON_TOP[3:6],
    ("suspension", HALTED, "regulator-1", {"basis": "b", "reason": "x"}, "running"),
    ("suspension", HALTED, "officer", {"basis": "b", "reason": "x"}, "running suspended"),
    ("override", EXITING, "officer", {"level": "watch", "reason": "x"}, "exiting halted"),
    ("admission", NEW, "officer", {}, "draft"),
    ("application", NEW, "firm", {}, "submitted"),
    ("model_entry", MODEL, "officer", {"content": {"type": "version", "version": "1.0", "digest": "d"}}, "draft"),
)


def test_a_sandbox_is_founded_over_pilots_of_before(before: Before, tmp_path: Path) -> None:
    """Its people act on them from then on, and those of their charters no longer do, but for a halt from before: that
    is released as its charter says. A new pilot applies. The history of all that replays as it stands in the ledgers,
    twice, and into a report."""
    keys = {name: SIGNERS[name].public for name in FIRST_PEOPLE} if before.keys else {}
    every = continued(before, FOUNDED, first_sandbox("city", "sandbox-authority", keys, example_table()))
    refused = "no_key" if before.keys else "not_an_approver"
    assert answers(every, FOUNDED) == [
        "not_an_officer",
        "overridden",
        "evaluation_recorded",
        refused,
        "approval_recorded",
        "approval_recorded",
        "released",
        "not_an_officer",
        "suspended",
        "no_key" if before.keys else "not_an_officer",
        "application_missing",
        "application_submitted",
        "model_entry_added",
    ]
    assert before.replayed().decisions == every.decisions
    history, page = tmp_path / "all.history", tmp_path / "report.html"
    history.write_bytes(before.exported())
    arguments = ["replay", str(history), "--against", str(before.home / "ledger"), "--twice", "--out", str(page)]
    ran = CliRunner().invoke(cli, arguments)
    assert ran.exit_code == 0, ran.output
    recorded = {one.id for one in (*every.decisions, *every.commands)}
    assert f"{len(recorded)} same, 0 different, 0 not recorded, 0 not replayed" in ran.stderr
    for name in ("sandbox", NEW, MODEL):
        assert f"  {name}  " in ran.stdout


def test_documents_are_made_from_old_ledgers_and_recomputed(before: Before, tmp_path: Path) -> None:
    """Of a pilot that left and of one that did not."""
    ledgers = before.home / "ledger"
    for pilot in (EXITED, HALTED):
        out = tmp_path / pilot
        made = CliRunner().invoke(cli, ["report", pilot, "--ledger", str(ledgers), "--out", str(out)])
        assert made.exit_code == 0, made.output
        (ledger,) = ledgers.glob(f"{pilot}*.ledger")
        for name in DOCUMENTS:
            command = [sys.executable, "-I", "-S", str(out / "recompute.py"), str(out / f"{name}.json"), str(ledger)]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stdout + ran.stderr
