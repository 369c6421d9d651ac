"""No work without a permit: neither the wall clock, nor sleep, nor a restart, nor an old answer replaces one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.errors import Halted, Lapsed, TryAgain
from monitor.halt_ground import Ground
from monitor.model.events import CommandAcknowledged, Heartbeat
from monitor.model.notice import Notice
from monitor.model.records import Permit, Reason
from monitor.model.signing import Signer
from monitor.sdk import Pilot
from monitor.sdk.asgi import problem
from monitor.sdk.clock import SECOND, boottime
from monitor.sdk.lease import MAX_LEASE_MS, Lease, NonceSealer
from monitor.testing.memory_link import MemoryLink
from monitor.testing.records import command
from monitor.testing.wait import Until

LEASE_MS = 60_000
until = Until(5.0, every=0.005)


class HandClock:
    """A lease clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


def make(link: MemoryLink, home: Path, clock: Callable[[], int] | None = None, **more: Any) -> Pilot:
    """A pilot under permits that sends one heartbeat, and further ones only on request."""
    given = {"permits": "required", "heartbeat_s": 3600.0, "pack_ms": 0, "guard_timeout": 2.0, "clock": clock} | more
    return Pilot("p-1", participant="firm", to=link, spool_dir=home, **given)


def works(pilot: Pilot) -> bool:
    """Whether a piece of work may begin."""
    try:
        with pilot.guard():
            return True
    except TryAgain:
        return False


def quiet(link: MemoryLink, pilot: Pilot) -> None:
    """Stop the answers to heartbeats, after the two that follow the start were sent."""
    until(lambda: sum(isinstance(e, Heartbeat) and e.source == pilot.source for e in link.events) >= 2)
    link.lease_ms = 0
    until(lambda: pilot._guard.lease is not None)
    time.sleep(0.05)


def renew(pilot: Pilot) -> None:
    """Send a heartbeat and wait for the lease that its answer gives."""
    before = pilot._guard.lease
    pilot.heartbeat()
    until(lambda: pilot._guard.lease != before)


def test_the_lease_runs_from_the_sending_of_the_heartbeat(tmp_path: Path) -> None:
    """Work is refused 60 s after the heartbeat was sent, however late its answer came; each answer renews the lease."""
    link, clock = MemoryLink(lease_ms=LEASE_MS), HandClock()
    with make(link, tmp_path, clock) as pilot:
        with pilot.guard():
            pass
        quiet(link, pilot)
        pilot.heartbeat()  # sent now; its permit arrives 30 s later
        pilot.flush()
        clock.passes(30)
        beat = next(e for e in reversed(link.events) if isinstance(e, Heartbeat))
        link.lease_ms = LEASE_MS
        link.permit(link.answer(beat))
        until(lambda: pilot.status().permit_s == pytest.approx(30, abs=0.001))
        clock.passes(29.999)
        assert works(pilot)
        clock.passes(0.002)
        with pytest.raises(Lapsed, match=r"expired 0\.0 s ago.*not a halt"), pilot.guard():
            pytest.fail("the guard let work begin")
        assert pilot.serving is False
        renew(pilot)
        assert works(pilot)


def test_without_a_first_permit_no_work_begins(tmp_path: Path) -> None:
    """A service whose heartbeats get no answer begins no work and reports that it has no permit."""
    with make(MemoryLink(), tmp_path, guard_timeout=0.2) as pilot:
        until(lambda: pilot.standing.known)
        with pytest.raises(Lapsed, match=r"none has arrived since this process began; .*`rejected`"), pilot.guard():
            pytest.fail("the guard let work begin")
        until(lambda: pilot.status().lapsed)
        assert pilot.status().permit_s is None


def test_a_restart_begins_without_a_permit(tmp_path: Path) -> None:
    """The lease of an earlier start, and the answer to its heartbeat, are void for the next one."""
    link, clock = MemoryLink(lease_ms=LEASE_MS), HandClock()
    with make(link, tmp_path, clock) as pilot:
        assert works(pilot)
        pilot.flush()
        old = next(e for e in link.events if isinstance(e, Heartbeat))
    link.lease_ms = 0
    clock.passes(1)
    with make(link, tmp_path, clock, guard_timeout=0.3) as pilot:
        until(lambda: pilot.status().leading and pilot.standing.known)
        assert not works(pilot)
        link.lease_ms = LEASE_MS
        link.permit(link.answer(old))
        until(lambda: pilot.status().refused.get("replayed", 0) > 0)
        assert not works(pilot)
        renew(pilot)
        assert works(pilot)


