"""What the log on Kafka guarantees beyond the shared contract: fence, transactions, stamped times, state keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec import structs

from monitor.engine.log import Checkpoint
from monitor.errors import Fenced, Forged, LogBroken, Unavailable
from monitor.kafka import state_keys
from monitor.kafka.log import KafkaLog
from monitor.kafka.output_consumer import ReadPosition, read_outputs
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.settings import LogSettings
from monitor.kafka.topics import create_topics, topics
from monitor.model.records import Closed, Outputs, Permit, Position, TimeRead
from monitor.model.signing import HEADER, Signer, Trusted
from monitor.testing.kafka import Fresh, gathered
from monitor.testing.ports import free_port
from monitor.testing.records import command, decision, evidence

pytestmark = pytest.mark.kafka


def log_settings(fresh: Fresh, **more: object) -> LogSettings:
    prefix = fresh.names.prefix
    return structs.replace(LogSettings(bootstrap=fresh.bootstrap, prefix=prefix, group=prefix), **more)


@asynccontextmanager
async def owner(
    fresh: Fresh,
    partition: int = 0,
    generation: int = 0,
    failpoint: Callable[[str], None] = lambda name: None,
    **more: object,
) -> AsyncIterator[KafkaLog]:
    """A log that is closed at the end."""
    log = KafkaLog(log_settings(fresh, **more), partition, generation=generation, failpoint=failpoint)
    try:
        yield log
    finally:
        await log.close()


def at(telemetry: int, journal: int = 0) -> Position:
    return Position({"t": telemetry}, 0, journal)


def test_nothing_of_an_open_transaction_is_read() -> None:
    """An owner that dies inside a write leaves nothing: the next claim aborts its transaction, and its records stay
    invisible."""
    fresh = Fresh()

    async def story() -> None:
        async with owner(fresh) as first, owner(fresh) as second:
            await first.claim()
            await first.write(Outputs(decisions=[decision(1)]), at(1), None)
            dying = first._producer
            assert dying is not None
            await dying.begin_transaction()
            await dying.send_and_wait(fresh.names.decisions, msgspec.json.encode(decision(2)), partition=0)
            await dying.send_and_wait(fresh.names.state, b"x", b"snapshot/1/p", partition=0)
            found = await second.claim()
            assert (found.epoch, found.through, found.snapshots) == (2, at(1), {})
            await second.write(Outputs(decisions=[decision(3)]), at(3), None)
            assert [d.standing for d in gathered(await fresh.seen()).decisions] == [1, 3]

    asyncio.run(story())


def test_the_older_owner_is_fenced_even_before_the_newer_one_wrote() -> None:
    """The fence holds from the claim on: a write already in progress by the older owner is refused."""
    fresh = Fresh()

    async def story() -> None:
        async with owner(fresh) as old, owner(fresh) as new:
            await old.claim()
            await new.claim()
            with pytest.raises(Fenced):
                await old.write(Outputs(decisions=[decision(1)]), at(1), None)
            with pytest.raises(Fenced):
                await old.append(TimeRead(1, {}, 0))
        assert gathered(await fresh.seen()).decisions == []

    asyncio.run(story())


def test_outputs_carry_pilot_as_key_and_type_and_epoch_as_headers() -> None:
    """Another client finds JSON, keyed by pilot, on the partition of the telemetry it came from."""
    fresh = Fresh(partitions=3)

    async def story() -> None:
        async with owner(fresh, 2, generation=7) as log:
            await log.claim()
            outputs = Outputs(
                decisions=[decision(1)], commands=[command(1)], evidence=[evidence(1), Closed(partition=2, through=5)]
            )
            await log.write(outputs, at(1), None)
        for topic, types in (
            (fresh.names.decisions, [b"decision"]),
            (fresh.names.commands, [b"command"]),
            (fresh.names.evidence, [b"evidence", b"closed"]),
        ):
            records = await fresh.raw(topic)
            assert [dict(r.headers)["type"] for r in records] == types
            assert {dict(r.headers)["epoch"] for r in records} == {b"7"}
            assert {dict(r.headers)["content-type"] for r in records} == {b"application/json"}
            assert {r.partition for r in records} == {2}
            assert records[0].key == b"p-1"

    asyncio.run(story())


def test_a_newer_epoch_tombstones_the_state_keys_of_the_older() -> None:
    """After a checkpoint of epoch 2 the keys of epoch 1 have tombstones, so that compaction keeps one snapshot per
    pilot."""
    fresh = Fresh()

    async def story() -> None:
        async with owner(fresh) as first, owner(fresh) as second:
            await first.claim()
            await first.write(Outputs(), None, Checkpoint(at(1, 1), {"p": b"1", "q": b"1", "r": b"1"}))
            await second.claim()
            await second.write(Outputs(decisions=[decision(1)]), at(2, 2), Checkpoint(at(2, 2), {"p": b"2", "q": None}))
        last = {r.key: r.value for r in await fresh.raw(fresh.names.state)}
        alive = {key for key, value in last.items() if value is not None}
        assert alive == {b"snapshot/2/p", b"snapshot/1/r", b"!watermark/2/", b"!through/2/"}
        assert state_keys.decode_snapshot(last[b"snapshot/2/p"] or b"").state == b"2"

    asyncio.run(story())


def test_an_unreadable_snapshot_is_damage_or_removed_by_the_next_checkpoint() -> None:
    """Under a key that an owner wrote, its pilot is set aside. Under a key above every checkpoint, nothing changes, and
    no later owner reaches its epoch with it still there."""
    fresh = Fresh()

    async def put(*keys: bytes) -> None:
        await fresh.send([(fresh.names.state, key, b"?", (), 0) for key in keys])

    async def story() -> None:
        async with owner(fresh) as first, owner(fresh) as second, owner(fresh) as third:
            await first.claim()
            await first.write(Outputs(), None, Checkpoint(at(1, 1), {"p": b"1", "q": b"1"}))
            await put(b"snapshot/2/p", b"snapshot/2/q", b"snapshot/9/q", b"snapshot/9007199254740991/q")
            assert (await second.claim()).snapshots == {"p": b"1", "q": b"1"}
            assert second.epoch == 2
            await second.write(Outputs(), None, Checkpoint(at(2, 2), {"p": b"2"}))
            last = {r.key: r.value for r in await fresh.raw(fresh.names.state)}
            assert {key for key, value in last.items() if value is not None} == {
                b"snapshot/2/p",
                b"snapshot/1/q",
                b"!watermark/2/",
            }
            await put(b"snapshot/2/p")
            assert (await third.claim()).snapshots == {"p": b"", "q": b"1"}
            assert third.epoch == 3

    asyncio.run(story())


def test_a_journal_without_log_append_time_is_refused() -> None:
    """The acknowledgement's timestamp is `now`; a journal stamped by its sender would let an owner choose the time."""
    fresh = Fresh()

    async def story() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=fresh.bootstrap)
        await admin.start()
        wanted = topics(type(fresh.names)(f"{fresh.names.prefix}-own-time"), 1, 1)
        journal = next(t for t in wanted if t.name.endswith(".journal"))
        await create_topics(fresh.bootstrap, [t for t in wanted if t is not journal])
        await admin.create_topics([NewTopic(journal.name, 1, 1)])
        await admin.close()
        log = KafkaLog(log_settings(fresh, prefix=f"{fresh.names.prefix}-own-time"), 0)
        try:
            with pytest.raises(LogBroken, match=r"message\.timestamp\.type=LogAppendTime"):
                await log.claim()
        finally:
            await log.close()

    asyncio.run(story())


