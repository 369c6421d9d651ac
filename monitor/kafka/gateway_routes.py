"""The requests of firms: acts, their outcome, the standing of a pilot, and what the logs hold of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Protocol

from aiohttp import web

from monitor.charter.control import ControlBase, Submission
from monitor.charter.model_acts import ACTS_ON_MODEL
from monitor.clock import wall_ms
from monitor.decide.authority import ROLES_OF_ACT, Role
from monitor.errors import Forged, LogBroken, Refused, Unavailable
from monitor.http_server.bell import Bell, waited
from monitor.http_server.connection import Connection
from monitor.http_server.guards import Guards, TooMany, retry_after
from monitor.http_server.queries import json_response, number
from monitor.http_server.refusals import HttpRefusal
from monitor.http_server.server import HttpServer
from monitor.http_server.token_buckets import TokenBuckets
from monitor.kafka.firm_directory import FirmDirectory, FirmOfPilot
from monitor.kafka.firm_requests import APPLICANTS, RequestGate, RequestRefusal
from monitor.kafka.outcome_memory import OutcomeMemory
from monitor.model.records import Reason, Record, Rejected
from monitor.model.request_signing import (
    FIRM_HEADER,
    NONCE_HEADER,
    REQUEST_HEADER,
    SESSION_HEADER,
    TIME_HEADER,
    FirmRequest,
)  # fmt: skip
from monitor.model.signing import HTTP_HEADER, Trusted
from monitor.model.subjects import firm_subject, is_model
from monitor.validate.parse import validate_control

ACT_BYTES = 128 * 1024  # an application carries a charter
APPLY_COST = 10.0  # of the rate that all firms without a pilot share
LONGEST_WAIT_S = 60.0
FIRM_PER_SECOND, FIRM_BURST, EXPORT_COST = 10.0, 100.0, 50.0
CHUNK_BYTES = 64 * 1024
WRITE_S = 30.0  # for a client to take a chunk
# A client that takes less of an export on average is cut off. Only the time that it is waited for counts.
SLOWEST_BYTES_PER_SECOND = 16 * 1024
ACTS_OF_FIRM = frozenset(kind for kind, roles in ROLES_OF_ACT.items() if Role.FIRM in roles)

Lines = Callable[[str, FirmOfPilot], AsyncGenerator[bytes, None]]


class Control(Protocol):
    """Where acts are appended."""

    async def append(self, pilot: str, body: bytes, signature: str) -> tuple[int, int]:
        """Return partition and offset once the record is durable. Raises Unavailable."""


class NotAllowed(web.HTTPForbidden):
    """403: the request, or the act in it, is not this firm's to make."""


