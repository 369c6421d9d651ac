"""The users' channel on Kafka: signed reports from a topic that no firm may write, forwarded to `control`.

    public channel --> <prefix>.users --relay--> control

`control` fixes the order of reports and telemetry, so that a replay gives the same result. The relay forwards bytes as
they are, with their signature, and holds no key of the channel: it can hold back a report, but make none. It forwards
reports of users only, signed by a person with the role `public_channel` in the configuration in force, at most
`PER_SECOND` a second, so that no flood delays acts of officers. What it forwards twice after a crash counts once.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from monitor.access.kafka_login import access
from monitor.charter.control import ControlBase
from monitor.errors import Unavailable
from monitor.kafka import bounded_records
from monitor.logs import EventLogger
from monitor.model.signing import HEADER
from monitor.validate.users_report import Channels, report_of

PER_SECOND = 20.0
RETRY_S = 2.0
LOG_S = 10.0  # between two lines about refused records
logger = EventLogger(__name__)


class Control(Protocol):
    """Where acts are appended."""

    async def append(self, pilot: str, body: bytes, signature: str) -> tuple[int, int]:
        """Return partition and offset once the record is durable. Raises Unavailable."""


class UsersRelay:
    """Forwards until it is cancelled; retries through outages of the broker. Counted are the records of this process:
    `forwarded` and `refused`."""

    def __init__(self, bootstrap: str, topic: str, group: str, channels: Channels, control: Control) -> None:
        self._bootstrap, self._topic, self._group = bootstrap, topic, group
        self._channels, self._control = channels, control
        self.forwarded = self.refused = 0
        self._logged = 0.0

    async def run(self, ready: asyncio.Event) -> None:
        """Forward once the configuration of the sandbox is known."""
        await ready.wait()
        bounded_records.use()  # nothing that a channel writes ends the reading
        while True:
            consumer = AIOKafkaConsumer(
                self._topic, bootstrap_servers=self._bootstrap, group_id=self._group, client_id="sandbox-users-relay",
                enable_auto_commit=False, auto_offset_reset="earliest", isolation_level="read_committed",
                max_partition_fetch_bytes=1 << 20, **access(),
            )  # fmt: skip
            try:
                await consumer.start()
                async for record in consumer:
                    if await self._one(record):
                        await asyncio.sleep(1 / PER_SECOND)
                    await consumer.commit()
            except (KafkaError, Unavailable, OSError) as error:
                logger.warning("users_relay.unavailable", stage="validate", error=error)
                await asyncio.sleep(RETRY_S)
            finally:
                await consumer.stop()

    async def _one(self, record: Any) -> bool:
        """Forward one record, durably. Returns whether it was; one that is refused is logged and passed over."""
        found, signature = self._judged(record)
        if isinstance(found, str):
            self.refused += 1
            now = asyncio.get_running_loop().time()
            if now - self._logged > LOG_S:
                self._logged = now
                logger.warning(
                    "users_relay.refused", stage="validate", detail=found, partition=record.partition,
                    offset=record.offset, refused=self.refused,
                )  # fmt: skip
            return False
        await self._control.append(found.pilot, record.value, signature)
        self.forwarded += 1
        return True

    def _judged(self, record: Any) -> tuple[ControlBase | str, str]:
        """The report in a record with its signature, or why there is none. Never raises."""
        if isinstance(record, bounded_records.UnreadableRange):
            return f"unreadable: {record.reason.value}", ""
        raw = next((value for name, value in record.headers if name == HEADER), None) or b""  # a header may be null
        signature = raw.decode("ascii", "replace")
        return report_of(self._channels, record.key, record.value, signature), signature
