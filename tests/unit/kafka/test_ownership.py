"""Ownership of partitions: claimed in whole, recovered before records flow, released without another write."""

from __future__ import annotations

import asyncio

import pytest

from monitor.errors import LogBroken
from monitor.model.records import Claim, Reason, Skipped
from monitor.testing.fake_consumer import FakeConsumer, WorkerAborted
from tests.unit.kafka.worker_story import PILOT, WorkerStory


def test_a_claimed_partition_is_read_from_where_it_was_left() -> None:
    """The next owner goes on at the checkpoint, and its epoch is higher."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.admit()
        s.beat(3)
        await s.drain()
        await s.workers.leave()
        second = FakeConsumer(s.cluster)
        positions = await s.worker(second).claim(s.cluster.all_partitions(), 1)
        assert positions == {(s.telemetry, 0): 3, (s.control, 0): 1}
        claims = [row.entry.epoch for row in s.cluster.store.journal() if isinstance(row.entry, Claim)]
        assert claims == [1, 2]

    asyncio.run(story())


def test_an_older_owner_cannot_write_after_another_claim() -> None:
    """The fence: the write fails, and the process ends before anything else happens."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        await s.worker(FakeConsumer(s.cluster)).claim(s.cluster.all_partitions(), 1)
        with pytest.raises(WorkerAborted, match="Fenced"):
            await s.drain()

    asyncio.run(story())


def test_a_partition_that_is_assigned_in_part_is_not_claimed() -> None:
    """Control without telemetry would step acts in an order that no other owner repeats."""

    async def story() -> None:
        s = WorkerStory(partitions=2)
        assigned = s.cluster.all_partitions() - {(s.control, 1)}
        positions = await s.workers.claim(assigned, 1)
        assert {partition for _, partition in positions} == {0}
        assert s.workers.ownership.partial == [1]
        assert not s.workers.ready
        assert s.cluster.store.journal(1) == ()

    asyncio.run(story())


def test_a_new_participant_needs_its_topic_assigned_too() -> None:
    """From the next assignment on, the telemetry of new participants belongs to the partition."""

    async def story() -> None:
        s = WorkerStory(participants=("acme",))
        s.workers.ownership.set_participants(("acme", "bolt"))
        assert "sandbox.telemetry.bolt" in s.workers.topics
        assert await s.workers.claim(s.cluster.all_partitions(), 1) == {}
        assert s.workers.ownership.partial == [0]

    asyncio.run(story())


def test_a_failure_of_recovery_ends_the_process() -> None:
    """The reason of a broken log is shown as it is."""

    async def story() -> None:
        s = WorkerStory()
        opened = s.cluster.open_log

        def broken(*arguments: object) -> object:
            log = opened(*arguments)  # type: ignore[arg-type]
            log.fail_next(LogBroken("the state is unreadable"))
            return log

        s.cluster.open_log = broken  # type: ignore[method-assign, assignment]
        workers = s.worker(s.consumer)
        with pytest.raises(WorkerAborted, match=r"recovery failed: the state is unreadable$"):
            await workers.claim(s.cluster.all_partitions(), 1)

    asyncio.run(story())


def test_a_failure_of_a_recovery_that_a_rebalance_overtook_is_none() -> None:
    """Its logs were closed meanwhile: nothing is claimed, and the worker goes on."""

    async def story() -> None:
        s = WorkerStory()

        def overtake() -> None:
            s.workers.ownership._releases += 1  # as a revocation does while recovery runs
            raise RuntimeError("closed")

        s.beat()
        await s.claim()
        await s.drain()
        s.at["replayed"] = overtake
        assert await s.workers.claim(s.cluster.all_partitions(), 1) == {}
        assert not s.workers.ready
        assert all(log.closed for log in s.cluster.logs)

    asyncio.run(story())


def test_a_failure_of_recovery_during_a_stop_is_none() -> None:
    """A worker that was told to stop claims nothing, and does not end with an error."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()

        def stop() -> None:
            s.workers.ownership.leaving = True
            raise RuntimeError("closed")

        s.at["replayed"] = stop
        assert await s.workers.claim(s.cluster.all_partitions(), 1) == {}

    asyncio.run(story())


@pytest.mark.parametrize("overtaken", ["generation", "release", "stop"])
def test_a_recovery_that_was_overtaken_claims_nothing(overtaken: str) -> None:
    """Another generation, a revocation or a stop while it ran: what was recovered is released again."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()

        def overtake() -> None:
            if overtaken == "generation":
                s.consumer.rebalance()
            elif overtaken == "release":
                s.workers.ownership._releases += 1
            else:
                s.workers.ownership.leaving = True

        s.at["replayed"] = overtake
        assert await s.workers.claim(s.cluster.all_partitions(), 1) == {}
        assert s.workers.ownership.owned == {}
        assert not s.workers.ready

    asyncio.run(story())


