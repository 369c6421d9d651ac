"""No request and no client makes an HTTP server fail, hang, fill the disk or the log, or refuse other clients."""

from __future__ import annotations

import asyncio
import gc
import gzip
import itertools
import json
import logging
import os
import resource
import ssl
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web

from monitor.embedded.backlog import Backlog
from monitor.embedded.ingress import BATCH, LINES, STRUCTURED, Ingress
from monitor.embedded.store import Store
from monitor.errors import Unavailable
from monitor.http_server.bell import Bell, PilotBells, waited
from monitor.http_server.guards import TooMany
from monitor.http_server.in_thread import Page, PagesInThread
from monitor.http_server.limits import ServerLimits
from monitor.http_server.server import HttpServer
from monitor.kafka.gateway_service import tls_context
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.sdk import Pilot
from monitor.sdk.http_link import HttpLink
from monitor.testing.certificates import CertificateAuthority
from tests.security.goals import Goal
from tests.security.http_tools import HOST, Client, ask, board, get, monitor, post, samples
from tests.strength import examples

EVENT = encode(Emitter("s", "p").gain(1_767_571_200_000))
T = "/v1/telemetry"
LIVE: dict[str, Page] = {"/live": lambda: (200, "text/plain", b"live\n")}


async def stepped(running: object, seconds: float = 60) -> None:
    """Wait until everything stored is stepped."""
    until = time.monotonic() + seconds
    while running.ingress.backlog.events:  # type: ignore[attr-defined]
        assert time.monotonic() < until
        await asyncio.sleep(0.02)


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def test_recorded_requests_are_never_answered_with_500(
    tmp_path: Path, goal: Goal, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes that were once answered with 500 get a 2xx or 4xx from the ingress and from the board."""

    async def story() -> Counter[int]:
        found: Counter[int] = Counter()
        async with monitor(tmp_path) as running, board() as shown:
            for request in samples():
                for port in (running.port, shown.port):
                    client = await Client.open(port)
                    client.writer.write(request)
                    client.writer.write_eof()
                    status, _, _ = await client.response()
                    found[status // 100] += 1
                    client.close()
        return found

    found = asyncio.run(story())
    assert sum(found.values()) == 2 * len(samples()) > 20
    goal("http_recorded_5xx", found[5], 0)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


REBOUND = [b"Host: evil.example", b"Host: 127.0.0.1.evil.example", b"Host: localhost@evil.example", b"Host: ",
           b"Host: 10.9.8.7", b"Host: [::2]", b"Host: 127.0.0.1\r\nHost: evil.example", b"Host: \xff\xfe",
           b"Host: 127.0.0.1:80:80", b"X-Forwarded-Host: 127.0.0.1"]  # fmt: skip
OURS = [HOST, b"Host: localhost:8321", b"Host: [::1]:9", b"HOST: LocalHost", b"Host: monitor.example:443"]


def test_unexpected_hosts_are_refused_on_every_server(tmp_path: Path, goal: Goal) -> None:
    """Ingress, board and pages serve loopback names, their own address and configured names; nothing else."""

    async def story() -> tuple[list[int], list[int]]:
        names = ("monitor.example",)
        pages = PagesInThread(0, LIVE, names=names)
        async with monitor(tmp_path, host_names=names) as running, board(names=names) as shown:
            served = {running.port: "/live", shown.port: "/", pages.port: "/live"}
            refused = [(await ask(port, get(path, host=host)))[0] for port, path in served.items() for host in REBOUND]
            taken = [(await ask(port, get(path, host=host)))[0] for port, path in served.items() for host in OURS]
            pages.stop()
            return refused, taken

    refused, taken = asyncio.run(story())
    goal("http_unexpected_hosts_served", sum(status not in (400, 403) for status in refused), 0)
    assert set(taken) == {200}


def test_an_error_is_no_document() -> None:
    """Errors repeat parts of a request. No browser runs, frames, guesses or keeps them."""
    bad = [b"GET /none HTTP/1.1\r\n" + HOST, b"POST /fleet HTTP/1.1\r\n" + HOST, b"GET / HTTP/1.1\r\nHost: evil",
           b"GET /\xff HTTP/1.1\r\n" + HOST]  # fmt: skip

    async def story() -> int:
        found = 0
        async with board() as shown:
            for request in bad:
                client = await Client.open(shown.port)
                client.writer.write(request + b"\r\n\r\n")
                head = (await client.reader.readuntil(b"\r\n\r\n")).lower()
                assert head.split()[1].startswith(b"4")
                named = (b"content-security-policy: default-src 'none'", b"nosniff", b"cache-control: no-store")
                found += all(one in head for one in named)
                client.writer.close()
        return found

    assert asyncio.run(story()) == len(bad)


def test_a_server_may_be_scraped_by_its_address() -> None:
    """The address on which a connection arrives is one of its names, also when the server listens on all addresses."""

    async def story() -> list[int]:
        pages = PagesInThread(0, LIVE, "0.0.0.0")
        found = []
        for address in ("127.0.0.1", "127.0.0.2"):
            reader, writer = await asyncio.open_connection(address, pages.port)
            found.append((await Client(reader, writer).ask(get(host=b"Host: 127.0.0.2:%d" % pages.port)))[0])
            writer.close()
        pages.stop()
        return found

    assert asyncio.run(story()) == [403, 200]


QUICK = ServerLimits(header_seconds=0.5, body_seconds=0.5, write_seconds=1.0, idle_seconds=1.0)


def test_slow_clients_are_disconnected(tmp_path: Path, goal: Goal) -> None:
    """Half-sent headers, half-sent bodies, silence and unread responses end within the time-outs; meanwhile others are
    served."""

    async def story() -> tuple[int, int]:
        async with monitor(tmp_path, limits=QUICK) as running:
            slow = [await Client.open(running.port) for _ in range(examples(30, 300))]
            for number, client in enumerate(slow):
                client.writer.write(
                    (
                        b"",
                        b"GET /live HTTP/1.1\r\nHost: 127",
                        post(T, STRUCTURED, EVENT)[:-9],
                        b"POST /v1/telemetry HTTP/1.1\r\n%b\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab" % HOST,
                        get(),
                    )[number % 5]
                )
            honest = 0
            for _ in range(10):
                honest += (await ask(running.port, get()))[0] == 200
            left = [not await client.closed(20) for client in slow]
            for client in slow:
                client.close()
            return sum(left), honest

    left, honest = asyncio.run(story())
    goal("http_slow_connections_left_open", left, 0)
    assert honest == 10


def test_a_client_that_does_not_read_is_disconnected(goal: Goal) -> None:
    """Responses that a client does not read do not pile up in memory for ever."""

    async def story() -> int:
        body = b"x" * 4_000_000
        server = HttpServer("test", limits=QUICK)

        async def big(_: web.Request) -> web.Response:
            return web.Response(body=body)

        server.app.router.add_get("/big", big)
        await server.start("127.0.0.1", 0)
        lazy = [await Client.open(server.port) for _ in range(5)]
        for client in lazy:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.writer.write(get("/big") * 20)
        until = time.monotonic() + 30
        while server.connections and time.monotonic() < until:
            await asyncio.sleep(0.1)
        left = server.connections
        for client in lazy:
            client.close()
        await server.stop()
        return left

    goal("http_unread_connections_left_open", asyncio.run(story()), 0)


def test_connections_without_a_handshake_are_closed(
    tmp_path: Path, goal: Goal, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS a connection counts from its first packet on; garbage and silence end with the handshake's time-out."""
    monkeypatch.setattr("monitor.http_server.server.HANDSHAKE_S", 2.0)
    issued = CertificateAuthority(tmp_path).server("server")

    async def live(_: web.Request) -> web.Response:
        return web.Response()

    async def story() -> tuple[int, int, int]:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        limits = ServerLimits(connections_per_client=40)
        server = HttpServer("test", limits=limits, tls=tls_context(issued.certificate, issued.key))
        server.app.router.add_get("/live", live)
        await server.start("127.0.0.1", 0)
        bad = [await Client.open(server.port) for _ in range(60)]
        for client in bad[::2]:
            client.writer.write(get())
        await asyncio.sleep(0.2)
        most = server.connections
        left = sum([not await client.closed(30) for client in bad])
        while server.connections:
            await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        status = (await Client(reader, writer).ask(get()))[0]
        for client in bad:
            client.close()
        writer.close()
        await server.stop()
        return most, left, status

    most, left, status = asyncio.run(story())
    assert most <= 40
    assert status == 200
    goal("http_connections_left_without_handshake", left, 0)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_one_client_cannot_take_all_connections(goal: Goal) -> None:
    """Connections beyond the share of a client get 503; another client is served, and closing frees the share."""
    refused: Counter[str] = Counter()

    async def story() -> tuple[int, int, int]:
        limits = ServerLimits(connections=40, connections_per_client=20)
        async with board(limits, count=lambda why: refused.update([why])) as server:
            clients = [await Client.open(server.port) for _ in range(100)]
            answers = [(await client.ask(get("/")))[0] for client in clients]
            other = (await ask(server.port, get("/"), local="127.0.0.2"))[0]
            for client in clients:
                client.close()
            while server.connections:
                await asyncio.sleep(0.01)
            again = (await ask(server.port, get("/")))[0]
            return sum(status == 200 for status in answers), other, again

    served, other, again = asyncio.run(story())
    goal("http_connections_of_one_client", served, 20)
    assert (other, again) == (200, 200)
    assert refused["too_many_of_client"] == 80


FEW_FILES = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 96))
from tests.security.http_tools import Client, ask, board, get
async def story():
    from monitor.http_server.limits import ServerLimits
    async with board(ServerLimits(connections_per_client=1000)) as server:
        print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], server.port, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(story())
