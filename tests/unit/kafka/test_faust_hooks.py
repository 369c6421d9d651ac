"""What the worker overrides in Faust and aiokafka is called as it was when their source was read."""

from __future__ import annotations

import inspect

import aiokafka
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from faust.transport.consumer import Fetcher
from faust.transport.drivers import aiokafka as driver

from monitor.errors import LogBroken
from monitor.kafka import faust_hooks
from monitor.kafka.bounded_records import BoundedRecords
from monitor.kafka.crc32c import FetchedBatches
from monitor.kafka.partition_reader import PartitionReader, to_records


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (driver.Consumer._wait_next_records, ["self", "timeout"]),
        (driver.Consumer._drain_messages, ["self", "fetcher"]),
        (driver.Consumer.perform_seek, ["self"]),
        (driver.Consumer.on_partitions_revoked, ["self", "revoked"]),
        (driver.Consumer.seek_wait, ["self", "partitions"]),
        (driver.Consumer.subscribe, ["self", "topics"]),
        (driver.Consumer._new_consumer_thread, ["self"]),
        (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
        (fetcher.Fetcher._get_actions_per_node, ["self", "assignment"]),
        (
            driver.AIOKafkaConsumerThread._fetch_records,
            ["self", "consumer", "active_partitions", "timeout", "max_records"],
        ),
        (fetcher.FetchResult.getall, ["self", "max_records"]),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_each_hook_takes_what_it_is_given(function: object, parameters: list[str]) -> None:
    """The parameters of what is overridden are those of the override."""
    assert list(inspect.signature(function).parameters) == parameters  # type: ignore[arg-type]


def test_what_faust_calls_is_what_is_overridden() -> None:
    """Recovery calls `perform_seek`, the fetcher calls `_drain_messages`, the app makes its transport through
    `_new_transport`."""
    from faust.app.base import App
    from faust.tables.recovery import Recovery

    assert "consumer.perform_seek()" in inspect.getsource(Recovery._resume_streams)
    assert "consumer._drain_messages(self)" in inspect.getsource(Fetcher)
    assert "self._new_transport()" in inspect.getsource(App)
    assert "consumer.resume_flow()" in inspect.getsource(Recovery._resume_streams)


def test_recovery_seeks_before_records_flow() -> None:
    """`perform_seek` ends before `resume_flow`: no record is returned before its partition is claimed."""
    from faust.tables.recovery import Recovery

    source = inspect.getsource(Recovery._resume_streams)
    assert source.index("perform_seek()") < source.index("resume_flow()")


def test_one_worker_holds_the_same_partitions_of_every_topic() -> None:
    """The assignor keeps partition p of telemetry and control together for any number of workers."""

    class Cluster:
        def partitions_for_topic(self, topic: str) -> set[int]:
            return set(range(7))

    topics = ["s.control", "s.telemetry.a", "s.telemetry.b"]
    for workers in (1, 2, 3, 7, 9):
        members = {f"w{i}": RangePartitionAssignor.metadata(topics) for i in range(workers)}
        shares = RangePartitionAssignor.assign(Cluster(), members)
        held: list[int] = []
        for share in shares.values():
            by_topic = {topic: tuple(sorted(partitions)) for topic, partitions in share.assignment}
            assert len(set(by_topic.values())) <= 1
            held += next(iter(by_topic.values()), ())
        assert sorted(held) == list(range(7))


def test_the_range_assignor_is_the_one_the_consumer_gets() -> None:
    """The override names the assignor, committed reads and no automatic commit."""
    source = inspect.getsource(faust_hooks.ConsumerThread._create_worker_consumer)
    for line in (
        "[RangePartitionAssignor]",
        'isolation_level="read_committed"',
        "enable_auto_commit=False",
        "return FetchConsumer(",
    ):
        assert line in source
    assert {"partition_assignment_strategy", "isolation_level", "group_instance_id"} <= set(
        inspect.signature(aiokafka.AIOKafkaConsumer).parameters
    )
    assert TopicPartition("t", 1) == ("t", 1)


@pytest.mark.parametrize(
    ("waiting", "longest"), [({}, faust_hooks.ALL_TOPICS_WAIT_MS), ({TopicPartition("t", 0): ()}, 10)]
)
def test_a_fetch_of_some_topics_waits_briefly(waiting: dict[TopicPartition, object], longest: int) -> None:
    """A fetch that leaves out topics with waiting records returns soon; one of all topics may wait."""
    asked = []

    class Asked(fetcher.Fetcher):
        def __init__(self) -> None:
            self._records = waiting

        def _get_actions_per_node(self, assignment: object) -> None:
            asked.append(self._fetch_max_wait_ms)

    class Ours(faust_hooks.PatientFetcher, Asked):
        pass

    Ours()._get_actions_per_node(None)
    assert asked == [longest]


def test_the_fetcher_is_where_the_worker_looks_for_it() -> None:
    """The consumer makes its fetcher when it starts, and each fetch carries the present longest wait."""
    assert "self._fetcher = Fetcher(" in inspect.getsource(aiokafka.AIOKafkaConsumer.start)
    assert "self._fetch_max_wait_ms," in inspect.getsource(fetcher.Fetcher._get_actions_per_node)
    assert "self._records" in inspect.getsource(fetcher.Fetcher._get_actions_per_node)


def test_a_fetch_is_received_without_copies_and_checked_by_the_processor() -> None:
    """The worker's consumer and the reader of a recovery install both before their first connection."""
    for start in (faust_hooks.FetchConsumer.start, PartitionReader.start):
        source = inspect.getsource(start)
        assert 0 < source.index("bounded_records.use()") < source.index("zero_copy.use(") < source.index(".start()")


def test_transactions_follow_one_another_soon() -> None:
    """The wait between two transactions is set here, and shorter than aiokafka's."""
    faust_hooks.use_short_backoff()
    assert faust_hooks.sender.BACKOFF_OVERRIDE == faust_hooks.TRANSACTION_BACKOFF_S < 0.02


def fetched(times: int) -> BoundedRecords:
    """Two records as a broker sends them; `times` is their timestamp type."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10_000)
    builder.append(0, 5_000, b"p", b"one", [("ce_id", b"1")])
    builder.append(1, 5_001, None, b"two", [])
    raw = builder.build()
    raw[22] |= times << 3  # the attributes
    records = FetchedBatches(bytes(raw))
    return BoundedRecords(TopicPartition("t", 0), records, [], 0, None, None, False, fetcher.READ_COMMITTED)


def test_fetched_records_are_made_as_records() -> None:
    """`PrefetchedRecords` yields the records that aiokafka's would be converted to; errors are kept as they are."""
    held = faust_hooks.PrefetchedRecords()
    ours, theirs = fetched(1), to_records(fetched(1))
    held[TopicPartition("t", 0)] = fetcher.FetchResult(None, assignment=None, partition_records=ours, backoff=0)
    assert list(ours) == theirs
    assert [(r.offset, r.key, r.value, r.headers) for r in theirs] == [
        (0, b"p", b"one", (("ce_id", b"1"),)),
        (1, None, b"two", ()),
    ]
    held[TopicPartition("t", 1)] = error = fetcher.FetchError(error=KafkaError(), backoff=0)
    assert held[TopicPartition("t", 1)] is error
    assert ours.next_fetch_offset == 2


def test_a_record_without_log_append_time_is_refused() -> None:
    """A producer's timestamps give no order; the message names the topic setting that fixes it."""
    records = fetched(0)
    faust_hooks.PrefetchedRecords()[TopicPartition("t", 0)] = fetcher.FetchResult(
        None, assignment=None, partition_records=records, backoff=0
    )
    with pytest.raises(LogBroken, match=r"t/0/0 .*message.timestamp.type=LogAppendTime on t"):
        next(records)


def test_the_fetcher_keeps_fetched_records_in_one_mapping() -> None:
    """The mapping is made once, so the replacement stays in place."""
    source = inspect.getsource(fetcher.Fetcher)
    assert source.count("self._records = ") == 1
    assert "self._records[tp] = FetchResult(" in source
