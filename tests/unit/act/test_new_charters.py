"""`act` on Kafka: an alert that follows an admission at once has the labels of the charter that was admitted."""

from __future__ import annotations

import asyncio
import time

import pytest

from monitor.act.deliver import Deliver
from monitor.charter.spec import charter_hash
from monitor.cli import act as subject
from monitor.model.records import Level, Reason
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision

PLAN = charter("p-1", number=0, period_ms=3_600_000, cap=2_000, dispersion=1.0, start=0, end=0)
ADMITTED = decision(1, kind="act", level=Level.NORMAL, reason=Reason.ADMITTED, charter=charter_hash(PLAN))


def test_an_admission_is_fed_once_its_charter_is_read() -> None:
    """Control may have been read to its end just before the charter stood there; the next reading brings it."""
    deliver = Deliver({})

    async def run() -> list[bool]:
        read, known = asyncio.Event(), []
        waiting = asyncio.create_task(subject._charter_read(deliver, ADMITTED, read))
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


def test_a_charter_that_cannot_be_read_holds_up_no_alert_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends by itself: an alert without a tier is better than none."""
    monkeypatch.setattr(subject, "CHARTERS_SECONDS", 0.05)
    began = time.monotonic()
    asyncio.run(subject._charter_read(Deliver({}), ADMITTED, asyncio.Event()))
    assert 0.04 <= time.monotonic() - began < 5