def test_sleep_is_counted_and_the_wall_clock_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of sleep ends the lease; moving the wall clock back by an hour or forward by a day changes nothing."""
    link, clock = MemoryLink(lease_ms=LEASE_MS), HandClock()
    with make(link, tmp_path, clock) as pilot:
        assert works(pilot)
        for shift in (-3600, 86_400):
            real = time.time()
            with monkeypatch.context() as moved:
                moved.setattr(time, "time", lambda real=real, shift=shift: real + shift)
                assert pilot.status().permit_s == pytest.approx(60)
                assert works(pilot)
        quiet(link, pilot)
        clock.passes(3600)  # what CLOCK_BOOTTIME shows after an hour of sleep
        until(lambda: not pilot.serving)
        assert not works(pilot)


def test_the_default_clock_includes_sleep() -> None:
    """By default leases are measured on CLOCK_BOOTTIME."""
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert before <= boottime()() <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_old_answers_renew_nothing(tmp_path: Path) -> None:
    """The answer to an older heartbeat, a repeat with a longer lease, another nonce, another standing: each is void and
    counted."""
    link, clock = MemoryLink(lease_ms=LEASE_MS), HandClock()
    with make(link, tmp_path, clock) as pilot:
        assert works(pilot)
        quiet(link, pilot)
        clock.passes(10)
        link.lease_ms = LEASE_MS
        renew(pilot)
        until_then = pilot._guard.lease
        beats = [e for e in link.events if isinstance(e, Heartbeat)]
        clock.passes(5)
        for permit, word in (
            (link.answer(beats[0]), "replayed"),
            (msgspec.structs.replace(link.answer(beats[-1]), lease_ms=10**9), "replayed"),
            (msgspec.structs.replace(link.answer(beats[-1]), nonce="00"), "other_nonce"),
            (msgspec.structs.replace(link.answer(beats[-1]), standing=4), "other_standing"),
            (msgspec.structs.replace(link.answer(beats[-1]), pilot="p-2"), "other_pilot"),
        ):
            before = pilot.status().refused.get(word, 0)
            link.permit(permit)
            until(lambda word=word, before=before: pilot.status().refused.get(word, 0) > before)  # type: ignore[misc]
            assert pilot._guard.lease == until_then


def test_a_lease_is_never_longer_than_ten_minutes() -> None:
    """A longer lease in a permit is cut to ten minutes; a negative one has ended at once."""

    def permit(lease_ms: int) -> Permit:
        return Permit(pilot="p", nonce="n", standing=0, epoch=1, lease_ms=lease_ms)

    assert Lease().renewed(permit(10**12), 5, 0, False) == Lease(5, 5 + MAX_LEASE_MS * 1_000_000, True)
    assert Lease().renewed(permit(-1), 5, 0, False) == Lease(5, 5, True)


def test_a_nonce_is_opened_only_with_its_secret_and_pilot() -> None:
    """Another secret, another pilot or one changed character: not authentic."""
    seal = NonceSealer(b"k" * 32, "p")
    nonce = seal.seal(123, b"salt")
    assert seal.open(nonce) == 123
    assert NonceSealer(b"x" * 32, "p").open(nonce) is None
    assert NonceSealer(b"k" * 32, "q").open(nonce) is None
    for at in range(len(nonce)):
        changed = nonce[:at] + ("0" if nonce[at] != "0" else "1") + nonce[at + 1 :]
        assert seal.open(changed) is None
    for odd in ("", "..", "é", "7b", "7b.73616c74"):
        assert seal.open(odd) is None


def test_a_lapse_is_no_halt_and_no_halt_is_a_lapse(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Under a halt the guard raises `Halted`, with or without a permit. A lapse is named and logged as one, and ends
    with the next permit."""
    link, clock = MemoryLink(lease_ms=LEASE_MS), HandClock()
    with make(link, tmp_path, clock) as pilot, caplog.at_level(logging.WARNING, "monitor.sdk"):
        assert works(pilot)
        quiet(link, pilot)
        clock.passes(61)
        assert not works(pilot)
        until(lambda: pilot.status().lapsed)
        link.lease_ms = LEASE_MS
        assert "This is not a halt" in caplog.text
        assert not pilot.standing.halted
        renew(pilot)
        until(lambda: not pilot.status().lapsed)
        assert "permit.renewed" in caplog.text
        link.command(command(2))
        until(lambda: pilot.standing.halted)
        clock.passes(61)
        with pytest.raises(Halted, match=command(2).decision), pilot.guard():
            pytest.fail("the guard let work begin")
        assert not pilot.status().lapsed


