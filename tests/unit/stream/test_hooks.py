"""The private parts of Faust, mode and aiokafka that the worker holds on to: each is there, and is what was read."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import aiokafka
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.transport.consumer import Fetcher
from faust.transport.drivers import aiokafka as driver

from monitor.errors import Stop
from monitor.stream import hooks


def test_the_installed_versions_are_the_ones_that_were_read() -> None:
    """Faust, mode and aiokafka are pinned exactly, and the guard lets exactly these through."""
    hooks.guard()
    assert {name: version(name) for name in hooks.PINNED} == hooks.PINNED


@pytest.mark.parametrize("changed", sorted(hooks.PINNED))
def test_another_version_is_refused(changed: str) -> None:
    """A worker on any other version of one of the three does not start, and says which one."""
    with pytest.raises(Stop, match=rf"{changed} .*found 9\.9"):
        hooks.guard(lambda name: "9.9" if name == changed else hooks.PINNED[name])


@pytest.mark.parametrize(("owner", "name"), hooks.HOOKS, ids=lambda x: getattr(x, "__name__", x))
def test_each_hook_exists(owner: type, name: str) -> None:
    """Every private name that is overridden or called exists where it is looked for."""
    assert inspect.getattr_static(owner, name) is not None


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
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_each_hook_takes_what_it_is_given(function: object, parameters: list[str]) -> None:
    """The parameters of what is overridden are those that the override has."""
    assert list(inspect.signature(function).parameters) == parameters  # type: ignore[arg-type]


def test_what_faust_calls_is_what_is_overridden() -> None:
    """Recovery calls `perform_seek`, the fetcher calls `_drain_messages`, the app makes its transport through `_new_transport`."""
    from faust.app.base import App
    from faust.tables.recovery import Recovery

    assert "consumer.perform_seek()" in inspect.getsource(Recovery._resume_streams)
    assert "consumer._drain_messages(self)" in inspect.getsource(Fetcher)
    assert "self._new_transport()" in inspect.getsource(App)
    assert "consumer.resume_flow()" in inspect.getsource(Recovery._resume_streams)


def test_recovery_seeks_before_records_flow() -> None:
    """`perform_seek` has ended before `resume_flow`: nothing is handed out before the seat is taken."""
    from faust.tables.recovery import Recovery

    source = inspect.getsource(Recovery._resume_streams)
    assert source.index("perform_seek()") < source.index("resume_flow()")


def test_one_worker_holds_the_same_partitions_of_every_topic() -> None:
    """The assignor keeps partition p of telemetry and control together, whatever the number of workers."""

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
    source = inspect.getsource(hooks.Thread._create_worker_consumer)
    for line in (
        "[RangePartitionAssignor]",
        'isolation_level="read_committed"',
        "enable_auto_commit=False",
        "return Fetches(",
    ):
        assert line in source
    assert {"partition_assignment_strategy", "isolation_level", "group_instance_id"} <= set(
        inspect.signature(aiokafka.AIOKafkaConsumer).parameters
    )
    assert TopicPartition("t", 1) == ("t", 1)


@pytest.mark.parametrize(("waiting", "longest"), [({}, hooks.WAITS_FOR_ALL), ({TopicPartition("t", 0): ()}, 10)])
def test_a_fetch_for_some_topics_waits_not_long(waiting: dict[TopicPartition, object], longest: int) -> None:
    """A fetch that leaves out topics whose records wait to be taken comes back soon; one for all topics may wait."""
    asked = []

    class Asked(fetcher.Fetcher):
        def __init__(self) -> None:
            self._records = waiting

        def _get_actions_per_node(self, assignment: object) -> None:
            asked.append(self._fetch_max_wait_ms)

    class Ours(hooks.Fetcher, Asked):
        pass

    Ours()._get_actions_per_node(None)
    assert asked == [longest]


def test_the_fetcher_is_where_the_worker_looks_for_it() -> None:
    """The consumer makes its fetcher when it starts, and each fetch carries the longest wait as it stands then."""
    assert "self._fetcher = Fetcher(" in inspect.getsource(aiokafka.AIOKafkaConsumer.start)
    assert "self._fetch_max_wait_ms," in inspect.getsource(fetcher.Fetcher._get_actions_per_node)
    assert "self._records" in inspect.getsource(fetcher.Fetcher._get_actions_per_node)


def test_one_transaction_soon_follows_another() -> None:
    """The wait between two transactions is ours to set, and shorter than what aiokafka ships."""
    hooks.begin_soon()
    assert hooks.sender.BACKOFF_OVERRIDE == hooks.AGAIN_AFTER < 0.02
