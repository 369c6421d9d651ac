"""The SDK's word is signed, its permits are asked for by nonce, and a command that is told again is heard again over HTTP."""

from __future__ import annotations

import time
from pathlib import Path

from monitor.charter.control import Override
from monitor.charter.spec import Responses
from monitor.model.records import Reason
from monitor.model.signing import Signer, Trusted
from monitor.sdk import Lapsed, Pilot
from monitor.sdk.http_link import HttpLink
from monitor.testing.environments import Embedded
from monitor.testing.memory_link import MemoryLink

FIRM = Signer(b"f" * 32)


def halt(pilot: str) -> Override:
    return Override(id="h", pilot=pilot, author="regulator-1", level="halt", reason="by hand")


def test_every_batch_is_signed_with_the_services_key(tmp_path: Path) -> None:
    """What is signed is the body as it is sent, as telemetry; adopted spools of an earlier start are signed too."""
    link, later = MemoryLink(), MemoryLink()
    link.away = True
    given = {"participant": "firm", "spool_dir": tmp_path, "heartbeat_s": 0, "key": FIRM}
    with Pilot("p", to=link, **given) as pilot:  # type: ignore[arg-type]
        pilot.complaint("c1")
        pilot.close(timeout=0)
    with Pilot("p", to=later, **given) as pilot:  # type: ignore[arg-type]
        pilot.complaint("c2")
        pilot.flush()
    assert len(later.signatures) == 2
    for body, signature in later.signatures:
        assert Trusted([FIRM.public]).verify("telemetry", body, signature) == FIRM.key_id


def test_two_machines_of_one_pilot_each_get_their_own_permits(tmp_path: Path) -> None:
    """The newest permit of a pilot is mostly the other machine's; asked for by nonce, neither ever goes without."""
    (tmp_path / "world").mkdir()
    world = Embedded(tmp_path / "world", 1, Responses(lease="2s"))
    charter, settings = world.next(), world.settings(world.proxy())
    common = {"participant": charter.participant.id, "heartbeat_s": 0.3, "pack_ms": 5, "tier": "high", **settings}
    lapses = served = 0
    try:
        with (
            Pilot(charter.pilot, spool_dir=tmp_path / "a", **common) as one,  # type: ignore[arg-type]
            Pilot(charter.pilot, spool_dir=tmp_path / "b", **common) as two,  # type: ignore[arg-type]
        ):
            for pilot in (one, two):
                with pilot.guard():
                    pass
            end = time.monotonic() + 6
            while time.monotonic() < end:
                for pilot in (one, two):
                    try:
                        with pilot.guard():
                            served += 1
                    except Lapsed:
                        lapses += 1
                time.sleep(0.01)
            refused = {**one.status().refused, **two.status().refused}
    finally:
        world.close()
    assert lapses == 0
    assert served > 100
    assert refused.get("other_nonce", 0) == 0


def test_a_command_that_nobody_answers_is_heard_again_over_http(tmp_path: Path) -> None:
    """After five seconds the same command comes again to a long poll that has heard it; answered, it comes no more."""
    (tmp_path / "world").mkdir()
    world = Embedded(tmp_path / "world", 1, Responses())
    pilot = world.next().pilot
    feed = HttpLink(str(world.settings(world.proxy())["to"])).feed(pilot, "commands")
    try:
        assert feed.poll(-1, 1.0) == []
        world.act(halt(pilot))
        (first,) = feed.poll(-1, 10.0)
        (again,) = feed.poll(2, 15.0)
        assert again.body.replace(b'"again":1', b'"again":0') == first.body
        assert again.signature != first.signature
        assert feed.poll(2, 1.0) == []
    finally:
        feed.close()
        world.close()


def test_an_acknowledgement_of_a_stranger_is_rejected_and_the_true_one_counts(tmp_path: Path) -> None:
    """Over the real door: unsigned, then signed by the firm."""
    (tmp_path / "world").mkdir()
    world = Embedded(tmp_path / "world", 1, Responses())
    charter, settings = world.next(), world.settings(world.proxy())
    try:
        with Pilot(
            charter.pilot,
            participant=charter.participant.id,
            spool_dir=tmp_path / "spool",
            heartbeat_s=0.5,
            **{**settings, "key": None},  # type: ignore[arg-type]
        ):
            world.act(halt(charter.pilot))
            time.sleep(2)
            assert Reason.COMMAND_ACKNOWLEDGED not in [d.reason for d in world.seen.of(charter.pilot)]
        with Pilot(
            charter.pilot,
            participant=charter.participant.id,
            spool_dir=tmp_path / "other",
            heartbeat_s=0.5,
            **settings,  # type: ignore[arg-type]
        ):
            world.seen.wait(charter.pilot, Reason.HALT_VERIFIED)
    finally:
        world.close()
