"""On a real broker and worker, the flood of one firm delays no halt of another."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from tests.security.goals import Goal
from tests.security.latency import Duel, attacks, percentile
from tests.strength import FULL, examples

pytestmark = pytest.mark.kafka

BOUND_MS = 250.0  # on an idle machine of two cores
RATIO = 6.0  # to the calm figure, where the machine does other work as well
PER_SECOND = 10.0  # records of the flood: far more than a worker steps


@pytest.mark.long
@pytest.mark.parametrize("attack", ["empty", "harm", "sources"])
def test_send_to_halt_under_a_flood(attack: str, tmp_path: Path, goal: Goal) -> None:
    """The 99th percentile of the time from sending a report of death to the halt command stays within the bound, or
    within a multiple of what it is without the flood."""
    halts = examples(15, 100)
    duel = Duel(tmp_path, 2 * halts + 1)

    async def story() -> tuple[list[float], list[float]]:
        await duel.admit()
        first, *pilots = duel.honest
        await duel.latencies([first], 0.1)
        calm = await duel.latencies(pilots[:halts], 0.2)
        batches = attacks(duel.hostile)[attack]()
        async with duel.load(batches, PER_SECOND):
            await asyncio.sleep(2)
            return calm, await duel.latencies(pilots[halts:], 0.2)

    try:
        calm, flooded = asyncio.run(story())
        assert duel.worker.running, duel.worker.tail()
    finally:
        duel.close()
    before, after = percentile(calm, 0.99), percentile(flooded, 0.99)
    assert math.isfinite(after), "a halt was lost"
    note = f"calm {before:.0f} ms, ratio {after / before:.2f}, median {percentile(flooded, 0.5):.0f} ms"
    goal(
        f"fairness-send-to-halt-p99-ms-{attack}", after, BOUND_MS if FULL and before < 60 else RATIO * before, note=note
    )