def test_a_cancelled_recovery_leaves_nothing_claimed() -> None:
    """Another rebalance cancels it: its logs are closed, and the cancellation is passed on."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()

        def cancel() -> None:
            raise asyncio.CancelledError

        s.at["replayed"] = cancel
        with pytest.raises(asyncio.CancelledError):
            await s.workers.claim(s.cluster.all_partitions(), 1)
        assert s.workers.ownership.owned == {}
        assert all(log.closed for log in s.cluster.logs)

    asyncio.run(story())


def test_deleted_telemetry_ends_the_worker_with_the_offsets_it_needs() -> None:
    """A hole that retention made is never skipped without being told to."""

    async def story() -> None:
        s = await with_three_read()
        s.beat(3)
        s.cluster.delete_before(s.telemetry, 5)
        with pytest.raises(WorkerAborted, match=r"begins at 5, but 3 is needed: offsets 3 to 4 .*--skip-lost"):
            await s.workers.claim(s.cluster.all_partitions(), 1)

    asyncio.run(story())


def test_deleted_telemetry_is_skipped_on_record_where_the_settings_say_so() -> None:
    """The loss stands in the journal, and its pilots are flagged."""

    async def story() -> None:
        s = await with_three_read(skip_lost=True)
        s.beat(3)
        s.cluster.delete_before(s.telemetry, 5)
        positions = await s.workers.claim(s.cluster.all_partitions(), 1)
        assert positions[s.telemetry, 0] == 5
        (skipped,) = [row.entry for row in s.cluster.store.journal() if isinstance(row.entry, Skipped)]
        assert skipped.lost == {s.telemetry: (3, 5)}
        assert any(d.reason is Reason.TELEMETRY_LOST for o in s.outputs for d in o.decisions)

    asyncio.run(story())


def test_deleted_acts_are_never_skipped() -> None:
    """An act of a person may be among them: the topic has to be restored."""

    async def story() -> None:
        s = await with_three_read(skip_lost=True)
        s.admit()
        s.cluster.delete_before(s.control, 2)
        with pytest.raises(WorkerAborted, match="acts of people are among it"):
            await s.workers.claim(s.cluster.all_partitions(), 1)

    asyncio.run(story())


def test_telemetry_deleted_before_anything_was_read_is_no_loss() -> None:
    """A new deployment on an old topic begins at the first offset that is kept."""

    async def story() -> None:
        s = WorkerStory()
        s.beat(3)
        s.cluster.delete_before(s.telemetry, 2)
        assert (await s.workers.claim(s.cluster.all_partitions(), 1))[s.telemetry, 0] == 2

    asyncio.run(story())


def test_metrics_show_a_pilot_while_its_partition_is_owned() -> None:
    """Recovery seeds the series of its pilots, a release ends them."""

    async def story() -> None:
        s = await with_three_read()
        await s.claim()
        assert s.metric("partition_epoch{") == ['sandbox_monitor_partition_epoch{partition="0"} 2.0']
        assert any(PILOT in line for line in s.metric("pilot_"))
        await s.workers.revoke()
        assert s.metric("partition_epoch{") == []
        assert not any(PILOT in line for line in s.metric("pilot_"))

    asyncio.run(story())


def test_a_lease_that_recovery_outlasts_is_reported() -> None:
    """A lease must outlive twice the session timeout and the recovery, or a crash of one worker stops services."""

    async def story() -> None:
        for timeout, short in ((10.0, "0.0"), (10_000_000.0, "1.0")):
            s = await with_three_read(session_timeout=timeout)
            await s.claim()
            assert s.metric("leases_short{") == [f'sandbox_monitor_leases_short{{partition="0"}} {short}']

    asyncio.run(story())


def test_a_connection_that_does_not_close_keeps_no_partition() -> None:
    """What fails while a log is closed is of no consequence: the fence guards what was written."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.cluster.logs[-1].fail_next(OSError("reset"))
        await s.workers.revoke()
        assert s.workers.ownership.owned == {}

    asyncio.run(story())


async def with_three_read(**settings: object) -> WorkerStory:
    """A worker that admitted its pilot, stepped three heartbeats and left."""
    s = WorkerStory(**settings)
    await s.claim()
    s.admit()
    s.beat(3)
    await s.drain()
    await s.workers.leave()
    s.workers = s.worker(s.consumer)
    return s
