"""The control gate: acts wait for the telemetry that precedes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from monitor.kafka.control_gate import ControlGate
from monitor.kafka.interfaces import TelemetryProgress
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.topics import TopicNames
from monitor.model.records import Record
from monitor.testing.fake_consumer import FakeConsumer, MemoryCluster

NAMES = TopicNames("sandbox")
(TELEMETRY,) = NAMES.telemetry


class Story:
    """A gate before a cluster; `stepped` are the offsets that were let through, one list for each journal entry."""

    def __init__(self, limit: int = 3) -> None:
        self.cluster = MemoryCluster(NAMES)
        self.consumer = FakeConsumer(self.cluster)
        self.consumer.assign({(TELEMETRY, 0): 0, (NAMES.control, 0): 0})
        self.log = self.cluster.open_log(WorkerSettings(), 0, 1)
        self.stepped: list[list[int]] = []
        self.gate = ControlGate(self.step, limit)
        self.active = True

    async def step(self, records: Sequence[Record]) -> None:
        self.stepped.append([record.offset for record in records])

    def act(self) -> list[Record]:
        """One act on control."""
        offset = self.cluster.append(NAMES.control, b"{}")
        return [Record(offset, 0, b"p", b"{}")]

    async def release(self) -> None:
        await self.gate.release(TelemetryProgress(self.consumer, self.log), lambda: self.active)

    async def fetch(self) -> None:
        await self.consumer.records(0)


def test_an_act_waits_for_the_telemetry_that_was_in_the_log_when_it_was_read() -> None:
    """A backlog is stepped first, and telemetry that arrives later does not hold the act up."""

    async def story() -> None:
        s = Story()
        s.cluster.append(TELEMETRY, b"{}")
        s.gate.hold(s.act())
        await s.release()
        assert s.stepped == []
        assert s.gate.waiting
        s.cluster.append(TELEMETRY, b"{}")  # after the barrier was set
        s.consumer.skip_to((TELEMETRY, 0), 1)
        await s.release()
        assert s.stepped == [[0]]
        assert not s.gate.waiting

    asyncio.run(story())


def test_acts_that_arrive_behind_a_barrier_wait_for_the_next_one() -> None:
    """Each group of acts has the barrier that was asked for after it was read."""

    async def story() -> None:
        s = Story()
        s.cluster.append(TELEMETRY, b"{}")
        s.gate.hold(s.act())
        await s.release()
        s.cluster.append(TELEMETRY, b"{}")
        s.gate.hold(s.act())
        s.consumer.skip_to((TELEMETRY, 0), 1)
        await s.release()
        assert s.stepped == [[0]]
        await s.release()
        assert s.stepped == [[0]]
        s.consumer.skip_to((TELEMETRY, 0), 2)
        await s.release()
        assert s.stepped == [[0], [1]]

    asyncio.run(story())


def test_a_hole_at_the_end_of_telemetry_holds_no_act_up() -> None:
    """A transaction marker has an offset and no record; the position passes it, and the act is released."""

    async def story() -> None:
        s = Story()
        s.cluster.append(TELEMETRY, b"{}")
        s.cluster.leave_hole(TELEMETRY)
        s.gate.hold(s.act())
        await s.fetch()
        await s.fetch()
        await s.release()
        assert s.stepped == [[0]]

    asyncio.run(story())


def test_a_partition_that_is_no_longer_active_steps_no_act() -> None:
    """A rebalance that begins while positions are asked for leaves the acts to the next owner."""

    async def story() -> None:
        s = Story()
        s.gate.hold(s.act())
        s.active = False
        await s.release()
        assert s.stepped == []
        assert len(s.gate.pending_control) == 1

    asyncio.run(story())


def test_an_empty_gate_asks_for_nothing() -> None:
    """Without acts no offsets are asked for: the log would raise here."""

    async def story() -> None:
        s = Story()
        s.log.fail_next(AssertionError("asked"))
        await s.release()
        assert not s.gate.waiting

    asyncio.run(story())


def test_what_does_not_fit_is_read_from_the_log_later() -> None:
    """A full gate discards what is fetched, and reads it from the log from the first offset that was not delivered."""

    async def story() -> None:
        s = Story(limit=2)
        taken = [s.gate.hold(s.act()) for _ in range(4)]
        assert taken == [True, True, False, False]
        assert s.gate.overflowed
        await s.release()
        assert s.stepped == [[0, 1]]
        assert s.gate.waiting  # still overflowed
        missed = await s.gate.read_overflow(s.log.control, 2, 4)
        assert [r.offset for r in missed] == [2, 3]
        assert s.gate.overflowed
        assert await s.gate.read_overflow(s.log.control, 4, 4) == []
        assert not s.gate.waiting

    asyncio.run(story())


def test_an_overflow_of_which_nothing_is_left_is_over() -> None:
    """Offsets without records (markers) end the overflow too."""

    async def story() -> None:
        s = Story()
        s.cluster.leave_hole(NAMES.control, 3)
        s.gate.overflowed = True
        assert await s.gate.read_overflow(s.log.control, 0, 3) == []
        assert not s.gate.overflowed

    asyncio.run(story())