def test_an_unavailable_broker_is_reported() -> None:
    """A claim without a broker raises `Unavailable`, and leaves nothing running."""

    async def story() -> None:
        log = KafkaLog(LogSettings(bootstrap=f"127.0.0.1:{free_port()}", timeout=2), 0)
        with pytest.raises(Unavailable):
            await log.claim()
        await log.close()

    asyncio.run(story())


def test_a_consumer_drops_duplicates_and_void_records() -> None:
    """The same id twice counts once; a record of a lower epoch after a higher one does not count."""
    fresh = Fresh()

    def record(number: int, epoch: int) -> tuple[str, bytes, bytes, list[tuple[str, bytes]], int]:
        headers = [("type", b"decision"), ("epoch", str(epoch).encode())]
        return fresh.names.decisions, b"p-1", msgspec.json.encode(decision(number, epoch=epoch)), headers, 0

    async def story() -> None:
        await fresh.send([record(1, 1), record(1, 1), record(2, 2), record(1, 2), record(3, 1), record(4, 2)])
        seen = [s async for s in read_outputs(fresh.bootstrap, [fresh.names.decisions], follow=False)]
        assert [(s.value.standing, s.epoch) for s in seen] == [(1, 1), (2, 2), (4, 2)]  # type: ignore[union-attr]
        place = {(fresh.names.decisions, 0): seen[1].position}
        assert seen[1].position == ReadPosition(3, 2)
        rest = [s async for s in read_outputs(fresh.bootstrap, [fresh.names.decisions], place, follow=False)]
        assert [s.value.standing for s in rest] == [1, 4], "from a place on, only what is void there is known"  # type: ignore[union-attr]

    asyncio.run(story())


