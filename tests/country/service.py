"""The service of one scripted pilot: what it sends each day, and how it obeys commands."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random

from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, Severity
from monitor.model.records import Command
from monitor.simulation.fleet import poisson
from tests.country.acts import incident_of
from tests.country.charters import COMPLAINT_LIMIT, INCIDENT_LIMIT, VOLUME
from tests.country.nation import DAY_MS, REPORTER, START
from tests.country.script import Pilot

PARTS = 4  # of a day: each has a tally of exposure and a heartbeat
RATE, EXCESS = 0.3, 4.0  # shares of the limits
MINUTE, HOUR = 60_000, 3_600_000
SILENT_DAYS, MODEL_DAYS, CONTRADICTED_DAYS, IGNORED_DAYS = 4, 4, 2, 3
LATE_DAYS = 3  # from an incident to its report, where reports are late
LATE_ANSWER_DAYS = 25  # from a complaint to its answer, where the firm is late


class Service:
    """The service of a pilot. `sent` counts its events, `exposure` and `incidents` what it reported of each day. After
    an exit nothing is sent, so complaints that are open then are never answered."""

    def __init__(self, pilot: Pilot, seed: int) -> None:
        self.pilot = pilot
        self.emit = Emitter(f"{pilot.firm}/{pilot.id}", pilot.id)
        self.outside = Emitter(f"{REPORTER}/{pilot.id}", pilot.id, model="")
        self.exposure: dict[int, float] = {}
        self.incidents: dict[int, int] = {}
        self.complaints: dict[str, tuple[int, int | None]] = {}  # the days on which each was filed, and answered
        self._seed = seed
        self._stopped: int | None = None  # when it stopped (ms)
        self._obeys_from: int | None = None  # day; a service that contradicts its stop serves until then
        self._fixed = False
        self._drills = 0
        self._later: dict[int, list[tuple[int, Callable[[int], Envelope]]]] = {}
        self._answered: set[str] = set()

    def day(self, day: int) -> tuple[list[Envelope], list[Envelope]]:
        """What is sent after the end of a day, by the firm and by somebody else."""
        begin, pilot = START + day * DAY_MS, self.pilot
        rng = Random(f"{self._seed}/{pilot.id}/{day}")
        since = None if pilot.fault_day is None or self._fixed else day - pilot.fault_day
        fault = pilot.fault if since is not None and since >= 0 else ""
        if fault == "silence" and since is not None and since < SILENT_DAYS:
            return [], []
        own: list[Envelope] = []
        self.emit.model = self._model(day, fault, since)
        if self._serves(begin):
            self._work(day, fault, rng, own)
        due = [pair for at in sorted(self._later) if at <= day for pair in self._later.pop(at)]
        own += [make(when) for when, make in sorted(due, key=lambda pair: pair[0])]
        serving = self._stopped is None
        own.append(self.emit.heartbeat(begin + DAY_MS - 1, serving=serving))
        return own, self._seen_outside(day, fault, rng)

    def _serves(self, begin: int) -> bool:
        return self._stopped is None or self._stopped > begin or self._obeys_from is not None

    def _model(self, day: int, fault: str, since: int | None) -> str:
        if fault == "model" and since is not None and since < MODEL_DAYS:
            return "m9"
        return "m2" if self.pilot.changes is not None and day > self.pilot.changes else "m1"

    def _work(self, day: int, fault: str, rng: Random, own: list[Envelope]) -> None:
        begin, pilot, emit = START + day * DAY_MS, self.pilot, self.emit
        share = EXCESS if fault in ("rates", "cheating") else RATE
        amount = float(round(VOLUME * rng.uniform(0.9, 1.1)))
        reported = poisson(rng, share * INCIDENT_LIMIT * amount / 1000)
        if fault == "cheating":
            reported = 0  # the firm keeps them to itself
        self.incidents[day] = reported
        for number in range(reported):
            when = begin + (number + 1) * HOUR // 2
            if fault == "late":
                self._delay(day + LATE_DAYS, when, lambda at: emit.incident(at))
            else:
                own.append(emit.incident(when))
        for number in range(poisson(rng, RATE * COMPLAINT_LIMIT * amount / 1000)):
            self._complain(day, begin + 4 * HOUR + number * HOUR // 2, 1 + int(rng.random() * 2), own)
        if fault == "complaints" and day - (pilot.fault_day or 0) < IGNORED_DAYS:
            wait = LATE_ANSWER_DAYS if pilot.firm_reports == "late" else None
            self._complain(day, begin + 3 * HOUR, wait, own)
        if pilot.fault in ("serious", "death", "contradicted") and day == pilot.fault_day:
            harm = Harm.SERIOUS_INJURY if pilot.fault == "serious" else Harm.DEATH
            own.append(emit.incident(begin + 8 * HOUR, Severity.SERIOUS_INCIDENT, harm, incident_of(pilot)))
            self.incidents[day] += 1
        end = begin + DAY_MS - 2
        if self._stopped is not None and self._obeys_from is None:
            end = min(end, self._stopped - MINUTE)
        self.exposure[day] = amount
        for part in range(1, PARTS + 1):
            own.append(emit.exposure(begin + (end - begin) * part // PARTS, amount / PARTS))
            if part < PARTS:
                own.append(emit.heartbeat(begin + (end - begin) * part // PARTS + 1))

    def _complain(self, day: int, when: int, wait: int | None, own: list[Envelope]) -> None:
        name = hashlib.sha256(f"{self.pilot.id}/{when}".encode()).hexdigest()[:32]
        own.append(self.emit.complaint(when, name))
        self.complaints[name] = (day, None)
        if wait is not None:
            self._delay(day + wait, when + wait * DAY_MS, lambda at: self._answer(name, day, at, when))

    def _answer(self, name: str, day: int, at: int, filed: int) -> Envelope:
        self.complaints[name] = (day, (at - START) // DAY_MS)
        return self.emit.complaint_resolved(at, name, filed)

    def _delay(self, day: int, when: int, make: Callable[[int], Envelope]) -> None:
        self._later.setdefault(day, []).append((when, make))

    def _seen_outside(self, day: int, fault: str, rng: Random) -> list[Envelope]:
        """Incidents that a hospital reports where the firm reports none."""
        if fault != "cheating" or not self._serves(START + day * DAY_MS) or self._stopped is not None:
            return []
        begin = START + day * DAY_MS
        count = poisson(rng, EXCESS * INCIDENT_LIMIT * VOLUME / 1000)
        self.incidents[day] = self.incidents.get(day, 0) + count
        return [self.outside.incident(begin + (n + 1) * HOUR // 2) for n in range(count)]

    def obey(self, command: Command, now: int, day: int) -> list[Envelope]:
        """The answer to a command at `now` (ms)."""
        if command.id in self._answered:  # resent
            return []
        self._answered.add(command.id)
        if command.dry_run:
            self._drills += 1
            if self._drills == self.pilot.skips_drill:
                return []
        acknowledged = self.emit.acknowledged(now, command.id, command.standing, command.decision)
        if command.dry_run:
            return [acknowledged]
        if command.action == "release":
            self._stopped, self._obeys_from, self._fixed = None, None, True
            return [acknowledged]
        self._stopped = now
        if self.pilot.fault == "contradicted" and not self._fixed:
            self._obeys_from = day + CONTRADICTED_DAYS
            return [acknowledged]
        return [acknowledged, *self._beats(now)]

    def stops_at_last(self, now: int, day: int) -> list[Envelope]:
        """The proof of a stop by a service that contradicted it until now."""
        if self._obeys_from is None or day < self._obeys_from:
            return []
        self._obeys_from = None
        return self._beats(now)

    def _beats(self, now: int) -> list[Envelope]:
        return [self.emit.heartbeat(now + number + 1, serving=False) for number in range(3)]
