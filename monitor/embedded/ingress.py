"""The HTTP ingress of the embedded monitor: telemetry and control in, commands and decisions out, on loopback only.

A 202 is sent after the append is durable, never before. Events are not validated here: everything that can be stored is
stored, and the machine rejects it with position, field and reason. Only what cannot be stored is refused: too large
(413), of an unknown content type (415), empty (400).

What one request, one client and the backlog may hold is bounded: 413 and 429 (`monitor/http_server`, `backlog.py`).

There is no authentication: it listens on the loopback interface for the processes of one machine. Requests that name
another host are refused, so that a web page cannot reach it by DNS rebinding; as no cross-origin response is ever
allowed, browsers refuse everything but simple forms.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import msgspec
from aiohttp import web
from msgspec import structs

from monitor.charter.values import escaped
from monitor.embedded.backlog import Backlog
from monitor.embedded.content_coding import decoded
from monitor.embedded.store import Incoming, Kept, Output, Store
from monitor.http_server.bell import Bell, PilotBells, waited
from monitor.http_server.guards import TooMany, retry_after
from monitor.http_server.queries import json_response, number
from monitor.http_server.refusals import HttpRefusal
from monitor.http_server.server import HttpServer
from monitor.model.records import Decision
from monitor.model.signing import HEADER, HTTP_HEADER, HTTP_KEY_HEADER, SignedKind, Signer
from monitor.projections.known_state import known_of
from monitor.projections.pilot_status import pilot_status
from monitor.translation import speaking
from monitor.validate.rejections import MAX_BYTES, RejectionReason

CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
LARGEST = 8 * 1024 * 1024
"""Bytes of one request's body, after decompression. One record of it may have `validate.MAX_BYTES`."""
FEW_LINES, LINE_BYTES = 100, 64
"""A body of JSON lines may have FEW_LINES lines, and one more for each LINE_BYTES bytes: an event has at least twice as
many. Each line is a record, and costs some 500 bytes on the disk when it is rejected."""
LONGEST_WAIT = 60.0
"""Seconds that a long poll may ask for."""
NUMBER = "Sandbox-Number"
"""Header of a command or permit: its number among all outputs. A resent one has a new number."""
NONCES = 32
"""Nonces that one request may ask for."""
ACTS = 2_000
"""Acts that may wait for the machine."""
RECENT = 256
"""How many of the newest permits of a pilot are searched for a nonce; more than it has concurrent workers."""
STATUS_DECISIONS = 10_000
"""The newest decisions of a pilot that its status is computed from."""
RESTORE_SECONDS = 5.0
"""How long a scrape waits for metrics to be restored; less than the default time-out of Prometheus (10 s)."""
PAGE = 1_000
"""Decisions or rejections in one response."""

_EVENTS = msgspec.json.Decoder(list[msgspec.Raw])

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Standing(msgspec.Struct):
    standing: int
    nonce: str = ""


class _Caused(msgspec.Struct):
    cause: str
    author: str = ""


class _Placed(msgspec.Struct):
    topic: str
    offset: int
    reason: str


class _Named(msgspec.Struct):
    id: str


_DECISION = msgspec.json.Decoder(Decision)
_CAUSED = msgspec.json.Decoder(_Caused)
_PLACED = msgspec.json.Decoder(_Placed)
_NAMED = msgspec.json.Decoder(_Named)
_STANDING = msgspec.json.Decoder(_Standing)


