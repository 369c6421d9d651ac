"""The HTTP ingress of the embedded monitor under malformed requests: refused with JSON, never 500, never a
traceback."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import random
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.embedded.ingress import BATCH, LARGEST, LINES, STRUCTURED
from monitor.embedded.monitor import Monitor
from monitor.model.builders import Emitter
from monitor.model.events import encode

EVENT = encode(Emitter("s", "p").gain(1_767_571_200_000))
DEEP = b"[" * 200_000
HOST = b"Host: 127.0.0.1"


def post(path: str, media: str, body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    """The bytes of a request."""
    lines = [f"POST {path} HTTP/1.1".encode(), HOST, f"Content-Type: {media}".encode(), *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % (len(body) if length is None else length), b"", body])


def get(path: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\n%b\r\n\r\n" % (path, HOST)


BINARY = (b"ce-specversion: 1.0", b"ce-type: sandbox.gain.reported", b"ce-id: 1", b"ce-source: s", b"ce-sequence: 1")
GZIP, DEFLATE = b"Content-Encoding: gzip", b"Content-Encoding: deflate"
NO_HTTP = "a path of raw bytes"  # aiohttp's own answer, in plain text
T, C = "/v1/telemetry", "/v1/control"

REQUESTS: list[tuple[str, bytes, int]] = [
    ("gzip that is none", post(T, STRUCTURED, EVENT, GZIP), 400),
    ("deflate that is none", post(T, BATCH, EVENT, DEFLATE), 400),
    ("gzip that is cut off", post(T, STRUCTURED, gzip.compress(EVENT)[:-9], GZIP), 400),
    ("gzip with something behind it", post(T, STRUCTURED, gzip.compress(EVENT) + b"x", GZIP), 400),
    ("gzip of an act that is none", post(C, "application/json", b"{}", GZIP), 400),
    ("gzip that unpacks to a gigabyte", post(T, LINES, gzip.compress(b"\n" * (LARGEST + 1)), GZIP), 413),
    ("zstd", post(T, STRUCTURED, EVENT, b"Content-Encoding: zstd"), 415),
    ("br", post(T, STRUCTURED, EVENT, b"Content-Encoding: br"), 415),
    ("two codings", post(T, STRUCTURED, EVENT, b"Content-Encoding: gzip, deflate"), 415),
    ("a coding that is no text", post(T, STRUCTURED, EVENT, b"Content-Encoding: \xff\xfe"), 415),
    ("a batch nested deep", post(T, BATCH, DEEP), 202),
    ("an event nested deep", post(T, STRUCTURED, b'{"data":' * 100_000), 202),
    ("an act nested deep", post(C, "application/json", DEEP), 202),
    ("a content type that is no text", post(T, "x/y", EVENT).replace(b"x/y", b"\xff\xfe/\xff"), 415),
    ("a content type of semicolons", post(T, "a/b;;;=", EVENT), 415),
    ("a content type of one blank", post(T, " ", EVENT), 415),
    ("an unknown content type", post(T, "text/\xe9", EVENT), 415),
    ("charset=utf-16", post(T, f"{STRUCTURED}; charset=utf-16", EVENT), 415),
    ("an attribute that is no text", post(T, "application/json", b"{}", *BINARY, b"ce-subject: \xff\xfe"), 202),
    ("half a character in an attribute", post(T, "application/json", b"{}", *BINARY, b"ce-subject: %ED%A0%80"), 202),
    ("a signature that is no text", post(T, STRUCTURED, EVENT, b"Sandbox-Signature: \xff\xfe"), 202),
    ("an act's signature that is no text", post(C, "application/json", b"{}", b"Sandbox-Signature: \xff:\xff"), 202),
    ("a pilot that is no text", get(b"/v1/commands/%FF%ED%A0%80"), 204),
    (NO_HTTP, get(b"/v1/commands/\xff\xfe"), 400),
    ("a query that is no text", get(b"/v1/commands/p?after=%FF"), 400),
    ("a nonce that is no text", get(b"/v1/permits/p?nonce=%ED%A0%80"), 204),
    ("an act's id that is no text", get(b"/v1/acts/p?offset=99&id=%FF"), 204),
    ("a number of thousands of digits", get(b"/v1/decisions?after=" + b"9" * 5_000), 400),
    ("a page of a pilot that is no text", get(b"/pilot/%FF%00%ED%A0%80"), 404),
    ("a host that is none", b"GET /live HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n", 403),
    ("charset=utf8", post(T, f"{STRUCTURED}; charset=utf8", EVENT), 202),
    ("gzip in two members", post(T, LINES, gzip.compress(EVENT + b"\n") + gzip.compress(EVENT), GZIP), 202),
    ("deflate", post(T, STRUCTURED, zlib.compress(EVENT), DEFLATE), 202),
    ("deflate without the header", post(T, STRUCTURED, zlib.compress(EVENT)[2:-4], DEFLATE), 202),
    ("a byte order mark", post(T, LINES, b"\xef\xbb\xbf" + EVENT), 202),
]  # fmt: skip


async def ask(port: int, request: bytes, *, cut: bool = False) -> tuple[int, bytes]:
    """Status and body of the answer; status 0 when the connection is closed without one. `cut`: end the sending
    half-way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    if cut:
        writer.write_eof()
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        length = next((int(x.split(b":")[1]) for x in head.splitlines() if x.lower().startswith(b"content-length:")), 0)
        return int(head.split()[1]), await asyncio.wait_for(reader.readexactly(length), 5)
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0, b""
    finally:
        writer.close()