class GatewayRoutes:
    """The routes; `ready` is set when directory and outcomes are read, and `changed` rings when they have grown.

    `streams` are the logs of a pilot, by the first part of their path; `rates` are those of a firm.
    """

    def __init__(
        self,
        directory: FirmDirectory,
        outcomes: OutcomeMemory,
        control: Control,
        streams: dict[str, Lines],
        rates: TokenBuckets | None = None,
    ) -> None:
        self.ready = False
        self.opened = asyncio.Event()  # set once, when it is first ready
        self.changed = Bell()
        self.gate = RequestGate(directory)
        self._directory = directory
        self._outcomes, self._control, self._streams = outcomes, control, streams
        self._rates = rates or TokenBuckets(FIRM_PER_SECOND, FIRM_BURST)
        self._exporting: set[str] = set()  # firms: one stream of the logs of each, whatever the others do

    def join(self, server: HttpServer) -> None:
        """Add the routes to a server."""
        self._guards: Guards = server.guards
        server.app.add_routes(
            [
                web.get("/v1/session", self._session),
                web.post("/v1/control", self._act),
                web.get("/v1/acts/{pilot}", self._outcome),
                web.get("/v1/standing/{pilot}", self._standing),
                web.get("/v1/firm/{pilot}", self._firm),
                *(web.get(f"/v1/{name}/{{pilot}}", self._stream(lines)) for name, lines in self._streams.items()),
                web.get("/live", self._live),
                web.get("/ready", self._is_ready),
            ]
        )

    async def _session(self, _request: web.Request) -> web.Response:
        return json_response({"session": self.gate.session, "time": wall_ms()})

    async def _live(self, _request: web.Request) -> web.Response:
        return json_response({"live": True})

    async def _is_ready(self, _request: web.Request) -> web.Response:
        return json_response({"ready": self.ready}, 200 if self.ready else 503)

    def _admitted(
        self,
        request: web.Request,
        pilot: str,
        body: bytes = b"",
        cost: float = 1.0,
        applicant: FirmOfPilot | None = None,
    ) -> FirmOfPilot:
        """The firm of the pilot, which signed this request; of a pilot that is not known the `applicant`. Raises
        web.HTTPException."""
        if not self.ready:
            raise web.HTTPServiceUnavailable(text="the logs are being read; retry", headers=retry_after(2))
        headers = request.headers
        time = headers.get(TIME_HEADER, "")
        asked = FirmRequest(
            firm=headers.get(FIRM_HEADER, ""),
            method=request.method,
            target=request.raw_path,
            session=headers.get(SESSION_HEADER, ""),
            time=int(time) if time.isascii() and time.isdecimal() and len(time) < 16 else 0,
            nonce=headers.get(NONCE_HEADER, ""),
        )
        try:
            firm = self.gate.admit(asked, headers.get(REQUEST_HEADER, ""), pilot, body, wall_ms(), applicant)
        except Forged as refused:
            again = refused.reason in (RequestRefusal.WRONG_SESSION, RequestRefusal.NOT_FRESH)
            raise (web.HTTPUnauthorized if again else NotAllowed)(text=str(refused)) from None
        now = asyncio.get_running_loop().time()
        known = self._directory.of(pilot) is not None or is_model(pilot)
        name = firm.participant if known else APPLICANTS
        if wait := self._rates.wait(name, now):
            raise TooMany("too many requests of this firm; slow down", wait)
        self._rates.charge(name, cost if known else max(cost, APPLY_COST), now)
        return firm

    async def _act(self, request: web.Request) -> web.Response:
        """Append an act of a firm to control: 202 with its place. The machine decides whether it takes effect."""
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            raise web.HTTPUnsupportedMediaType(text="send one act as application/json, without a content encoding")
        body = await self._guards.body(request, ACT_BYTES)
        act = validate_control(Record(0, wall_ms(), None, body, ()), "control", 0, secret=b"")
        if isinstance(act, Rejected):
            raise web.HTTPBadRequest(text=f"{act.reason}, {act.field}: {act.detail}")
        applicant = self._third_party(request, act.pilot)
        if isinstance(act, Submission):
            applicant = self._applicant(act)
        firm = self._admitted(request, act.pilot, body, applicant=applicant)
        signature = request.headers.get(HTTP_HEADER, "")
        self._check(act, firm, body, signature)
        try:
            partition, offset = await self._control.append(act.pilot, body, signature)
        except Unavailable as error:
            raise web.HTTPServiceUnavailable(text=f"{error}; retry", headers=retry_after(5)) from error
        self._directory.act(act)  # so that the firm may ask for the outcome of its application at once
        return json_response({"records": 1, "first": offset, "next": offset + 1, "partition": partition}, 202)

    def _third_party(self, request: web.Request, subject: str) -> FirmOfPilot | None:
        """Who asks about the file of a model, as the sandbox knows it."""
        return self._directory.third_party(subject, request.headers.get(FIRM_HEADER, ""))

    def _applicant(self, act: Submission) -> FirmOfPilot:
        """The firm that an application names. Raises NotAllowed for the name of a firm that has other keys."""
        participant = act.charter.participant
        known = self._directory.keys_of(participant.id)
        if known and known.isdisjoint(participant.keys):
            raise NotAllowed(text="charter.participant.keys: none is one of this firm's pilots; write one of them")
        return FirmOfPilot(participant.id, tuple(participant.keys))

    @staticmethod
    def _check(act: ControlBase, firm: FirmOfPilot, body: bytes, signature: str) -> None:
        """Refuse what is not this firm's own act. Raises NotAllowed."""
        if act.author != firm.participant:
            raise NotAllowed(text="author: a firm acts in its own name only")
        if is_model(act.pilot):
            if not isinstance(act, ACTS_ON_MODEL):
                raise NotAllowed(text="type: on the file of a model, a modelentry or modelentrywithdrawal only")
        elif type(act) not in ACTS_OF_FIRM:
            kinds = ", ".join(sorted(kind.__name__.lower() for kind in ACTS_OF_FIRM))
            raise NotAllowed(text=f"type: a firm may do {kinds}")
        try:
            Trusted(firm.keys).verify("control", body, signature)
        except (Forged, ValueError):
            raise NotAllowed(text=f"{HTTP_HEADER}: not a signature of this act by a key of the charter") from None

    async def _outcome(self, request: web.Request) -> web.Response:
        pilot, name = request.match_info["pilot"], request.query.get("id", "")
        applicant = self._directory.applicant(pilot, name) or self._third_party(request, pilot)
        self._admitted(request, pilot, applicant=applicant)
        partition, offset = number(request, "partition", -1), number(request, "offset", -1)
        until = asyncio.get_running_loop().time() + min(number(request, "wait", 0.0), LONGEST_WAIT_S)
        while True:
            ticket = self.changed.ticket
            found = self._outcomes.outcome(pilot, name, partition, offset)
            if found is not None:
                return json_response(found)
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return web.Response(status=204)
            await waited(ticket, left)  # after its end, look once more: a stalled process may wake too late

    async def _standing(self, request: web.Request) -> web.Response:
        pilot = request.match_info["pilot"]
        self._admitted(request, pilot, applicant=self._third_party(request, pilot))
        known = self._outcomes.known(pilot)
        return web.Response(status=204) if known is None else json_response(known)

    async def _firm(self, request: web.Request) -> web.Response:
        """The newest class of the firm that runs a pilot and signed the request, with the record that it follows from;
        204 while none was set."""
        firm = self._admitted(request, request.match_info["pilot"])
        found = self._outcomes.newest(firm_subject(firm.participant), Reason.FIRM_CLASSIFIED)
        return web.Response(status=204) if found is None else json_response(found)

    def _stream(self, lines: Lines) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            pilot = request.match_info["pilot"]
            firm = self._admitted(request, pilot, cost=EXPORT_COST)
            if firm.participant in self._exporting:
                raise TooMany("another export of this firm is running; retry", 10, HttpRefusal.BUSY)
            self._exporting.add(firm.participant)
            try:
                async with contextlib.aclosing(lines(pilot, firm)) as found:
                    return await _written(request, found)
            except (Unavailable, LogBroken) as error:
                raise web.HTTPServiceUnavailable(text=f"{error}; retry", headers=retry_after(10)) from error
            except Refused as error:
                raise web.HTTPNotFound(text=str(error)) from error
            finally:
                self._exporting.discard(firm.participant)

        return answer


