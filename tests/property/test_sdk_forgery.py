"""Messages that are not signed by a trusted key, old, or for another pilot have no effect: 0 accepted, each counted.

10,000 messages; `QUICK=1`: 1,000.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from monitor.errors import Halted
from monitor.model.events import Heartbeat
from monitor.model.records import Permit
from monitor.model.signing import Signer
from monitor.sdk import Pilot
from monitor.sdk.link import FeedName, SignedMessage
from monitor.testing.memory_link import MemoryLink
from monitor.testing.records import command
from monitor.testing.wait import Until

LETTERS = 1_000 if os.environ.get("QUICK", "") not in ("", "0") else 10_000
AUTHORITY, OTHER_AUTHORITY, FIRM = Signer(b"a" * 32), Signer(b"b" * 32), Signer(b"c" * 32)
encode = msgspec.json.encode
until = Until(60.0, every=0.005)


class Forger:
    """Makes messages that must be rejected, from everything that a forger may have seen. `standing` is the true one."""

    def __init__(self, seed: int, standing: int, permit: Permit) -> None:
        self.random = random.Random(seed)
        self.standing = standing
        self.permit = permit  # a valid one, used before
        self.ways: list[Callable[[], tuple[FeedName, SignedMessage]]] = [
            self.unsigned,
            self.of_another_key,
            self.changed_after_signing,
            self.broken_signature,
            self.a_permit_as_a_command,
            self.lower_standing,
            self.other_pilot,
            self.repeated_permit,
            self.made_up_nonce,
            self.other_standing,
            self.rubbish,
        ]

    def release(self, higher: int = 1) -> bytes:
        """The forger's goal: a release with a higher standing."""
        return encode(command(self.standing + higher, "release"))

    def a_permit(self, **changes: object) -> bytes:
        return encode(msgspec.structs.replace(self.permit, **changes))

    def unsigned(self) -> tuple[FeedName, SignedMessage]:
        return "commands", SignedMessage(self.release(self.random.randint(1, 99)))

    def of_another_key(self) -> tuple[FeedName, SignedMessage]:
        signer = self.random.choice([OTHER_AUTHORITY, FIRM])
        if self.random.random() < 0.5:
            body = self.release()
            return "commands", SignedMessage(body, signer.sign("command", body))
        body = self.a_permit(lease_ms=10**6)
        return "permits", SignedMessage(body, signer.sign("permit", body))

    def changed_after_signing(self) -> tuple[FeedName, SignedMessage]:
        body = bytearray(self.release())
        signature = AUTHORITY.sign("command", bytes(body))
        at = self.random.randrange(len(body))
        body[at] ^= 1 << self.random.randrange(8)
        return "commands", SignedMessage(bytes(body), signature)

    def broken_signature(self) -> tuple[FeedName, SignedMessage]:
        body = self.release()
        true = AUTHORITY.sign("command", body)
        odd = self.random.choice(
            [true[:-3], true + "A", f"{AUTHORITY.key_id}:", AUTHORITY.key_id, ":", f"{FIRM.key_id}{true[16:]}", "é:x"]
        )
        return "commands", SignedMessage(body, odd)

    def a_permit_as_a_command(self) -> tuple[FeedName, SignedMessage]:
        body = self.release()
        return "commands", SignedMessage(body, AUTHORITY.sign(self.random.choice(["permit", "control"]), body))  # type: ignore[arg-type]

    def lower_standing(self) -> tuple[FeedName, SignedMessage]:
        body = encode(command(self.random.randint(0, self.standing - 1), self.random.choice(["release", "halt"])))
        return "commands", SignedMessage(body, AUTHORITY.sign("command", body))

    def other_pilot(self) -> tuple[FeedName, SignedMessage]:
        body = encode(command(self.standing + 5, "release", pilot=self.random.choice(["p-2", "", "p-1 ", "P-1"])))
        return "commands", SignedMessage(body, AUTHORITY.sign("command", body))

    def repeated_permit(self) -> tuple[FeedName, SignedMessage]:
        body = self.a_permit(lease_ms=self.random.choice([60_000, 10**9]))
        return "permits", SignedMessage(body, AUTHORITY.sign("permit", body))

    def made_up_nonce(self) -> tuple[FeedName, SignedMessage]:
        sent, _, rest = self.permit.nonce.partition(".")
        later = f"{int(sent, 16) + self.random.randrange(1, 10**12):x}.{rest}"
        nonce = self.random.choice([later, later[::-1], self.random.randbytes(20).hex(), "", "."])
        body = self.a_permit(nonce=nonce)
        return "permits", SignedMessage(body, AUTHORITY.sign("permit", body))

    def other_standing(self) -> tuple[FeedName, SignedMessage]:
        body = self.a_permit(standing=self.standing + self.random.choice([-1, 1, 50]))
        return "permits", SignedMessage(body, AUTHORITY.sign("permit", body))

    def rubbish(self) -> tuple[FeedName, SignedMessage]:
        body = self.random.randbytes(self.random.randrange(80))
        return self.random.choice(["commands", "permits"]), SignedMessage(body, AUTHORITY.sign("command", body))


