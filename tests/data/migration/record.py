"""Records the directory of an embedded monitor: seven pilots over eighty minutes, once in open mode and once with keys.

`PYTHONPATH=<a checkout of the version to record> python record.py <new directory>`. It imports only names that every
version has had, and writes `open` and `keyed`: `monitor.db.gz` (control, telemetry, journal, state, outputs) and
`ledger`.
"""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from monitor.charter.spec import Bound, Charter, DetectorSpec, Participant, Trial
from monitor.embedded.output_reader import OutputReader
from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import TOPIC, TOPIC_BITS, Incoming, Store
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.model.events import encode
from monitor.model.signing import HEADER, Signer, Trusted
from monitor.notary.notary import Notary
from monitor.simulation.fleet import Fleet
from monitor.simulation.simulated_service import SimulatedService
from monitor.state.acts_once import validity

MINUTE, TICK = 60_000, 25_000  # ms; time is read at every tick
SCENARIOS = ["calm", "step", "step", "calm", "calm", "calm", "gaps"]
FLEET = Fleet(11, pilots=len(SCENARIOS), scenarios=SCENARIOS, hours=40, period="2m", volume=80, onset=8)
RUNNING, HALTED, EXITING, EXITED, EXITED_HALTED, RELEASED, AMENDED = FLEET.pilots
DEAF = {EXITING}
OFFICERS = ("regulator-1", "regulator-2")
FIRM, ADMITTER, *_OFFICER_KEYS = (Signer(bytes([n]) * 32) for n in (1, 2, 3, 4))
SIGNERS = dict(zip(OFFICERS, _OFFICER_KEYS, strict=True))
WATCH = ("cusum", "ewma", "shape")
OUTAGE = (45, 48)  # minutes during which the monitor is down
RESTARTS = (30, 66)  # minutes; at the second one the last checkpoint is written


def charter_of(pilot: str, keys: bool) -> Charter:
    """The charter of one pilot, with or without keys."""
    made = FLEET.charter_for(pilot)
    indicators = tuple(
        replace(spec, detectors=(*spec.detectors, *(DetectorSpec(name, "watch") for name in WATCH)))
        if spec.name == "complaints"
        else spec
        for spec in made.indicators
    )
    (authority,) = made.authorities
    authority = replace(authority, officers=OFFICERS)
    if keys:
        authority = replace(authority, officers=(), keys={name: SIGNERS[name].public for name in OFFICERS})
    return replace(
        made,
        indicators=indicators,
        participant=Participant(made.participant.id, keys=(FIRM.public,) if keys else ()),
        authorities=(authority,),
        evaluation=(Trial("replayed-week", {"false_alarms": Bound(0.0, 2.0)}),),
    )


Row = tuple[int, str, str, str, dict[str, Any]]


def schedule(charters: dict[str, Charter]) -> list[Row]:
    """(minute, act, pilot, author, fields), in order of time."""
    first, second = OFFICERS
    old = charters[AMENDED]
    amended = tuple(
        replace(spec, limit=spec.limit * 2) if spec.name == "complaints" and spec.limit else spec
        for spec in old.indicators
    )
    results = {"replayed-week": {"false_alarms": 1.0}}
    return [
        (10, "override", RUNNING, first, {"level": "watch", "reason": "a hint"}),
        (12, "override", RUNNING, first, {"level": "normal", "reason": "it was nothing"}),
        (15, "drill", RUNNING, first, {}),
        (20, "amendment", AMENDED, first, {"charter": replace(old, version=2, indicators=amended)}),
        (21, "amendment", AMENDED, first, {"charter": replace(old, version=1)}),
        (25, "acceptance", AMENDED, first, {"indicator": "complaints", "reason": "a new season"}),
        (30, "override", RELEASED, first, {"level": "halt", "reason": "tried by hand"}),
        (40, "override", EXITING, first, {"level": "halt", "reason": "by hand"}),
        (40, "override", EXITED_HALTED, first, {"level": "halt", "reason": "by hand"}),
        (52, "rectification", RELEASED, first, {"finding": "f", "cause": "c", "action": "a", "evidence": "e"}),
        (53, "evaluation", RELEASED, first, {"passed": True, "report": "r", "results": results}),
        (54, "approval", RELEASED, first, {}),
        (55, "approval", RELEASED, second, {}),
        (56, "release", RELEASED, first, {"reason": "seen on site"}),
        (60, "exit", EXITED, first, {"reason": "the pilot is over"}),
        (61, "exit", EXITED_HALTED, first, {"reason": "over, and halted"}),
        (62, "exit", EXITING, first, {"reason": "over, and it does not stop"}),
        (63, "release", EXITED, first, {"reason": "too late"}),
        (70, "drill", RUNNING, second, {}),
        (71, "override", AMENDED, second, {"level": "watch", "reason": "looked at by hand"}),
        (72, "rectification", HALTED, first, {"finding": "f", "cause": "c", "action": "a", "evidence": "e"}),
    ]


