"""Draining after a halt: running work ends or is handed over, no new work begins, and then the halt is acknowledged."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import Halted
from monitor.model.events import CommandAcknowledged, Event, ExposureTallied, Heartbeat
from monitor.sdk import Drain, Pilot
from monitor.testing.memory_link import MemoryLink
from monitor.testing.records import command
from monitor.testing.wait import Until

HALT = command(2)
until = Until(5.0, every=0.005)


def make(link: MemoryLink, home: Path, **more: Any) -> Pilot:
    """A pilot with frequent heartbeats."""
    given = {"heartbeat_s": 0.05, "pack_ms": 0} | more
    return Pilot("p-1", participant="firm", to=link, spool_dir=home, **given)


def acknowledged(link: MemoryLink) -> list[Event]:
    """Acknowledgements that arrived."""
    return [e for e in link.events if isinstance(e, CommandAcknowledged)]


def test_the_acknowledgement_waits_for_running_work_and_for_the_hooks(tmp_path: Path) -> None:
    """A hook's reports precede the acknowledgement; after it no heartbeat says serving and the exposure is constant."""
    link = MemoryLink()
    with make(link, tmp_path) as pilot:
        finish = threading.Event()

        def work() -> None:
            with pilot.guard("case-9"):
                finish.wait(5)

        @pilot.on_halt
        def hand_over(drain: Drain) -> None:
            assert 0 < drain.left <= 10
            assert drain.command == HALT
            pilot.exposure(7, "decisions")
            with pilot.guard("case-9b", finishing=True):
                time.sleep(0.2)

        worker = threading.Thread(target=work)
        worker.start()
        until(lambda: pilot._guard.running == 1)
        link.command(HALT)
        until(lambda: pilot.standing.halted)
        with pytest.raises(Halted), pilot.guard():
            pytest.fail("the guard let new work begin")
        assert pilot.serving
        time.sleep(0.4)
        assert not acknowledged(link)
        finish.set()
        worker.join()
        until(lambda: bool(acknowledged(link)))
        pilot.flush()
        with pytest.raises(Halted), pilot.guard(finishing=True):
            pytest.fail("work began after the acknowledgement")
        (answer,) = acknowledged(link)
        assert answer.data.last_decision == "case-9b"  # type: ignore[union-attr]

        def beats() -> list[Heartbeat]:
            later = link.events[link.events.index(answer) + 1 :]
            assert not any(isinstance(e, ExposureTallied) for e in later)
            return [e for e in later if isinstance(e, Heartbeat)]

        until(lambda: len(beats()) >= 3)
        assert {(e.data.serving, e.data.exposure) for e in beats()} == {(False, 7.0)}


def test_work_that_does_not_end_in_time_is_cancelled_if_it_can_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After the drain time an asyncio task is cancelled and its guard raises `Halted`, and `check` raises it in a
    thread. Work that goes on after the acknowledgement is visible: heartbeats keep saying serving."""
    link = MemoryLink()
    ended: list[str] = []
    with make(link, tmp_path, drain_s=0.2) as pilot, caplog.at_level(logging.CRITICAL, "monitor.sdk"):

        @pilot.guarded
        async def decorated() -> None:
            await asyncio.sleep(30)

        async def later() -> None:
            try:
                async with pilot.guard():
                    await asyncio.sleep(30)
            except Halted:
                ended.append("task")
            with pytest.raises(Halted):
                await decorated()

        async def decorated_work() -> None:
            with pytest.raises(Halted):
                await decorated()
            ended.append("decorated")

        async def both() -> None:
            await asyncio.gather(later(), decorated_work())

        stubborn = threading.Event()

        def work() -> None:
            with pilot.guard("case-1"):
                try:
                    while True:
                        pilot.check()
                        time.sleep(0.01)
                except Halted:
                    ended.append("thread")
                stubborn.wait(5)

        worker = threading.Thread(target=work)
        loop = threading.Thread(target=lambda: asyncio.run(both()))
        worker.start()
        loop.start()
        until(lambda: pilot._guard.running == 3)
        link.command(HALT)
        until(lambda: sorted(ended) == ["decorated", "task", "thread"])
        loop.join(5)
        until(lambda: bool(acknowledged(link)))
        assert "halt.work_still_running" in caplog.text
        assert pilot.serving  # the stubborn thread
        stubborn.set()
        worker.join()
        assert not pilot.serving


def test_a_cancellation_by_the_caller_stays_a_cancellation(tmp_path: Path) -> None:
    """Only the cancellation by a halt becomes `Halted`; any other is raised unchanged, and no work stays counted."""
    link = MemoryLink()
    with make(link, tmp_path) as pilot:

        async def later() -> None:
            async with pilot.guard():
                await asyncio.sleep(30)

        async def cancelled() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(later(), 0.2)

        asyncio.run(cancelled())
        assert pilot._guard.running == 0


def test_a_hook_that_hangs_or_fails_delays_the_acknowledgement_by_the_drain_time_at_most(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The halt is acknowledged at the latest after `drain_s`, and the exception of a hook is logged."""
    link = MemoryLink()
    with make(link, tmp_path, drain_s=0.3) as pilot:
        hang, returned = threading.Event(), threading.Event()

        @pilot.on_halt
        def fails(drain: Drain) -> None:
            raise RuntimeError("no queue")

        @pilot.on_halt
        def hangs(drain: Drain) -> None:
            hang.wait(60)
            returned.set()

        until(lambda: pilot.standing.known)
        began = time.monotonic()
        link.command(HALT)
        until(lambda: bool(acknowledged(link)))
        assert time.monotonic() - began >= 0.3
        assert not returned.is_set()
        assert "no queue" in caplog.text
        hang.set()