@pytest.mark.parametrize("halted", [True, False], ids=["while halted", "while released"])
def test_no_forged_replayed_or_lower_message_is_accepted(tmp_path: Path, halted: bool) -> None:
    """State, lease and refusal are unchanged by any of them, and the counts add up to the number sent."""
    link = MemoryLink(lease_ms=600_000, signer=AUTHORITY)
    with Pilot(
        "p-1",
        participant="firm",
        to=link,
        spool_dir=tmp_path,
        heartbeat_s=3600.0,
        pack_ms=0,
        permits="required",
        trust=[AUTHORITY.public],
    ) as pilot:
        link.command(command(7))
        until(lambda: pilot.standing.number == 7)
        if not halted:
            link.command(command(8, "release"))
            until(lambda: pilot.standing.number == 8)
            pilot.resume()
            with pilot.guard():
                pass
        until(lambda: any(isinstance(e, Heartbeat) for e in link.events))
        pilot.flush()
        beat = next(e for e in reversed(link.events) if isinstance(e, Heartbeat))
        used = link.answer(beat)
        link.lease_ms = 0  # no valid permit is sent from here on
        time.sleep(0.3)
        before = pilot._guard.lease
        forger = Forger(20260301, pilot.standing.number, used)
        counted = sum(pilot.status().refused.values())
        made: Counter[str] = Counter()
        sent = LETTERS // 2
        for _ in range(sent):
            way = forger.random.choice(forger.ways)
            made[way.__name__] += 1
            what, message = way()
            link.deliver(message, what)
        until(lambda: sum(pilot.status().refused.values()) >= counted + sent)
        status = pilot.status()
        accepted = counted + sent - sum(status.refused.values())
        held = not accepted and pilot.standing.halted == halted
        print(f"\nGOAL invalid_messages_accepted {accepted} 0 {'ok' if held else 'short'} of {sent}")
        assert (accepted, pilot.standing.number, pilot.standing.halted) == (0, 7 if halted else 8, halted)
        if halted:
            with pytest.raises(Halted), pilot.guard():
                pytest.fail("a message that must be rejected lifted a halt")
        else:
            assert pilot._guard.lease == before
        assert set(made) == {way.__name__ for way in forger.ways}
        assert min(made.values()) > sent // 30
        assert {"forged", "unreadable", "other_pilot", "lower_standing"} <= set(status.refused)


def test_a_forged_record_in_place_of_a_halt_prevents_the_start_of_work(tmp_path: Path) -> None:
    """On a compacted log a forgery may have replaced a halt: without a valid command the state stays unknown."""
    link = MemoryLink(signer=FIRM)
    link.command(command(9, "release"))
    with Pilot(
        "p-1",
        participant="firm",
        to=link,
        spool_dir=tmp_path,
        heartbeat_s=0,
        trust=AUTHORITY.public,
        guard_timeout=0.3,
    ) as pilot:
        until(lambda: pilot.status().refused.get("forged", 0) == 1)
        until(lambda: "not valid" in pilot.status().follow_error)
        assert not pilot.standing.known
        body = encode(command(5))
        link.deliver(SignedMessage(body, AUTHORITY.sign("command", body)))
        until(lambda: pilot.standing.halted)


def test_keys_are_accepted_as_text_bytes_list_or_file(tmp_path: Path) -> None:
    """All ways to name a key give the same key; the constructor raises for anything else."""
    from monitor.model.signing import read_public
    from monitor.sdk.verifier import trusted

    file = tmp_path / "authority.keys"
    file.write_text(f"# two authorities\n{OTHER_AUTHORITY.public}\n{AUTHORITY.public}\n")
    signature = AUTHORITY.sign("permit", b"{}")
    for trust in (AUTHORITY.public, read_public(AUTHORITY.public), [AUTHORITY.public], file, str(file)):
        keys = trusted(trust)
        assert keys is not None
        assert keys.verify("permit", b"{}", signature) == AUTHORITY.key_id
    assert trusted(None) is None
    for wrong in ("ed25519:AAAA", b"ed25519:short", [], ["# none"]):
        with pytest.raises(ValueError, match=r"no public key|names no key"):
            trusted(wrong)
    with pytest.raises(FileNotFoundError):
        trusted(str(tmp_path / "missing.keys"))
