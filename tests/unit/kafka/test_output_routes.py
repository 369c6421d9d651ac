"""Which topics commands and permits go to, and which commands in force are missing where."""

from __future__ import annotations

import asyncio

from monitor.kafka.output_routes import MOST_NAMED, OutputRoutes, Routing, Written, commands_in_force
from monitor.kafka.topics import TopicNames
from tests.unit.engine.test_machine import T0, Bench
from tests.unit.kafka.worker_story import WorkerStory

EACH = TopicNames("s", ("acme", "bolt"), per_participant=True)


def test_a_participant_with_topics_is_written_to_them_alone() -> None:
    """Its commands and permits go nowhere else."""
    routes = OutputRoutes(EACH)
    assert routes.commands("acme") == ("s.commands.acme",)
    assert routes.permits("bolt") == ("s.permits.bolt",)
    assert not routes.without_topics


def test_a_participant_without_topics_is_written_to_the_shared_ones_and_named() -> None:
    """Nothing is lost where topics are missing, or cannot be used; a bounded number is named."""
    routes = OutputRoutes(EACH, unrouted=["bolt"])
    assert routes.commands("cove") == ("s.commands",)
    assert routes.permits("bolt") == ("s.permits",)
    assert routes.without_topics == {"bolt", "cove"}
    for number in range(2 * MOST_NAMED):
        routes.commands(f"f-{number}")
    assert len(routes.without_topics) == MOST_NAMED
    routes.use(["acme", "bolt", "cove"], [])
    assert not routes.without_topics & {"acme", "bolt", "cove"}


def test_with_shared_topics_everybody_is_written_to_them() -> None:
    """Without topics per participant there is one of each kind, and no participant is named."""
    routes = OutputRoutes(TopicNames("s"))
    assert (routes.commands("acme"), routes.permits("acme")) == (("s.commands",), ("s.permits",))
    assert not routes.without_topics


def test_during_a_migration_both_are_written() -> None:
    """A service that reads the shared topics, and one that reads its own, get every command."""
    routes = OutputRoutes(TopicNames("s", ("acme",), per_participant=True, also_shared=True))
    assert routes.commands("acme") == ("s.commands.acme", "s.commands")
    assert routes.permits("acme") == ("s.permits.acme", "s.permits")


def test_what_is_missing_is_what_the_routing_before_did_not_write() -> None:
    """To a new topic, back to the shared topics, and nothing where nothing changed."""
    shared, own, both = Routing(), Routing(("acme",)), Routing(("acme",), also_shared=True)
    missing = {(a, b): Written.under(a).missing("acme", b) for a in (shared, own, both) for b in (shared, own, both)}
    assert missing == {
        (shared, shared): (),
        (shared, own): ("own",),
        (shared, both): ("own",),
        (own, shared): ("shared",),
        (own, own): (),
        (own, both): ("shared",),
        (both, shared): (),
        (both, own): (),
        (both, both): (),
    }


def test_a_destination_that_is_not_in_use_falls_behind() -> None:
    """An owner that wrote elsewhere and crashed before it said so leaves both destinations incomplete."""
    shared, own = Routing(), Routing(("acme",))
    between = Written.under(own).since(shared)
    assert between.missing("acme", shared) == ("shared",)
    assert between.since(own).missing("acme", own) == ("own",)
    assert Written().since(own).missing("acme", shared) == ("shared",)
    assert Written().since(shared) == Written()
    assert Written.under(own).since(own) == Written.under(own)


def test_commands_in_force_are_the_newest_of_each_pilot() -> None:
    """Also those that were acknowledged long ago; a pilot that never had one has none."""
    bench = Bench()
    assert not list(commands_in_force(bench.machine))
    out = bench.send(*(bench.emitter.incident(T0 + 60_000) for _ in range(50)), at=T0 + 61_000)
    [(participant, command)] = commands_in_force(bench.machine)
    assert participant == bench.machine.pilots["p"].charter.participant.id
    assert command.id == out.commands[-1].id
    assert out.participants == {"p": participant}


def test_commands_in_force_are_written_once_when_the_routes_change() -> None:
    """In the worker's next round, before control and time are stepped."""
    story = WorkerStory(participants=("acme",), per_participant=True)

    async def go() -> None:
        await story.claim()
        (log,) = story.cluster.logs
        await story.drain(1)
        assert not log.rerouting
        story.workers.ownership.routes.use(["acme", "bolt"], [])
        assert log.rerouting
        await story.drain(1)
        assert not log.rerouting

    asyncio.run(go())
