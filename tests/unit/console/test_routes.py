"""The board over HTTP: the language of a reader, addresses of earlier versions, headers, and events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar, web

from monitor.console import event_stream
from monitor.console.fleet_view import FleetView
from monitor.console.routes import routes
from monitor.model.records import Level, Outputs, Reason
from monitor.testing.records import decision


@asynccontextmanager
async def served(board: FleetView, clock: Callable[[], int] = lambda: 0) -> AsyncIterator[tuple[str, ClientSession]]:
    app = web.Application()
    app.add_routes(routes(board, clock))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:  # it is an IP address
            yield f"http://127.0.0.1:{runner.addresses[0][1]}", session
    finally:
        await runner.cleanup()


PATIENCE_S = 120.0  # far more than a loaded machine needs


def halted(standing: int = 1, pilot: str = "p-1") -> Outputs:
    return Outputs(decisions=[decision(standing, pilot, level=Level.HALT, reason=Reason.LIMIT_EXCEEDED)])


async def asked_in(address: str, headers: dict[str, str], language: str) -> None:
    async with served(FleetView()) as (url, session):
        answer = await session.get(url + address, headers=headers)
        assert f'<html lang="{language}">' in await answer.text()
        assert answer.headers["Content-Language"] == language


@pytest.mark.parametrize(
    ("address", "headers", "language"),
    [
        ("/fleet", {}, "en"),
        ("/fleet", {"Accept-Language": "zh-CN,zh;q=0.9"}, "zh-Hans"),
        ("/fleet?lang=zh", {}, "zh-Hans"),
        ("/fleet?lang=en", {"Accept-Language": "zh"}, "en"),
        ("/fleet?lang=xx", {}, "en"),
        ("/fleet", {"Cookie": "lang=zh"}, "zh-Hans"),
        ("/fleet?lang=en", {"Cookie": "lang=zh"}, "en"),
        ("/fleet", {"Cookie": "lang=qps"}, "en"),
        ("/pilot/none", {"Cookie": "lang=zh"}, "zh-Hans"),
    ],
)
def test_the_language_is_that_of_the_address_then_the_cookie_then_the_browser(
    address: str, headers: dict[str, str], language: str
) -> None:
    asyncio.run(asked_in(address, headers, language))


def test_the_language_that_was_chosen_is_kept() -> None:
    """In a cookie that scripts and other sites do not see; a language that is not ours sets none."""

    async def run() -> None:
        async with served(FleetView()) as (url, session):
            chosen = (await session.get(url + "/fleet?lang=zh")).headers["Set-Cookie"]
            assert "lang=zh" in chosen
            assert "HttpOnly" in chosen
            assert "SameSite=Lax" in chosen
            assert '<html lang="zh-Hans">' in await (await session.get(url + "/firms")).text()
            assert "Set-Cookie" not in (await session.get(url + "/fleet?lang=xx")).headers

    asyncio.run(run())


def test_addresses_of_earlier_versions_lead_to_the_fleet() -> None:
    """The parameters stay; `/` without them is the page of today."""

    async def run() -> None:
        async with served(FleetView()) as (url, session):
            moved = await session.get(url + "/?level=halt&authority=north", allow_redirects=False)
            assert (moved.status, moved.headers["Location"]) == (302, "/fleet?level=halt&authority=north")
            assert (await session.get(url + "/?authority=north", allow_redirects=False)).status == 200

    asyncio.run(run())


def test_every_answer_forbids_scripts_and_styles_from_elsewhere() -> None:
    async def run() -> None:
        async with served(FleetView()) as (url, session):
            for path in ("/", "/fleet", "/pilot/none", "/api/board.json", "/board.css"):
                answer = await session.get(url + path)
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"

    asyncio.run(run())


def test_a_request_for_the_head_of_a_stream_is_refused() -> None:
    """An answer to HEAD has no body: what a stream writes would be read as the next answer."""

    async def run() -> None:
        async with served(FleetView()) as (url, session), session.head(url + "/events") as answer:
            assert answer.status == 405

    asyncio.run(run())


async def _event(stream: ClientResponse) -> str:
    """The next event; fails after a while without one."""

    async def read() -> str:
        async for line in stream.content:
            if line.startswith(b"data:"):
                return line.decode().strip()
        return "end"

    return await asyncio.wait_for(read(), PATIENCE_S)


def test_an_open_page_learns_of_each_change() -> None:
    """An event at once, then after outputs and when a worker falls silent; a stream that ends leaves none behind."""

    async def run() -> None:
        board, now = FleetView(), [0]
        board.liveness.watch(0, 0)
        async with served(board, lambda: now[0]) as (url, session), session.get(url + "/events") as stream:
            assert stream.headers["Content-Type"] == "text/event-stream"
            assert await _event(stream) == "data: 0"
            board.apply(halted())
            assert await _event(stream) == "data: 1"
            now[0] = 31_000
            assert await _event(stream) == "data: 1"

    asyncio.run(run())


def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further client is told to come back; one that leaves makes room."""
    monkeypatch.setattr(event_stream, "MOST", 2)

    async def run() -> None:
        board = FleetView()
        async with served(board) as (url, session):
            first = await session.get(url + "/events")
            second = await session.get(url + "/events")
            assert (await session.get(url + "/events")).status == 503
            first.close()
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    board.apply(halted(board.version + 1))  # a write shows that the client has left
                    again = await session.get(url + "/events")
                    if again.status == 200:
                        break
                    await asyncio.sleep(0.2)
            again.close()
            second.close()

    asyncio.run(run())
