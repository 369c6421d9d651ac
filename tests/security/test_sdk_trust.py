"""Which messages a service believes: no sender but its authority releases it, renews its permit, or hides a halt."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.errors import Halted
from monitor.kafka.log import KafkaLog
from monitor.kafka.settings import LogSettings
from monitor.model.events import Heartbeat
from monitor.model.records import Outputs, Position
from monitor.model.signing import Signer
from monitor.sdk import Pilot
from monitor.sdk.command_order import MAX_JUMP
from monitor.sdk.link import SignedMessage
from monitor.testing.kafka import Fresh
from monitor.testing.memory_link import MemoryLink
from monitor.testing.records import command
from monitor.testing.wait import Until
from tests.security.goals import Goal
from tests.strength import examples

AUTHORITY, STRANGER = Signer(b"a" * 32), Signer(b"s" * 32)
encode = msgspec.json.encode
until = Until(60.0, every=0.005)


def service(link: Any, home: Path, **more: Any) -> Pilot:
    settings: dict[str, Any] = {"participant": "firm", "heartbeat_s": 3600.0, "pack_ms": 0} | more
    return Pilot("p-1", to=link, spool_dir=home, **settings)


def works(pilot: Pilot) -> bool:
    try:
        with pilot.guard():
            return True
    except Halted:
        return False


def forged(body: bytes, kind: str, signer: Signer | None) -> SignedMessage:
    if signer is None:
        return SignedMessage(body)
    return SignedMessage(body, signer.sign(kind, body), signer.public)  # type: ignore[arg-type]


def test_the_tiers_that_must_stop_take_no_key_on_first_contact(tmp_path: Path, goal: Goal) -> None:
    """High and critical without `trust` are refused at construction with the fix; a trial says so by a word."""
    begun = 0
    for tier in ("high", "critical"):
        try:
            service(MemoryLink(), tmp_path, tier=tier).close()
            begun += 1
        except ValueError as error:
            assert "trust=" in str(error)  # noqa: PT017
            assert 'trust="none"' in str(error)  # noqa: PT017
        with service(MemoryLink(), tmp_path, tier=tier, trust="none") as pilot:
            assert pilot.status().trust == "open"
    goal("services_of_high_tiers_without_a_key", begun, 0)


def test_the_pinned_key_alone_releases_and_permits_and_any_halt_is_obeyed(tmp_path: Path, goal: Goal) -> None:
    """The first key that signs is pinned, over restarts. From then on no release, drill or permit of another key, or of
    none, has an effect, and each is counted; a halt of another key stops the service all the same."""
    link, attempts = MemoryLink(lease_ms=600_000, signer=AUTHORITY), examples(300, 10_000)
    rng = random.Random(5)
    with service(link, tmp_path, permits="required") as pilot:
        link.command(command(7))
        until(lambda: pilot.standing.halted)
        assert (pilot.status().trust, pilot.status().trusted_keys) == ("pinned", (AUTHORITY.key_id,))
    with service(link, tmp_path, permits="required") as pilot:
        until(lambda: pilot.standing.number == 7)
        for _ in range(attempts):
            standing, signer = rng.choice([8, 9, 60, MAX_JUMP * 2, 1 << 50]), rng.choice([None, STRANGER])
            release = command(standing, "release", dry_run=rng.random() < 0.3, at=rng.randint(0, 1 << 42))
            link.deliver(forged(encode(release), "command", signer))
        until(lambda: sum(pilot.status().refused.values()) >= attempts)
        accepted = int(pilot.standing.number != 7) + int(works(pilot))
        goal("releases_by_other_than_the_pinned_key", accepted, 0, note=f"of {attempts}")
        assert {"forged", "key_changed"} <= set(pilot.status().refused)
        link.command(command(8, "release"))
        until(lambda: pilot.standing.number == 8)
        pilot.resume()
        until(lambda: works(pilot))
        ignored = 0
        for n, signer in enumerate((None, STRANGER)):
            body = encode(command(9 + 20 * n, at=1_700_000_100_000 + n, id=f"x{n}"))
            link.deliver(forged(body, "command", signer))
            until(lambda: pilot.standing.halted)
            ignored += works(pilot)
            link.command(command(10 + n, "release"))
            until(lambda n=n: pilot.standing.number == 10 + n)
            assert not works(pilot)  # the firm has not resumed
            pilot.resume()
            until(lambda: works(pilot))
        goal("halts_ignored_because_of_a_pinned_key", ignored, 0, note="of 2")


def test_no_permit_of_another_key_renews_the_lease(tmp_path: Path, goal: Goal) -> None:
    """A permit with the right nonce and standing, signed by another key or by none, is void once a key is pinned."""
    link = MemoryLink(lease_ms=600_000, signer=AUTHORITY)
    with service(link, tmp_path, permits="required") as pilot:
        until(lambda: pilot._guard.lease is not None and pilot._guard.lease.sent)
        link.lease_ms = 0  # no permit is sent from here on
        pilot.heartbeat()
        pilot.flush()
        before = None
        while before != pilot._guard.lease:  # until those that were sent have arrived
            before = pilot._guard.lease
            time.sleep(0.5)
        beat = next(e for e in reversed(link.events) if isinstance(e, Heartbeat))
        link.lease_ms = 10**6
        body = encode(link.answer(beat))
        for signer in (None, STRANGER):
            link.deliver(forged(body, "permit", signer), "permits")
        until(lambda: {"forged", "key_changed"} <= set(pilot.status().refused))
        goal("permits_by_other_than_the_pinned_key", int(pilot._guard.lease != before), 0, note="of 2")
        link.deliver(forged(body, "permit", AUTHORITY), "permits")
        until(lambda: pilot._guard.lease != before)


@pytest.mark.parametrize("action", ["halt", "release"])
def test_without_any_key_a_huge_standing_hides_no_later_command(tmp_path: Path, goal: Goal, action: Any) -> None:
    """In open mode a forged command of standing 2^50 locks out neither a later real halt nor the real release after
    it; a forged release of that kind has no effect at all."""
    link = MemoryLink()
    with service(link, tmp_path) as pilot:
        link.command(command(1, "release"))
        until(lambda: pilot.standing.number == 1)
        link.deliver(SignedMessage(encode(command(1 << 50, action, at=1_700_000_050_000))))
        until(lambda: pilot.standing.halted if action == "halt" else pilot.status().refused.get("standing_jump"))
        hidden = 0
        for standing, real in ((2, "halt"), (3, "release"), (4, "halt")):
            body = encode(command(standing, real, at=1_700_000_100_000 + standing))  # type: ignore[arg-type]
            link.deliver(SignedMessage(body))
            try:
                Until(20.0, every=0.005)(lambda n=standing: pilot.standing.number == n)
            except TimeoutError:
                hidden += 1
        goal(f"commands_hidden_by_a_forged_{action}", hidden, 0, note="of 3")
        assert pilot.standing.halted


def test_a_forged_jump_at_first_contact_lets_no_work_begin(tmp_path: Path) -> None:
    """Where the newest command kept is an unproved release with a huge standing, it may have replaced a halt: the state
    is unknown until a plausible command arrives."""
    link = MemoryLink()
    link.deliver(SignedMessage(encode(command(1 << 50, "release"))))
    with service(link, tmp_path, guard_timeout=0.2) as pilot:
        until(lambda: pilot.status().refused.get("standing_jump"))
        assert not pilot.standing.known
        link.deliver(SignedMessage(encode(command(3))))
        until(lambda: pilot.standing.halted)


def test_a_damaged_pin_is_named_with_its_fix(tmp_path: Path) -> None:
    """The constructor names the file and what to do; it never takes another key silently."""
    link = MemoryLink(signer=AUTHORITY)
    link.command(command(1))
    with service(link, tmp_path) as pilot:
        until(lambda: pilot.status().trust == "pinned")
    (file,) = tmp_path.rglob("authority.key")
    assert file.read_text().strip() == AUTHORITY.public
    file.write_text("nonsense")
    with pytest.raises(ValueError, match=r"authority\.key holds the key pinned.*delete it"):
        service(link, tmp_path)
    file.write_text(f"{AUTHORITY.public}\n")
    service(link, tmp_path).close()


@pytest.mark.kafka
def test_over_kafka_the_key_of_the_worker_is_pinned(tmp_path: Path) -> None:
    """A real owner's command names its key; a record that somebody else wrote before changes no pin."""
    fresh = Fresh()
    prefix = fresh.names.prefix

    async def halt() -> None:
        settings = LogSettings(bootstrap=fresh.bootstrap, prefix=prefix, group=prefix, signer=AUTHORITY)
        log = KafkaLog(settings, 0)
        try:
            await log.claim()
            await log.write(Outputs(commands=[command(2)]), Position({"t": 1}), None)
        finally:
            await log.close()

    body = encode(command(1, "release"))
    lie = [("signature", STRANGER.sign("permit", body).encode()), ("signed-by", STRANGER.public.encode())]
    asyncio.run(fresh.send([(fresh.names.commands, b"p-1", body, lie, 0)]))
    asyncio.run(halt())
    with service(f"kafka://{fresh.bootstrap}", tmp_path, topic_prefix=prefix) as pilot:
        until(lambda: pilot.standing.halted)
        assert (pilot.status().trust, pilot.status().trusted_keys) == ("pinned", (AUTHORITY.key_id,))
