"""The time journal: time advances only where telemetry has been read to its end."""

from __future__ import annotations

import asyncio

from monitor.kafka.interfaces import TelemetryProgress
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.time_journal import CLOSE_ENOUGH_S, TIMER_EVERY_S, TimeJournal
from monitor.kafka.topics import TopicNames
from monitor.testing.clock import MovingClock
from monitor.testing.fake_consumer import FakeConsumer, MemoryCluster

NAMES = TopicNames("sandbox")
(TELEMETRY,) = NAMES.telemetry
EVERY = 10.0


class Story:
    """A journal of one partition; `written` are the times (ms) of its entries. It is its own runner."""

    def __init__(self) -> None:
        self.clock = MovingClock(1_000_000)
        self.cluster = MemoryCluster(NAMES, clock=self.clock)
        self.consumer = FakeConsumer(self.cluster)
        self.consumer.assign({(TELEMETRY, 0): 0})
        self.log = self.cluster.open_log(WorkerSettings(), 0, 1)
        self.written: list[int] = []
        self.late: list[float] = []
        self.notify_at: int | None = None
        self.active = True
        self.journal = TimeJournal(
            self,
            EVERY,
            now_ms=self.log.clock,
            monotonic=lambda: self.clock.now / 1000,
            fired=self.late.append,
        )

    async def time(self) -> None:
        """What a runner does: append an entry, after which its timers are served."""
        self.written.append(self.clock.now)
        self.notify_at = None

    async def look(self) -> bool:
        return await self.journal.write_if_due(TelemetryProgress(self.consumer, self.log), lambda: self.active)


def test_an_idle_partition_writes_the_time_every_so_often() -> None:
    """The first entry comes at once, the next after the interval, none in between."""

    async def story() -> None:
        s = Story()
        assert await s.look()
        s.clock.advance(9_999)
        assert not await s.look()
        s.clock.advance(1)
        assert await s.look()
        assert s.written == [1_000_000, 1_010_000]
        assert s.late == []

    asyncio.run(story())


def test_a_due_timer_is_served_before_the_interval_is_over() -> None:
    """How late it fired is reported; timers that are due one after another are served every tenth of a second."""

    async def story() -> None:
        s = Story()
        await s.look()
        s.notify_at = s.clock.now + 2_000
        assert s.journal.wait() == 2.0
        s.clock.advance(2_250)
        assert s.journal.wait() == -0.25
        assert await s.look()
        assert s.late == [0.25]
        assert s.journal.wait() is None
        s.notify_at = s.clock.now
        assert not await s.look()
        s.clock.advance(round(TIMER_EVERY_S * 1000))
        assert await s.look()

    asyncio.run(story())


def test_a_backlog_is_not_silence() -> None:
    """While telemetry is not read to its end no time is written, however long that takes."""

    async def story() -> None:
        s = Story()
        s.cluster.append(TELEMETRY, b"{}")
        for _ in range(20):
            assert not await s.look()
            s.clock.advance(1_000)
        await s.consumer.records(0)
        assert await s.look()

    asyncio.run(story())


def test_ends_that_were_reached_too_late_are_asked_for_again() -> None:
    """Reaching ends that are older than half a second proves nothing: more may have arrived since."""

    async def story() -> None:
        s = Story()
        s.cluster.append(TELEMETRY, b"{}")
        assert not await s.look()  # the ends are asked for: 1
        s.cluster.append(TELEMETRY, b"{}")
        s.consumer.skip_to((TELEMETRY, 0), 1)
        s.clock.advance(round(CLOSE_ENOUGH_S * 1000) + 1)
        assert not await s.look()  # asked again: 2
        s.cluster.append(TELEMETRY, b"{}")
        s.consumer.skip_to((TELEMETRY, 0), 2)
        s.clock.advance(round(CLOSE_ENOUGH_S * 1000))
        assert await s.look()  # reached in time, although a third record has arrived

    asyncio.run(story())


def test_ends_are_forgotten_where_no_entry_is_due() -> None:
    """Ends asked for before an entry prove nothing for the next one."""

    async def story() -> None:
        s = Story()
        s.cluster.append(TELEMETRY, b"{}")
        assert not await s.look()
        await s.consumer.records(0)
        assert await s.look()
        s.cluster.append(TELEMETRY, b"{}")
        assert not await s.look()
        s.clock.advance(10_000)
        assert not await s.look()

    asyncio.run(story())


def test_a_partition_that_is_no_longer_active_writes_no_time() -> None:
    """A rebalance that begins while positions are asked for leaves the entry to the next owner."""

    async def story() -> None:
        s = Story()
        s.active = False
        assert not await s.look()
        assert s.written == []
        s.active = True
        assert await s.look()

    asyncio.run(story())