"""


def test_a_server_keeps_files_for_other_work(goal: Goal) -> None:
    """A flood of connections leaves half of the open files; the limit is raised to the hard one at the start."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", FEW_FILES],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        limit, port = map(int, process.stdout.readline().split())

        async def flood() -> tuple[int, int]:
            clients = [await Client.open(port) for _ in range(200)]
            answers = [(await client.ask(get("/")))[0] for client in clients]
            files = len(os.listdir(f"/proc/{process.pid}/fd"))
            for client in clients:
                client.close()
            await asyncio.sleep(0.5)
            assert (await ask(port, get("/")))[0] == 200
            return sum(status == 200 for status in answers), files

        served, files = asyncio.run(flood())
        _, errors = process.communicate("\n", timeout=30)
    assert limit == 96
    assert served == 48
    goal("http_files_open_under_flood", files, 90)
    assert "Traceback" not in errors
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 96


BOMBS = {
    "60 MB of zeros": (gzip.compress(b"\0" * (1 << 20)) * 60, 413),
    "a million empty members": (gzip.compress(b"") * 400_000, 400),
    "lines of one byte": (gzip.compress(b"1\n" * 4_000_000), 400),
    "blank lines": (gzip.compress(b"\n" * 8_000_000), 400),
}


def test_decompression_bombs_are_refused_cheaply(tmp_path: Path, goal: Goal) -> None:
    """A bomb costs less processor time than 500 honest requests, and nothing on the disk."""

    async def story() -> tuple[dict[str, int], float, int]:
        async with monitor(tmp_path) as running:
            began = time.process_time()
            for _ in range(100):
                await ask(running.port, post(T, STRUCTURED, EVENT))
            honest = time.process_time() - began
            await stepped(running)
            before, began = size_of(tmp_path), time.process_time()
            found = {
                name: (await ask(running.port, post(T, LINES, body, b"Content-Encoding: gzip")))[0]
                for name, (body, _) in BOMBS.items()
            }
            return found, (time.process_time() - began) / honest, size_of(tmp_path) - before

    found, ratio, grown = asyncio.run(story())
    assert found == {name: status for name, (_, status) in BOMBS.items()}
    goal("http_bombs_cost_in_honest_requests", ratio * 100 / len(BOMBS), 500)
    goal("http_bombs_disk_bytes", grown, 100_000)


