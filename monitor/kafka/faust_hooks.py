"""Faust's app, transport and consumer, and aiokafka's consumer, as the worker needs them.

Faust provides group membership, assignment and lifecycle. Its reading, acknowledging and committing are replaced: there
is no agent, table or channel, so that nothing is acknowledged that is not written. What is private among the parts used
here stands in `private_hooks.HOOKS`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

import aiokafka
import faust
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.producer import sender
from faust.transport.drivers import aiokafka as driver

from monitor.access.kafka_login import access
from monitor.errors import LogBroken, Stop
from monitor.kafka import bounded_records, zero_copy
from monitor.kafka.bounded_records import Maker
from monitor.kafka.partition_reader import LOG_APPEND_TIME
from monitor.kafka.pinned_versions import PINNED as PINNED
from monitor.kafka.pinned_versions import check_versions as check_versions
from monitor.kafka.topics import LARGE
from monitor.kafka.turns import SLICE_BYTES
from monitor.kafka.unpacking import UnreadableReason
from monitor.model.records import Record, UnreadableRecords

# While the broker still writes the marker of the last transaction, beginning the next one fails and is retried.
# aiokafka waits 20 ms before that; the marker takes one or two.
TRANSACTION_BACKOFF_S = 0.002  # s

SOME_TOPICS_WAIT_MS, ALL_TOPICS_WAIT_MS = 10, 200  # the longest wait of a fetch


def use_short_backoff() -> None:
    """Let transactional producers of this process begin a transaction soon after the last one."""
    sender.BACKOFF_OVERRIDE = TRANSACTION_BACKOFF_S


def credentials(access: Mapping[str, Any]) -> Any:
    """The same login for the connections that Faust makes itself (a producer that sends nothing); None without one."""
    context = access.get("ssl_context")
    if user := access.get("sasl_plain_username"):
        password, mechanism = access["sasl_plain_password"], access["sasl_mechanism"]
        return faust.SASLCredentials(username=user, password=password, mechanism=mechanism, ssl_context=context)
    return faust.SSLCredentials(context=context) if context is not None else None


class FetchConsumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]
    """A consumer with `PatientFetcher`, whose batches are checked by the processor and received without copies."""

    async def start(self) -> None:
        bounded_records.use()
        zero_copy.use(self)
        await super().start()
        self._fetcher.__class__ = PatientFetcher
        self._fetcher._prefetch_backoff = 0.0  # topics are fetched while records of others wait to be taken


class PatientFetcher(fetcher.Fetcher):  # type: ignore[misc]
    """Chooses how long each fetch may wait. There is one fetch per broker at a time.

    While fetched telemetry waits to be taken, the next fetch asks for the other topics only. It usually finds nothing,
    and telemetry that arrives meanwhile is not fetched until it returns: it waits briefly. A fetch of all topics
    returns as soon as anything arrives, and may wait long.
    """

    def _get_actions_per_node(self, assignment: Any) -> Any:
        self._fetch_max_wait_ms = SOME_TOPICS_WAIT_MS if self._records else ALL_TOPICS_WAIT_MS
        return super()._get_actions_per_node(assignment)


def records_of(tp: TopicPartition, stamp: int, kind: int) -> Maker:
    """Makes the records of a batch as `Record`, each of which raises `LogBroken` without log-append time.

    aiokafka's own record has eleven fields and is tracked by the garbage collector: a microsecond more for each.
    """

    def make(offset: int, raw: Any) -> Record:
        return Record(offset, stamp, raw.key, raw.value, tuple(raw.headers))

    def refuse(offset: int, raw: Any) -> Record:
        raise _without_stamp(tp, offset)

    return make if kind == LOG_APPEND_TIME else refuse


def unreadable_records(
    tp: TopicPartition, first: int, last: int, stamp: int, kind: int, reason: UnreadableReason
) -> UnreadableRecords:
    """What stands for records of a batch that cannot be read. Raises `LogBroken` without log-append time."""
    if kind != LOG_APPEND_TIME:
        raise _without_stamp(tp, first)
    return UnreadableRecords(first, stamp, None, None, last=last, reason=reason.value)


def _without_stamp(tp: TopicPartition, offset: int) -> LogBroken:
    return LogBroken(
        f"{tp.topic}/{tp.partition}/{offset} has no log-append time; "
        f"fix: set message.timestamp.type=LogAppendTime on {tp.topic}"
    )


class PrefetchedRecords(OrderedDict[TopicPartition, Any]):
    """Fetched results until they are taken; their records are made as `Record`."""

    def __setitem__(self, partition: TopicPartition, result: Any) -> None:
        if isinstance(result, fetcher.FetchResult):
            records = result._partition_records
            records.maker_of, records.unreadable = records_of, unreadable_records
            records.portion_bytes = SLICE_BYTES
        super().__setitem__(partition, result)


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread with `FetchConsumer`: range assignment, committed records only."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        return FetchConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            # By range, partition p of every topic goes to the same member, as all topics have the same count. Round
            # robin, which Faust uses without tables, may give control and telemetry of a partition to different
            # members.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",  # a transaction that a firm aborted is never seen
            max_poll_records=conf.broker_max_poll_records,
            max_partition_fetch_bytes=LARGE,
            request_timeout_ms=40_000,  # not broker_request_timeout, which bounds recovery: see `app_options`
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            **access(),
        )

    without: frozenset[tuple[str, int]] = frozenset()  # what the next call leaves in place

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[Any],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        held = consumer._fetcher._records
        if not isinstance(held, PrefetchedRecords):
            consumer._fetcher._records = PrefetchedRecords()
            for partition, result in held.items():
                consumer._fetcher._records[partition] = result
        wanted = {tp for tp in active_partitions if tp not in self.without}
        if not wanted:  # which would mean all of them
            await asyncio.sleep(timeout or 0)
            return {}
        return await super()._fetch_records(consumer, wanted, timeout, max_records)


class WorkerConsumer(driver.Consumer):  # type: ignore[misc]
    """Membership and fetching of Faust's consumer. `self.app.workers` gets the records: it has `topics`, `claim`
    (recover, return where to read from), `standby`, `revoke` (finish the batch, release) and `drain`.

    Implements `monitor.kafka.interfaces.GroupConsumer`.
    """

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe to the worker's topics; Faust's conductor, which knows of no channel, would ask for none."""
        await super().subscribe(self.app.workers.topics)

    async def perform_seek(self) -> None:
        """Recover. Faust calls it after assignment, with heartbeats running, before records flow."""
        generation = self.generation
        places = await self.app.workers.claim({(tp.topic, tp.partition) for tp in self.assignment()}, generation)
        if places and generation == self.generation:
            await self.seek_wait({TopicPartition(*name): offset for name, offset in places.items()})

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        """Faust does not seek after an empty assignment, so the worker is told here that it is a standby."""
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            self.app.workers.standby()

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Stop the flow, finish the batch in progress, release; only then continue as Faust does."""
        self.flow_active = False
        await self.app.workers.revoke()
        await super().on_partitions_revoked(revoked)

    async def _drain_messages(self, fetcher: Any) -> None:
        def ending() -> bool:
            return bool(self._stopped.is_set() or fetcher._stopped.is_set())

        await self.app.workers.drain(self, ending)

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Does nothing: Faust's search for stuck streams does not know `drain`; `monitor.kafka.watchdog` does that."""

    # ---- GroupConsumer

    @property
    def generation(self) -> int:
        """See `GroupConsumer`."""
        return int(self.app.consumer_generation_id)

    @property
    def flowing(self) -> bool:
        """See `GroupConsumer`."""
        return bool(self.flow_active)

    async def records(
        self, timeout: float, without: Collection[tuple[str, int]] = ()
    ) -> dict[tuple[str, int], list[Record]]:
        """See `GroupConsumer`. Waits while the flow is stopped."""
        self._thread.without = frozenset(without)
        fetched, _ = await self._wait_next_records(timeout)
        return {(tp.topic, tp.partition): list(rows) for tp, rows in (fetched or {}).items()}

    async def position_of(self, name: tuple[str, int]) -> int:
        """See `GroupConsumer`."""
        return int(await self._call(self._thread._ensure_consumer().position, TopicPartition(*name)))

    async def commit_hint(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """See `GroupConsumer`."""
        consumer = self._thread._ensure_consumer()
        try:
            await self._call(consumer.commit, {TopicPartition(*name): at for name, at in offsets.items()})
        except KafkaError as error:
            raise Stop(f"the group refuses a commit: {error!r}") from error

    async def _call(self, method: Callable[..., Awaitable[Any]], argument: Any) -> Any:
        async with asyncio.timeout(45):
            return await self._thread.call_thread(method, argument)


class WorkerTransport(driver.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with our consumer."""

    Consumer = WorkerConsumer


class PartitionedApp(faust.App):  # type: ignore[misc]
    """A Faust app whose records all go to `workers`."""

    workers: Any

    def _new_transport(self) -> WorkerTransport:
        return WorkerTransport(self.conf.broker, self, loop=self.loop)
