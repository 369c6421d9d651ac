"""`Pilot` with an in-memory link that can be made unavailable."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import Halted, Unavailable
from monitor.model.builders import Emitter, one_of_each
from monitor.model.events import (
    CommandAcknowledged,
    Envelope,
    ExposureTallied,
    Heartbeat,
    ModelChanged,
    OutcomesTallied,
    event_type,
)
from monitor.sdk import BadEvent, Pilot, SpoolFull
from monitor.testing.memory_link import MemoryLink
from monitor.testing.records import command
from monitor.testing.wait import Until

until = Until(5.0, every=0.005)


def make(link: MemoryLink, home: Path, **more: Any) -> Pilot:
    """A pilot that sends nothing automatically."""
    return Pilot("p-1", participant="firm", to=link, **{"spool_dir": home, "heartbeat_s": 0, "follow": False} | more)


def numbers(events: list[Any]) -> list[int]:
    """Sequence numbers in order of arrival."""
    return [int(event.sequence) for event in events]


def fill(pilot: Pilot, complaint: str) -> SpoolFull:
    """Report until the spool is full."""
    for _ in range(10_000):
        try:
            pilot.complaint(complaint)
        except SpoolFull as full:
            return full
    raise AssertionError("the spool took everything")


def report_each(pilot: Pilot) -> None:
    """Call every report once."""
    now = datetime.now(UTC)
    pilot.complaint("c-1", segment="north")
    pilot.complaint_resolved("c-1", filed=now)
    pilot.complaint_withdrawn("c-2", filed=now)
    pilot.boundary_breached("b")
    pilot.incident("i-1", "hazard")
    pilot.incident_update("i-1", "incident", was="hazard")
    pilot.outcomes(tp=1, fp=2, tn=3, fn=4)
    pilot.exposure(10, "decisions")
    pilot.exposure_corrected(-1, "decisions", at=datetime.now(UTC))
    pilot.outcomes_corrected(tp=-1, at=datetime.now(UTC))
    pilot.items("labelled", marked=97, unmarked=3)
    pilot.claim("r-1", "takedown")
    pilot.claim_closed("r-1", "takedown", filed=now)
    pilot.cost(12.5, "EUR")
    pilot.gain(0.2)
    pilot.model_changed("m2")
    pilot.heartbeat()


def test_every_type_of_event_can_be_reported(tmp_path: Path) -> None:
    """One call per type; they arrive in the order of the calls, numbered from 1 without a gap, under one source."""
    link = MemoryLink()
    with make(link, tmp_path, model="m1") as pilot:
        report_each(pilot)
    every = {event_type(e) for e in one_of_each(Emitter("s", "p"), 0)}
    assert {event_type(e) for e in link.events} == every - {"sandbox.command.acknowledged"}
    assert numbers(link.events) == list(range(1, 18))
    assert {e.source for e in link.events} == {pilot.source}
    changed = next(e for e in link.events if isinstance(e, ModelChanged))
    assert (changed.data.was, changed.data.model, link.events[-1].data.model) == ("m1", "m2", "m2")
    beat = link.events[-1]
    assert isinstance(beat, Heartbeat)
    assert beat.data.exposure == 10


def test_the_builders_of_tests_and_the_sdk_have_the_same_verbs() -> None:
    """What a test builds with `Emitter` a service reports with `Pilot`, under the same name."""
    verbs = {n for n, f in inspect.getmembers(Emitter, inspect.isfunction) if not n.startswith("_")}
    assert verbs - {"skip", "packed", "acknowledged"} <= set(dir(Pilot))


def test_nothing_is_lost_during_an_outage_of_the_monitor(tmp_path: Path) -> None:
    """Calls return during an outage; after it everything arrives once and in order."""
    link = MemoryLink()
    link.away = True
    with make(link, tmp_path, pack=10) as pilot:
        for n in range(95):
            pilot.complaint(f"c-{n}")
        with pytest.raises(Unavailable, match="wait in the spool"):
            pilot.flush(0.1)
        assert pilot.status().send_error == "the memory link is away"
        link.away = False
        pilot.flush(10)
        assert pilot.status().waiting_bytes == 0
    assert numbers(link.events) == list(range(1, 96))
    assert max(len(batch) for batch in link.batches) == 10


def test_after_a_lost_response_the_batch_is_resent_with_the_same_sequence(tmp_path: Path) -> None:
    """A batch whose response was lost is resent unchanged: at least once, with the same numbers."""
    link = MemoryLink()
    link.lose_answers = 2
    with make(link, tmp_path) as pilot, pilot.together():
        for n in range(5):
            pilot.complaint(f"c-{n}")
    assert numbers(link.events) == [1, 2, 3, 4, 5] * 3
    assert len({e.id for e in link.events}) == 5


def test_a_new_start_delivers_the_spool_of_the_last_one_first(tmp_path: Path) -> None:
    """Each start is a new incarnation; the events of the older one are delivered first, in order."""
    link = MemoryLink()
    link.away = True
    sources = []
    for start in range(3):
        pilot = make(link, tmp_path)
        sources.append(pilot.source)
        for n in range(4):
            pilot.complaint(f"c-{start}-{n}")
        if start == 2:
            link.away = False
        pilot.close(timeout=5.0 if start == 2 else 0.0)
    assert [(e.source, int(e.sequence)) for e in link.events] == [(s, n) for s in sources for n in range(1, 5)]
    assert list((tmp_path / "p-1").glob("[0-9]*")) == []


def test_the_spool_of_a_running_process_is_not_adopted(tmp_path: Path) -> None:
    """With two processes of one pilot neither delivers the other's events, and the events of both arrive once."""
    link = MemoryLink()
    link.away = True
    with make(link, tmp_path) as one, make(link, tmp_path) as two:
        one.complaint("c-1")
        two.complaint("c-2")
        link.away = False
    assert sorted(e.source for e in link.events) == sorted([one.source, two.source])