def test_the_disk_grows_in_proportion_to_what_is_received(tmp_path: Path, goal: Goal) -> None:
    """The worst accepted bodies of JSON lines and batches cost a bounded number of bytes per byte received."""
    worst = {
        LINES: b"\n".join([b"x" * 63] * examples(2_000, 20_000)),
        BATCH: b"[" + b",".join([b"{}"] * 5_000) + b"]",
    }

    async def story() -> float:
        async with monitor(tmp_path) as running:
            before = size_of(tmp_path)
            sent = 0
            for media, body in worst.items():
                assert (await ask(running.port, post(T, media, body)))[0] == 202
                sent += len(body)
            await stepped(running)
            await running.store.write(lambda db: None)
            return (size_of(tmp_path) - before) / sent

    goal("http_disk_bytes_per_byte_received", asyncio.run(story()), 100)


def test_a_backlog_is_bounded_and_told_to_the_sender(tmp_path: Path, goal: Goal) -> None:
    """While the machine does not step, telemetry beyond the bound gets 429 with Retry-After and is not stored; commands
    can still be read, and what was stepped makes room."""

    async def story() -> tuple[int, int, int, int]:
        store = Store(tmp_path / "monitor.db")
        ingress = Ingress(
            store, arrived=Bell(), emitted=Bell(), exposition=lambda: b"", backlog=Backlog(events=500, size=1 << 20)
        )
        ingress.ready = True
        server = HttpServer("test")
        ingress.join(server)
        await server.start("127.0.0.1", 0)
        lines = b"\n".join([EVENT] * 50)
        answers = [await ask(server.port, post(T, LINES, lines)) for _ in range(examples(40, 400))]
        taken = sum(status == 202 for status, _, _ in answers)
        asked = [int(headers["retry-after"]) for status, headers, _ in answers if status == 429]
        assert len(asked) == len(answers) - taken
        assert min(asked) >= 1
        commands = (await ask(server.port, get("/v1/commands/p")))[0]
        stored = (await store.ends())[0]["telemetry"]
        ingress.backlog.stepped(stored)
        again = (await ask(server.port, post(T, LINES, lines)))[0]
        await server.stop()
        await store.close()
        return stored, commands, again, taken

    stored, commands, again, taken = asyncio.run(story())
    goal("http_backlog_events", stored, 500)
    assert (commands, again, taken) == (204, 202, 10)


