"""Forged outputs are refused by every reader of the monitor, and the real ones after them are not.

Real owners write on a real broker; a forger writes to the same topics whatever it may have read there.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.client.control import read_state
from monitor.errors import LogBroken
from monitor.kafka.history_source import PartitionHistory
from monitor.kafka.log import KafkaLog
from monitor.kafka.output_consumer import ReadPosition, read_outputs
from monitor.kafka.pool_service import PoolKeys, pool_topics, run_pool
from monitor.kafka.reader_reports import ReaderReports, SkippedOutput
from monitor.kafka.reader_trust import OutputTrust
from monitor.kafka.settings import LogSettings
from monitor.kafka.topics import TopicNames, create_topics
from monitor.model.records import Claim, Decision, Outputs, Position
from monitor.model.signing import OUTPUT_HEADER, Place, Signer, Trusted
from monitor.notary.evidence_entries import EvidenceGroup, evidence_entries
from monitor.notary.verify import entries
from monitor.testing.kafka import Fresh, Sent, until
from monitor.testing.ports import free_port
from monitor.testing.records import command, decision, evidence
from tests.security.goals import Goal
from tests.strength import examples

pytestmark = pytest.mark.kafka
MONITOR, NEXT, STRANGER = Signer(b"m" * 32), Signer(b"n" * 32), Signer(b"s" * 32)
HUGE = 1 << 50
encode = msgspec.json.encode


@asynccontextmanager
async def owner(
    fresh: Fresh, partition: int = 0, signer: Signer | None = MONITOR, *trusted: str
) -> AsyncIterator[KafkaLog]:
    prefix = fresh.names.prefix
    settings = LogSettings(bootstrap=fresh.bootstrap, prefix=prefix, group=prefix, signer=signer, trusted=trusted)
    log = KafkaLog(settings, partition)
    try:
        await log.claim()
        yield log
    finally:
        await log.close()


async def write(log: KafkaLog, *standings: int, pilot: str = "p-1") -> None:
    """One decision, one period of evidence and one command for each standing."""
    for n in standings:
        out = Outputs(decisions=[decision(n, pilot)], evidence=[evidence(n, pilot)], commands=[command(n, pilot=pilot)])
        await log.write(out, Position({"t": n}), None)


async def refusals(
    fresh: Fresh, keys: Trusted | None, topic: str, positions: dict[tuple[str, int], ReadPosition] | None = None
) -> tuple[list[Any], Counter[str]]:
    """What a reader believes of a topic from `positions` on, which are moved, and how many records it refused, by
    reason."""
    why: Counter[str] = Counter()

    def skip(skipped: SkippedOutput) -> None:
        why[skipped.reason.value] += 1

    trust = OutputTrust(fresh.bootstrap, fresh.names, keys)
    try:
        reports, found = ReaderReports(on_skip=skip), []
        async for seen in read_outputs(
            fresh.bootstrap, [topic], positions=positions, follow=False, reports=reports, trust=trust
        ):
            found.append(seen.value)
            if positions is not None:
                positions[seen.topic, seen.partition] = seen.position
        return found, why
    finally:
        await trust.close()


class Forger:
    """Makes records for the topics of a monitor from what it read there. `other` is another deployment, same key."""

    def __init__(self, fresh: Fresh, other: Fresh, seed: int) -> None:
        self.fresh, self.other, self.random, self.number = fresh, other, random.Random(seed), 0
        self.read: dict[str, list[Any]] = {}
        self.ways: list[Callable[[], Sent]] = [
            self.huge_epoch,
            self.present_epoch,
            self.of_another_key,
            self.stripped,
            self.another_partition,
            self.another_deployment,
            self.another_epoch,
            self.another_number,
            self.changed,
            self.repeated,
            self.claimed,
        ]

    async def listen(self) -> None:
        """Read everything that the monitor wrote so far."""
        for fresh in (self.fresh, self.other):
            for topic in (fresh.names.decisions, fresh.names.commands, fresh.names.evidence, fresh.names.journal):
                self.read[topic] = await fresh.raw(topic)

    def _value(self) -> tuple[str, str, bytes, bytes]:
        """Topic, type, key and value of something that the monitor never said."""
        names = self.fresh.names
        self.number += 1
        pilot, n = self.random.choice(["p-1", "p-9"]), 100 + self.number
        return self.random.choice(
            [
                (names.decisions, "decision", pilot.encode(), encode(decision(n, pilot))),
                (names.commands, "command", pilot.encode(), encode(command(n, "release", pilot))),
                (names.evidence, "evidence", pilot.encode(), encode(evidence(n, pilot, k=900.0))),
            ]
        )

    def _signed(self, kind: str, topic: str, key: bytes, value: bytes, epoch: int) -> list[tuple[str, bytes]]:
        place = Place(kind, topic, 0, epoch, 10**6 + self.number)  # type: ignore[arg-type]
        proof = STRANGER.sign_output(place, key, value)
        number = str(place.number).encode()
        return [("type", kind.encode()), ("epoch", b"%d" % epoch), ("number", number), (OUTPUT_HEADER, proof.encode())]

    def _copied(self, names: TopicNames | None = None) -> Any:
        names = names or self.fresh.names
        return self.random.choice(self.read[self.random.choice([names.decisions, names.commands, names.evidence])])

    def huge_epoch(self) -> Sent:
        topic, kind, key, value = self._value()
        epoch = self.random.randint(HUGE, HUGE + 1000)
        return topic, key, value, [("type", kind.encode()), ("epoch", b"%d" % epoch)], 0

    def present_epoch(self) -> Sent:
        topic, kind, key, value = self._value()
        return topic, key, value, [("type", kind.encode()), ("epoch", b"1")], 0

    def of_another_key(self) -> Sent:
        topic, kind, key, value = self._value()
        return topic, key, value, self._signed(kind, topic, key, value, self.random.choice([1, HUGE])), 0

    def stripped(self) -> Sent:
        record = self._copied()
        return record.topic, record.key, record.value, [h for h in record.headers if h[0] != OUTPUT_HEADER], 0

    def another_partition(self) -> Sent:
        record = self._copied()
        return record.topic, record.key, record.value, record.headers, 1

    def another_deployment(self) -> Sent:
        record = self._copied(self.other.names)
        topic = record.topic.replace(self.other.names.prefix, self.fresh.names.prefix)
        return topic, record.key, record.value, record.headers, 0

    def another_epoch(self) -> Sent:
        record = self._copied()
        return record.topic, record.key, record.value, [*record.headers, ("epoch", b"%d" % HUGE)], 0

    def another_number(self) -> Sent:
        record = self._copied()
        return record.topic, record.key, record.value, [*record.headers, ("number", b"%d" % 10**9)], 0

    def changed(self) -> Sent:
        record = self._copied()
        return record.topic, record.key, record.value.replace(b"firm-1", b"firm-2") + b" ", record.headers, 0

    def repeated(self) -> Sent:
        record = self._copied()
        return record.topic, record.key, record.value, record.headers, 0

    def claimed(self) -> Sent:
        """A claim, for the records of `huge_epoch`, without or with a signature."""
        topic, value = self.fresh.names.journal, encode(Claim(self.random.randint(HUGE, HUGE + 1000), "forger"))
        return topic, None, value, self.random.choice([[], self._signed("journal", topic, b"", value, HUGE)]), 0


def test_no_forged_output_is_believed_and_every_real_one_after_it_is(tmp_path: Path, goal: Goal) -> None:
    """Notary, board, actor and second stage with the monitor's key accept nothing of a forger's, count each of its
    records, and have every real record that follows."""
    fresh, other = Fresh(partitions=2), Fresh()
    forged = examples(400, 10_000)

    async def story() -> None:
        forger = Forger(fresh, other, 12)
        async with owner(other) as elsewhere, owner(fresh) as log, owner(fresh, 1) as second:
            await write(elsewhere, 1, 2, pilot="p-9")
            await write(log, 1, 2, 3)
            await write(second, 1, pilot="p-2")
            await forger.listen()
            made: Counter[str] = Counter()
            lies = []
            for _ in range(forged):
                way = forger.random.choice(forger.ways)
                made[way.__name__] += 1
                lies.append(way())
            await fresh.send(lies)
            await write(log, 4, 5)
            await write(second, 2, pilot="p-2")
            await readers(fresh, tmp_path, forged - made["claimed"], goal)
            assert set(made) == {way.__name__ for way in forger.ways}

    asyncio.run(story())


REAL = {"p-1": 5, "p-2": 2}  # highest standing of each pilot


@contextmanager
def running(*arguments: str) -> Iterator[None]:
    """A reader as a separate process, killed at the end."""
    process = subprocess.Popen([sys.executable, "-m", "monitor", *arguments], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def readers(fresh: Fresh, home: Path, lies: int, goal: Goal) -> None:
    """Run all four readers until they have the real records; state what they have besides."""
    names, port, ending = fresh.names, free_port(), asyncio.Event()
    common = ["--bootstrap", fresh.bootstrap, "--prefix", names.prefix, "--trust-key", MONITOR.public]
    await create_topics(fresh.bootstrap, pool_topics(names.prefix, 1))
    pooling = run_pool(
        fresh.bootstrap, names.prefix, ending=ending.is_set, every=0.05, keys=PoolKeys((MONITOR.public,), NEXT)
    )

    def board() -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/board.json", timeout=10) as answer:
            return {p["pilot"]: p for p in msgspec.json.decode(answer.read())["pilots"]}

    def delivered() -> list[Decision]:
        with suppress(FileNotFoundError):
            return [msgspec.json.decode(line, type=Decision) for line in (home / "act.jsonl").read_bytes().splitlines()]
        return []

    async def complete() -> bool:
        with suppress(OSError):
            shown = (await asyncio.to_thread(board)).values()
            on_board = {p["pilot"]: p["standing"] for p in shown}
            in_ledger = {p["pilot"]: p["ledger"] and p["ledger"]["size"] for p in shown}
            return on_board == in_ledger == REAL and {d.pilot: d.standing for d in delivered()} == REAL
        return False

    notary = ["notary", *common, "--dir", str(home / "l"), "--port", str(port)]
    act = ["act", *common, "--dir", str(home / "act"), "--json-lines", str(home / "act.jsonl")]
    with running(*notary), running(*act):
        pool = asyncio.create_task(pooling)
        try:
            await until(complete, 120)
            shown = await asyncio.to_thread(board)
        finally:
            ending.set()
            machine = await pool
    recorded = [e for file in (home / "l").glob("*.ledger") for e in entries(file)]
    real = {decision(n, pilot).id for pilot, last in REAL.items() for n in range(1, last + 1)}
    observed = {
        entry.id
        for pilot, last in REAL.items()
        for n in range(1, last + 1)
        for entry in evidence_entries(EvidenceGroup(0, [evidence(n, pilot)]))
    }
    held = {entry.id for entry in recorded}
    assert real <= held
    assert held & observed  # the last period of each pilot is not complete yet
    goal("forged_outputs_in_ledger", len(held - real - observed), 0, note=f"of {lies}")
    goal("forged_outputs_delivered", len({d.id for d in delivered()} - real), 0, note=f"of {lies}")
    goal("forged_outputs_on_board", len(shown.keys() - REAL.keys()), 0, note=f"of {lies}")
    goal("forged_outputs_pooled", machine.events - sum(REAL.values()), 0, note=f"of {lies}")
    assert all((row["order"] or {}).get("action") != "release" for row in shown.values())


def test_a_refused_output_is_counted_with_its_reason(goal: Goal) -> None:
    """Each way of a forger is refused for the reason that it has."""
    fresh, other = Fresh(partitions=2), Fresh()
    ways = {
        "huge_epoch": "not_signed",
        "present_epoch": "not_signed",
        "of_another_key": "unknown_key",
        "stripped": "not_signed",
        "another_partition": "bad_signature",
        "another_deployment": "bad_signature",
        "another_epoch": "bad_signature",
        "another_number": "bad_signature",
        "changed": "bad_signature",
        "repeated": "replayed",
    }

    async def story() -> Counter[str]:
        forger = Forger(fresh, other, 7)
        async with owner(other) as elsewhere, owner(fresh) as log, owner(fresh, 1):
            await write(elsewhere, 1)
            await write(log, 1, 2)
            await forger.listen()
            await fresh.send([getattr(forger, way)() for way in ways for _ in range(6)])
        found: Counter[str] = Counter()
        for topic in (fresh.names.decisions, fresh.names.commands, fresh.names.evidence):
            found += (await refusals(fresh, Trusted([MONITOR.public]), topic))[1]
        return found

    wanted = Counter(reason for reason in ways.values() for _ in range(6))
    found = asyncio.run(story())
    goal("forged_outputs_without_their_reason", (wanted - found).total() + (found - wanted).total(), 0)


def test_a_reader_that_was_restarted_refuses_a_copy_of_what_it_read_before(goal: Goal) -> None:
    """Its position names an offset only: the newest signed record before it tells which numbers are new."""
    fresh, keys = Fresh(), Trusted([MONITOR.public])
    topic, positions = fresh.names.decisions, dict[tuple[str, int], ReadPosition]()

    async def story() -> list[Decision]:
        async with owner(fresh) as log:
            await write(log, 1, 2, 3)
        believed, why = await refusals(fresh, keys, topic, positions)
        assert (len(believed), why) == (3, {})
        for standing in (4, 5):
            await fresh.send([(topic, r.key, r.value, r.headers, 0) for r in (await fresh.raw(topic))[:3]])
            async with owner(fresh) as log:
                await write(log, standing)
            found, why = await refusals(fresh, keys, topic, positions)
            believed += found
            assert why == {"replayed": 3}
        return believed

    standings = [decision.standing for decision in asyncio.run(story())]
    goal("copies-accepted-after-a-restart", len(standings) - 5, 0)
    assert standings == [1, 2, 3, 4, 5]


def test_without_keys_an_epoch_without_a_claim_is_refused(goal: Goal) -> None:
    """In open mode a record with a huge epoch makes no later record void: its epoch has no claim in the journal."""
    fresh, lies = Fresh(), examples(200, 10_000)

    async def story() -> tuple[int, Counter[str]]:
        forger = Forger(fresh, fresh, 3)
        async with owner(fresh, signer=None) as log:
            await write(log, 1, 2)
        async with owner(fresh, signer=None) as log:
            await fresh.send([forger.huge_epoch() for _ in range(lies)])
            await write(log, 3, 4)
        found, why = await refusals(fresh, None, fresh.names.decisions)
        assert [d.standing for d in found] == [1, 2, 3, 4]
        for topic in (fresh.names.commands, fresh.names.evidence):
            values, more = await refusals(fresh, None, topic)
            assert len(values) == 4
            why += more
        return len(found) - 4, why

    accepted, why = asyncio.run(story())
    goal("unclaimed_epochs_accepted", accepted, 0, note=f"of {lies}")
    assert why == {"epoch_not_claimed": lies}


def test_a_log_from_before_the_key_is_read_and_nothing_unsigned_after_it() -> None:
    """With a key that came later, older records count; from the first signed claim on an unsigned one is refused, also
    under an old epoch, and where the monitor itself has not written yet."""
    fresh, keys = Fresh(partitions=2), Trusted([MONITOR.public])

    async def story() -> None:
        for partition, pilot in ((0, "p-1"), (1, "p-2")):
            async with owner(fresh, partition, None) as log:
                await write(log, 1, 2, pilot=pilot)
        forger = Forger(fresh, fresh, 5)
        early = [forger.huge_epoch() for _ in range(20)]  # before there was a key: no owner claimed their epochs
        await fresh.send(early)
        async with owner(fresh, 0) as log, owner(fresh, 1):
            headers = [("type", b"decision"), ("epoch", b"1")]
            unsigned = (fresh.names.decisions, b"p-2", encode(decision(3, "p-2")), headers, 1)
            await fresh.send([unsigned, *[forger.present_epoch() for _ in range(20)]])
            await write(log, 3)
        found, why = await refusals(fresh, keys, fresh.names.decisions)
        assert sorted((d.pilot, d.standing) for d in found) == [("p-1", n) for n in (1, 2, 3)] + [
            ("p-2", n) for n in (1, 2)
        ]
        assert why["not_signed"] >= 1
        assert set(why) <= {"not_signed", "epoch_not_claimed"}

    asyncio.run(story())


def test_a_replaced_key_loses_and_refuses_no_record(goal: Goal) -> None:
    """While readers trust both keys, every record of the old and of the new owner counts."""
    fresh = Fresh()

    async def story() -> int:
        async with owner(fresh) as log:
            await write(log, 1, 2)
        async with owner(fresh, 0, NEXT, MONITOR.public) as log:
            await write(log, 3, 4)
        found, why = await refusals(fresh, Trusted([MONITOR.public, NEXT.public]), fresh.names.decisions)
        assert not why
        return 4 - len(found)

    goal("records_lost_while_a_key_is_replaced", asyncio.run(story()), 0)


def test_a_reader_says_at_its_start_that_the_workers_do_not_sign() -> None:
    """Trusted keys and a worker without a key, or with another one, is an error that names partition, cause and fix."""
    fresh = Fresh()

    async def story() -> None:
        for signer, trusted, text in (
            (None, (), "partition 0 does not sign.*--key-file"),
            (STRANGER, (), f"partition 0 signs with the key {STRANGER.key_id}.*--trust-key"),
        ):
            async with owner(fresh, 0, signer, *trusted) as log:
                await write(log, log.epoch)
            trust = OutputTrust(fresh.bootstrap, fresh.names, Trusted([MONITOR.public]))
            with pytest.raises(LogBroken, match=text):
                await trust.require_signing()
            await trust.close()
        found, why = await refusals(fresh, Trusted([MONITOR.public]), fresh.names.decisions)
        assert (found, why) == ([], {"not_signed": 1, "unknown_key": 1})

    asyncio.run(story())


def test_the_tools_of_a_regulator_believe_no_forged_record() -> None:
    """The standing that an act names, and the history that a firm replays, hold nothing that no trusted key signed."""
    fresh, keys = Fresh(), Trusted([MONITOR.public])

    async def story() -> list[int]:
        async with owner(fresh) as log:
            await write(log, 1, 2)
        names, headers = fresh.names, [("type", b"decision"), ("epoch", b"1")]
        claimed = [("type", b"journal"), ("epoch", b"%d" % HUGE)]
        lie = encode(decision(900))
        await fresh.send(
            [
                (names.decisions, b"p-1", lie, headers, 0),
                (names.decisions, b"p-1", b"{]", headers, 0),
                (names.journal, None, encode(Claim(HUGE, "forger")), claimed, 0),
                (names.journal, None, b"{]", (), 0),
            ]
        )
        async with owner(fresh, 0) as log:
            await write(log, 3)
        async with PartitionHistory(fresh.bootstrap, names, 0, keys) as history:
            await history.ordered()
            return [row.entry.epoch async for row in history._journal()]

    epochs = asyncio.run(story())
    assert epochs == [1, 2]
    known = read_state(f"kafka://{fresh.bootstrap}", "p-1", prefix=fresh.names.prefix, trusted=keys)
    assert known is not None
    assert known.standing == 3