def test_many_threads_share_numbers_without_gap_or_repeat(tmp_path: Path) -> None:
    """With 8 reporting threads the numbers that arrive are 1..n in order, and each heartbeat's counter is the sum
    before it."""
    link = MemoryLink()
    with make(link, tmp_path, pack=50) as pilot:

        def work() -> None:
            for _ in range(40):
                pilot.exposure(3, "decisions")
                pilot.heartbeat()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert numbers(link.events) == list(range(1, 641))
    total = 0.0
    for event in link.events:
        if isinstance(event, ExposureTallied):
            total += event.data.amount
        elif isinstance(event, Heartbeat):
            assert event.data.exposure == total


def test_a_full_spool_raises_and_leaves_no_gap(tmp_path: Path) -> None:
    """At the limit a call raises and uses no number; after a delivery reporting works again."""
    link = MemoryLink()
    link.away = True
    with make(link, tmp_path, spool_bytes=65536) as pilot:
        full = fill(pilot, "c" * 150)
        assert "65536" in str(full)
        link.away = False
        pilot.flush(10)
        pilot.complaint("again")
    assert len(link.events) > 50
    assert numbers(link.events) == list(range(1, len(link.events) + 1))
    assert link.events[-1].data.complaint == "again"


def test_a_refused_argument_uses_no_number(tmp_path: Path) -> None:
    """After `BadEvent` the next event follows without a gap."""
    link = MemoryLink()
    with make(link, tmp_path) as pilot:
        pilot.outcomes(tp=1, fp=0, tn=0, fn=0)
        with pytest.raises(BadEvent):
            pilot.outcomes(tp=-1, fp=0, tn=0, fn=0)
        pilot.outcomes(tp=2, fp=0, tn=0, fn=0)
    assert numbers(link.events) == [1, 2]
    assert [e.data.tp for e in link.events if isinstance(e, OutcomesTallied)] == [1, 2]


def test_a_closed_pilot_reports_nothing(tmp_path: Path) -> None:
    """After `close` a report raises `BadEvent`."""
    pilot = make(MemoryLink(), tmp_path)
    pilot.close()
    pilot.close()
    with pytest.raises(BadEvent, match="closed"):
        pilot.complaint("c-1")


def test_together_is_durable_when_the_block_ends(tmp_path: Path) -> None:
    """Inside the block nothing is durable; at its end everything is: 500 events, one sync."""
    link = MemoryLink()
    with make(link, tmp_path, pack=1000) as pilot:
        with pilot.together():
            for n in range(500):
                pilot.complaint(f"c-{n}")
            assert link.events == []
            assert pilot._runtime.incarnation.spool.durable == 0
        assert pilot._runtime.incarnation.spool.durable == pilot._runtime.incarnation.spool.written
        pilot.flush()
    assert numbers(link.events) == list(range(1, 501))


def test_no_work_before_the_standing_is_known(tmp_path: Path) -> None:
    """The guard refuses while commands cannot be read; once they are read and there is no halt, work may begin."""
    link = MemoryLink()
    link.away = True
    with make(link, tmp_path, follow=True, guard_timeout=0.05) as pilot:
        with pytest.raises(Unavailable, match="not known yet"), pilot.guard():
            pytest.fail("the guard let work begin")
        assert pilot.serving is False
        link.away = False
        until(lambda: pilot.standing.known)
        with pilot.guard():
            pass
        assert pilot.serving is True