def test_a_coroutine_hook_runs_in_its_loop(tmp_path: Path) -> None:
    """An async hook runs in the event loop where it was added; without a running loop adding it raises."""
    link = MemoryLink()
    with make(link, tmp_path) as pilot:
        loops: list[object] = []

        async def hook(drain: Drain) -> None:
            loops.append(asyncio.get_running_loop())

        with pytest.raises(RuntimeError):
            pilot.on_halt(hook)

        async def service() -> object:
            pilot.on_halt(hook)
            link.command(HALT)
            while not loops:
                await asyncio.sleep(0.01)
            return asyncio.get_running_loop()

        assert asyncio.run(service()) is loops[0]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Responds with 200 to every request."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})


def ask(guarded: Any, path: str, kind: str = "http") -> tuple[dict[str, Any], bytes]:
    """Send one request to an ASGI app; return the first message and the body."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(guarded({"type": kind, "path": path}, None, send))
    return sent[0], b"".join(m.get("body", b"") for m in sent)


def test_the_middleware_answers_503_with_the_reason(tmp_path: Path) -> None:
    """Requests are served without a halt; under one they get problem details with pilot, reason and decision; exempt
    paths are served."""
    link = MemoryLink()
    with make(link, tmp_path) as pilot:
        guarded = pilot.asgi(app, exempt=("/health",))
        assert ask(guarded, "/decide") == ({"type": "http.response.start", "status": 200, "headers": []}, b"served")
        link.command(HALT)
        until(lambda: pilot.standing.halted)
        first, body = ask(guarded, "/decide")
        assert first["status"] == 503
        assert dict(first["headers"])[b"content-type"] == b"application/problem+json"
        told = json.loads(body)
        assert (told["status"], told["pilot"], told["reason"]) == (503, "p-1", "limit_exceeded")
        assert told["decision"] == HALT.decision
        assert told["type"] == "urn:sandbox-monitor:halted"
        assert "two approvals" in told["detail"]
        assert ask(guarded, "/health")[0]["status"] == 200
        assert ask(guarded, "/socket", "websocket")[0] == {"type": "websocket.close", "code": 1013, "reason": "halted"}


def test_the_middleware_distinguishes_a_lapse_from_a_halt(tmp_path: Path) -> None:
    """Without a permit: 503, reason `lapsed`, and a `Retry-After` header."""
    with make(MemoryLink(), tmp_path, permits="required", guard_timeout=0.1) as pilot:
        until(lambda: pilot.standing.known)
        first, body = ask(pilot.asgi(app), "/decide")
        assert (first["status"], dict(first["headers"])[b"retry-after"]) == (503, b"5")
        assert json.loads(body)["reason"] == "lapsed"


def test_a_response_that_has_begun_is_aborted(tmp_path: Path) -> None:
    """A halt that cancels work during its response raises to the server instead of sending a second start."""
    link = MemoryLink()
    with make(link, tmp_path, drain_s=0.1) as pilot:

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            link.command(HALT)
            await asyncio.sleep(30)

        with pytest.raises(Halted):
            ask(pilot.asgi(slow), "/decide")
