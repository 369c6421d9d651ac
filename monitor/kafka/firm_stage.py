"""The records of firms on Kafka: as the second stage keeps them, or folded again from the logs."""

from __future__ import annotations

from monitor.errors import LogBroken, Refused
from monitor.firms.fold import FirmsFold
from monitor.kafka import state_keys
from monitor.kafka.output_consumer import read_outputs
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.pool_service import firm_names
from monitor.kafka.reader_trust import OutputTrust
from monitor.kafka.topics import TopicNames, partition_count
from monitor.model.records import Decision, Evidence
from monitor.model.signing import Trusted
from monitor.model.subjects import firm_of

CLIENT = "sandbox-firms"


async def kept_firms(bootstrap: str, prefix: str) -> FirmsFold:
    """What the second stage has written. Nothing in it is signed: it is for reading, and everybody can fold the logs.
    Raises Refused where there is no second stage, Unavailable, LogBroken."""
    topic = firm_names(prefix).state
    try:
        await partition_count(bootstrap, topic)
    except LogBroken:
        words = f"there is no {topic}: start `sandbox-monitor pool`, which keeps the records, or use --recompute"
        raise Refused(words) from None
    live, fold = state_keys.LiveKeys(), FirmsFold()
    reader = PartitionReader(bootstrap, client_id=CLIENT)
    await reader.start()
    try:
        async for raw in reader.all(topic, 0):
            live.feed(raw.key, raw.value)
    finally:
        await reader.stop()
    for (kind, name), value in sorted(live.values.items()):
        firm = firm_of(name)
        if kind == state_keys.SNAPSHOT and firm is not None:
            fold.restore(firm, state_keys.decode_snapshot(value).state)
    return fold


async def folded_firms(bootstrap: str, prefix: str, trusted: Trusted | None = None) -> FirmsFold:
    """Fold the decisions and the evidence of all partitions from their beginning. With `trusted` keys only what one of
    them signed counts. Raises Unavailable, LogBroken."""
    names, fold = TopicNames(prefix), FirmsFold()
    trust = OutputTrust(bootstrap, names, trusted)
    try:
        await trust.require_signing()
        topics = [names.decisions, names.evidence]
        async for seen in read_outputs(bootstrap, topics, follow=False, client_id=CLIENT, trust=trust):
            if isinstance(seen.value, Decision):
                fold.decide(seen.value)
            elif isinstance(seen.value, Evidence):
                fold.observe(seen.value)
    finally:
        await trust.close()
    return fold
