"""The topic of the users' channels on a real broker: only signed reports of a channel reach control, once and in
order."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from monitor.charter.control import Override
from monitor.charter.users_acts import ComplaintFiling, UserComplaint
from monitor.kafka.gateway_service import ControlProducer
from monitor.kafka.topics import create_topics, topics, users_topic
from monitor.kafka.users_relay import UsersRelay
from monitor.model.events import instant
from monitor.model.signing import HEADER
from monitor.testing.kafka import Fresh
from tests.unit.lifecycle.founded import KEYS, PUBLIC

pytestmark = pytest.mark.kafka
NOW = 1_790_000_000_000


class Channels:
    """The configuration of a sandbox with one public channel."""

    def channel_keys(self, author: str) -> tuple[str, ...]:
        return (PUBLIC["public"],) if author == "public" else ()


def report(number: int, author: str = "public") -> bytes:
    complaint = UserComplaint(complaint=f"{number:032x}", time=instant(NOW))
    return msgspec.json.encode(ComplaintFiling(id=f"r{number}", pilot="p", author=author, complaints=(complaint,)))


def test_the_relay_forwards_signed_reports_of_a_channel_and_nothing_else() -> None:
    """What a firm signs, an act of an officer, garbage, a wrong key and a null header are passed over; a relay that
    starts again goes on where the last one ended."""
    override = msgspec.json.encode(Override(id="o", pilot="p", author="public", level="halt", reason="x"))
    sent = [
        (report(1), "public", b"p"),
        (report(2), "firm", b"p"),
        (report(3, "firm"), "firm", b"p"),
        (override, "public", b"p"),
        (b"garbage", "public", b"p"),
        (b"x" * 40_000, "public", b"p"),
        (report(4), "public", b"other"),
        (report(5), "public", b"p"),
    ]
    fresh = Fresh()
    names = fresh.names

    async def relayed(expected: int) -> UsersRelay:
        control = ControlProducer(fresh.bootstrap, names.control)
        relay = UsersRelay(fresh.bootstrap, names.users, f"{names.prefix}-users", Channels(), control)
        ready = asyncio.Event()
        ready.set()
        task = asyncio.create_task(relay.run(ready))
        while relay.forwarded + relay.refused < expected and not task.done():
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)  # its commit
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await control.stop()
        return relay

    async def run() -> list[bytes]:
        await create_topics(fresh.bootstrap, [*topics(names, 1, 1), users_topic(names, 1, 1)])
        producer = AIOKafkaProducer(bootstrap_servers=fresh.bootstrap, acks="all")
        await producer.start()
        for body, signer, key in sent:
            headers = [(HEADER, KEYS[signer].sign("control", body).encode())]
            await producer.send_and_wait(names.users, body, key=key, headers=headers)
        await producer.send_and_wait(names.users, report(7), key=b"p", headers=[(HEADER, None)])
        first = await relayed(len(sent) + 1)
        assert (first.forwarded, first.refused) == (2, 7)
        body = report(6)
        headers = [(HEADER, KEYS["public"].sign("control", body).encode())]
        await producer.send_and_wait(names.users, body, key=b"p", headers=headers)
        await producer.stop()
        await relayed(1)
        consumer = AIOKafkaConsumer(names.control, bootstrap_servers=fresh.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        found: list[bytes] = []
        while len({*found}) < 3:
            found.append((await consumer.getone()).value)
        await consumer.stop()
        return found

    found = asyncio.run(asyncio.wait_for(run(), 300))
    assert list(dict.fromkeys(found)) == [report(1), report(5), report(6)]