def test_a_release_needs_a_resume_and_a_new_permit(tmp_path: Path) -> None:
    """A permit from before the halt is void after the release, even if its lease goes on; the next one is valid."""
    link, clock = MemoryLink(lease_ms=LEASE_MS), HandClock()
    with make(link, tmp_path, clock) as pilot:
        assert works(pilot)
        link.command(command(2))
        until(lambda: any(isinstance(e, CommandAcknowledged) for e in link.events))
        with pytest.raises(Halted, match="two approvals"):
            pilot.resume()
        link.command(command(3, "release"))
        until(lambda: not pilot.standing.halted)
        with pytest.raises(Halted, match=r"has not resumed") as refused, pilot.guard():
            pytest.fail("the guard let work begin")
        assert (refused.value.reason, refused.value.decision) == ("not_resumed", command(3).decision)
        pilot.resume()
        until(lambda: works(pilot))
        assert pilot.status().permit_s is not None
    with make(link, tmp_path, clock) as pilot:  # the resumption holds over a restart
        assert works(pilot)


def test_a_release_alone_holds_over_a_restart(tmp_path: Path) -> None:
    """A restart of the service by a supervisor does not resume it."""
    link = MemoryLink(lease_ms=LEASE_MS)
    link.command(command(2))
    link.command(command(3, "release"))
    for _ in range(2):
        with make(link, tmp_path) as pilot, pytest.raises(Halted, match=r"has not resumed"), pilot.guard():
            pytest.fail("the guard let work begin")


@pytest.mark.parametrize(
    ("settings", "says_stop", "goes_on"),
    [
        ({"tier": "critical", "trust": "none"}, True, False),
        ({"tier": "high", "trust": "none"}, False, False),  # the tier is stricter
        ({"tier": "limited"}, False, True),
        ({"tier": "minimal"}, True, False),  # the permit is stricter
        ({"on_lapse": "shout"}, False, True),
        ({"on_lapse": "stop"}, False, False),
        ({}, False, True),  # as the permit states
        ({}, True, False),
    ],
)
def test_what_a_lapse_means(tmp_path: Path, settings: dict[str, Any], says_stop: bool, goes_on: bool) -> None:
    """The stricter of the tier or setting and the permit applies: work stops, or continues and is reported."""
    link, clock = MemoryLink(lease_ms=LEASE_MS, stop=says_stop), HandClock()
    with make(link, tmp_path, clock, **settings) as pilot:
        until(lambda: pilot._guard.lease is not None)
        assert works(pilot)
        quiet(link, pilot)
        clock.passes(61)
        until(lambda: pilot.status().lapsed)
        assert works(pilot) is goes_on
        assert pilot.serving is goes_on


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    """High tier without permits, lapse policy without permits, permits without heartbeats: the constructor raises."""
    for settings, words in (
        ({"tier": "high", "permits": "off"}, "tier high stops"),
        ({"tier": "critical", "on_lapse": "shout"}, "tier critical stops"),
        ({"permits": "off", "on_lapse": "stop"}, "permits are off"),
        ({"heartbeat_s": 0.0}, "heartbeat_s above 0"),
        ({"follow": False}, "follow=True"),
        ({"tier": "huge"}, "tier is 'huge'"),
        ({"tier": "high"}, 'tier high needs trust=.*keys show.*trust="none"'),
        ({"tier": "critical"}, "tier critical needs trust="),
        ({"permits": "yes"}, "permits is 'yes'"),
        ({"drain_s": -1.0}, "drain_s is -1"),
    ):
        with pytest.raises(ValueError, match=words):
            make(MemoryLink(), tmp_path, **settings)
    for trust in ("none", Signer(bytes(32)).public):
        with Pilot("p-1", participant="f", to=MemoryLink(), spool_dir=tmp_path, tier="high", trust=trust) as pilot:
            assert pilot.status().permits == "required"
    with Pilot("p-1", participant="f", to=MemoryLink(), spool_dir=tmp_path, tier="limited") as pilot:
        assert pilot.status().permits == "off"


def test_a_drill_is_acknowledged_and_stops_nothing(tmp_path: Path) -> None:
    """A dry run is acknowledged as such; work continues under the permits that follow it."""
    link = MemoryLink(lease_ms=LEASE_MS)
    with make(link, tmp_path) as pilot:
        assert works(pilot)
        link.command(command(2, dry_run=True))
        until(lambda: any(isinstance(e, CommandAcknowledged) for e in link.events))
        (answer,) = [e for e in link.events if isinstance(e, CommandAcknowledged)]
        assert (answer.data.command, answer.data.dry_run) == (command(2).id, True)
        assert not pilot.standing.halted
        until(lambda: works(pilot))


