"""Quotas of firms on a real broker: set by the operator, and the broker throttles who exceeds them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from monitor.errors import SandboxMonitorError
from monitor.kafka.quotas import FIRM, ClientQuota, QuotaAdmin
from monitor.testing.secure_broker import OPERATOR, SecureBroker
from tests.security.batches import RawProducer, batch, record
from tests.security.goals import Goal

pytestmark = pytest.mark.kafka

TIGHT = ClientQuota(
    producer_byte_rate=50_000, consumer_byte_rate=1e6, request_percentage=50, controller_mutation_rate=1
)
SENT = 1_000_000  # bytes: 20 s at the tight rate, of which the first second or so is free


@pytest.fixture
def admin(secure_broker: SecureBroker) -> Iterator[QuotaAdmin]:
    """The operator's connection."""
    with QuotaAdmin(secure_broker.authority, secure_broker.login(OPERATOR)) as admin:
        yield admin


def test_a_quota_is_set_and_read_back(admin: QuotaAdmin) -> None:
    """Applying is idempotent and replaces; a user without one has none."""
    for _ in range(2):
        admin.apply(["firm-a", "firm-b"])
        assert admin.of("firm-a") == admin.of("firm-b") == FIRM.entries()
    admin.apply(["firm-a"], TIGHT)
    assert admin.of("firm-a") == TIGHT.entries()
    assert admin.of("firm-c") == {}


def test_the_broker_throttles_a_firm_beyond_its_quota_and_no_other(
    admin: QuotaAdmin, secure_broker: SecureBroker, goal: Goal
) -> None:
    """A firm that sends more than its rate is slowed down to it; the other firm is not."""
    names = secure_broker.deploy("quotas")
    admin.apply(["firm-1"], TIGHT)
    try:
        slow = throttled(secure_broker, "firm-1", names.telemetry_of("firm-1"))
        quick = throttled(secure_broker, "firm-2", names.telemetry_of("firm-2"))
    finally:
        admin.apply(["firm-1"], FIRM)
    goal("quota-throttles-the-firm-s", slow, 0.5, least=True, note="longest delay that the broker imposed")
    goal("quota-spares-the-other-s", quick, 0.0)


def throttled(broker: SecureBroker, user: str, topic: str) -> float:
    """The longest delay (s) that the broker imposed on a firm that sends `SENT` bytes."""

    async def send() -> int:
        async with RawProducer(broker.firms, topic, **broker.login(user)) as producer:
            raw = batch([record(0, bytes(SENT // 10))])
            for _ in range(10):
                if producer.throttled_ms == 0:  # what follows would be delayed
                    assert await producer.send(raw) is not None
            return producer.throttled_ms

    return asyncio.run(send()) / 1000


def test_who_is_not_the_operator_sets_no_quota(secure_broker: SecureBroker) -> None:
    """A firm cannot raise its own quota."""
    with (
        QuotaAdmin(secure_broker.firms, secure_broker.login("firm-1")) as firm,
        pytest.raises(SandboxMonitorError, match="firm-1"),
    ):
        firm.apply(["firm-1"], ClientQuota(1e12, 1e12, 1e6, 1e6))
