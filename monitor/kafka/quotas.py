"""Quotas of Kafka clients, one for each firm: what a firm may send before the broker throttles it.

The worker shares its time between firms whatever they send (`turns.py`); quotas bound what waits in the log, on the
disk and in the broker. They are of *users*, so they need logins. With kafka-python's admin client, as the operator.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, for_code
from kafka.protocol.admin import AlterClientQuotasRequest, DescribeClientQuotasRequest
from msgspec import Struct

from monitor.access.address import kafka_servers
from monitor.access.kafka_decoders import serialise_decoders
from monitor.access.kafka_login import access
from monitor.errors import Refused, Unavailable

serialise_decoders()

EXACT = 0  # how a filter of the request matches
LEARNT_WITHIN_S = 60.0  # from the change of a quota to the broker's knowing it


class ClientQuota(Struct, frozen=True):
    """What one user may do on each broker. `producer_byte_rate`: bytes per second that it may send, as they are on the
    wire (compressed). `consumer_byte_rate`: that it may read. `request_percentage`: share of one thread's time of the
    broker that its requests may take (100 = one whole thread). `controller_mutation_rate`: topics and partitions that
    it may create or delete per second.
    """

    producer_byte_rate: float
    consumer_byte_rate: float
    request_percentage: float
    controller_mutation_rate: float

    def entries(self) -> dict[str, float]:
        """Kafka's names and the values."""
        return {name: float(getattr(self, name)) for name in self.__struct_fields__}


# A firm. Its pilots send some 300 bytes per event, a tenth of it compressed: 1 MiB/s are 3,500 events per second
# without compression. A firm that sends more needs an agreement, and a quota that says so. It reads commands and
# permits only, all of them when a service starts. A quarter of a thread is enough for 1 MiB/s in batches; without
# batches it slows down its own sending alone. It creates no topics.
FIRM = ClientQuota(
    producer_byte_rate=1024 * 1024,
    consumer_byte_rate=4 * 1024 * 1024,
    request_percentage=25,
    controller_mutation_rate=1,
)


class QuotaAdmin:
    """The quotas of one cluster; use it in a `with`. Methods raise `Unavailable` when no broker answers, `Refused` when
    the cluster does not take a quota, or the user of this process is not the operator."""

    def __init__(self, bootstrap: str, login: Mapping[str, Any] | None = None) -> None:
        """Connect, with the `login` of this process's environment unless one is given."""
        self._bootstrap = bootstrap
        login = access() if login is None else login
        try:
            self._admin = KafkaAdminClient(
                bootstrap_servers=kafka_servers(bootstrap), bootstrap_timeout_ms=10_000, **login
            )
        except (KafkaError, OSError) as error:
            raise Unavailable(f"no Kafka broker answers at {bootstrap}: {error}") from error

    def __enter__(self) -> QuotaAdmin:
        return self

    def __exit__(self, *_: object) -> None:
        self._admin.close()

    def apply(self, users: Iterable[str], quota: ClientQuota = FIRM) -> None:
        """Set the quota of each user; what was set before is replaced. Returns once the broker that answers has it:
        brokers learn of a change a moment after the controller has stored it."""
        kind = AlterClientQuotasRequest.EntryData
        ops = [kind.OpData(key=key, value=value, remove=False) for key, value in quota.entries().items()]
        users = sorted(users)
        entries = [kind(entity=[kind.EntityData(entity_type="user", entity_name=user)], ops=ops) for user in users]
        response = self._ask(AlterClientQuotasRequest(entries=entries, validate_only=False))
        for entry in response.entries:
            if entry.error_code:
                name = entry.entity[0].entity_name
                why = entry.error_message or for_code(entry.error_code).__name__
                raise Refused(f"the cluster does not take the quota of {name}: {why}")
        deadline = time.monotonic() + LEARNT_WITHIN_S
        for user in users:
            while self.of(user) != quota.entries():
                if time.monotonic() > deadline:
                    raise Unavailable(f"{self._bootstrap}: the quota of {user} is stored, but not in force yet; retry")
                time.sleep(0.05)

    def of(self, user: str) -> dict[str, float]:
        """The quota of a user, by Kafka's names; empty without one."""
        component = DescribeClientQuotasRequest.ComponentData(entity_type="user", match_type=EXACT, match=user)
        response = self._ask(DescribeClientQuotasRequest(components=[component], strict=True))
        if response.error_code:
            raise Refused(f"quotas cannot be read: {response.error_message or for_code(response.error_code).__name__}")
        return {value.key: value.value for entry in response.entries or () for value in entry.values}

    def _ask(self, request: Any) -> Any:
        """kafka-python has the requests and no method for them, so its connection is used as its own methods do."""
        manager = self._admin._manager
        try:
            return manager.run(manager.send, request)
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{self._bootstrap}: {error!r}") from error
