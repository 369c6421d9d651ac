"""The stored state of one pilot is damaged: it alone is set aside, the partition goes on, and nothing ends its halt but
a release."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from random import Random

import msgspec
import pytest

from monitor.charter.control import Admission, Approval, ControlBase, Evaluation, Override, Rectification, Release
from monitor.engine.machine import Machine
from monitor.engine.partition import MOST_ASIDE
from monitor.engine.runner import Runner
from monitor.errors import LogBroken
from monitor.kafka import state_keys
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Decision, Level, Outputs, Reason, Record, Rejected, Skipped
from monitor.simulation.fleet import Fleet
from monitor.state.acts_once import validity
from monitor.state.snapshots import VERSION, restore_whole
from monitor.testing.kafka import Fresh, gathered, until
from monitor.testing.memory_log import MemoryStore
from monitor.testing.wait import Until
from monitor.testing.workers import Worker
from tests.failure.test_lost_telemetry import POINTS, Killed, owner
from tests.integration.test_embedded_serve import ended, fleet, prepare, serve
from tests.security.goals import Goal
from tests.strength import examples
from tests.unit.engine.test_machine import T0, charter

TOPIC = "telemetry"
DAMAGED = b"\xde\xad\xbe\xef" * 9


def admission(pilot: str, standing: int | None = None, name: str = "adm") -> Admission:
    act = Admission(id=name, pilot=pilot, author="anna", charter=msgspec.structs.replace(charter(), pilot=pilot))
    return act if standing is None else msgspec.structs.replace(act, **validity(standing, T0))


def states(*acts: ControlBase) -> dict[str, bytes]:
    """The snapshots of the pilots p and q after these acts."""
    machine = Machine()
    for offset, act in enumerate([admission("p"), admission("q"), *acts]):
        out = machine.control(Record(offset, T0, act.pilot.encode(), msgspec.json.encode(act)))
        assert not out.rejected, out.rejected
    machine.telemetry(TOPIC, [Record(0, T0 + 1, b"p", encode(Emitter("svc", "p").exposure(T0, 1.0)))])
    return {name: raw for name, raw in machine.snapshots(["p", "q"]).items() if raw is not None}


def halted() -> Override:
    return Override(id="halt", pilot="p", author="anna", level="halt", reason="x")


def damaged(found: dict[str, bytes], raw: bytes = DAMAGED) -> Machine:
    """A machine that recovered from these, with that of p damaged, and has it set aside."""
    machine = Machine()
    machine.restore({**found, "p": raw})
    assert set(machine.unreadable) == {"p"}
    out = machine.set_aside(machine.unreadable)
    assert [(r.reason, r.pilot) for r in out.rejected] == [("state_unreadable", "p")]
    return machine


def act_on(machine: Machine, act: ControlBase, at: int = T0 + 10) -> Outputs:
    return machine.control(Record(99, at, act.pilot.encode(), msgspec.json.encode(act)))


def test_no_damaged_byte_ends_a_recovery(goal: Goal) -> None:
    """Truncated, or with any bytes changed: the pilot is read as it was in all its parts, or set aside."""
    rng, raw = Random(1), states()["p"]
    tried = examples(2_000, 50_000)
    ended = aside = 0
    for _ in range(tried):
        at = rng.randrange(4, len(raw))
        bad = raw[:at] if rng.random() < 0.3 else raw[:at] + rng.randbytes(rng.randrange(1, 9)) + raw[at + 4 :]
        try:
            pilot = restore_whole("p", bad)
        except LogBroken:
            ended += 1
            continue
        aside += pilot is None
    goal("recoveries-ended-by-a-damaged-snapshot", ended, 0, note=f"of {tried}, {aside} set aside")
    assert aside > tried / 3


def test_another_version_is_not_damage() -> None:
    """After a step back to an older version every snapshot is unknown: the worker ends, and sets no pilot aside."""
    raw = bytearray(states()["p"])
    at = raw.index(bytes([VERSION]), 1)
    raw[at] = VERSION + 1
    with pytest.raises(LogBroken, match="version"):
        Machine().restore({"p": bytes(raw)})


def test_too_many_damaged_snapshots_are_a_broken_store() -> None:
    """Then a backup is needed, and not a partition without its pilots."""
    with pytest.raises(LogBroken, match="backup"):
        Machine().restore({f"p{n}": DAMAGED for n in range(MOST_ASIDE + 1)})


def test_the_partition_goes_on_without_the_pilot() -> None:
    """Its telemetry is rejected with the reason, its acts are refused; another pilot is halted as ever; the damaged
    bytes are not overwritten, and a later owner has it set aside as well."""
    machine = damaged(states())
    mine, death = (
        Emitter("svc/2", "p").heartbeat(T0),
        Emitter("svc/2", "q").incident(T0, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH),
    )
    out = machine.telemetry(
        TOPIC, [Record(n, T0 + 5, e.subject.encode(), encode(e)) for n, e in enumerate((mine, death))]
    )
    assert [(r.reason, r.pilot) for r in out.rejected] == [("state_unreadable", "p")]
    assert {d.pilot for d in out.decisions if d.level is Level.HALT} == {"q"}
    assert not out.permits
    refused = act_on(machine, Approval(id="a", pilot="p", author="anna"))
    assert refused.rejected[0].detail.startswith("state_unreadable")
    machine.time(T0 + 10_000)
    assert "p" not in machine.dirty
    raw = machine.snapshots([])[""]
    assert raw is not None
    for order in ({"": raw, "p": states()["p"]}, {"p": states()["p"], "": raw}, {"p": DAMAGED, "": raw}):
        later = Machine()
        later.restore(order)
        assert not later.unreadable
        assert "p" not in later.pilots


def test_a_pilot_that_was_set_aside_begins_halted_and_only_a_release_ends_it(goal: Goal) -> None:
    """Whether it was halted before or not. The admission must state the standing, so that its commands are not void."""
    released = 0
    for before in ((), (halted(),)):
        machine = damaged(states(*before))
        refused = act_on(machine, admission("p", name="again"))
        assert "state the standing" in refused.rejected[0].detail
        out = act_on(machine, admission("p", standing=7, name="again"))
        assert [d.reason for d in out.decisions] == [Reason.ADMITTED, Reason.STATE_LOST]
        (command,) = out.commands
        assert (command.action, command.standing) == ("halt", 9)
        common = {"pilot": "p", "author": "anna"}
        steps = (
            Override(id="o", level="normal", reason="x", **common),
            Release(id="r0", reason="x", **common),
            admission("p", name="third"),
        )
        for step in steps:
            released += any(c.action == "release" for c in act_on(machine, step).commands)
        assert machine.pilots["p"].standing.level is Level.HALT
        for step in (
            Rectification(id="1", finding="f", cause="c", action="a", evidence="e", **common),
            Evaluation(id="2", passed=True, report="r", **common),
            Approval(id="3", **common),
            Approval(id="4", pilot="p", author="ben"),
        ):
            assert not act_on(machine, step).rejected
        out = act_on(machine, Release(id="5", reason="re-evaluated", **common))
        assert [c.action for c in out.commands] == ["release"]
    goal("halts-ended-without-a-release-after-damage", released, 0)


async def _story(point: str) -> tuple[MemoryStore, Outputs]:
    """Two pilots; the state of one is damaged; the next owner dies at `point`, another one continues."""
    now = [T0]
    store = MemoryStore(lambda: now[0])
    for act in (admission("p"), admission("q"), halted()):
        store.feed_control(msgspec.json.encode(act), received=T0, key=act.pilot.encode())
    first = await owner(store)
    await first.control(await store.log().control(0, 99))
    await first.checkpoint()
    kept, watermark, through = store.saved_state()
    store.restore_state(({**kept, "p": DAMAGED}, watermark, through))
    for pilot in ("p", "q"):
        store.feed(TOPIC, encode(Emitter("svc", pilot).exposure(T0, 1.0)), received=T0 + 1, key=pilot.encode())
    for _ in range(2):
        now[0] += 1_000
        runner: Runner = await owner(store, point)
        point, died = "none", False
        try:
            start = runner.next_telemetry.get(TOPIC, 0)
            await runner.telemetry(TOPIC, await store.log().telemetry(TOPIC, start, 99))
            await runner.time()
        except Killed:
            died = True
        if not died:
            break
    now[0] += 1_000
    await runner.time()
    await runner.checkpoint()
    return store, store.outputs()


@pytest.mark.parametrize("point", POINTS)
def test_setting_aside_is_on_record_once_wherever_the_owner_is_killed(point: str) -> None:
    """The journal names the pilot, each output is the same, and no release is emitted."""
    store, outputs = asyncio.run(_story(point))
    aside = [row.entry.aside for row in store.journal() if isinstance(row.entry, Skipped)]
    assert aside == [("p",)]
    assert [c.action for c in outputs.commands] == ["halt"]
    reasons = {r.id: r.reason for r in outputs.rejected}
    assert sorted(reasons.values()) == ["state_unreadable"] * 2
    states_now, _, _ = store.saved_state()
    assert states_now["p"] == DAMAGED


def test_the_embedded_monitor_starts_on_a_damaged_state(tmp_path: Path, goal: Goal) -> None:
    """The pilot is set aside, and the other one is halted on a death."""
    wait = Until(60.0, every=0.1)
    options, _, _ = prepare(tmp_path)
    hostile, other = fleet().pilots
    store = tmp_path / "data" / "monitor.db"

    def rows(table: str, pilot: str) -> list[bytes]:
        db = sqlite3.connect(store)
        found = [row[2] for row in db.execute(f"SELECT * FROM {table} WHERE pilot = ?", (pilot,))]
        db.close()
        return found

    def decided(pilot: str, reason: Reason) -> bool:
        return any(msgspec.json.decode(raw, type=Decision).reason is reason for raw in rows("decisions", pilot))

    process, _ = serve(tmp_path, *options)
    wait(lambda: decided(other, Reason.ADMITTED) and decided(hostile, Reason.ADMITTED))
    ended(process)
    with sqlite3.connect(store) as db:
        db.execute("UPDATE state SET value = ? WHERE pilot = ?", (DAMAGED, hostile))
    db.close()
    now = time.time_ns() // 1_000_000
    death = Emitter("svc/new", other).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
    events = tmp_path / "more.jsonl"
    events.write_bytes(encode(death) + b"\n" + encode(Emitter("svc/new", hostile).heartbeat(now)) + b"\n")
    process, _ = serve(tmp_path, *options, "--read", str(events))
    wait(lambda: decided(other, Reason.HARD_RULE))
    wait(
        lambda: any(
            msgspec.json.decode(r, type=Rejected).reason == "state_unreadable" for r in rows("rejected", hostile)
        )
    )
    goal("embedded-monitor-ended-by-a-damaged-state", int(process.poll() is not None), 0)
    ended(process)


@pytest.mark.kafka
def test_a_worker_recovers_from_a_damaged_state_on_a_broker(tmp_path: Path, goal: Goal) -> None:
    """An unreadable record under the pilot's key in the state topic: the worker starts, and halts the other pilot."""
    fresh, now = Fresh(), int(time.time() * 1000)
    pilots = Fleet(1, pilots=2, hours=48, start=now - 48 * 3_600_000)
    hostile, other = pilots.pilots

    async def reason(pilot: str, reason: Reason) -> bool:
        return any(d.pilot == pilot and d.reason is reason for d in gathered(await fresh.seen()).decisions)

    async def stored() -> bool:
        keys = [state_keys.parse(r.key) for r in await fresh.raw(fresh.names.state)]
        return any((kind, pilot) == (state_keys.SNAPSHOT, hostile) for kind, _, pilot in keys)

    async def begin() -> None:
        await fresh.send(fresh.control(pilots.admissions()))
        await until(lambda: reason(other, Reason.ADMITTED))
        await until(stored)

    async def damage() -> None:
        rows = [
            r
            for r in await fresh.raw(fresh.names.state)
            if state_keys.parse(r.key)[0::2] == (state_keys.SNAPSHOT, hostile)
        ]
        await fresh.send([(fresh.names.state, rows[-1].key, DAMAGED, [], rows[-1].partition)])

    async def after() -> None:
        at = int(time.time() * 1000)
        death = Emitter("svc/1", other).incident(at, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
        beat = Emitter("svc/1", hostile).heartbeat(at)
        await fresh.send([(fresh.telemetry, e.subject.encode(), encode(e), [], 0) for e in (death, beat)])
        await until(lambda: reason(other, Reason.HARD_RULE))

        async def rejected() -> bool:
            found = {(r.reason, r.pilot) for r in gathered(await fresh.seen()).rejected}
            return ("state_unreadable", hostile) in found

        await until(rejected)

    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log")
    try:
        worker.wait_ready()
        asyncio.run(begin())
        worker.kill()
        asyncio.run(damage())
        worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log").wait_ready()
        asyncio.run(after())
        goal("workers-ended-by-a-damaged-state", int(worker.stop() != 0), 0)
    finally:
        worker.kill()
