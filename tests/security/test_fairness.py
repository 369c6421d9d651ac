"""One firm's flood delays no other firm: with a topic per participant, topics are stepped in short turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest

from monitor.kafka.settings import WorkerSettings
from monitor.kafka.turns import TURN_S
from monitor.kafka.worker import PartitionWorkers
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity, encode
from monitor.model.records import Level, Outputs
from monitor.simulation.fleet import Fleet
from monitor.testing.clock import MovingClock
from monitor.testing.fake_consumer import FakeConsumer, MemoryCluster, fake_host
from tests.security.goals import Goal

START = 1_767_571_200_000
FLEET = Fleet(3, pilots=12, scenarios=["calm"], start=START, hours=1, period="1h")
FIRMS = {FLEET.admission(pilot).charter.participant.id: pilot for pilot in FLEET.pilots}
HOSTILE, HONEST, *MORE = FIRMS.values()


class Story:
    """A worker on topics of one firm per pilot, on a clock that moves by 10 ms whenever it is read."""

    def __init__(self, pilots: Sequence[str] = (HOSTILE, HONEST)) -> None:
        firms = {pilot: FLEET.admission(pilot).charter.participant.id for pilot in pilots}
        assert len(set(firms.values())) == len(pilots)
        self.pilots = pilots
        self.settings = WorkerSettings(participants=tuple(sorted(firms.values())), per_participant=True)
        self.topic = {pilot: f"{self.settings.prefix}.telemetry.{firm}" for pilot, firm in firms.items()}
        self.clock = MovingClock(START)
        self.cluster = MemoryCluster(self.settings.names, 1, self.clock)
        self.consumer = FakeConsumer(self.cluster, most=20_000)
        self.outputs: list[Outputs] = []
        self._ticks = 0
        host = msgspec.structs.replace(fake_host(self.clock), monotonic=self._monotonic)
        self.workers = PartitionWorkers(
            self.settings,
            lambda: self.consumer,
            on_outputs=self.outputs.append,
            host=host,
            open_log=self.cluster.open_log,
        )

    def _monotonic(self) -> float:
        self._ticks += 1
        return self._ticks / 100

    async def begin(self) -> None:
        """Claim, and admit all pilots."""
        self.consumer.assign(await self.workers.claim(self.cluster.all_partitions(), self.consumer.generation))
        for pilot in self.pilots:
            act = msgspec.json.encode(FLEET.admission(pilot))
            self.cluster.append(self.settings.names.control, act, key=pilot.encode())
        await self.drain(self.consumer.idle)
        await self.drain(self.consumer.idle)

    async def drain(self, ending: Callable[[], bool]) -> None:
        """Run until `ending()`."""
        await self.workers.drain(self.consumer, lambda: ending() and not self.workers.delivering)

    def append(self, pilot: str, value: bytes) -> None:
        self.cluster.append(self.topic[pilot], value, key=pilot.encode())

    def halted(self, pilot: str) -> bool:
        return any(d.pilot == pilot and d.level is Level.HALT for out in self.outputs for d in out.decisions)


def deaths(pilot: str, source: str, count: int) -> list[bytes]:
    """Reports of harm, each of which is a decision: the most expensive events."""
    emitter = Emitter(source, pilot)
    return [encode(emitter.incident(START, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)) for _ in range(count)]


def test_a_halt_does_not_wait_for_the_end_of_another_firms_flood(goal: Goal) -> None:
    """While 2,000 events of one firm are stepped, in one record as in many, another firm's halt is written within a few
    turns, and nothing of the flood is lost, doubled or reordered."""

    async def story(packed: bool) -> int:
        s = Story()
        await s.begin()
        flood = deaths(HOSTILE, "s/flood", 2_000)
        for value in [b"[" + b",".join(flood) + b"]"] if packed else flood:
            s.append(HOSTILE, value)
        polls, sent_at, seen_at = len(s.consumer.polls), 0, 0

        def look() -> None:
            nonlocal sent_at, seen_at
            if not sent_at and s.workers.delivering:
                s.append(HONEST, deaths(HONEST, "s/1", 1)[0])
                sent_at = len(s.consumer.polls)
            elif sent_at and not seen_at and s.halted(HONEST):
                seen_at = len(s.consumer.polls)
                assert s.workers.delivering, "the flood had ended before the halt"

        s.consumer.on_poll(look)
        await s.drain(s.consumer.idle)
        assert len(s.consumer.polls) - polls > 20
        mine = [d for out in s.outputs for d in out.decisions if d.pilot == HOSTILE and d.cause.startswith("event:")]
        numbers = [int(d.cause.partition("#")[2].partition("/")[0]) for d in mine]
        assert numbers == sorted(numbers)
        assert set(numbers) == set(range(1, 2_001))
        assert len({d.id for d in mine}) == len(mine)
        return seen_at - sent_at

    for packed in (True, False):
        turns = asyncio.run(story(packed))
        goal(f"fairness-turns-before-a-halt-{'packed' if packed else 'single'}", turns, 8, note=f"of {TURN_S} s")


@pytest.mark.parametrize("firms", [1, 5])
def test_acts_and_time_are_not_starved_by_a_flood(firms: int, goal: Goal) -> None:
    """However many firms flood their topics, deliveries all end within a bounded time, and what waited for that is
    journalled: an act, and with it a checkpoint."""

    async def story() -> float:
        pilots = (HOSTILE, HONEST, *MORE)[:firms]
        s = Story(pilots)
        quiet = next(pilot for pilot in FLEET.pilots if pilot not in pilots)
        await s.begin()
        floods = {pilot: iter(deaths(pilot, "s/flood", 4_000)) for pilot in pilots}
        written = len(s.cluster.store.journal())
        waited, began = [], s._ticks

        def send() -> None:
            nonlocal written, began
            for pilot, flood in floods.items():
                if (s.topic[pilot], 0) not in s.workers._turns.open:
                    for _ in range(10):
                        s.append(pilot, next(flood))
            s.clock.now += 20
            if len(s.cluster.store.journal()) > written:
                waited.append((s._ticks - began) / 100)
                written, began = len(s.cluster.store.journal()), s._ticks
            if not s.workers.ownership.owned[0].gate.waiting:
                act = msgspec.json.encode(FLEET.admission(quiet))
                s.cluster.append(s.settings.names.control, act, key=quiet.encode())

        s.consumer.on_poll(send)
        left = iter(range(200))
        await s.workers.drain(s.consumer, lambda: next(left, None) is None)
        assert all(next(flood, None) is not None for flood in floods.values()), "the flood went on"
        assert len(waited) > 2
        return max(*waited, (s._ticks - began) / 100)

    goal(
        f"fairness-longest-wait-for-an-act-{firms}-floods", asyncio.run(story()), 1.0 + firms, note="s of virtual time"
    )


def test_an_orderly_stop_ends_what_has_begun() -> None:
    """A stop in the middle of a delivery finishes it before the checkpoint, and the next owner emits nothing again."""

    async def story() -> None:
        s = Story()
        await s.begin()
        for value in deaths(HOSTILE, "s/flood", 1_000):
            s.append(HOSTILE, value)

        def stop() -> None:
            if s.workers.delivering:
                s.workers.ownership.leaving = True

        s.consumer.on_poll(stop)
        await s.workers.drain(s.consumer, lambda: False)
        assert s.workers.delivering
        await s.workers.leave()
        assert not s.workers.delivering
        before = [d.id for out in s.outputs for d in out.decisions]
        again = Story()
        again.cluster = s.cluster
        consumer = FakeConsumer(s.cluster)
        workers = PartitionWorkers(
            s.settings,
            lambda: consumer,
            on_outputs=s.outputs.append,
            host=fake_host(s.clock),
            open_log=s.cluster.open_log,
        )
        consumer.assign(await workers.claim(s.cluster.all_partitions(), consumer.generation))
        await workers.drain(consumer, consumer.idle)
        after = [d.id for out in s.outputs for d in out.decisions]
        assert after[: len(before)] == before
        assert len(set(after)) == len(after)

    asyncio.run(story())
