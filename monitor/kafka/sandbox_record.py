"""The configuration of the sandbox and the classes of firms on Kafka: the accepted acts, and copies of them for the
other partitions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from monitor.engine.sandbox_acts import HOME
from monitor.kafka.output_consumer import read_outputs
from monitor.kafka.partition_reader import PartitionReader, to_records
from monitor.kafka.reader_trust import OutputTrust
from monitor.kafka.topics import TopicNames, partition_count
from monitor.lifecycle.sandbox import SUBJECT
from monitor.model.records import Decision, Record
from monitor.model.signing import Trusted
from monitor.model.standing_halt import StandingHalt
from monitor.projections.sandbox_record import AcceptedAct, accepted_acts, acts_at_home, at_home
from monitor.projections.standing_halts import HaltsFold

CLIENT = "sandbox-configuration"


async def kafka_sandbox_acts(bootstrap: str, prefix: str, trusted: Trusted | None = None) -> list[AcceptedAct]:
    """The accepted acts on the sandbox in their order; empty where none is founded. With `trusted` keys only
    decisions that one of them signed count. Raises Unavailable, LogBroken."""
    names = TopicNames(prefix)
    records = (await _of_sandbox(bootstrap, names, (HOME,)))[HOME]
    decisions: list[Decision] = []
    if records:
        decisions = [one async for one in _decisions(bootstrap, names, trusted) if one.pilot == SUBJECT]
    return accepted_acts(records, decisions)


async def kafka_home_acts(bootstrap: str, prefix: str, trusted: Trusted | None = None) -> list[AcceptedAct]:
    """The accepted acts that every partition needs, on the sandbox and on firms, in their order. Otherwise as
    `kafka_sandbox_acts`."""
    names = TopicNames(prefix)
    records = (await _of_sandbox(bootstrap, names, (HOME,)))[HOME]
    if not records:
        return []
    return acts_at_home(records, [one async for one in _decisions(bootstrap, names, trusted)])


async def kafka_halts(
    bootstrap: str, prefix: str, authorities: Iterable[str], trusted: Trusted | None = None
) -> list[StandingHalt]:
    """The halts that stand in all partitions, from the decisions that are kept; `authorities` are those of the sandbox.
    Raises Unavailable, LogBroken."""
    fold = HaltsFold()
    async for decision in _decisions(bootstrap, TopicNames(prefix), trusted):
        fold.add(decision)
    return list(fold.standing(authorities))


async def _decisions(bootstrap: str, names: TopicNames, trusted: Trusted | None) -> AsyncIterator[Decision]:
    trust = OutputTrust(bootstrap, names, trusted)
    try:
        await trust.require_signing()
        outputs = read_outputs(bootstrap, [names.decisions], follow=False, client_id=CLIENT, trust=trust)
        async for seen in outputs:
            if isinstance(seen.value, Decision):
                yield seen.value
    finally:
        await trust.close()


async def missing_copies(bootstrap: str, prefix: str, acts: list[AcceptedAct]) -> dict[int, list[AcceptedAct]]:
    """The accepted acts, in their order, from the first one on that `control` does not hold in a partition. Raises
    Unavailable, LogBroken."""
    names = TopicNames(prefix)
    others = range(HOME + 1, await partition_count(bootstrap, names.control))
    found: dict[int, list[AcceptedAct]] = {}
    for partition, records in (await _of_sandbox(bootstrap, names, others)).items():
        held, lacks = {record.value for record in records}, list(acts)
        while lacks and lacks[0].body in held:
            del lacks[0]
        found[partition] = lacks
    return found


async def _of_sandbox(
    bootstrap: str, names: TopicNames, partitions: range | tuple[int, ...]
) -> dict[int, list[Record]]:
    """The records on `control` with the key of the sandbox or of a firm, by partition."""
    reader = PartitionReader(bootstrap, client_id=CLIENT)
    found: dict[int, list[Record]] = {partition: [] for partition in partitions}
    await reader.start()
    try:
        for partition, records in found.items():
            async for raw in reader.all(names.control, partition):
                records += [
                    record for record in to_records([raw]) if at_home((record.key or b"").decode("utf-8", "replace"))
                ]
    finally:
        await reader.stop()
    return found
