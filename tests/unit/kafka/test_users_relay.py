"""What the relay of the users' channels does with records that no client library would send."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.kafka.bounded_records import UnreadableRange
from monitor.kafka.unpacking import UnreadableReason
from monitor.kafka.users_relay import UsersRelay
from monitor.model.signing import HEADER
from monitor.validate.users_report import Channels


class NoChannels(Channels):
    """A sandbox without a public channel."""

    def channel_keys(self, author: str) -> tuple[str, ...]:
        return ()


class NoControl:
    """A log to which nothing may be appended here."""

    async def append(self, pilot: str, body: bytes, signature: str) -> tuple[int, int]:
        raise AssertionError("it was forwarded")


@pytest.mark.parametrize(
    "record",
    [
        UnreadableRange("users", 0, 7, 9, 1, 0, UnreadableReason.TOO_LARGE),
        SimpleNamespace(partition=0, offset=1, key=b"p", value=b"{}", headers=((HEADER, None),)),
        SimpleNamespace(partition=0, offset=1, key=None, value=None, headers=((HEADER, b"\xff"),)),
    ],
)
def test_no_record_of_a_channel_ends_the_relay(record: Any) -> None:
    """A batch that cannot be unpacked, a null header and a record without content are refused, and the next is read."""
    relay = UsersRelay("nowhere", "users", "group", NoChannels(), NoControl())
    assert asyncio.run(relay._one(record)) is False
    assert relay.refused == 1