def unpack(media: str, charset: str | None, headers: dict[str, str], body: bytes) -> tuple[list[Incoming], int | None]:
    """The records of a request body, and the number of events (`None`: unknown, the batch is not valid JSON).

    `headers` have lower-case names. Raises web.HTTPException (400, 413, 415) when it cannot be stored.
    """
    if not body.strip():
        raise web.HTTPBadRequest(text="the body is empty")
    if charset is not None and charset.lower() not in CHARSETS:
        raise web.HTTPUnsupportedMediaType(text=f"charset {escaped(charset[:40])} is not read; send UTF-8")
    if media != LINES and len(body) > MAX_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BYTES, len(body))
    if media == STRUCTURED:
        return [Incoming(body, headers=_typed(STRUCTURED))], 1
    if media == BATCH:
        try:
            events = len(_EVENTS.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            events = None
        return [Incoming(body, headers=_typed(BATCH))], events
    if media == LINES:
        if body.count(b"\n") > FEW_LINES + len(body) // LINE_BYTES:
            raise web.HTTPBadRequest(
                text=f"more than {FEW_LINES} lines that average less than {LINE_BYTES} bytes; send one event per line"
            )
        lines = [line.removesuffix(b"\r") for line in body.split(b"\n") if line.strip()]
        return [Incoming(line, headers=_typed(STRUCTURED)) for line in lines], len(lines)
    if "ce-specversion" in headers:
        # The Kafka binding's names: `ce_` instead of HTTP's `ce-`, so that HTTP and Kafka give the machine the same
        # record.
        attributes = [("ce_" + k[3:], _bytes(unquote(v))) for k, v in sorted(headers.items()) if k.startswith("ce-")]
        content = _bytes(headers.get("content-type", "application/json"))
        return [Incoming(body, headers=(("content-type", content), *attributes))], 1
    raise web.HTTPUnsupportedMediaType(
        text=f"content type {escaped(media[:80]) or 'missing'} is not read; send {STRUCTURED}, {BATCH}, {LINES}, "
        "or application/json with the attributes as ce-* headers"
    )


def _bytes(header: str) -> bytes:
    """The original bytes of a header: aiohttp decodes bytes that are not UTF-8 as surrogates."""
    return header.encode("utf-8", "surrogateescape")


def _typed(media: str) -> tuple[tuple[str, bytes], ...]:
    return (("content-type", media.encode()),)


class Ingress:
    """Routes over one store. `arrived` rings when something was appended, `emitted` when outputs were written."""

    def __init__(
        self,
        store: Store,
        *,
        arrived: Bell,
        emitted: Bell,
        exposition: Callable[[], bytes],
        signer: Signer | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        self.ready = False
        self.restored = asyncio.Event()  # set when the counters are restored after a start
        self.events = 0  # acknowledged since the start
        self._signer = signer
        self.backlog = backlog or Backlog()
        self.acts = Backlog(events=ACTS)
        self.polls = PilotBells()  # rung with the pilots of new commands and permits
        self._store, self._arrived, self._emitted, self._exposition = store, arrived, emitted, exposition

    def join(self, server: HttpServer) -> None:
        """Add the routes to a server."""
        self._guards = server.guards
        server.app.middlewares.append(_store_errors)
        server.app.add_routes(
            [
                web.post("/v1/telemetry", self._telemetry),
                web.post("/v1/control", self._control),
                web.get("/v1/commands/{pilot}", self._standing("commands")),
                web.get("/v1/permits/{pilot}", self._standing("permits")),
                web.get("/v1/acts/{pilot}", self._act),
                web.get("/v1/standing/{pilot}", self._known),
                web.get("/v1/status/{pilot}", self._status),
                web.get("/v1/key", self._key),
                web.get("/v1/decisions", self._listed("decisions")),
                web.get("/v1/rejected", self._listed("rejected")),
                web.get("/v1/rejected/{pilot}", self._rejections),
                web.get("/v1/shadows", self._listed("shadows")),
                web.get("/metrics", self._metrics),
                web.get("/live", self._live),
                web.get("/ready", self._is_ready),
            ]
        )

    def _opened(self) -> None:
        """Refuse requests before the first `time` entry: until then lateness cannot be determined."""
        if not self.ready:
            raise web.HTTPServiceUnavailable(text="recovering; retry", headers={"Retry-After": "1"})

    async def _telemetry(self, request: web.Request) -> web.Response:
        self._opened()
        headers = {name.lower(): value for name, value in request.headers.items()}
        media = request.content_type if "content-type" in headers else ""
        records, events = unpack(media, request.charset, headers, await self._body(request))
        signature = headers.get(HTTP_HEADER.lower())
        # It covers the whole body, which is one record.
        if signature is not None and len(records) == 1:
            records = [structs.replace(records[0], headers=(*records[0].headers, (HEADER, _bytes(signature))))]
        kept = await self._stored(self.backlog, records, events or 1, self._store.feed)
        self.events += events or 0
        return self._accepted(kept, events)

    async def _control(self, request: web.Request) -> web.Response:
        self._opened()
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="send one control record as application/json")
        body = await self._body(request)
        if not body.strip():
            raise web.HTTPBadRequest(text="the body is empty")
        signature = request.headers.get(HTTP_HEADER)
        headers = () if signature is None else ((HEADER, _bytes(signature)),)
        acts = [Incoming(body, headers=headers)]
        return self._accepted(await self._stored(self.acts, acts, 1, self._store.feed_control), None)

    async def _body(self, request: web.Request) -> bytes:
        """The decoded body, at most LARGEST bytes; charged to the client."""
        raw = await self._guards.body(request, LARGEST)
        body = decoded(request.headers.get("Content-Encoding", ""), raw, LARGEST)
        self._guards.charge(request, size=len(body) - len(raw))
        return body

    async def _stored(
        self,
        backlog: Backlog,
        records: list[Incoming],
        events: int,
        append: Callable[[list[Incoming]], Awaitable[Kept]],
    ) -> Kept:
        """Append within the bound of the backlog. Raises `TooMany` (429) beyond it."""
        size = sum(len(record.value or b"") for record in records)
        if wait := backlog.reserve(events, size):
            raise TooMany("the monitor has a backlog; retry later", wait, HttpRefusal.BACKLOG)
        try:
            kept = await append(records)
        except BaseException:
            backlog.released(events, size)
            raise
        backlog.appended(kept.next, events, size)
        return kept

    def _accepted(self, kept: Kept, events: int | None) -> web.Response:
        self._arrived.ring()
        answer = {"records": kept.next - kept.first, "first": kept.first, "next": kept.next, "received": kept.received}
        if events is not None:
            answer["events"] = events
        return json_response(answer, 202)

    def _standing(self, kind: Output) -> Handler:
        async def latest(request: web.Request) -> web.Response:
            pilot, after = request.match_info["pilot"], number(request, "after", -1)
            seen, left = number(request, "seen", 0), min(number(request, "wait", 0.0), LONGEST_WAIT)
            nonces = set(request.query.getall("nonce", [])[:NONCES])
            if kind == "permits" and not nonces:  # the newest permit may answer another machine
                raise web.HTTPBadRequest(text="name the nonce of your heartbeat: ?nonce=...")

            async def find(pilot: str) -> tuple[int, bytes]:
                rows = await self._store.recent(kind, pilot, RECENT if nonces else 1)
                wanted = (row for row in rows if not nonces or _STANDING.decode(row[1]).nonce in nonces)
                return next(wanted, (0, b""))

            until = asyncio.get_running_loop().time() + left
            while True:
                ticket = self.polls.ticket(pilot)
                seq, raw = await find(pilot)
                if raw and (_STANDING.decode(raw).standing > after or 0 < seen < seq):
                    answer = web.Response(body=raw, content_type="application/json")
                    answer.headers[NUMBER] = str(seq)
                    if self._signer is not None:
                        name: SignedKind = "command" if kind == "commands" else "permit"
                        answer.headers[HTTP_HEADER] = self._signer.sign(name, raw)
                        answer.headers[HTTP_KEY_HEADER] = self._signer.public
                    return answer
                left = until - asyncio.get_running_loop().time()
                if left <= 0:
                    return web.Response(status=204, headers={NUMBER: str(seq)})
                await waited(ticket, left)  # after its end, look once more: a stalled process may wake too late

        return latest

    async def _act(self, request: web.Request) -> web.Response:
        """The outcome of the act with this `id` at this `offset` of control; for a copy, the outcome of the first
        one."""
        pilot, offset = request.match_info["pilot"], number(request, "offset", -1)
        name = request.query.get("id", "")
        if offset >= (await self._store.ends())[1]:  # nothing to wait for
            return web.Response(status=204)
        until = asyncio.get_running_loop().time() + min(number(request, "wait", 0.0), LONGEST_WAIT)
        while True:
            ticket = self._emitted.ticket
            if 0 <= offset < await self._store.judged():
                refused = await self._refused(pilot)
                mine = refused.pop(offset, None)
                if mine is None:
                    taken = await self._taken(pilot, name)
                    return json_response(taken) if taken else web.Response(status=204)
                if _PLACED.decode(mine).reason != RejectionReason.REPEATED.value:
                    return json_response({"rejected": msgspec.Raw(mine)})
                first = await self._taken(pilot, name) or await self._first(name, refused)
                return json_response({"repeated": True} | (first or {"rejected": msgspec.Raw(mine)}))
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return web.Response(status=204)
            await waited(ticket, left)  # after its end, look once more: a stalled process may wake too late

    async def _known(self, request: web.Request) -> web.Response:
        """Standing, level and halt state of a pilot, for the author of an act."""
        rows = await self._store.recent("decisions", request.match_info["pilot"], RECENT)
        known = known_of(_DECISION.decode(raw) for _, raw in reversed(rows))
        return web.Response(status=204) if known is None else json_response(known)

    async def _status(self, request: web.Request) -> web.Response:
        """States, level, open findings, next steps and legal deadlines of a pilot."""
        rows = await self._store.recent("decisions", request.match_info["pilot"], STATUS_DECISIONS)
        past = (_DECISION.decode(raw) for _, raw in reversed(rows))
        with speaking("zh" if request.query.get("lang") == "zh" else "en"):
            found = pilot_status(past, whole=len(rows) < STATUS_DECISIONS)
        return web.Response(status=204) if found is None else json_response(found)

    async def _refused(self, pilot: str) -> dict[int, bytes]:
        """The newest refusals of acts of a pilot, and of acts without a pilot, by the offset of the act."""
        rows = [*await self._store.recent("rejected", pilot, RECENT), *await self._store.recent("rejected", "", RECENT)]
        placed = [(_PLACED.decode(raw), raw) for _, raw in rows]
        return {place.offset: raw for place, raw in placed if place.topic == "control"}

    async def _taken(self, pilot: str, name: str) -> dict[str, object]:
        """The decision that an act caused, if it is among the newest."""
        for _, raw in await self._store.recent("decisions", pilot, RECENT):
            caused = _CAUSED.decode(raw)
            if caused.author and caused.cause == f"control:{name}":  # decisions that follow from it have no author
                return {"decision": msgspec.Raw(raw)}
        return {}

    async def _first(self, name: str, refused: dict[int, bytes]) -> dict[str, object]:
        """The refusal of an act, if it is among the newest."""
        acts = await self._store.acts(list(refused))
        for offset, raw in refused.items():
            if _PLACED.decode(raw).reason != RejectionReason.REPEATED.value and _named(acts.get(offset, b"")) == name:
                return {"rejected": msgspec.Raw(raw)}
        return {}

    async def _key(self, _request: web.Request) -> web.Response:
        return web.Response(text="" if self._signer is None else self._signer.public + "\n")

    def _listed(self, kind: Output) -> Handler:
        async def page(request: web.Request) -> web.Response:
            after = number(request, "after", 0)
            limit = min(max(number(request, "limit", PAGE), 0), PAGE)  # to SQLite a negative limit is none
            rows = await self._store.outputs(kind, after, limit)
            # `seq` is the first field, so that a reader knows where to resume; the rest is the record as written.
            lines = [b'{"seq":%d,%s\n' % (seq, raw[1:]) for seq, raw in rows]
            return web.Response(body=b"".join(lines), content_type=LINES)

        return page

    async def _rejections(self, request: web.Request) -> web.Response:
        """The newest rejections of telemetry and acts of a pilot, oldest first, as the gateway for firms has them."""
        rows = await self._store.recent("rejected", request.match_info["pilot"], PAGE)
        return web.Response(body=b"".join(raw + b"\n" for _, raw in reversed(rows)), content_type=LINES)

    async def _metrics(self, _request: web.Request) -> web.Response:
        """At a start the counters are rebuilt from past outputs. A scrape in between would count these as new, so it
        waits, and gets 503 after RESTORE_SECONDS."""
        if not await waited(self.restored, RESTORE_SECONDS):
            raise web.HTTPServiceUnavailable(text="metrics are being restored", headers={"Retry-After": "1"})
        return web.Response(
            body=self._exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _live(self, _request: web.Request) -> web.Response:
        return json_response({"live": True})

    async def _is_ready(self, _request: web.Request) -> web.Response:
        return json_response({"ready": self.ready}, 200 if self.ready else 503)


def _named(act: bytes) -> str:
    """The id of a control record, empty when it has none."""
    try:
        return _NAMED.decode(act).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


@web.middleware
async def _store_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """503 when the disk fails."""
    try:
        return await handler(request)
    except sqlite3.Error as error:
        raise web.HTTPServiceUnavailable(
            text=f"the store cannot accept it now: {error}; retry", headers=retry_after(5)
        ) from error