async def _written(request: web.Request, lines: AsyncIterator[bytes]) -> web.StreamResponse:
    """Stream lines. An error after the first chunk ends the connection: the client sees that some are missing."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    chunk, pace = bytearray(), ReadingPace()
    try:
        async for line in lines:
            chunk += line
            if len(chunk) >= CHUNK_BYTES:
                await _write(request, response, bytes(chunk), pace)
                chunk.clear()
        await _write(request, response, bytes(chunk), pace)
    except Exception as error:
        if response.prepared:
            raise ConnectionResetError("the export ends early") from error
        raise
    await response.write_eof()
    return response


class ReadingPace:
    """How long the client of a stream may still be waited for."""

    def __init__(self) -> None:
        self._left = WRITE_S

    @property
    def timeout(self) -> float:
        """Seconds for the next chunk."""
        return min(WRITE_S, self._left)

    def wrote(self, size: int, seconds: float) -> None:
        """The client took so many bytes within so many seconds."""
        self._left += size / SLOWEST_BYTES_PER_SECOND - seconds


async def _write(request: web.Request, response: web.StreamResponse, chunk: bytes, pace: ReadingPace) -> None:
    connection, now = request.protocol, asyncio.get_running_loop().time
    assert isinstance(connection, Connection)
    connection.streaming = True
    began = now()
    try:
        async with asyncio.timeout(pace.timeout):
            if not response.prepared:
                await response.prepare(request)
            await response.write(chunk)
        pace.wrote(len(chunk), now() - began)
    except TimeoutError:
        connection.abort(HttpRefusal.SLOW, "response is not read")
        raise ConnectionResetError("response is not read") from None
    finally:
        connection.streaming = False
