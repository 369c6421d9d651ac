"""Seeded telemetry of a service that signs, honest or attacked from some moment on: input of the tests of source
integrity."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta, timezone
from typing import NamedTuple

import msgspec

from monitor.model.builders import Emitter, as_instant, packed
from monitor.model.events import Envelope, Harm, Severity
from monitor.model.signing import HEADER, SignedKind, Signer

FIRM, NEXT, HOSPITAL, RIVAL, STRANGER = (Signer(bytes([n]) * 32) for n in range(1, 6))
SECOND = 1_000
Headers = tuple[tuple[str, bytes], ...]


def signature(body: bytes, signer: Signer | None, kind: SignedKind = "telemetry") -> Headers:
    """The header of a record with this body; none without a signer."""
    return ((HEADER, signer.sign(kind, body).encode()),) if signer else ()


class Sent(NamedTuple):
    """One record as it is received at `at` (ms); `forged` if no sender of the charter signed it."""

    at: int
    body: bytes
    headers: Headers


class Attack(NamedTuple):
    """What the attacker does, from when on (ms), and the records of the whole history in the order of reception."""

    name: str
    at: int
    records: list[Sent]


class Service:
    """One incarnation of a service: an emitter, the key that it signs with, and how it writes times."""

    def __init__(self, rng: random.Random, name: str, signer: Signer, first: int = 1) -> None:
        self.rng, self.signer = rng, signer
        self.emitter = Emitter(name, "p", first=first)
        self.skew = rng.choice([0, 0, 0, -90 * SECOND, 60 * SECOND])  # of its clock
        self.offset = timezone(timedelta(hours=rng.choice([0, 1, 2])))  # local time; changes with summer time

    def events(self, at: int) -> list[Envelope]:
        """What it reports in one second."""
        emit, now, rng = self.emitter, at + self.skew, self.rng
        kinds: list[Callable[[], Envelope]] = [
            lambda: emit.exposure(now, 10.0),
            lambda: emit.exposure(now, 10.0),
            lambda: emit.complaint(now - rng.choice([0, 60 * SECOND])),
            lambda: emit.outcomes(now),
        ]
        made = [emit.heartbeat(now), *(rng.choice(kinds)() for _ in range(rng.choice([0, 1, 3, 12])))]
        if rng.random() < 0.05:
            made.append(emit.exposure_corrected(now, -5.0))
        return [msgspec.structs.replace(event, time=event.time.astimezone(self.offset)) for event in made]

    def record(self, at: int, events: list[Envelope] | None = None) -> Sent:
        """One record of it, signed."""
        body = packed(self.events(at) if events is None else events)
        return Sent(at, body, signature(body, self.signer))


class History:
    """An honest history of 24 seconds from `start` (ms) on: two replicas, restarts, spools that are adopted, a rotation
    of the firm's key, records that are resent and that arrive out of order, times across a change to summer time."""

    SECONDS = 24

    def __init__(self, seed: int, start: int) -> None:
        self.rng = random.Random(seed)
        self.start, self.key, self.starts = start, FIRM, 0
        self.replicas = [self.incarnation("a"), self.incarnation("b")]
        self.records: list[Sent] = []

    def incarnation(self, replica: str) -> Service:
        self.starts += 1
        return Service(self.rng, f"svc/{replica}/{self.starts}", self.key)

    def seconds(self, first: int, last: int) -> Iterator[int]:
        """Tell the honest story second by second; yields each time (ms) after its records were made."""
        for second in range(first, last):
            at = self.start + second * SECOND
            for place, service in enumerate(self.replicas):
                record = service.record(at + self.rng.randrange(300))
                self.records += self.delivered(record)
                if self.rng.random() < 0.05:
                    self.replicas[place] = self.restarted(service, at, "ab"[place])
            if self.rng.random() < 0.05:
                for service in self.replicas:  # the hour changes
                    service.offset = timezone(timedelta(hours=self.rng.choice([1, 2])))
            yield at

    def delivered(self, record: Sent) -> list[Sent]:
        """A record as it arrives: at once, later than its successor, or twice."""
        chance = self.rng.random()
        if chance < 0.05:
            return [record._replace(at=record.at + self.rng.choice([1_200, 2_400]))]
        if chance < 0.10:
            return [record, record._replace(at=record.at + self.rng.choice([10, 2_000, 20_000]))]
        return [record]

    def restarted(self, service: Service, at: int, replica: str) -> Service:
        """The service crashed: its last events wait in the spool, which the next incarnation sends with its key; of one
        record it is unknown whether it arrived, so it is resent."""
        if self.rng.random() < 0.5:
            self.key = NEXT  # the keys are rotated with a restart, and never back
        waiting = [*service.events(at + 300), *service.events(at + 400)]
        half = len(waiting) // 2
        if half and self.rng.random() < 0.5:
            self.records.append(service.record(at + 500, waiting[:half]))
        new = self.incarnation(replica)
        adopted = packed(waiting)
        self.records.append(Sent(at + 2_000, adopted, signature(adopted, new.signer)))
        return new

    def honest(self) -> list[Sent]:
        """The whole honest history in the order of reception."""
        for _ in self.seconds(0, self.SECONDS):
            pass
        return sorted(self.records, key=lambda record: record.at)

    def attacked(self, name: str) -> Attack:
        """The history with one attack in its second half, which lasts until the end."""
        begin = self.rng.randrange(self.SECONDS // 3, self.SECONDS // 2)
        for _ in self.seconds(0, begin):
            pass
        victim = self.rng.choice(self.replicas)
        victim.skew = 0
        if victim.emitter.next == 1:
            self.records.append(victim.record(self.start + begin * SECOND - 1))
        attack = ATTACKS[name](self, victim, self.start + begin * SECOND)
        for at in self.seconds(begin, begin + 8):
            self.records += attack(at + 500)
        return Attack(name, self.start + begin * SECOND + 500, sorted(self.records, key=lambda record: record.at))


Step = Callable[[int], list[Sent]]  # the records that an attacker sends at a time (ms)


def _copy(history: History, victim: Service, first: int, signer: Signer) -> Service:
    """Another emitter under the victim's source, from number `first` on."""
    made = Service(history.rng, victim.emitter.source, signer, max(first, 1))
    made.skew = 0
    return made


def fork(history: History, victim: Service, at: int) -> Step:
    """A second emitter goes on under the same source with the same key, as a cloned machine does."""
    twin = _copy(history, victim, victim.emitter.next, victim.signer)
    return lambda now: [twin.record(now)]


def rollback(history: History, victim: Service, at: int) -> Step:
    """The service is restored from a snapshot: its numbers go on from an earlier one, and what it was is gone."""
    back = history.rng.choice([1, 5, 40, 10_000])
    old = _copy(history, victim, victim.emitter.next - back, victim.signer)
    history.replicas = [service for service in history.replicas if service is not victim]
    return lambda now: [old.record(now)]


def gap(history: History, victim: Service, at: int) -> Step:
    """Events are held back: their numbers never come."""
    victim.emitter.skip(history.rng.choice([1, 3, 5_000]))
    return lambda now: []


def lost_source(history: History, victim: Service, at: int) -> Step:
    """The first events of a source are held back."""
    late = Service(history.rng, "svc/late", history.key, history.rng.choice([2, 30]))
    late.skew = 0
    return lambda now: [late.record(now)]


def squat(history: History, victim: Service, at: int) -> Step:
    """A stranger uses up the victim's next numbers, as read from the permits."""
    signer = history.rng.choice([None, STRANGER, RIVAL])

    def step(now: int) -> list[Sent]:
        made = _copy(history, victim, victim.emitter.next, FIRM)
        body = packed(made.events(now))
        return [Sent(now, body, signature(body, signer))]

    return step


def downgrade_unsigned(history: History, victim: Service, at: int) -> Step:
    """A service that signed sends without a signature."""
    victim.signer = None  # type: ignore[assignment]
    return lambda now: []


def downgrade_old_key(history: History, victim: Service, at: int) -> Step:
    """After the rotation the source is continued with the old key."""
    history.key = victim.signer = NEXT
    history.records.append(victim.record(at))

    def step(now: int) -> list[Sent]:
        made = _copy(history, victim, victim.emitter.next + 1_000, FIRM)
        return [made.record(now)]

    return step


def downgrade_schema(history: History, victim: Service, at: int) -> Step:
    """An older form of the envelope, or one whose attributes the signature does not cover."""

    def step(now: int) -> list[Sent]:
        made = _copy(history, victim, victim.emitter.next, FIRM)
        event = made.emitter.exposure(now)
        if history.rng.random() < 0.5:
            body = packed([event]).replace(b'"specversion":"1.0"', b'"specversion":"0.3"')
            return [Sent(now, body, signature(body, FIRM))]
        data = msgspec.json.encode(event.data)
        fields = {**msgspec.to_builtins(event), "type": "sandbox.exposure.tallied"}
        names = ("specversion", "id", "source", "subject", "time", "sequence", "type")
        headers = tuple((f"ce_{name}", str(fields[name]).encode()) for name in names)
        return [Sent(now, data, (*headers, *signature(data, FIRM)))]

    return step


def hidden_death(history: History, victim: Service, at: int) -> Step:
    """A death is reported under a number that another event has used up, with the firm's key."""
    done: list[bool] = []

    def step(now: int) -> list[Sent]:
        if done:
            return []
        done.append(True)
        back = history.rng.choice([1, 2, 30, 5_000])
        made = Emitter(victim.emitter.source, "p", first=max(1, victim.emitter.next - back))
        body = packed([made.incident(as_instant(now), Severity.SERIOUS_INCIDENT, Harm.DEATH, "i-1")])
        return [Sent(now, body, signature(body, victim.signer))]

    return step


ATTACKS: dict[str, Callable[[History, Service, int], Step]] = {
    each.__name__: each
    for each in (
        fork,
        rollback,
        gap,
        lost_source,
        squat,
        downgrade_unsigned,
        downgrade_old_key,
        downgrade_schema,
        hidden_death,
    )
}
