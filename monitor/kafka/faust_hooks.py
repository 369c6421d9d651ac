"""Every private part of Faust, mode and aiokafka that the worker holds on to, named in one place, refused for other versions.

Faust gives us group membership, assignment and lifecycle. Its reading, acknowledging and committing are replaced: no agent,
no table and no channel exists, so that nothing is ever acknowledged that is not written. Each hook is named in `HOOKS`
and held by a test; a new version of any of the three is a reason to read its source again, then to change `PINNED`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib.metadata import version
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
from monitor.kafka import crc32c, zero_copy
from monitor.kafka.partition_reader import LOG_APPEND_TIME
from monitor.kafka.topics import LARGE
from monitor.model.records import Record

PINNED = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}

# (owner, name): what is overridden or called although it is not public. The test looks each of them up.
HOOKS: tuple[tuple[Any, str], ...] = (
    (faust.App, "_new_transport"),
    (driver.Transport, "Consumer"),
    (driver.Consumer, "_new_consumer_thread"),
    (driver.Consumer, "_drain_messages"),
    (driver.Consumer, "_wait_next_records"),
    (driver.Consumer, "_getmany"),
    (driver.Consumer, "perform_seek"),
    (driver.Consumer, "on_partitions_revoked"),
    (driver.Consumer, "subscribe"),
    (driver.Consumer, "verify_event_path"),
    (driver.AIOKafkaConsumerThread, "_create_worker_consumer"),
    (driver.AIOKafkaConsumerThread, "_fetch_records"),
    (driver.AIOKafkaConsumerThread, "_ensure_consumer"),
    (driver.AIOKafkaConsumerThread, "call_thread"),
    (fetcher.Fetcher, "_get_actions_per_node"),
    (fetcher.PartitionRecords, "_consumer_record"),
    (fetcher.FetchResult, "getall"),
    (sender, "BACKOFF_OVERRIDE"),
    *crc32c.HOOKS,
    *zero_copy.HOOKS,
)

# A transaction that begins while the broker still writes the marker of the last one is told to come again, and aiokafka
# waits 20 ms before it does; the marker takes one or two.
TRANSACTION_BACKOFF_S = 0.002  # s

SOME_TOPICS_WAIT_MS, ALL_TOPICS_WAIT_MS = 10, 200  # ms that a fetch waits for records of some topics, and of all


def use_short_backoff() -> None:
    """Let transactional producers of this process follow one transaction with the next without a long wait."""
    sender.BACKOFF_OVERRIDE = TRANSACTION_BACKOFF_S


def check_versions(installed: Callable[[str], str] = version) -> None:
    """Refuse to run on any other version of the three than the one whose source was read. Raises `Stop`."""
    wrong = {name: installed(name) for name, pinned in PINNED.items() if installed(name) != pinned}
    if wrong:
        raise Stop(
            "the worker holds on to private parts of "
            + ", ".join(f"{name} {PINNED[name]} (found {found})" for name, found in wrong.items())
            + "; fix: install the locked versions"
        )


def credentials(access: Mapping[str, Any]) -> Any:
    """The same login for what Faust connects by itself (a producer that sends nothing); None without one."""
    context = access.get("ssl_context")
    if user := access.get("sasl_plain_username"):
        password, mechanism = access["sasl_plain_password"], access["sasl_mechanism"]
        return faust.SASLCredentials(username=user, password=password, mechanism=mechanism, ssl_context=context)
    return faust.SSLCredentials(context=context) if context is not None else None


class FetchConsumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]
    """A consumer whose fetches wait for records as long as nothing else waits for them."""

    async def start(self) -> None:
        crc32c.use()
        zero_copy.use(self)
        await super().start()
        self._fetcher.__class__ = PatientFetcher


class PatientFetcher(fetcher.Fetcher):  # type: ignore[misc]
    """One fetch is under way per broker. While telemetry that has come waits to be taken, the next fetch asks for the other
    topics alone, finds nothing, and holds back whatever telemetry comes meanwhile for as long as it waits: not long, then.
    One that asks for all topics is answered as soon as anything comes, and may wait."""

    def _get_actions_per_node(self, assignment: Any) -> Any:
        self._fetch_max_wait_ms = SOME_TOPICS_WAIT_MS if self._records else ALL_TOPICS_WAIT_MS
        return super()._get_actions_per_node(assignment)


def as_record(partition: TopicPartition, raw: Any) -> Record:
    """A record out of a fetched batch as our own. Raises `LogBroken` for one that does not carry the log's own append time."""
    if raw.timestamp_type != LOG_APPEND_TIME:
        raise LogBroken(
            f"{partition.topic}/{partition.partition}/{raw.offset} has no log-append time; "
            f"fix: set message.timestamp.type=LogAppendTime on {partition.topic}"
        )
    return Record(raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))