def test_a_resent_command_is_acknowledged_each_time(tmp_path: Path) -> None:
    """A monitor that resends a command has no acknowledgement: it gets one per resend, and no others."""
    link = MemoryLink()
    with make(link, tmp_path, permits="off") as pilot:

        def answers() -> int:
            return sum(isinstance(e, CommandAcknowledged) for e in link.events)

        link.command(command(2))
        until(lambda: answers() == 1)
        link.command(command(2))
        until(lambda: answers() == 2)
        time.sleep(0.3)
        assert answers() == 2
        assert pilot.status().refused == {"repeated": 1}


def test_a_feed_thread_that_fails_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After an unexpected exception in a feed thread, which is logged, the lead is taken again and a halt is obeyed."""

    class Faulty(MemoryLink):
        faults = 2

        def feed(self, pilot: str, what: Any = "commands") -> Any:
            feed = super().feed(pilot, what)
            poll = feed.poll

            def fails(after: int, wait: float) -> Any:
                if feed.complete and self.faults:
                    self.faults -= 1
                    raise ValueError("not foreseen")
                return poll(after, wait)

            feed.poll = fails  # type: ignore[method-assign]
            return feed

    link = Faulty(lease_ms=LEASE_MS)
    with make(link, tmp_path) as pilot:
        until(lambda: link.faults == 0)
        link.command(command(2))
        until(lambda: pilot.standing.halted)
        assert "not foreseen" in caplog.text
        until(lambda: any(isinstance(e, CommandAcknowledged) for e in link.events))


@pytest.mark.parametrize("permits", ["off", "required"])
def test_the_status_shows_the_monitors_notice(tmp_path: Path, permits: str) -> None:
    """With and without permits, in every process of the machine, after a restart and in an outage of the monitor."""
    link = MemoryLink(lease_ms=LEASE_MS, notice=Notice(rejected={"bad_time": 2}, findings=("sequence",)))
    more: dict[str, Any] = {"permits": permits, "heartbeat_s": 0.05}
    with make(link, tmp_path, **more) as pilot, make(link, tmp_path, **more) as other:
        until(lambda: pilot.status().notice == link.notice)
        assert other.status().notice == link.notice
        link.notice = None
        until(lambda: pilot.status().notice == Notice())
        link.notice = Notice(rejected={"not_json": 1})
        until(lambda: pilot.status().notice == link.notice)
    link.away = True
    with make(link, tmp_path, **more) as pilot:
        assert pilot.status().notice == link.notice
        link.away = False  # otherwise closing waits for delivery


def test_a_start_that_reads_only_a_drill_still_has_to_resume(tmp_path: Path) -> None:
    """With the newest command alone, as over HTTP or on a compacted topic, work is refused over restarts and on a new
    disk until the firm resumes, also from a release that an older SDK did not record."""
    drill = command(5, "halt", dry_run=True, lifted=command(4).decision, reason=Reason.DRILL_BEGUN)
    for disk in ("one", "new"):
        link = MemoryLink(lease_ms=LEASE_MS)
        link.command(drill)
        for _ in range(2):
            with make(link, tmp_path / disk) as pilot, pytest.raises(Halted) as refused, pilot.guard():
                pytest.fail("the guard let work begin")
            assert (refused.value.reason, refused.value.decision) == ("not_resumed", command(4).decision)
        with make(link, tmp_path / disk) as pilot:
            until(lambda: pilot.standing.known)
            pilot.resume()
            until(lambda: works(pilot))
        with make(link, tmp_path / disk) as pilot:
            assert works(pilot)


def test_a_halt_states_its_ground_but_not_to_the_public(tmp_path: Path) -> None:
    """The error carries the numbers; the brief text and the ASGI response leave them out. A ground that does not fit
    into the shared state is left out, and the halt is in force."""
    ground = Ground(
        indicator="complaints", segment="north", observed=36.0, expected=6.09, statistic=28.0, threshold=6.3
    )
    for number, given in ((2, ground), (3, structs.replace(ground, detail="x" * 5000))):
        link = MemoryLink(lease_ms=LEASE_MS)
        link.command(command(number, ground=given))
        with make(link, tmp_path / str(number)) as pilot, pytest.raises(Halted) as refused, pilot.guard():
            pytest.fail("the guard let work begin")
        error = refused.value
        assert error.ground == (ground if number == 2 else None)
        assert ("north: 36 events" in str(error)) == (number == 2)
        assert ("36 events" in error.sentence) == (number == 2)
        assert (error.indicator, error.segment) == (("complaints", "north") if number == 2 else ("", ""))
        assert "36 events" not in problem("p-1", error)["detail"] + error.brief
        assert "two approvals" in error.brief