def test_a_halt_stops_new_work_is_acknowledged_and_ends_serving(tmp_path: Path) -> None:
    """Work is refused with the reason, the acknowledgement names the last decision, heartbeats say not serving."""
    link = MemoryLink()
    with make(link, tmp_path, follow=True, heartbeat_s=0.05, pack_ms=0) as pilot:
        until(lambda: pilot.standing.known)
        with pilot.guard("case-17"):
            link.command(command(2))
            until(lambda: pilot.standing.halted)
            assert pilot.serving is True  # work is running
        with (
            pytest.raises(Halted, match=f"p-1 is halted since 2023-11-14.*limit_exceeded.*{command(2).decision}"),
            pilot.guard("case-18"),
        ):
            pytest.fail("the guard let work begin")
        assert pilot.serving is False
        until(lambda: any(isinstance(e, CommandAcknowledged) for e in link.events))
        acknowledged = next(e for e in link.events if isinstance(e, CommandAcknowledged))
        assert (acknowledged.data.command, acknowledged.data.standing) == (command(2).id, 2)
        assert acknowledged.data.last_decision == "case-17"

        def quiet() -> list[Envelope]:
            return [
                e
                for e in link.events
                if isinstance(e, Heartbeat) and not e.data.serving and e.sequence > acknowledged.sequence
            ]

        until(lambda: len(quiet()) >= 3)
        nonces = [e.data.nonce for e in link.events if isinstance(e, Heartbeat)]
        assert len(set(nonces)) == len(nonces)
        link.command(command(1, "release"))  # an old release arrives late
        time.sleep(0.1)
        assert pilot.standing.halted
        link.command(command(3, "release"))
        until(lambda: not pilot.standing.halted)
        with pytest.raises(Halted, match="has not resumed"), pilot.guard("case-18"):
            pytest.fail("a release alone let work begin")
        pilot.resume()
        with pilot.guard("case-18"):
            pass


class Unheard(MemoryLink):
    """A link on which nothing can be sent while it is `deaf`; commands can be read."""

    deaf = False

    def send(self, pilot: str, body: bytes, signature: str = "") -> None:
        if self.deaf:
            raise Unavailable("the link is deaf")
        super().send(pilot, body, signature)


def test_an_acknowledgement_waits_for_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a full spool a halt takes effect at once and is acknowledged when there is room. The delay is logged once
    and not counted as a lost report."""
    link = Unheard()
    with make(link, tmp_path, follow=True, spool_bytes=65536) as pilot:
        until(lambda: pilot.standing.known)
        link.deaf = True
        fill(pilot, "c" * 20)  # leaves less room than an acknowledgement needs
        link.command(command(2))
        until(lambda: pilot.standing.halted)
        until(lambda: "command.not_acknowledged" in caplog.text)
        time.sleep(1.0)  # it is retried
        assert not any(isinstance(e, CommandAcknowledged) for e in link.events)
        link.deaf = False
        until(lambda: any(isinstance(e, CommandAcknowledged) for e in link.events), 10)
        assert caplog.text.count("command.not_acknowledged") == 1
        assert pilot.status().not_recorded == 1


def test_guarded_functions_plain_and_async(tmp_path: Path) -> None:
    """The decorator guards functions and coroutine functions and returns what they return."""
    link = MemoryLink()
    with make(link, tmp_path, follow=True) as pilot:

        @pilot.guarded
        def plain(x: int) -> int:
            return x + 1

        @pilot.guarded
        async def later(x: int) -> int:
            await asyncio.sleep(0)
            return x + 2

        assert plain(1) == 2
        assert asyncio.run(later(1)) == 3  # type: ignore[arg-type]
        link.command(command(2))
        until(lambda: pilot.standing.halted)
        with pytest.raises(Halted):
            plain(1)
        with pytest.raises(Halted):
            asyncio.run(later(1))  # type: ignore[arg-type]


def test_bad_settings_are_refused_at_once(tmp_path: Path) -> None:
    """The constructor raises for a bad address, size or pilot, and names the setting."""
    for change, words in (
        ({"to": "127.0.0.1:9092"}, "kafka://host"),
        ({"to": "kafka://"}, "not an address"),
        ({"to": "kafka://127.0.0.1:port"}, "not an address"),
        ({"pack": 0}, "pack is 0"),
        ({"spool_bytes": 10}, "spool_bytes is 10"),
        ({"participant": ""}, "participant is empty"),
        ({"pilot": ""}, "subject"),
    ):
        given = {"pilot": "p-1", "participant": "firm", "to": MemoryLink(), "spool_dir": tmp_path, **change}
        with pytest.raises((ValueError, BadEvent), match=words):
            Pilot(**given)
