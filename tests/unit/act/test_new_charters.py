"""`act` on Kafka: an alert that follows an admission at once has the labels of the charter that was admitted."""

from __future__ import annotations

import asyncio
import time

import pytest

from monitor.act.deliver import Deliver
from monitor.charter.spec import charter_hash
from monitor.kafka import act_service as subject
from monitor.model.records import Level, Reason
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision

PLAN = charter("p-1", number=0, period_ms=3_600_000, cap=2_000, dispersion=1.0, start=0, end=0)
ADMITTED = decision(1, kind="act", level=Level.NORMAL, reason=Reason.ADMITTED, charter=charter_hash(PLAN))


def test_an_admission_waits_until_its_charter_is_read() -> None:
    """Control may have been read to its end just before the charter was written; the next read returns it."""
    deliver = Deliver({})

    async def run() -> list[bool]:
        read, known = asyncio.Event(), []
        waiting = asyncio.create_task(subject._wait_for_charter(deliver, ADMITTED, read))
        for brings in (False, True):
            await asyncio.sleep(0.01)
            known.append(waiting.done())
            if brings:
                deliver.learn(PLAN)
            read.set()
        await waiting
        return known

    assert asyncio.run(run()) == [False, False]
    assert deliver.knows(ADMITTED)


def test_an_unreadable_charter_delays_an_alert_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait has a time-out: an alert without a tier is better than none."""
    monkeypatch.setattr(subject, "CHARTERS_S", 0.05)
    began = time.monotonic()
    asyncio.run(subject._wait_for_charter(Deliver({}), ADMITTED, asyncio.Event()))
    assert 0.04 <= time.monotonic() - began < 5
