"""The loop of a worker: telemetry, then control, then time; nothing is lost, doubled, or written after a failure."""

from __future__ import annotations

import asyncio

import pytest

from monitor.errors import Fenced
from monitor.kafka.host import Host
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.worker import CONTROL_POLL_S, LONGEST_POLL_S, SHORTEST_POLL_S, STOP_WITHIN_S, PartitionWorkers
from monitor.model.records import ControlRead, TimeRead
from monitor.testing.fake_consumer import FakeConsumer, WorkerAborted
from tests.unit.kafka.worker_story import WorkerStory


def entries(s: WorkerStory) -> list[str]:
    """The journal as the names of its entries."""
    return [type(row.entry).__name__ for row in s.cluster.store.journal()]


def test_telemetry_is_stepped_then_control_then_time() -> None:
    """An act that was sent before a heartbeat is journalled behind the telemetry that was there when it was read."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.admit()
        s.beat(2)
        await s.drain()
        assert entries(s)[:3] == ["Claim", "ControlRead", "TimeRead"]
        (control,) = [row.entry for row in s.cluster.store.journal() if isinstance(row.entry, ControlRead)]
        assert control.telemetry_next == {s.telemetry: 2}
        assert s.events() == 2
        assert s.outputs

    asyncio.run(story())


def test_a_list_that_was_lost_around_a_rebalance_is_read_from_the_log() -> None:
    """What lies between two fetched lists is stepped before the second one, each record once."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.admit()
        s.beat(2)
        await s.drain()
        s.beat(600)
        s.consumer.skip_to((s.telemetry, 0), 601)
        await s.drain()
        assert s.events() == 602
        assert s.workers.ownership.owned[0].delivered[s.telemetry] == 602

    asyncio.run(story())


def test_a_hole_in_the_log_holds_nothing_up() -> None:
    """Offsets that the log left out are asked for once, and passed."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.beat()
        await s.drain()
        s.cluster.leave_hole(s.telemetry, 5)
        s.beat()
        await s.drain()
        assert s.events() == 2
        assert s.workers.ownership.owned[0].delivered[s.telemetry] == 7

    asyncio.run(story())


def test_a_long_list_is_written_in_batches() -> None:
    """`batch` bounds the records of one write."""

    async def story() -> None:
        s = WorkerStory(batch=10)
        await s.claim()
        s.beat(25)
        before = s.cluster.logs[-1].moves
        s.at["before_write"] = lambda: None
        await s.drain(2)
        assert s.events() == 25
        assert s.cluster.logs[-1].moves > before

    asyncio.run(story())


def test_control_that_overflows_is_read_from_the_log() -> None:
    """More acts than are held: the rest is discarded, and read when the first ones are stepped; none is lost or
    doubled."""

    async def story() -> None:
        s = WorkerStory(max_pending_control=2, batch=2)
        await s.claim()
        for _ in range(9):
            s.admit()
        s.beat(3)
        s.consumer.positions[s.telemetry, 0] = 0
        await s.drain(20)
        read = [row.entry.control_next for row in s.cluster.store.journal() if isinstance(row.entry, ControlRead)]
        assert read[-1] == 9
        assert read == sorted(set(read))
        assert not s.workers.ownership.owned[0].gate.waiting

    asyncio.run(story())


def test_nothing_is_stepped_while_the_flow_is_stopped() -> None:
    """A rebalance that begins during a batch ends it between two writes."""

    async def story() -> None:
        s = WorkerStory(batch=1)
        await s.claim()
        s.admit()
        await s.drain()
        s.beat(5)

        def stop() -> None:
            s.consumer.flowing = False

        s.at["after_write"] = stop
        fetched = await s.consumer.records(0)
        await s.workers._step(s.consumer, fetched)
        stepped = s.events()
        assert stepped < 5
        await s.drain(3)
        assert s.events() == stepped

    asyncio.run(story())


def test_records_of_partitions_that_are_not_owned_are_ignored() -> None:
    """A list that was fetched before a revocation is the next owner's."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.beat()
        fetched = await s.consumer.records(0)
        await s.workers.revoke()
        await s.workers._step(s.consumer, fetched)
        assert s.workers.ownership.owned == {}

    asyncio.run(story())


