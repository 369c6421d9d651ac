"""The second stage of firms on a real broker: its records are those of the logs, whichever process wrote them."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from monitor.errors import Refused
from monitor.firms.fold import FirmsFold
from monitor.kafka.firm_stage import folded_firms, kept_firms
from monitor.kafka.pool_service import firm_topics, run_firms
from monitor.kafka.topics import create_topics
from monitor.testing.kafka import Fresh, Sent, until
from tests.property.test_firm_classes import story
from tests.unit.firms.decisions import Pilot
from tests.unit.firms.test_machine import folded, topics_of

pytestmark = pytest.mark.kafka


def lines(fresh: Fresh, pilots: list[Pilot]) -> list[Sent]:
    """The decisions and evidence of the pilots, on two partitions, partition by partition."""
    found: list[Sent] = []
    for name, kept in topics_of(pilots).items():
        topic, _, partition = name.rpartition("/")
        named = fresh.names.decisions if topic.endswith("decisions") else fresh.names.evidence
        found += [(named, one.key, one.value, one.headers, int(partition)) for one in kept]
    return found


def test_without_a_second_stage_its_records_are_refused() -> None:
    """The error names the process that keeps them, at once."""
    fresh = Fresh(partitions=1)
    with pytest.raises(Refused, match="sandbox-monitor pool"):
        asyncio.run(kept_firms(fresh.bootstrap, fresh.names.prefix))


def test_stopped_and_started_again_it_has_the_records_of_the_logs() -> None:
    """Half of the logs, an end without a last checkpoint, the other half, another owner: the records that are kept are
    those of a fold of the logs, and of one without a broker."""
    fresh, pilots = Fresh(partitions=2), story(Random(5), 10)
    sent = lines(fresh, pilots)
    half = [one for at, one in enumerate(sent) if at % 4 < 2]

    async def go() -> tuple[FirmsFold, FirmsFold]:
        where, prefix = fresh.bootstrap, fresh.names.prefix
        await create_topics(where, firm_topics(prefix, 1))
        await fresh.send(fresh.claims())
        await fresh.send(sent[: len(half)])
        first = asyncio.create_task(run_firms(where, prefix, every=0.1))

        async def began() -> bool:
            return bool((await kept_firms(where, prefix)).firms)

        await until(began, 90)
        first.cancel()
        await asyncio.wait([first])
        await fresh.send(sent[len(half) :])
        over = asyncio.Event()
        second = asyncio.create_task(run_firms(where, prefix, every=0.1, ending=over.is_set))
        whole = await folded_firms(where, prefix)

        async def reached() -> bool:
            return (await kept_firms(where, prefix)).records() == whole.records()

        try:
            await until(reached, 90)
        finally:
            over.set()
            await second
        return await kept_firms(where, prefix), whole

    kept, whole = asyncio.run(go())
    assert kept.records() == whole.records() == folded(pilots).records()
    assert len(kept.firms) == 3