def test_a_client_that_floods_slows_only_itself(goal: Goal) -> None:
    """Beyond its rate a client gets 429 with Retry-After; another client is served."""

    async def story() -> tuple[int, int]:
        limits = ServerLimits(client_requests_per_second=1, client_request_burst=20)
        async with board(limits) as server:
            client = await Client.open(server.port)
            answers = [await client.ask(get("/")) for _ in range(200)]
            assert all("retry-after" in headers for status, headers, _ in answers if status == 429)
            client.close()
            other = (await ask(server.port, get("/"), local="127.0.0.3"))[0]
            return Counter(status for status, _, _ in answers)[200], other

    served, other = asyncio.run(story())
    goal("http_requests_beyond_the_rate", max(0, served - 20), 60, note="one more per second of the test")
    assert other == 200


def test_many_bad_requests_give_few_log_lines(tmp_path: Path, goal: Goal, caplog: pytest.LogCaptureFixture) -> None:
    """However many bad requests come, each reason is logged once in ten seconds, without a traceback."""
    bad = [b"\0\1\2\r\n\r\n", get("/%ff\xff"), get("/none"), post(T, "a/b", b"1"), get(host=b"Host: evil.example"),
           post(T, LINES, b"x", b"Content-Encoding: gzip"), b"GET / HTTP/9.9\r\n\r\n",
           get("/v1/acts/p?offset=nan")]  # fmt: skip

    async def story() -> None:
        async with monitor(tmp_path) as running:
            for number in range(examples(400, 4_000)):
                assert (await ask(running.port, bad[number % len(bad)]))[0] in range(400, 500)

    began = time.monotonic()
    asyncio.run(story())
    spans = (time.monotonic() - began) // 10 + 1
    lines = [line for record in caplog.records for line in record.getMessage().splitlines()]
    goal("http_log_lines_of_bad_requests", len(lines) / spans, 16)
    assert not [record for record in caplog.records if record.exc_info]


SMUGGLED = get("/v1/key")
DOUBTFUL = {
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 5\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a length with a sign": b"Content-Length: +5\r\n\r\n",
    "a hexadecimal length": b"Content-Length: 0x5\r\n\r\n",
    "an enormous length": b"Content-Length: 99999999999999999999999\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked hidden": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded header": b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size with a sign": b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n",
    "a chunk size with a blank": b"Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n",
    "a NUL in a header": b"X: a\0b\r\n\r\n",
    "many headers": b"".join(b"X-%d: 1\r\n" % i for i in range(500)) + b"\r\n",
    "one long header": b"X: " + b"a" * 100_000 + b"\r\n\r\n",
}


