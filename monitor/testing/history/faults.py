"""Faults of workers during a workload: one method for each kind."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from monitor.testing.fork_server import Child
from monitor.testing.history.contents import lose_state
from monitor.testing.history.parts import WorkerSlot
from monitor.testing.history.plan import WRITING

if TYPE_CHECKING:
    from monitor.testing.history.kafka_history import KafkaHistory

LIFE_S = 6.0  # a worker that has not reached its failpoint by then is unlikely to
SPENT_S = 25.0  # how long a history waits for its remaining failpoints


class Faults:
    """The faults of one history. Each ends by itself; while there is more to come, each goes on until the workload is
    told."""

    def __init__(self, history: KafkaHistory) -> None:
        self.history = history
        self.landings = 0

    async def _land(self) -> None:
        """Send control and telemetry at this moment of the owner's protocol."""
        self.landings += 1
        items = self.history.workload.landing(self.landings)
        if self.history.rng.random() < 0.8:
            await self.history.send(items)

    def by_kind(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Kind -> what is done while the workload goes on."""
        kill = partial(self._hits, signal.SIGKILL, 0.4)
        return {
            "point": self._point,
            "kill": kill,
            "term": partial(self._hits, signal.SIGTERM, 0.8),
            "zombie": self._zombie,
            "storm": self._storm,
            "join": self._join,
            "commit": self._network,
            "send": self._network,
            "slow": self._slow,
            "forgot": self._forgot,
            "compacted": kill,
            "clock": self._clock,
        }

    async def _point(self) -> None:
        slot = self.history.slots["w0"]
        reached, began = 0, time.monotonic()
        while self.history.faulting:
            await asyncio.sleep(0.02)
            if len(slot.codes) > reached:
                reached, began = len(slot.codes), time.monotonic()
                await self._land()
            elif (
                slot.armed and time.monotonic() - began > LIFE_S
            ):  # it does not come to its place: the next life has another
                slot.armed = ""
                self.history.hit(slot, signal.SIGKILL)
            elif slot.child is not None and slot.lives == reached + 1:
                await self._provoke(slot)

    async def spent(self) -> None:
        """Wait until the first worker has passed all its failpoints, while sending more control and telemetry."""
        slot, end = self.history.slots["w0"], time.monotonic() + SPENT_S
        while (slot.points or slot.armed) and time.monotonic() < end:
            await self._land()
            await asyncio.sleep(0.4)

    async def _provoke(self, slot: WorkerSlot) -> None:
        """Some failpoints need an outside event: cause it once per process."""
        point = (
            self.history.plan.points[slot.lives - 1].split(":")[0]
            if slot.lives <= len(self.history.plan.points)
            else ""
        )
        if point == "leaving":
            await asyncio.sleep(self.history.rng.uniform(0.3, 0.8) + (2.0 if slot.lives == 1 else 1.0))
            self.history.hit(slot, signal.SIGTERM)
            await asyncio.sleep(0.5)
        elif point == "revoking" and "guest" not in self.history.slots:
            await asyncio.sleep(2.0)
            guest = self.history.start("guest")
            with contextlib.suppress(TimeoutError):
                assert slot.child is not None
                await slot.child.exited(6)
            await self.history.leave(guest, signal.SIGKILL)

    async def _hits(self, how: signal.Signals, least: float) -> None:
        """Signal a random worker repeatedly, with pauses of `least` to 2.5 s."""
        while self.history.faulting:
            await asyncio.sleep(self.history.rng.uniform(least, 2.5))
            if self.history.faulting and self.history.hit(
                self.history.rng.choice(list(self.history.slots.values())), how
            ):
                await self._land()

    async def _frozen_at_point(self, slot: WorkerSlot, timeout: float = 12.0) -> Child | None:
        """Wait until the worker is stopped at its failpoint."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and (self.history.faulting or slot.lives == 1):
            if slot.child is not None and slot.child.stopped:
                self.history.report.stops += 1
                return slot.child
            await asyncio.sleep(0.02)
        return None

    async def _zombie(self) -> None:
        slot = self.history.slots["w0"]
        frozen = await self._frozen_at_point(slot)
        if frozen is None:
            return
        successor = self.history.start("w1")
        await self._land()
        assert successor.task is not None
        owned = await self._owns_something(successor, 60)
        await self._land()
        await asyncio.sleep(self.history.rng.uniform(0.0, 0.6))
        frozen.signal(signal.SIGCONT)
        if owned and self.history.plan.points[0].split(":")[0] in WRITING:
            self.history.report.resumed += 1
            with contextlib.suppress(TimeoutError):
                self.history.report.fenced += await frozen.exited(60) == 1

    async def _owns_something(self, slot: WorkerSlot, timeout: float) -> bool:
        """Wait until the worker of a slot has logged a claim; returns whether it has."""
        log, deadline = self.history.home / f"{slot.name}.log", time.monotonic() + timeout
        while time.monotonic() < deadline:
            if log.exists() and b"partition.claimed" in log.read_bytes():
                return True
            await asyncio.sleep(0.05)
        return False

    async def _storm(self) -> None:
        alive = {"w0", "w1"}
        while self.history.faulting:
            await asyncio.sleep(self.history.rng.uniform(0.2, 1.5))
            name = self.history.rng.choice(("w0", "w1", "w2"))
            how = self.history.rng.choice((signal.SIGTERM, signal.SIGKILL))
            if name not in alive:
                self.history.start(name)
                alive.add(name)
            elif len(alive) > 1 and self.history.rng.random() < 0.6:
                alive.discard(name)
                await self.history.leave(self.history.slots[name], how)
            else:
                self.history.hit(self.history.slots[name], how)
            await self._land()

    async def _join(self) -> None:
        slot = self.history.slots["w0"]
        frozen = await self._frozen_at_point(slot)
        self.history.start("w1")
        await self._land()
        await asyncio.sleep(self.history.rng.uniform(0.1, 1.2))
        if frozen is not None:
            frozen.signal(signal.SIGCONT)
        await asyncio.sleep(self.history.rng.uniform(0.5, 2.0))
        if self.history.rng.random() < 0.5:
            self.history.hit(self.history.slots["w1"], self.history.rng.choice((signal.SIGTERM, signal.SIGKILL)))
            await self._land()

    async def _network(self) -> None:
        frozen = await self._frozen_at_point(self.history.slots["w0"])
        if frozen is None:
            return
        await self._land()
        await self._outage(self.history.rng.choice(("cut", "mute")), self.history.rng.uniform(0.3, 4.0), frozen)

    async def _outage(self, mode: str, seconds: float, frozen: Child | None = None) -> None:
        for proxy in self.history.route.proxies:
            proxy.set(mode)  # type: ignore[arg-type]
        if frozen is not None:
            frozen.signal(signal.SIGCONT)
        await asyncio.sleep(seconds)
        await self._land()
        for proxy in self.history.route.proxies:
            proxy.set("pass")

    async def _slow(self) -> None:
        while self.history.faulting:
            delay = self.history.rng.choice((0.0, 0.02, 0.1, 0.3))
            for proxy in self.history.route.proxies:
                proxy.delay = delay
            await asyncio.sleep(self.history.rng.uniform(0.3, 1.0))
        for proxy in self.history.route.proxies:
            proxy.delay = 0.0

    async def _clock(self) -> None:
        slot = self.history.slots["w0"]
        while self.history.faulting:
            slot.clocks = [self.history.rng.choice((-3_600_000, 3_600_000))]
            await asyncio.sleep(self.history.rng.uniform(1.5, 2.5))
            if self.history.faulting and self.history.hit(
                slot, self.history.rng.choice((signal.SIGKILL, signal.SIGTERM))
            ):
                await self._land()

    async def _forgot(self) -> None:
        history = self.history
        await asyncio.sleep(self.history.rng.uniform(2.0, 3.5))
        for slot in list(self.history.slots.values()):
            await self.history.leave(slot, signal.SIGKILL)
        await self._land()
        await lose_state(history.route.direct, history.names, history.topics(), history.rng)
        for name in list(self.history.slots):
            self.history.start(name)
