"""The year in fast motion: each day the acts at noon, the telemetry after midnight, and the close of the day's periods
an hour later. Services answer commands, and people go the way to a release, as the script says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from monitor.charter.act_base import ControlBase
from monitor.model.events import Envelope
from monitor.model.records import Command, Decision, Level, Rejected
from monitor.model.signing import Signer
from monitor.state.acts_once import validity
from tests.country.acts import Planned, after_halt, planned
from tests.country.nation import DAY_MS, REPORTER, START, key
from tests.country.script import Pilot, Script
from tests.country.service import Service

NOON, SENT, CLOSED = DAY_MS // 2, 10 * 60_000, 3_600_000 + 20_000  # into a day, and into the next one
DRILLS = NOON + 2 * 60_000  # into a day; a command must be acknowledged within five minutes
ROUNDS = 5  # answers to answers, at most
VALID_MS = 3_600_000


class Runtime(Protocol):
    """What the country runs on: in one process, or on Kafka."""

    def at(self, now: int) -> None:
        """From now on the time is `now` (ms)."""

    def telemetry(self, pilot: str, events: list[Envelope], signer: Signer) -> None:
        """Send events of one pilot as one record."""

    def control(self, act: ControlBase, signer: Signer) -> None:
        """Send an act."""

    def settle(self) -> tuple[list[Decision], list[Command], list[Rejected]]:
        """Return what came out since the last call, once everything that was sent is stepped, and the time is."""


class Totals(Struct):
    """What was sent, and what came of it: events and records of telemetry, acts; decisions on pilots; rejected events
    and acts by reason."""

    events: int = 0
    records: int = 0
    acts: int = 0
    decisions: int = 0
    commands: int = 0
    rejected: dict[str, int] = {}


class Year:
    """One run. `said(day)` is called after each day."""

    def __init__(self, script: Script, runtime: Runtime) -> None:
        self.script, self.runtime = script, runtime
        self.pilots = {pilot.id: pilot for pilot in script.pilots}
        self.services = {pilot.id: Service(pilot, script.seed) for pilot in script.pilots}
        self.totals = Totals()
        self.halted: dict[str, list[int]] = defaultdict(list)  # pilot -> days
        self.accepted: set[str] = set()  # ids of acts
        self.sent: dict[str, Planned] = {}
        self.levels: dict[str, Level] = {}  # pilot -> its last one
        self.refusals: list[Rejected] = []
        self.forged = 0  # events that a cheating firm sent for another firm's pilot
        self._standing: dict[str, int] = defaultdict(int)
        self._running: dict[str, bool] = {}
        self._acts: dict[int, list[Planned]] = defaultdict(list)
        for pilot in script.pilots:
            for one in planned(pilot, script):
                self._acts[one.day].append(one)

    def run(self, said: Callable[[int], None] = lambda day: None) -> None:
        """All days, and one hour."""
        for day in range(self.script.calendar.days):
            self.runtime.at(START + day * DAY_MS + NOON)
            self._act(day)
            self._settle(START + day * DAY_MS + NOON, day)
            # A drill falls due some seconds after noon, as the act did from which its interval counts.
            self.runtime.at(START + day * DAY_MS + DRILLS)
            self._settle(START + day * DAY_MS + DRILLS, day)
            after = START + (day + 1) * DAY_MS
            self.runtime.at(after + SENT)
            self._send(day)
            self._settle(after + SENT, day)
            self.runtime.at(after + CLOSED)
            self._settle(after + CLOSED, day)
            said(day)

    # ---- what people do

    def _act(self, day: int) -> None:
        now = START + day * DAY_MS + NOON
        acted: set[tuple[str, str]] = set()
        for one in self._acts.pop(day, []):
            if (one.pilot, one.author) in acted:  # it must have seen the record of the other act: the next day
                self._acts[day + 1].append(one)
                continue
            acted.add((one.pilot, one.author))
            act = one.act(**validity(self._standing[one.pilot], now, VALID_MS))
            self.runtime.control(act, key(one.signer or one.author))
            self.totals.acts += 1
            self.sent[one.id] = one

    # ---- what services do

    def _send(self, day: int) -> None:
        for pilot in self.script.pilots:
            service = self.services[pilot.id]
            if not self._running.get(pilot.id):
                continue
            own, outside = service.day(day)
            now = START + (day + 1) * DAY_MS + SENT
            own += service.stops_at_last(now, day)
            self._telemetry(pilot.id, own, key(pilot.firm))
            self._telemetry(pilot.id, outside, key(REPORTER))
            if pilot.fault == "cheating" and day == pilot.fault_day:
                self._forge(pilot, day)

    def _forge(self, pilot: Pilot, day: int) -> None:
        """A firm reports for a pilot of another one."""
        victim = next((p for p in self.script.pilots if self._running.get(p.id) and p.firm != pilot.firm), None)
        if victim is not None:
            event = Service(victim, self.script.seed).emit.incident(START + day * DAY_MS)
            self._telemetry(victim.id, [event], key(pilot.firm))
            self.forged += 1

    def _telemetry(self, pilot: str, events: list[Envelope], signer: Signer) -> None:
        if events:
            self.runtime.telemetry(pilot, events, signer)
            self.totals.events += len(events)
            self.totals.records += 1

    # ---- what comes out

    def _settle(self, now: int, day: int) -> None:
        for _ in range(ROUNDS):
            decisions, commands, rejected = self.runtime.settle()
            self.totals.decisions += sum(one.pilot in self.pilots for one in decisions)
            self.totals.commands += len(commands)
            for one in decisions:
                self._learn(one, now, day)
            for refusal in rejected:
                self.refusals.append(refusal)
                for reason, count in refusal.reasons.items():
                    self.totals.rejected[reason] = self.totals.rejected.get(reason, 0) + count
            answered = False
            for command in {one.pilot: one for one in commands}.values():  # a service obeys the newest one
                events = self.services[command.pilot].obey(command, now + 1_000, day)
                self._telemetry(command.pilot, events, key(self.pilots[command.pilot].firm))
                answered |= bool(events)
            if not answered:
                return

    def _learn(self, decision: Decision, now: int, day: int) -> None:
        pilot = decision.pilot
        self.levels[pilot] = decision.level
        self._standing[pilot] = max(self._standing[pilot], decision.standing)
        if decision.cause.startswith("control:"):
            self.accepted.add(decision.cause.removeprefix("control:"))
        if pilot not in self.pilots:
            return
        if decision.reason == "admitted":
            self._running[pilot] = True
        elif decision.reason == "exited":
            self._running[pilot] = False
        if decision.level == Level.HALT and decision.was != Level.HALT:
            halted = (now - START) // DAY_MS
            self.halted[pilot].append(halted)
            for one in after_halt(self.pilots[pilot], self.script, halted):
                self._acts[one.day].append(one)
