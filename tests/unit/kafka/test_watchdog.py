"""The watchdog: a worker lives as long as it proves progress."""

from __future__ import annotations

import asyncio

import pytest

from monitor.errors import Unavailable
from monitor.testing.fake_consumer import WorkerAborted
from tests.unit.kafka.worker_story import WorkerStory


def test_a_worker_without_proof_ends_after_the_stall_time() -> None:
    """Not before, and with the time in its message."""

    async def story() -> None:
        s = WorkerStory(stall=20.0)
        s.clock.advance(20_000)
        s.workers.watchdog.abort_if_stalled()
        s.clock.advance(1_000)
        assert s.workers.quiet_for == 21.0
        with pytest.raises(WorkerAborted, match="no progress for 21 s"):
            s.workers.watchdog.abort_if_stalled()

    asyncio.run(story())


def test_a_worker_that_was_assigned_nothing_yet_proves_nothing() -> None:
    """Joining a group that never answers is a stall."""

    async def story() -> None:
        assert not await WorkerStory().workers.watchdog.look()

    asyncio.run(story())


def test_reading_proves_progress_of_a_recovery() -> None:
    """While a partition is recovered each read counts; a recovery that reads nothing proves nothing."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.workers.ownership.claimed = False  # as while it recovers
        watchdog = s.workers.watchdog
        assert await watchdog.look()
        assert not await watchdog.look()
        s.cluster.logs[-1].moves += 1
        assert await watchdog.look()

    asyncio.run(story())


def test_an_idle_partition_proves_progress_by_its_time_entries() -> None:
    """Without lag it may rest between two entries, and no longer."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        watchdog = s.workers.watchdog
        assert await watchdog.look()  # it was recovered
        s.clock.advance(24_000)
        assert await watchdog.look()  # twice the interval and five seconds are not over
        assert s.workers.quiet_for == 0
        s.clock.advance(2_000)
        assert not await watchdog.look()
        await s.drain()  # writes the time
        assert await watchdog.look()

    asyncio.run(story())


def test_lag_without_progress_proves_nothing() -> None:
    """Records wait and nothing is read: not even shortly after the last progress is that work."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        watchdog = s.workers.watchdog
        assert await watchdog.look()
        s.beat(2)
        assert not await watchdog.look()
        assert 'lag_records{partition="0",topic="sandbox.telemetry"} 2.0' in "\n".join(s.metric("lag"))
        await s.drain()
        assert await watchdog.look()

    asyncio.run(story())


def test_one_partition_that_hangs_is_enough() -> None:
    """The others cannot prove its progress."""

    async def story() -> None:
        s = WorkerStory(partitions=2)
        await s.claim()
        watchdog = s.workers.watchdog
        assert await watchdog.look()
        s.clock.advance(26_000)
        s.workers.ownership.owned[0].log.moves += 1
        assert not await watchdog.look()
        for owned in s.workers.ownership.owned.values():
            owned.log.moves += 1
        assert await watchdog.look()

    asyncio.run(story())


def test_partial_assignments_and_stops_prove_nothing() -> None:
    """A partition held in part only is stepped by no worker, and a stop has its own deadline."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.workers.ownership.partial = [1]
        assert not await s.workers.watchdog.look()
        s.workers.ownership.partial, s.workers.ownership.leaving = [], True
        assert not await s.workers.watchdog.look()

    asyncio.run(story())


def test_a_standby_goes_by_the_owners_of_all_partitions() -> None:
    """It is ready, and proves progress as long as the owners write."""

    async def story() -> None:
        s = WorkerStory()
        s.workers.standby()
        assert s.workers.ready
        assert await s.workers.watchdog.look()
        s.others = False
        assert not await s.workers.watchdog.look()

    asyncio.run(story())


def test_a_worker_whose_partitions_were_revoked_proves_nothing() -> None:
    """Until the group assigns something again, or says that nothing is left, it may be cut off."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        await s.workers.revoke()
        assert not s.workers.ready
        assert not await s.workers.watchdog.look()

    asyncio.run(story())


def test_a_question_that_fails_proves_nothing() -> None:
    """A broker that does not answer is no progress, and no crash of the watchdog."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        await s.workers.watchdog.look()
        s.cluster.logs[-1].fail_next(Unavailable("no broker"))
        assert not await s.workers.watchdog.look()
        assert await s.workers.watchdog.look()

    asyncio.run(story())


def test_looks_are_repeated_for_ever() -> None:
    """`watch_progress` looks a few times within the stall time."""

    async def story() -> None:
        s = WorkerStory(stall=0.02)
        s.workers.standby()
        watching = asyncio.create_task(s.workers.watchdog.watch_progress())
        s.clock.advance(10)
        for _ in range(100):
            await asyncio.sleep(0.002)
            if s.workers.quiet_for == 0:
                break
        assert s.workers.quiet_for == 0
        watching.cancel()

    asyncio.run(story())