def test_a_sources_aborted_transaction_never_happened() -> None:
    """A firm may send in transactions: what it aborts is not telemetry, what it commits is."""
    fresh = Fresh()

    async def story() -> None:
        name = f"{fresh.names.prefix}-firm"
        async with AIOKafkaProducer(bootstrap_servers=fresh.bootstrap, transactional_id=name) as firm:
            for value, keep in ((b"aborted", False), (b"kept", True)):
                await firm.begin_transaction()
                await firm.send_and_wait(fresh.telemetry, value, partition=0)
                await (firm.commit_transaction() if keep else firm.abort_transaction())
        async with owner(fresh) as log:
            await log.claim()
            while not (records := await log.telemetry(fresh.telemetry, 0, 100)):
                await asyncio.sleep(0.05)
            assert [r.value for r in records] == [b"kept"]

    asyncio.run(story())


def test_commands_and_permits_are_signed_over_the_bytes_that_are_written() -> None:
    """A reader with the public key can tell each from a forged one, and a permit from a command."""
    fresh, signer = Fresh(), Signer(bytes(range(32)))
    trusted = Trusted([signer.public])
    permit = Permit(pilot="p", nonce="n", standing=1, epoch=1, lease_ms=60_000)
    halt = command(1)

    async def story() -> None:
        async with owner(fresh, signer=signer) as log:
            await log.claim()
            await log.write(Outputs(commands=[halt], permits=[permit]), at(1), None)
        reader = PartitionReader(fresh.bootstrap)
        await reader.start()
        try:
            for topic, kind in ((fresh.names.commands, "command"), (fresh.names.permits, "permit")):
                (raw,) = [r async for r in reader.all(topic, 0)]
                signature = dict(raw.headers)[HEADER].decode()
                assert trusted.verify(kind, raw.value, signature) == signer.key_id  # type: ignore[arg-type]
                with pytest.raises(Forged):
                    trusted.verify("control", raw.value, signature)
        finally:
            await reader.stop()

    asyncio.run(story())