def test_a_partition_of_an_older_generation_is_not_stepped() -> None:
    """Ownership ends with the generation, before anything is revoked."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.beat()
        s.consumer.generation += 1
        await s.drain()
        assert s.events() == 0

    asyncio.run(story())


@pytest.mark.parametrize("error", [Fenced("another owner"), OSError("disk")])
def test_every_failure_of_a_step_ends_the_process(error: Exception) -> None:
    """Only the log knows what was written."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.cluster.logs[-1].fail_next(error)
        with pytest.raises(WorkerAborted, match=type(error).__name__):
            await s.drain()

    asyncio.run(story())


def test_a_failure_of_fetching_ends_the_process() -> None:
    """A consumer that cannot fetch does not get better by waiting."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.consumer.fail_next(OSError("no route"))
        with pytest.raises(WorkerAborted, match="fetching failed"):
            await s.drain()

    asyncio.run(story())


@pytest.mark.parametrize("error", [OSError("closed"), asyncio.CancelledError()])
def test_a_failure_of_fetching_during_a_stop_is_none(error: BaseException) -> None:
    """A stop closes the consumer under the fetch, or cancels it."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.workers.ownership.leaving = True
        s.consumer.fail_next(error)
        await s.drain()

    asyncio.run(story())


def test_a_cancelled_fetch_is_passed_on() -> None:
    """It is how a rebalance ends the loop."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.consumer.fail_next(asyncio.CancelledError())
        with pytest.raises(asyncio.CancelledError):
            await s.drain()

    asyncio.run(story())


def test_a_cancellation_lets_the_batch_finish() -> None:
    """A transaction that is cut off has an unknown outcome."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.beat(3)
        draining = asyncio.create_task(s.drain())
        s.at["before_append"] = lambda: draining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await draining
        assert s.events() == 3
        assert "after_append" in s.reached

    asyncio.run(story())


def test_a_stop_that_comes_with_records_steps_none() -> None:
    """What is fetched after the last checkpoint is the next owner's."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.beat()

        def leave() -> None:
            s.workers.ownership.leaving = True

        s.consumer.on_poll(leave)
        await s.drain()
        assert s.events() == 0

    asyncio.run(story())


def test_an_orderly_stop_checkpoints_and_exits_in_time() -> None:
    """What was stepped is not stepped again by the next owner, and the process ends whatever Faust waits for."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.admit()
        s.beat(2)
        await s.drain()
        await s.workers.leave()
        states, watermark, _ = s.cluster.store.saved_state()
        assert watermark.telemetry == {s.telemetry: 2}
        assert states
        assert s.workers.left
        assert not s.workers.ready
        assert s.exits == [STOP_WITHIN_S]

    asyncio.run(story())


def test_a_stop_that_cannot_checkpoint_ends_with_an_error() -> None:
    """The exit code says that the next owner has to step again."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.cluster.logs[-1].fail_next(OSError("disk"))
        with pytest.raises(WorkerAborted, match="could not stop in order"):
            await s.workers.leave()

    asyncio.run(story())


def test_a_stop_writes_nothing_to_a_partition_that_is_lost() -> None:
    """Another generation may have another owner by now."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.consumer.generation += 1
        s.cluster.logs[-1].fail_next(AssertionError("written"))
        await s.workers.leave()

    asyncio.run(story())


def test_a_revocation_waits_for_the_batch_at_most_half_the_session_timeout() -> None:
    """A batch that takes longer ends the process, as the group gives its partitions to another worker."""

    async def story() -> None:
        s = WorkerStory(session_timeout=0.02)
        await s.claim()
        s.workers._idle.clear()
        with pytest.raises(WorkerAborted, match="a batch did not end in time"):
            await s.workers.revoke()

    asyncio.run(story())


def test_a_revocation_without_partitions_passes_no_failpoint() -> None:
    """There is nothing to lose."""

    async def story() -> None:
        s = WorkerStory()
        await s.workers.revoke()
        await s.claim()
        await s.workers.revoke()
        assert s.reached.count("revoking") == 1

    asyncio.run(story())