class PrefetchedRecords(OrderedDict[TopicPartition, Any]):
    """What a fetcher holds until it is asked for, to come out as our records: to have aiokafka make its own first, of eleven
    fields and looked after by the garbage collector, costs a microsecond more for each."""

    def __setitem__(self, partition: TopicPartition, result: Any) -> None:
        if isinstance(result, fetcher.FetchResult):
            result._partition_records._consumer_record = as_record
        super().__setitem__(partition, result)


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread with a consumer of our making: co-partitioned, committed records only."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        return FetchConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            # By range, partition p of every topic goes to the same member, as all have the same count. Round robin and
            # Faust's own choice without tables would tear control and telemetry of one partition apart.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",  # what a firm aborted never happened
            max_poll_records=conf.broker_max_poll_records,
            max_partition_fetch_bytes=LARGE,
            request_timeout_ms=40_000,  # not broker_request_timeout: that one bounds recovery, see Settings in app.py
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            **access(),
        )

    async def _fetch_records(self, consumer: aiokafka.AIOKafkaConsumer, *arguments: Any, **more: Any) -> Any:
        held = consumer._fetcher._records
        if not isinstance(held, PrefetchedRecords):
            consumer._fetcher._records = PrefetchedRecords()
            for partition, result in held.items():
                consumer._fetcher._records[partition] = result
        return await super()._fetch_records(consumer, *arguments, **more)


class WorkerConsumer(driver.Consumer):  # type: ignore[misc]
    """Membership and fetching of Faust's consumer; what becomes of the records is `self.app.desk`'s business.

    The desk has `topics`, `seat` (recover, return where to read from), `unseat` (finish, let go) and `drain`.
    """

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Our topics, whatever Faust's conductor (which knows of no channel) asks for."""
        await super().subscribe(self.app.workers.topics)

    async def perform_seek(self) -> None:
        """Called after assignment with heartbeats running and before records flow: the place to recover."""
        generation = self.generation
        places = await self.app.workers.claim({(tp.topic, tp.partition) for tp in self.assignment()}, generation)
        if places and generation == self.generation:
            await self.seek_wait({TopicPartition(*name): offset for name, offset in places.items()})

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        """What Faust does; and as it seeks nothing where nothing was assigned, the desk is told."""
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            self.app.workers.standby()

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Stop the flow, let the batch in flight finish, let go; only then what Faust does."""
        self.flow_active = False
        await self.app.workers.revoke()
        await super().on_partitions_revoked(revoked)

    async def _drain_messages(self, fetcher: Any) -> None:
        def ending() -> bool:
            return bool(self._stopped.is_set() or fetcher._stopped.is_set())

        await self.app.workers.drain(self, ending)

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Faust's look-out for stuck streams knows nothing of our drain; the desk has a watchdog of its own."""

    # ---- what the desk may ask

    @property
    def generation(self) -> int:
        """The group's generation as of the last assignment."""
        return int(self.app.consumer_generation_id)

    @property
    def flowing(self) -> bool:
        """Whether records may be worked on: False from the moment a rebalance begins until recovery is done."""
        return bool(self.flow_active)

    async def records(self, timeout: float) -> dict[tuple[str, int], list[Record]]:
        """The next fetched records by (topic, partition), after at most about `timeout` s; waits while flow is stopped."""
        fetched, _ = await self._wait_next_records(timeout)
        return {(tp.topic, tp.partition): list(rows) for tp, rows in (fetched or {}).items()}

    async def position_of(self, name: tuple[str, int]) -> int:
        """Offset of the next record that will be handed out: moves over holes, unlike the last record's offset."""
        return int(await self._call(self._thread._ensure_consumer().position, TopicPartition(*name)))

    async def commit_hint(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Commit offsets for people who look at lag. Recovery never reads them. Raises `Stop` when the group refuses."""
        consumer = self._thread._ensure_consumer()
        try:
            await self._call(consumer.commit, {TopicPartition(*name): at for name, at in offsets.items()})
        except KafkaError as error:
            raise Stop(f"the group does not take a commit: {error!r}") from error

    async def _call(self, method: Callable[..., Awaitable[Any]], argument: Any) -> Any:
        async with asyncio.timeout(45):
            return await self._thread.call_thread(method, argument)


class WorkerTransport(driver.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with our consumer."""

    Consumer = WorkerConsumer


class PartitionedApp(faust.App):  # type: ignore[misc]
    """A Faust app whose records all go to one desk."""

    workers: Any

    def _new_transport(self) -> WorkerTransport:
        return WorkerTransport(self.conf.broker, self, loop=self.loop)