def answers(directory: Path, requests: Sequence[bytes], *, cut: bool = False) -> list[tuple[int, bytes]]:
    """What a monitor answers to each of them; it must still be ready and alive behind the last."""

    async def story() -> list[tuple[int, bytes]]:
        monitor = Monitor(directory, port=0)
        await monitor.start()
        try:
            got = [await ask(monitor.port, request, cut=cut) for request in requests]
            assert (await ask(monitor.port, post(T, STRUCTURED, EVENT)))[0] == 202
            until = time.monotonic() + 10
            while monitor.runner.next_telemetry.get("telemetry", 0) < (await monitor.store.ends())[0]["telemetry"]:
                assert time.monotonic() < until
                await asyncio.sleep(0.01)
            return got
        finally:
            await monitor.stop()

    return asyncio.run(story())


def test_no_request_is_answered_with_500_or_leaves_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each request is stored for the machine to validate, or refused with the problem as JSON."""
    got = answers(tmp_path, [request for _, request, _ in REQUESTS])
    assert [(name, status) for (name, _, _), (status, _) in zip(REQUESTS, got, strict=True)] == [
        (name, wanted) for name, _, wanted in REQUESTS
    ]
    for (name, request, _), (status, body) in zip(REQUESTS, got, strict=True):
        if status >= 400 and b"/pilot/" not in request and name != NO_HTTP:
            assert json.loads(body)["error"], name
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_a_body_that_is_cut_off_leaves_no_traceback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The sender has disconnected or gets an error for the incomplete body; nothing of it is stored."""
    chunked = (
        b"POST /v1/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n%b"
    )
    requests = [
        post(T, STRUCTURED, EVENT, length=1_000),
        post(C, "application/json", b"{", length=1_000),
        post(T, STRUCTURED, gzip.compress(EVENT), GZIP, length=1_000),
        chunked % (STRUCTURED.encode(), b"5\r\n{}"),
        chunked % (STRUCTURED.encode(), b"zz\r\n{}\r\n0\r\n\r\n"),
    ]
    assert {status for status, _ in answers(tmp_path, requests, cut=True)} <= {0, 400}
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_damaged_requests_never_meet_500(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The requests above with bytes changed, doubled and removed at random."""
    rng = random.Random(11)
    damaged = []
    small = [request for _, request, _ in REQUESTS if len(request) < 5_000]
    for _ in range(150):
        raw = bytearray(rng.choice(small))
        head = raw.index(b"\r\n\r\n")
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(raw)) if rng.random() < 0.5 else rng.randrange(head)
            raw[at : at + rng.randint(0, 3)] = rng.choice(
                [b"", b"\xff", b"[" * 99, b"\0", b"%", b";", b"=", b"gzip", b"9" * 9]
            )
        damaged.append(bytes(raw))
    assert not {status for status, _ in answers(tmp_path, damaged, cut=True) if status >= 500}
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
