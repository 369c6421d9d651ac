"""Hostile HTTP requests from a seed: built from the grammar of the interface, then damaged.

`made(seed, number)` always returns the same bytes."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import random
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from monitor.embedded.ingress import BATCH, LINES, STRUCTURED

Rng = random.Random


class Made(NamedTuple):
    """The bytes of a request. `framed`: its end is unambiguous, so that others may follow it on the connection."""

    raw: bytes
    framed: bool


# fmt: off
NUMBERS = (
    "nan", "-nan", "inf", "-inf", "1e400", "-1e400", "9" * 30, "-1", "0", "1", "-0", "0x10", "1_0", "٣", "1e-400",
    "", " ", "1;2", "true", "null", "4611686018427387904", "-9223372036854775809", "1.5", "NaN(1)", "+1",
)
NAMES = (
    "p", "pilot-0001", "", "%00", "%0d%0aX:1", "%0a", "..", "../..", "%2e%2e%2f", "a/b", "%ED%A0%80", "%FF%FE", "%",
    "%zz", "%c3%28", "\u00e9", "p" * 2_000, "%F0%9F%92%A9", "'; DROP TABLE state; --", "{pilot}", "$ref", "\\",
    "%7f", "%e2%80%ae", "<script>", "%3Cscript%3E", "p%20p", "p;a=b", "p?x", "p#x", "*", "~", "con", "0", "null",
)
PATHS = (
    "/", "/live", "/ready", "/metrics", "/v1/telemetry", "/v1/control", "/v1/commands/{p}", "/v1/permits/{p}",
    "/v1/acts/{p}", "/v1/standing/{p}", "/v1/charters/{p}", "/v1/key",
    "/v1/export/{p}", "/v1/decisions/{p}", "/v1/session", "/v1/decisions", "/v1/rejected",
    "/pilot/{p}", "/charter/{p}", "/api/board.json", "/board.css", "/board.js", "/v1/{p}", "/{p}", "//", "*",
    "http://evil/{p}", "http://[::1", "/v1//telemetry", "/./live", "/%2flive", "?", "", "/v1/commands/{p}/{p}",
    "localhost:80",
    "/publication/{p}/checkpoint", "/publication/authority/checkpoint", "/publication/authority/tile/0/{p}",
)
QUERIES = (
    "after", "seen", "wait", "limit", "offset", "id", "nonce", "level", "words", "sort", "x",
)
METHODS = (
    "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "G\0T", "PROPFIND", "",
    "POST POST", "GET" * 200, "\xff", "M-SEARCH",
)
MEDIA = (
    STRUCTURED, BATCH, LINES, "application/json", "", " ", "a/b;;;=", "text/\xe9",
    "application/json; charset=utf-16", "application/json; charset=\0", STRUCTURED + "; charset=utf-8",
    "multipart/form-data; boundary=x", "a" * 3_000, "application/cloudevents-batch+json; charset=\xff",
    "application/x-www-form-urlencoded",
)
CODINGS = (
    "gzip", "deflate", "zstd", "br", "x-gzip", "identity", "gzip, gzip", "", "\xff", "GZIP", "gzip;q=1", "compress",
)
HOSTS = (
    "127.0.0.1", "localhost", "[::1]", "evil.example", "", "\xff", "127.0.0.1:99999", "a b", "[", "127.0.0.1, x",
)
KINDS = (
    "sandbox.exposure.tallied", "sandbox.incident.reported", "sandbox.heartbeat", "sandbox.gain.reported",
    "sandbox.complaint.filed", "sandbox.model.changed", "sandbox.none", "", None, 7,
)
VALUES = (
    None, True, 0, -1, 1e308, -1e308, 10**30, "", "x" * 300, "\0", "\ud800", "\u202e", [], {}, [[]], {"": {}}, 0.1,
    "2026-11-29T10:00:00Z", "9999-12-31T23:59:60Z", "0000-00-00", "00000000000000000001", "9" * 20, "1e5",
    [None] * 50,
)
ODD = (
    b"", b"\xff", b"\0", b"[" * 999, b"{" * 99, b"%", b";", b"=", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t",
    b":", b"gzip", b"9" * 99, b"\x1f\x8b", b"\xed\xa0\x80", b"-", b"+", b"0x", b",", b'"', b"\\", b"chunked",
    b"HTTP/1.1",
)
# fmt: on


def made(seed: int, number: int) -> Made:
    """The request with this number."""
    rng = Rng(f"{seed}/{number}")
    request = _request(rng)
    if rng.random() < 0.2:
        return Made(_damaged(rng, request.raw), framed=False)
    return request


def _pick(rng: Rng, table: tuple[str, ...], ordinary: float = 0.7) -> str:
    """Often one of the first three, which are valid."""
    return rng.choice(table[:3]) if rng.random() < ordinary else rng.choice(table)


def _target(rng: Rng, *, post: bool) -> str:
    path = (
        rng.choice(PATHS[4:6])
        if post and rng.random() < 0.9
        else rng.choice(PATHS[: 27 if rng.random() < 0.9 else None])
    )
    while "{p}" in path:
        path = path.replace("{p}", _quoted(rng, _pick(rng, NAMES, 0.4)), 1)
    if rng.random() < 0.4:
        values = [_quoted(rng, rng.choice((*NUMBERS, *NAMES))) for _ in range(rng.randint(1, 5))]
        path += "?" + "&".join(f"{rng.choice(QUERIES)}={value}" for value in values)
    return path


def _quoted(rng: Rng, text: str) -> str:
    """Mostly percent-encoded, so that it reaches a handler."""
    return text if rng.random() < 0.05 else quote(text, safe="%&=/")


def _event(rng: Rng) -> object:
    event: dict[str, object] = {
        "specversion": "1.0",
        "id": f"{rng.getrandbits(64):x}",
        "source": rng.choice(("s1", "s2", "s/" + "x" * rng.randint(0, 300))),
        "sequence": f"{rng.randint(0, 10 ** rng.randint(1, 19)):020d}",
        "type": rng.choice(KINDS),
        "subject": rng.choice(("p", "pilot-0001", "", "\0", "x" * 500)),
        "time": "2026-11-29T10:00:00Z",
        "data": {"unit": "decisions", "amount": rng.choice((1, 1e300, -1, "1")), "model": "m1", "incident": "i"},
    }
    for _ in range(rng.choice((0, 0, 1, 3))):
        where = event if rng.random() < 0.6 or not isinstance(event.get("data"), dict) else event["data"]
        assert isinstance(where, dict)
        name = rng.choice((*where, "x", "", "data_base64", "dataschema")) if where else "x"
        where[name] = copy.deepcopy(rng.choice(VALUES))
    for _ in range(rng.choice((0, 0, 0, 1))):
        event.pop(rng.choice(list(event)), None)
    return event


def _text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _deep(rng: Rng) -> bytes:
    depth = rng.choice((65, 500, 2_000, 20_000))
    return rng.choice((b"[" * depth, b'{"data":' * (depth // 8), b"[" * depth + b"]" * depth))


def _body(rng: Rng) -> bytes:
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: _text(_event(rng)),
        lambda: _text([_event(rng) for _ in range(rng.randint(0, 20))]),
        lambda: b"\n".join(_text(_event(rng)) for _ in range(rng.randint(0, 20))),
        lambda: _text({"id": "a", "pilot": "p", "author": "x", "type": rng.choice(("override", "release", 1))}),
        lambda: _text(rng.choice(VALUES)),
        lambda: rng.randbytes(rng.randint(0, 2_000)),
        lambda: _deep(rng),
        lambda: b"[" + b",".join([b"{}"] * rng.choice((10, 100, 5_001))) + b"]",
        lambda: b"1\n" * rng.choice((10, 99, 3_000)),
        lambda: b"[NaN, Infinity, -Infinity, 1e999]",
        lambda: _text(_event(rng)).decode("utf-8", "replace").encode("utf-16"),
    )
    weights = (30.0, 15, 10, 10, 6, 6, 1, 0.5, 2, 2, 2)
    return rng.choices(kinds, weights)[0]()


def _coded(rng: Rng, body: bytes) -> tuple[list[bytes], bytes]:
    if rng.random() < 0.7:
        return [], body
    coding = rng.choice(CODINGS)
    bodies = (
        body,
        gzip.compress(body, 1, mtime=0),
        zlib.compress(body, 1),
        zlib.compress(body, 1)[2:-4],
        gzip.compress(body, 1, mtime=0)[:-3],
        gzip.compress(b"", 1, mtime=0) * rng.randint(1, 80),
        gzip.compress(body, 1, mtime=0) + b"x",
        b"\x28\xb5\x2f\xfd" + body,
        base64.b64encode(body),
    )
    return [b"Content-Encoding: " + coding.encode("latin-1")], rng.choice(bodies)


def _attributes(rng: Rng) -> list[bytes]:
    names = ("specversion", "id", "source", "sequence", "type", "subject", "time", "", "x\0", "subject")
    values = ("1.0", "s", "%00", "%ED%A0%80", "\xff\xfe", "a" * 1_000, "00000000000000000001", "sandbox.heartbeat", "")
    found = [f"ce-{name}: {rng.choice(values)}".encode("latin-1") for name in rng.sample(names, rng.randint(1, 9))]
    return [b"ce-specversion: 1.0", *found] if rng.random() < 0.8 else found


def _headers(rng: Rng) -> list[bytes]:
    found = [b"Host: " + _pick(rng, HOSTS, 0.97).encode("latin-1")] * (1 if rng.random() < 0.99 else rng.choice((0, 2)))
    for _ in range(rng.choice((0, 0, 0, 1))):
        found.append(
            rng.choice(
                (
                    b"Sandbox-Signature: " + rng.choice((b"", b"a:b", b"\xff", b"0" * 16 + b":AAAA", b":" * 50)),
                    b"Expect: " + rng.choice((b"100-continue", b"200-ok", b"")),
                    b"Accept: text/html",
                    b"Accept-Encoding: \xff, *;q=x",
                    b"Connection: " + rng.choice((b"keep-alive", b"upgrade", b"close", b"x, y", b"")),
                    b"Upgrade: " + rng.choice((b"websocket", b"h2c", b"\xff")),
                    b"Sec-WebSocket-Key: x",
                    b"Range: bytes=0-1,2-" + b"9" * 30,
                    b"If-Modified-Since: never",
                    b"Cookie: " + b"a=b; " * rng.randint(0, 200),
                    b"Authorization: Basic \xff",
                    b"X-Forwarded-For: " + b"1, " * 50,
                    b"Content-Type: a\r\nContent-Type: b",
                    b"X-%d: " % rng.randint(0, 9) + b"v" * rng.choice((0, 10, 4_000, 9_000)),
                    b"\r\n".join(b"H%d: 1" % i for i in range(rng.choice((5, 60, 300)))),
                )
            )
        )
    return found


def _chunks(rng: Rng, body: bytes) -> bytes:
    if rng.random() < 0.6:
        size = rng.randint(1, max(1, len(body)))
        parts = [body[at : at + size] for at in range(0, len(body), size)][:200]
        ends = rng.choice((b"", b"", b";a=b", b";\xff", b' ;x="y"'))
        return (
            b"".join(b"%x%b\r\n%b\r\n" % (len(p), ends, p) for p in parts if p)
            + b"0\r\n"
            + rng.choice((b"", b"", b"T: 1\r\n", b"Content-Length: 5\r\n"))
            + b"\r\n"
        )
    sizes = (b"-1", b"0x1", b"FFFFFFFFFFFFFFFFF", b"", b"1 ", b"g", b"\xff", b"1;" + b"a" * 9_000)
    return rng.choice(sizes) + b"\r\n" + body[:50] + b"\r\n0\r\n\r\n"


def _request(rng: Rng) -> Made:
    post = rng.random() < 0.5
    method = ("POST" if post else "GET") if rng.random() < 0.9 else rng.choice(METHODS)
    version = "HTTP/1.1" if rng.random() < 0.97 else rng.choice(("HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "", "http/1.1"))
    line = f"{method} {_target(rng, post=post)} {version}".encode("utf-8", "surrogatepass")
    headers, body = _headers(rng), b""
    if post or rng.random() < 0.1:
        coding, body = _coded(rng, _body(rng))
        headers += [b"Content-Type: " + _pick(rng, MEDIA, 0.85).encode("latin-1"), *coding]
        if rng.random() < 0.15:
            headers += _attributes(rng)
        if rng.random() < 0.15:
            headers.append(b"Transfer-Encoding: " + rng.choice((b"chunked", b"chunked", b"Chunked", b"gzip, chunked")))
            body = _chunks(rng, body)
            if rng.random() < 0.1:
                headers.append(b"Content-Length: %d" % rng.randint(0, 50))
            return Made(b"\r\n".join([line, *headers, b"", body]), framed=False)
        length = b"%d" % len(body)
        if rng.random() < 0.05:
            length = rng.choice((b"-1", b"+5", b"0x5", b"9" * 30, b"", b"5, 5", b"1e3", b"%d" % (len(body) + 9), b"0"))
            return Made(b"\r\n".join([line, *headers, b"Content-Length: " + length, b"", body]), framed=False)
        headers.append(b"Content-Length: " + length)
    return Made(b"\r\n".join([line, *headers, b"", body]), framed=_intact([line, *headers]))


def _intact(head: list[bytes]) -> bool:
    """Whether the parser of the server goes on after this head: it would drop what was pipelined before a bad one."""
    lines = b"\r\n".join(head).split(b"\r\n")
    names = [line.split(b":")[0].lower() for line in lines[1:]]
    return (
        re.fullmatch(rb"(GET|POST) /[!-~]* HTTP/1\.1", lines[0]) is not None
        and len(lines[0]) < 8_000
        and len(names) < 60
        and all(len(line) < 4_000 and b"\0" not in line for line in lines)
        and names.count(b"host") == 1
        and all(re.fullmatch(rb"[!-9;-~]+", name) and names.count(name) == 1 for name in names)
        and not {b"upgrade", b"expect", b"connection"} & set(names)
    )


def _damaged(rng: Rng, raw: bytes) -> bytes:
    """Bytes changed, doubled, removed and moved; more often in the head than in the body."""
    found = bytearray(raw[:20_000])
    head = max(1, raw[:20_000].find(b"\r\n\r\n"))
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(min(head, len(found)) or 1) if rng.random() < 0.7 else rng.randrange(len(found) or 1)
        until = at + rng.randint(0, 4)
        match rng.randrange(4):
            case 0:
                found[at:until] = rng.choice(ODD)
            case 1:
                found[at:until] = rng.randbytes(rng.randint(0, 4))
            case 2:
                found[at:at] = found[at : at + rng.randint(0, 100)]
            case _:
                del found[at : at + rng.randint(0, 30)]
    return bytes(found)
