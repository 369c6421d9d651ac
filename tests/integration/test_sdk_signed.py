"""Signed telemetry, permits requested by nonce, and resent commands over HTTP."""

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
    """The signature covers the body as sent, as kind telemetry; adopted spools of an earlier start are signed too."""
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
    """The newest permit of a pilot is often the other machine's; requested by nonce, each gets its permits."""
    (tmp_path / "environment").mkdir()
    environment = Embedded(tmp_path / "environment", 1, Responses(lease="2s"))
    charter, settings = environment.next(), environment.settings(environment.proxy())
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
        environment.close()
    assert lapses == 0
    assert served > 100
    assert refused.get("other_nonce", 0) == 0


def test_an_unacknowledged_command_is_resent_over_http(tmp_path: Path) -> None:
    """After five seconds a long poll returns the same command again; once acknowledged it is not resent."""
    (tmp_path / "environment").mkdir()
    environment = Embedded(tmp_path / "environment", 1, Responses())
    pilot = environment.next().pilot
    feed = HttpLink(str(environment.settings(environment.proxy())["to"])).feed(pilot, "commands")
    try:
        assert feed.poll(-1, 1.0) == []
        environment.act(halt(pilot))
        (first,) = feed.poll(-1, 10.0)
        (again,) = feed.poll(2, 15.0)
        assert again.body.replace(b'"again":1', b'"again":0') == first.body
        assert again.signature != first.signature
        assert feed.poll(2, 1.0) == []
    finally:
        feed.close()
        environment.close()


def test_an_unsigned_acknowledgement_is_rejected_and_the_signed_one_counts(tmp_path: Path) -> None:
    """Over HTTP: first unsigned, then signed with the firm's key."""
    (tmp_path / "environment").mkdir()
    environment = Embedded(tmp_path / "environment", 1, Responses())
    charter, settings = environment.next(), environment.settings(environment.proxy())
    try:
        with Pilot(
            charter.pilot,
            participant=charter.participant.id,
            spool_dir=tmp_path / "spool",
            heartbeat_s=0.5,
            **{**settings, "key": None},  # type: ignore[arg-type]
        ):
            environment.act(halt(charter.pilot))
            time.sleep(2)
            assert Reason.COMMAND_ACKNOWLEDGED not in [d.reason for d in environment.decisions.of(charter.pilot)]
        with Pilot(
            charter.pilot,
            participant=charter.participant.id,
            spool_dir=tmp_path / "other",
            heartbeat_s=0.5,
            **settings,  # type: ignore[arg-type]
        ):
            environment.decisions.wait(charter.pilot, Reason.HALT_VERIFIED)
    finally:
        environment.close()
