"""The charter versions of a pilot from Kafka: its acts on `control`, matched with the decisions that they caused."""

from __future__ import annotations

from monitor.charter.control import ControlBase
from monitor.kafka.output_consumer import read_outputs
from monitor.kafka.partition_reader import PartitionReader, to_records
from monitor.kafka.reader_trust import OutputTrust
from monitor.kafka.topics import TopicNames, partition_count
from monitor.model.records import Decision, Rejected
from monitor.model.signing import Trusted
from monitor.projections.charter_record import CAUSES, Version, versions
from monitor.validate.parse import validate_control


async def kafka_versions(bootstrap: str, prefix: str, pilot: str, trusted: Trusted | None = None) -> list[Version]:
    """The charters that came into force for a pilot, the present one last; empty when it was never admitted.

    With `trusted` keys only decisions that one of them signed count. Reads `control` and `decisions` from the first
    record kept to the end: seconds per million decisions.
    Raises Unavailable, LogBroken.
    """
    names = TopicNames(prefix)
    acts = [act for act in await _acts(bootstrap, names) if act.pilot == pilot]
    decisions: list[Decision] = []
    if acts:
        trust = OutputTrust(bootstrap, names, trusted)
        try:
            await trust.require_signing()
            async for seen in read_outputs(
                bootstrap, [names.decisions], follow=False, client_id="sandbox-charter", trust=trust
            ):
                value = seen.value
                if isinstance(value, Decision) and value.pilot == pilot and value.reason in CAUSES:
                    decisions.append(value)
        finally:
            await trust.close()
    return versions(pilot, acts, decisions)


async def _acts(bootstrap: str, names: TopicNames) -> list[ControlBase]:
    reader = PartitionReader(bootstrap, client_id="sandbox-charter")
    found: list[ControlBase] = []
    await reader.start()
    try:
        for partition in range(await partition_count(bootstrap, names.control)):
            async for raw in reader.all(names.control, partition):
                for record in to_records([raw]):
                    act = validate_control(record, names.control, partition, secret=b"")
                    if not isinstance(act, Rejected):
                        found.append(act)
    finally:
        await reader.stop()
    return found
