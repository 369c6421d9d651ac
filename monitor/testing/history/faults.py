"""What goes wrong while a story goes on: one method for each kind of fault that meets the workers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from monitor.testing.fork_server import Child
from monitor.testing.history.parts import Slot
from monitor.testing.history.plan import WRITING
from monitor.testing.history.standing import lose_state

if TYPE_CHECKING:
    from monitor.testing.history.live import Live

LIFE_S = 6.0  # a worker that has not come to its labelled place by then will hardly do so
SPENT_S = 25.0  # the longest that a history waits for the places that are left


class Faults:
    """The faults of one history. Each ends by itself; while there is more to come, each goes on until the story is
    told."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.landings = 0

    async def _land(self) -> None:
        """Control and telemetry now, wherever the owner stands."""
        self.landings += 1
        items = self.live.story.landing(self.landings)
        if self.live.rng.random() < 0.8:
            await self.live.send(items)

    def by_kind(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Kind -> what is done while the story goes on."""
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
        slot = self.live.slots["w0"]
        reached, began = 0, time.monotonic()
        while self.live.faulting:
            await asyncio.sleep(0.02)
            if len(slot.codes) > reached:
                reached, began = len(slot.codes), time.monotonic()
                await self._land()
            elif (
                slot.armed and time.monotonic() - began > LIFE_S
            ):  # it does not come to its place: the next life has another
                slot.armed = ""
                self.live.hit(slot, signal.SIGKILL)
            elif slot.child is not None and slot.lives == reached + 1:
                await self._provoke(slot)

    async def spent(self) -> None:
        """Wait until the first worker has come to all its places; more control and telemetry come meanwhile."""
        slot, end = self.live.slots["w0"], time.monotonic() + SPENT_S
        while (slot.points or slot.armed) and time.monotonic() < end:
            await self._land()
            await asyncio.sleep(0.4)

    async def _provoke(self, slot: Slot) -> None:
        """Some places are only passed when something else happens: let it happen once per life."""
        point = self.live.plan.points[slot.lives - 1].split(":")[0] if slot.lives <= len(self.live.plan.points) else ""
        if point == "leaving":
            await asyncio.sleep(self.live.rng.uniform(0.3, 0.8) + (2.0 if slot.lives == 1 else 1.0))
            self.live.hit(slot, signal.SIGTERM)
            await asyncio.sleep(0.5)
        elif point == "revoking" and "guest" not in self.live.slots:
            await asyncio.sleep(2.0)
            guest = self.live.start("guest")
            with contextlib.suppress(TimeoutError):
                assert slot.child is not None
                await slot.child.gone(6)
            await self.live.leave(guest, signal.SIGKILL)

    async def _hits(self, how: signal.Signals, least: float) -> None:
        """Any worker, again and again, with pauses of `least` to 2.5 s."""
        while self.live.faulting:
            await asyncio.sleep(self.live.rng.uniform(least, 2.5))
            if self.live.faulting and self.live.hit(self.live.rng.choice(list(self.live.slots.values())), how):
                await self._land()

    async def _frozen_at_point(self, slot: Slot, timeout: float = 12.0) -> Child | None:
        """Wait until the worker is stopped at its failpoint."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and (self.live.faulting or slot.lives == 1):
            if slot.child is not None and slot.child.stopped:
                self.live.report.stops += 1
                return slot.child
            await asyncio.sleep(0.02)
        return None

    async def _zombie(self) -> None:
        slot = self.live.slots["w0"]
        frozen = await self._frozen_at_point(slot)
        if frozen is None:
            return
        heir = self.live.start("w1")
        await self._land()
        assert heir.task is not None
        await self._owns_something(heir, 20)
        await self._land()
        await asyncio.sleep(self.live.rng.uniform(0.0, 0.6))
        frozen.signal(signal.SIGCONT)
        if self.live.plan.points[0].split(":")[0] in WRITING:
            self.live.report.woken += 1
            with contextlib.suppress(TimeoutError):
                self.live.report.fenced += await frozen.gone(15) == 1

    async def _owns_something(self, slot: Slot, timeout: float) -> None:
        """Wait until the log of a slot's worker says that it owns something."""
        log, deadline = self.live.home / f"{slot.name}.log", time.monotonic() + timeout
        while time.monotonic() < deadline:
            if log.exists() and b"partition.claimed" in log.read_bytes():
                return
            await asyncio.sleep(0.05)

    async def _storm(self) -> None:
        alive = {"w0", "w1"}
        while self.live.faulting:
            await asyncio.sleep(self.live.rng.uniform(0.2, 1.5))
            name = self.live.rng.choice(("w0", "w1", "w2"))
            how = self.live.rng.choice((signal.SIGTERM, signal.SIGKILL))
            if name not in alive:
                self.live.start(name)
                alive.add(name)
            elif len(alive) > 1 and self.live.rng.random() < 0.6:
                alive.discard(name)
                await self.live.leave(self.live.slots[name], how)
            else:
                self.live.hit(self.live.slots[name], how)
            await self._land()

    async def _join(self) -> None:
        slot = self.live.slots["w0"]
        frozen = await self._frozen_at_point(slot)
        self.live.start("w1")
        await self._land()
        await asyncio.sleep(self.live.rng.uniform(0.1, 1.2))
        if frozen is not None:
            frozen.signal(signal.SIGCONT)
        await asyncio.sleep(self.live.rng.uniform(0.5, 2.0))
        if self.live.rng.random() < 0.5:
            self.live.hit(self.live.slots["w1"], self.live.rng.choice((signal.SIGTERM, signal.SIGKILL)))
            await self._land()

    async def _network(self) -> None:
        frozen = await self._frozen_at_point(self.live.slots["w0"])
        if frozen is None:
            return
        await self._land()
        await self._outage(self.live.rng.choice(("cut", "mute")), self.live.rng.uniform(0.3, 4.0), frozen)

    async def _outage(self, mode: str, seconds: float, frozen: Child | None = None) -> None:
        for proxy in self.live.lane.proxies:
            proxy.set(mode)  # type: ignore[arg-type]
        if frozen is not None:
            frozen.signal(signal.SIGCONT)
        await asyncio.sleep(seconds)
        await self._land()
        for proxy in self.live.lane.proxies:
            proxy.set("pass")

    async def _slow(self) -> None:
        while self.live.faulting:
            delay = self.live.rng.choice((0.0, 0.02, 0.1, 0.3))
            for proxy in self.live.lane.proxies:
                proxy.delay = delay
            await asyncio.sleep(self.live.rng.uniform(0.3, 1.0))
        for proxy in self.live.lane.proxies:
            proxy.delay = 0.0

    async def _clock(self) -> None:
        slot = self.live.slots["w0"]
        while self.live.faulting:
            slot.clocks = [self.live.rng.choice((-3_600_000, 3_600_000))]
            await asyncio.sleep(self.live.rng.uniform(1.5, 2.5))
            if self.live.faulting and self.live.hit(slot, self.live.rng.choice((signal.SIGKILL, signal.SIGTERM))):
                await self._land()

    async def _forgot(self) -> None:
        live = self.live
        await asyncio.sleep(self.live.rng.uniform(2.0, 3.5))
        for slot in list(self.live.slots.values()):
            await self.live.leave(slot, signal.SIGKILL)
        await self._land()
        await lose_state(live.lane.direct, live.names, live.topics(), live.rng)
        for name in list(self.live.slots):
            self.live.start(name)
