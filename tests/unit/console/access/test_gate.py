"""Pages over HTTP where readers log in at a proxy: who gets in, what is logged, and that every address asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from monitor.console.access.gate import MINUTE_MS, REFUSALS_LOGGED, BoardAccess, Gate
from monitor.console.access.proxy_login import LoginRefused
from monitor.console.access.read_log import Read, read_lines
from monitor.console.access.roles import Role
from monitor.console.access.settings import AccessFile, Grant
from monitor.console.event_stream import FIXED_MS, MOST_OF_READER
from monitor.console.pages import DATA, PAGES
from monitor.console.routes import gate_of, routes
from tests.board_world import HALTED, NOW, World, world

SECRET = "s" * 40
ACCESS = AccessFile(people=(Grant("ann", Role.REGULATOR), Grant("eve", Role.FIRM, ("no-such-firm",))))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory.mktemp("world"))


def sent(user: str, secret: str = SECRET) -> dict[str, str]:
    return {"X-Board-Secret": secret, "X-Forwarded-User": user}


def fetched(
    whole: World, requests: list[tuple[str, Mapping[str, str]]], log: Path | None = None
) -> list[tuple[int, str]]:
    """Status and text of the answers of one server."""

    async def run() -> list[tuple[int, str]]:
        app = web.Application()
        gate = gate_of(BoardAccess(ACCESS, SECRET, log), lambda: NOW, app)
        app.add_routes(routes(whole.board, lambda: NOW, gate))
        async with TestClient(TestServer(app)) as client:
            found = []
            for path, headers in requests:
                async with client.get(path, headers=headers, allow_redirects=False) as answer:
                    found.append((answer.status, await answer.text()))
            return found

    return asyncio.run(run())


def test_every_address_asks_who_reads(whole: World) -> None:
    """No page, no data and no stream of events without a reader; style and script have nothing to hide."""
    paths = [path.replace(r":[\s\S]+", "").replace("{", "").replace("}", "") for path in (*PAGES, *DATA)]
    asked = [(path, headers) for path in (*paths, "/events") for headers in ({}, sent("bob"), sent("ann", "x" * 40))]
    assert [status for status, _ in fetched(whole, asked)] == [401, 403, 401] * (len(paths) + 1)
    for file in ("/board.css", "/chart.css", "/board.js"):
        assert fetched(whole, [(file, {})])[0][0] == 200


def test_a_reader_sees_who_is_logged_in_and_others_see_why_not(whole: World) -> None:
    (status, page), (refused, why) = fetched(whole, [(f"/pilot/{HALTED}", sent("ann")), ("/", sent("bob"))])
    assert (status, refused) == (200, 403)
    assert "ann, regulator" in page
    assert "have no role on this board" in why


def test_a_hidden_pilot_is_answered_like_one_that_does_not_exist(whole: World) -> None:
    (hidden, one), (missing, other) = fetched(
        whole, [(f"/pilot/{HALTED}", sent("eve")), ("/pilot/no-such-pilot", sent("eve"))]
    )
    assert hidden == missing == 404
    assert one.replace(HALTED, "P") == other.replace("no-such-pilot", "P")


def test_reads_and_refusals_are_logged(whole: World, tmp_path: Path) -> None:
    fetched(whole, [(f"/pilot/{HALTED}?lang=zh", sent("ann")), ("/api/board.json", {})], tmp_path / "reads")
    assert read_lines(tmp_path / "reads") == [
        Read(NOW, f"/pilot/{HALTED}?lang=zh", 200, "ann", Role.REGULATOR),
        Read(NOW, "/api/board.json", 401, refusal="not_by_proxy"),
    ]


def test_pages_are_shown_and_say_so_when_the_log_cannot_be_written(whole: World) -> None:
    """People on call need the board most when a disk is full."""
    answers = fetched(whole, [("/", sent("ann")), ("/", sent("ann"))], Path("/dev/full"))
    assert [status for status, _ in answers] == [200, 200]
    assert "The read log cannot be written." in answers[1][1]
    whole.board.notices.reads_not_logged = False


def test_changes_of_what_is_hidden_cannot_be_seen_in_events(whole: World) -> None:
    """Neither the content nor the time of an event depends on others: a firm is told at fixed times."""
    now = [NOW]

    async def run() -> list[bytes]:
        app = web.Application()
        gate = gate_of(BoardAccess(ACCESS, SECRET), lambda: now[0], app)
        app.add_routes(routes(whole.board, lambda: now[0], gate))
        async with TestClient(TestServer(app)) as client:
            found = []
            async with (
                client.get("/events", headers=sent("ann")) as all_,
                client.get("/events", headers=sent("eve")) as own,
            ):
                found += [await _event(all_), await _event(own)]
                whole.board.version += 1
                found.append(await _event(all_))  # the whole board changed
                now[0] += FIXED_MS
                found.append(await _event(own))
            return found

    before, first, after, fixed = asyncio.run(run())
    assert before != after
    assert (first, fixed) == (b"data: %d" % (NOW // FIXED_MS), b"data: %d" % (NOW // FIXED_MS + 1))


def test_one_reader_cannot_take_all_streams(whole: World) -> None:
    async def run() -> list[int]:
        app = web.Application()
        app.add_routes(routes(whole.board, lambda: NOW, gate_of(BoardAccess(ACCESS, SECRET), lambda: NOW, app)))
        async with TestClient(TestServer(app)) as client:
            open_ = [await client.get("/events", headers=sent("eve")) for _ in range(MOST_OF_READER)]
            more = await client.get("/events", headers=sent("eve"))
            other = await client.get("/events", headers=sent("ann"))
            for stream in (*open_, more, other):
                stream.close()
            return [more.status, other.status]

    assert asyncio.run(run()) == [503, 200]


async def _event(stream: ClientResponse) -> bytes:
    async for line in stream.content:
        if line.startswith(b"data:"):
            return line.strip()
    raise AssertionError("the stream ended")


def test_requests_without_a_reader_push_no_read_out_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that reaches the port has no login to lose: few of its refusals are logged, the others are counted."""
    now = [NOW]
    gate = Gate(BoardAccess(ACCESS, SECRET, tmp_path / "reads"), lambda: now[0])
    for _ in range(10 * REFUSALS_LOGGED):
        with pytest.raises(LoginRefused):
            gate.admit("/" + "x" * 8_000, [])
    now[0] += MINUTE_MS
    with pytest.raises(LoginRefused):
        gate.admit("/", [])
    gate.close()
    assert len(read_lines(tmp_path / "reads")) == REFUSALS_LOGGED + 1
    assert (tmp_path / "reads").stat().st_size < 400 * (REFUSALS_LOGGED + 1)
    assert f"requests={9 * REFUSALS_LOGGED}" in caplog.text
