"""What an owner with a key believes when it recovers: signed entries and states, each once; nothing that was forged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from monitor.engine.log import Checkpoint
from monitor.errors import LogBroken
from monitor.kafka import state_keys
from monitor.kafka.log import KafkaLog
from monitor.kafka.settings import LogSettings
from monitor.model.records import Claim, Outputs, Position, TimeRead
from monitor.model.signing import Signer
from monitor.testing.kafka import Fresh
from monitor.testing.records import decision

pytestmark = pytest.mark.kafka
OLD, NEW, STRANGER = Signer(b"o" * 32), Signer(b"n" * 32), Signer(b"s" * 32)


@asynccontextmanager
async def owner(fresh: Fresh, signer: Signer | None, *trusted: str) -> AsyncIterator[KafkaLog]:
    prefix = fresh.names.prefix
    log = KafkaLog(
        LogSettings(bootstrap=fresh.bootstrap, prefix=prefix, group=prefix, signer=signer, trusted=trusted), 0
    )
    try:
        yield log
    finally:
        await log.close()


def at(telemetry: int, journal: int = 0) -> Position:
    return Position({"t": telemetry}, 0, journal)


def copied(record: Any) -> tuple[str, bytes | None, bytes | None, Any, int]:
    return record.topic, record.key, record.value, record.headers, record.partition


def test_forged_and_repeated_entries_and_states_are_skipped_and_counted() -> None:
    """After a signed claim, a claim with a huge epoch, an entry without a signature, a copy of a signed entry and a
    state that no owner wrote change nothing for the next owner."""
    fresh = Fresh()

    async def story() -> None:
        async with owner(fresh, OLD) as log:
            await log.claim()
            row = await log.append(TimeRead(log.epoch, {}, 0))
            await log.write(Outputs(decisions=[decision(1)]), at(1), Checkpoint(at(1, row.offset + 1), {"p": b"true"}))
            await log.append(TimeRead(log.epoch, {}, 0))
        names, encode = fresh.names, msgspec.json.encode
        signed_entries = await fresh.raw(names.journal)
        stranger = dict(signed_entries[1].headers) | {"output-signature": STRANGER.sign("control", b"x").encode()}
        forged = (("type", b"journal"), ("epoch", b"%d" % (1 << 50)))
        lie = state_keys.encode(state_keys.Snapshot(at(1, row.offset + 1), b"false"))
        await fresh.send(
            [
                (names.journal, None, encode(Claim(1 << 50, "forger")), forged, 0),
                (names.journal, None, encode(TimeRead(1, {}, 99)), tuple(stranger.items()), 0),
                *map(copied, signed_entries[1:]),
                (names.state, state_keys.key(state_keys.SNAPSHOT, 1, "p"), lie, (), 0),
                (names.state, state_keys.key(state_keys.SNAPSHOT, 1 << 59, "q"), lie, (), 0),
                (names.state, state_keys.key(state_keys.WATERMARK, 1), None, (), 0),
            ]
        )
        async with owner(fresh, OLD) as log:
            found = await log.claim()
            assert (found.epoch, found.snapshots, found.watermark) == (2, {"p": b"true"}, at(1, row.offset + 1))
            assert [type(row.entry).__name__ for row in found.journal] == ["TimeRead", "Claim"]
            assert log.untrusted == {names.journal: 4, names.state: 3}

    asyncio.run(story())


def test_a_log_from_before_the_key_is_recovered_and_later_entries_must_be_signed() -> None:
    """What stood before the first signed claim counts; the claim records up to where, and each later one repeats it."""
    fresh = Fresh()

    async def story() -> None:
        async with owner(fresh, None) as log:
            await log.claim()
            await log.write(Outputs(decisions=[decision(1)]), at(1), Checkpoint(at(1, 0), {"p": b"true"}))
        entries = len(await fresh.raw(fresh.names.journal))
        async with owner(fresh, OLD) as log:
            found = await log.claim()
            assert (found.epoch, found.snapshots, log.untrusted) == (2, {"p": b"true"}, {})
        claims = [msgspec.json.decode(r.value, type=Claim) for r in await fresh.raw(fresh.names.journal)]
        assert isinstance(claims[-1].signed_from, dict)
        assert claims[-1].signed_from[fresh.names.decisions] >= 1
        headers = (("type", b"journal"), ("epoch", b"77"))
        await fresh.send([(fresh.names.journal, None, msgspec.json.encode(Claim(77)), headers, 0)])
        async with owner(fresh, NEW, OLD.public) as log:  # the key is replaced
            assert ((await log.claim()).epoch, log.untrusted) == (3, {fresh.names.journal: 1})
        (last,) = [msgspec.json.decode(r.value, type=Claim) for r in (await fresh.raw(fresh.names.journal))[-1:]]
        assert last.signed_from == claims[-1].signed_from
        assert len(await fresh.raw(fresh.names.journal)) == entries + 3

    asyncio.run(story())


def test_an_owner_does_not_claim_a_log_that_another_key_signed() -> None:
    """A wrong key file, or a replaced key without the old one as trusted, ends the claim with the key and the fix."""
    fresh = Fresh()

    async def story() -> None:
        async with owner(fresh, OLD) as log:
            await log.claim()
        async with owner(fresh, STRANGER) as log:
            with pytest.raises(LogBroken, match=f"signed by {OLD.key_id}.*--trust-key"):
                await log.claim()
        async with owner(fresh, STRANGER, OLD.public) as log:
            assert (await log.claim()).epoch == 2

    asyncio.run(story())