def test_ambiguous_requests_end_the_connection(tmp_path: Path, goal: Goal) -> None:
    """A request whose end two parsers could see in two places is refused, and what follows it on the connection is
    never served."""

    async def story() -> dict[str, list[int]]:
        found = {}
        async with monitor(tmp_path) as running:
            for name, headers in DOUBTFUL.items():
                client = await Client.open(running.port)
                client.writer.write(b"POST /v1/telemetry HTTP/1.1\r\n" + HOST + b"\r\n" + headers + SMUGGLED)
                statuses = []
                while status := (await client.response())[0]:
                    statuses.append(status)
                    if status == 200:
                        break
                client.close()
                found[name] = statuses
        return found

    found = asyncio.run(story())
    goal("http_smuggled_requests_served", sum(200 in statuses for statuses in found.values()), 0)
    assert all(statuses and all(400 <= status < 500 for status in statuses) for statuses in found.values()), found


def test_the_sdk_waits_as_long_as_it_is_asked_to(goal: Goal) -> None:
    """429 with Retry-After is a temporary error with the wait in it; the connection stays usable."""
    calls = 0

    async def busy(_: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise TooMany("backlog", 7)
        return web.Response(status=202, body=b"{}")

    def sends(port: int) -> None:
        link = HttpLink(f"http://127.0.0.1:{port}")
        for _ in range(2):
            with pytest.raises(Unavailable) as error:
                link.send("p", b"[]")
            assert error.value.retry_after == 7
        link.send("p", b"[]")
        link.close()

    async def story() -> None:
        server = HttpServer("test")
        server.app.router.add_post(T, busy)
        await asyncio.to_thread(sends, await server.start("127.0.0.1", 0))
        await server.stop()

    asyncio.run(story())
    goal("http_sdk_requests", calls, 3)


@pytest.mark.long
def test_a_service_loses_nothing_to_a_backlog(tmp_path: Path, goal: Goal) -> None:
    """The sender of the SDK repeats a batch after the wait that it is asked for, until it is stored."""
    received: list[bytes] = []
    attempts: list[float] = []

    async def slow(request: web.Request) -> web.Response:
        attempts.append(time.monotonic())
        if len(attempts) % 3:
            raise TooMany("backlog", 1)
        received.append(await request.read())
        return web.Response(status=202, body=b"{}")

    def sends(port: int) -> None:
        with Pilot("p", participant="f", to=f"http://127.0.0.1:{port}", spool_dir=tmp_path, follow=False) as pilot:
            for _ in range(50):
                pilot.exposure(1, "decisions")
            pilot.flush(60)

    async def story() -> None:
        server = HttpServer("test")
        server.app.router.add_post(T, slow)
        await asyncio.to_thread(sends, await server.start("127.0.0.1", 0))
        await server.stop()

    asyncio.run(story())
    told = sum(event.get("data", {}).get("amount", 0) for body in received for event in json.loads(body))
    goal("http_sdk_exposure_lost", 50 - told, 0)
    pauses = [after - before for before, after in itertools.pairwise(attempts)]
    goal("http_sdk_retries_too_early", sum(pause < 0.9 for number, pause in enumerate(pauses, 1) if number % 3), 0)


def test_a_poll_is_woken_by_its_pilot_only(goal: Goal) -> None:
    """Long polls of other pilots cost nothing when an output is written; a poll that has ended leaves nothing."""
    bells = PilotBells()

    async def story() -> int:
        woken = 0

        async def poll(pilot: str) -> None:
            nonlocal woken
            woken += await waited(bells.ticket(pilot), 5)

        polls = [asyncio.create_task(poll(f"p{number}")) for number in range(200)]
        await asyncio.sleep(0.05)
        for _ in range(100):
            bells.ring({"p7"})
            await asyncio.sleep(0)
        for task in polls:
            task.cancel()
        await asyncio.gather(*polls, return_exceptions=True)
        return woken

    woken = asyncio.run(story())
    gc.collect()
    assert len(bells) == 0
    goal("http_polls_woken_for_another_pilot", woken - 1, 0)