class Recording:
    """One directory while it is written."""

    def __init__(self, home: Path, keys: bool) -> None:
        self.home, self.keys = home, keys
        self.now = FLEET.start - MINUTE
        self.store = Store(home / "monitor.db", clock=lambda: self.now)
        self.charters = {pilot: charter_of(pilot, keys) for pilot in FLEET.pilots}
        self.service = SimulatedService()
        self.acts = 0
        self.commands = OutputReader(self.store, ("commands",))

    async def run(self) -> None:
        """Record it."""
        runner = await self.owner()
        await runner.time()
        for pilot in FLEET.pilots:
            await self.act(runner, "admission", pilot, "admitter", {"charter": self.charters[pilot]})
        plan, restarts = schedule(self.charters), list(RESTARTS)
        waiting: dict[str, list[bytes]] = {}
        tick = FLEET.start
        for at, event in FLEET:
            while tick < at:
                self.now, tick = tick, tick + TICK
                minute = (self.now - FLEET.start) // MINUTE
                if OUTAGE[0] <= minute < OUTAGE[1]:
                    continue
                await self.read(runner, waiting)
                while plan and plan[0][0] <= minute:
                    _, kind, pilot, author, fields = plan.pop(0)
                    await self.act(runner, kind, pilot, author, fields)
                await runner.time()
                if restarts and restarts[0] <= minute:
                    await runner.checkpoint()
                    runner = await self.owner()
                    restarts.pop(0)
            self.now = max(self.now, at)
            passed = self.service.passes(event)
            if passed is not None:
                waiting.setdefault(event.subject, []).append(encode(passed))
        await self.read(runner, waiting)
        self.now += MINUTE // 3
        await runner.time()
        await self.enter()
        await self.store.close()

    async def owner(self) -> Runner[Machine]:
        """A new owner of the partition, which reads control and telemetry to their ends."""
        keys = [ADMITTER.public] if self.keys else []
        trusted = Trusted(keys) if keys else None
        more: dict[str, Any] = {} if trusted is None else {"admitters": trusted}
        runner = Runner(
            SqliteLog(self.store, owner="recorder", admitters=keys, open_mode=not self.keys),
            clock=lambda: 0,
            machine=lambda p, e: Machine(p, e, secret=b"secret", open_mode=not self.keys, **more),
            checkpoint_every_ms=1 << 40,
        )
        await runner.recover()
        await self.step(runner)
        return runner

    async def act(self, runner: Runner[Machine], kind: str, pilot: str, author: str, fields: dict[str, Any]) -> None:
        """One act, signed where there are keys."""
        known = runner.machine.pilots.get(pilot)
        body = {"type": f"sandbox.control.{kind}", "id": f"act-{self.acts}", "pilot": pilot, "author": author, **fields}
        body |= validity(0 if known is None else known.standing.counter, self.now)
        raw = msgspec.json.encode(body)
        signer = SIGNERS.get(author, ADMITTER)
        headers = ((HEADER, signer.sign("control", raw).encode()),) if self.keys else ()
        self.acts += 1
        await self.store.feed_control([Incoming(raw, pilot.encode(), headers)])
        await self.step(runner)

    async def read(self, runner: Runner[Machine], waiting: dict[str, list[bytes]]) -> None:
        """Send what waits, a record for each pilot, step it, and let the services obey."""
        for pilot in sorted(waiting):
            raw = b"[" + b",".join(waiting[pilot]) + b"]"
            headers = ((HEADER, FIRM.sign("telemetry", raw).encode()),) if self.keys else ()
            await self.store.feed([Incoming(raw, pilot.encode(), headers)])
        waiting.clear()
        await self.step(runner)
        while (out := await self.commands.read()) is not None:
            for command in out.commands:
                answer = None if command.pilot in DEAF else self.service.command(command, self.now)
                if answer is not None:
                    waiting.setdefault(answer.subject, []).append(encode(answer))

    async def step(self, runner: Runner[Machine]) -> None:
        """Step control and telemetry to their ends."""
        _, end = await self.store.ends()
        if runner.next_control < end:
            await runner.control(await self.store.control(runner.next_control, end, records=1000, size=1 << 30))
        start = runner.next_telemetry.get(TOPIC, 0)
        if records := await self.store.telemetry(TOPIC, start, 1 << TOPIC_BITS, records=5000, size=1 << 30):
            await runner.telemetry(TOPIC, records)

    async def enter(self) -> None:
        """Write the ledgers."""
        notary = Notary(self.home / "ledger")
        reader = OutputReader(self.store, ("decisions", "commands"))
        while (out := await reader.read()) is not None:
            notary.record(out.decisions, out.commands, position={"seq": reader.at})
        notary.close()


def main(target: Path) -> None:
    """Write both directories. Raises FileExistsError when one exists."""
    for name, keys in (("open", False), ("keyed", True)):
        home = target / name
        home.mkdir(parents=True)
        asyncio.run(Recording(home, keys).run())
        file = home / "monitor.db"
        with sqlite3.connect(file) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("VACUUM")
        db.close()
        (home / "monitor.db.gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))
        file.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