def test_how_long_a_fetch_waits() -> None:
    """Until the next timer, within bounds; hardly at all while control waits for telemetry."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        owned = s.workers.ownership.owned[0]
        assert s.workers._poll_timeout() == LONGEST_POLL_S
        s.admit()
        s.beat()
        await s.drain()
        due = owned.runner.notify_at
        assert due is not None
        s.clock.set(max(s.clock.now, due - 300))
        assert s.workers._poll_timeout() == pytest.approx(min(1.0, (due - s.clock.now) / 1000))
        s.clock.set(due + 10)
        assert s.workers._poll_timeout() == SHORTEST_POLL_S
        owned.gate.overflowed = True
        assert s.workers._poll_timeout() == CONTROL_POLL_S

    asyncio.run(story())


def test_lag_hints_are_committed_about_once_a_second() -> None:
    """They are for people: recovery does not read them. A refusal ends the process, as the group has expelled it."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.beat(2)
        await s.drain()
        assert s.consumer.hints == {(s.telemetry, 0): 2, (s.control, 0): 0}
        s.beat()
        await s.drain()
        assert s.consumer.hints[s.telemetry, 0] == 2
        s.clock.advance(1_000)
        await s.drain()
        assert s.consumer.hints[s.telemetry, 0] == 3
        s.clock.advance(1_000)
        s.consumer.refuse_hints("unknown member")
        with pytest.raises(WorkerAborted, match="unknown member"):
            await s.drain()

    asyncio.run(story())


def test_hints_of_a_lost_partition_are_not_committed() -> None:
    """The next owner's are newer."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        s.consumer.flowing = False
        await s.drain()
        assert s.consumer.hints == {}

    asyncio.run(story())


def test_a_predecessors_outputs_are_not_emitted_twice() -> None:
    """Records below `through` are stepped without control or time until recovery has caught up."""

    async def story() -> None:
        s = WorkerStory()
        before = s.cluster.store.saved_state()
        await s.claim()
        s.admit()
        s.beat(3)
        await s.drain()
        await s.workers.leave()
        emitted = len(s.cluster.store.outputs().decisions)
        through = s.cluster.store.saved_state()[2]
        s.cluster.store.restore_state((before[0], before[1], through))  # its checkpoint is lost
        s.workers = s.worker(s.consumer)
        await s.claim()
        await s.drain()
        assert len({d.id for d in s.cluster.store.outputs().decisions}) == emitted

    asyncio.run(story())


def test_the_same_story_in_batches_of_any_size_journals_the_same_decisions() -> None:
    """Results never depend on how records were cut."""

    async def story(batch: int) -> list[str]:
        s = WorkerStory(batch=batch)
        await s.claim()
        s.admit()
        s.beat(20)
        await s.drain(12)
        return [d.id for d in s.cluster.store.outputs().decisions]

    assert asyncio.run(story(1)) == asyncio.run(story(7)) == asyncio.run(story(100))


def test_a_worker_needs_no_more_than_settings_and_a_consumer() -> None:
    """Host, log, metrics and failpoints have their defaults; a worker that is not a standby yet is not stalled."""

    async def story() -> None:
        consumer = FakeConsumer(WorkerStory().cluster)
        workers = PartitionWorkers(WorkerSettings(), lambda: consumer)
        log = workers.ownership._open_log(WorkerSettings(), 3, 1)
        assert log.partition == 3
        assert await workers._others_active()
        assert workers.quiet_for < 60
        assert Host().monotonic() > 0

    asyncio.run(story())


def test_time_passes_on_an_idle_worker() -> None:
    """Silence is found by time entries alone."""

    async def story() -> None:
        s = WorkerStory()
        await s.claim()
        for _ in range(3):
            await s.drain(2)
            s.clock.advance(10_000)
        times = [row.received for row in s.cluster.store.journal() if isinstance(row.entry, TimeRead)]
        assert times == [times[0], times[0] + 10_000, times[0] + 20_000]

    asyncio.run(story())