def test_commands_in_force_reach_a_new_topic_once_and_the_next_owner_knows() -> None:
    """A participant gets topics: the command in force is written there under this owner's epoch, the next owner does
    not repeat it; back to shared topics, the newer command is written there."""
    fresh = Fresh(participants=("acme",))
    own, shared = fresh.names.commands_of("acme"), fresh.names.commands
    each: dict[str, object] = {"participants": ("acme",), "per_participant": True}

    async def numbers(topic: str) -> list[int]:
        return [msgspec.json.decode(r.value)["standing"] for r in await fresh.raw(topic)]

    async def story() -> None:
        async with owner(fresh) as log:
            await log.claim()
            assert not log.rerouting
            await log.write(Outputs(commands=[command(1)], participants={"p-1": "acme"}), at(1), None)
        assert (await numbers(shared), await numbers(own)) == ([1], [])
        async with owner(fresh, **each) as log:
            await log.claim()
            assert log.rerouting
            await log.reroute([("acme", command(1)), ("bolt", command(5))])
            assert not log.rerouting
            await log.write(Outputs(commands=[command(2)], participants={"p-1": "acme"}), at(2), None)
        assert (await numbers(shared), await numbers(own)) == ([1], [1, 2])
        async with owner(fresh, **each) as log:
            await log.claim()
            assert not log.rerouting
        async with owner(fresh) as log:
            await log.claim()
            assert log.rerouting
            await log.reroute([("acme", command(2)), ("bolt", command(5))])
        assert (await numbers(shared), await numbers(own)) == ([1, 2], [1, 2])

    asyncio.run(story())


def test_a_command_that_an_owner_has_just_emitted_to_a_new_topic_is_not_written_there_again() -> None:
    """Its recovery emits before commands in force are written."""
    fresh = Fresh(participants=("acme",))
    each: dict[str, object] = {"participants": ("acme",), "per_participant": True}

    async def standings() -> list[int]:
        return [msgspec.json.decode(r.value)["standing"] for r in await fresh.raw(fresh.names.commands_of("acme"))]

    async def story() -> None:
        async with owner(fresh, **each) as log:
            await log.claim()
            await log.write(Outputs(commands=[command(1)], participants={"p-1": "acme"}), at(1), None)
            if log.rerouting:
                await log.reroute([("acme", command(1))])
            assert not log.rerouting
        assert await standings() == [1]

    asyncio.run(story())


def test_the_first_owner_of_a_partition_misses_no_commands() -> None:
    """An owner that emits the first command and ends at once leaves nothing to write again."""
    fresh = Fresh(participants=("acme",))
    each: dict[str, object] = {"participants": ("acme",), "per_participant": True}

    async def story() -> None:
        async with owner(fresh, **each) as log:
            await log.claim()
            await log.write(Outputs(commands=[command(1)], participants={"p-1": "acme"}), at(1), None)
        async with owner(fresh, **each) as log:
            await log.claim()
            assert not log.rerouting

    asyncio.run(story())


def test_a_topic_that_was_deleted_and_created_again_is_written_again() -> None:
    """Nothing is in it, whatever was noted; so is one that was not written for a while."""
    fresh = Fresh(participants=("acme",))
    each: dict[str, object] = {"participants": ("acme",), "per_participant": True}

    async def story() -> None:
        async with owner(fresh, **each) as log:
            await log.claim()
            await log.write(Outputs(commands=[command(1)], participants={"p-1": "acme"}), at(1), None)
            if log.rerouting:
                await log.reroute([("acme", command(1))])
            assert not log.rerouting
        admin = AIOKafkaAdminClient(bootstrap_servers=fresh.bootstrap)
        await admin.start()
        await admin.delete_topics([fresh.names.commands_of("acme")])
        while fresh.names.commands_of("acme") in await admin.list_topics():
            await asyncio.sleep(0.05)
        await admin.close()
        await create_topics(fresh.bootstrap, topics(fresh.names, 1, 1))
        async with owner(fresh, **each) as log:
            await log.claim()
            assert log.rerouting
            await log.reroute([("acme", command(1))])
        assert len(await fresh.raw(fresh.names.commands_of("acme"))) == 1
        async with owner(fresh) as log:  # the commands topic cannot be used for a while: others are written
            await log.claim()
            await log.reroute([("acme", command(1))])
        async with owner(fresh, **each) as log:
            await log.claim()
            assert log.rerouting

    asyncio.run(story())
