"""The users' door of the embedded monitor: a separate listener for users and for signed reports of their channels.

Users write a complaint in a form; it is durable when they see their receipt. Every `FORWARD_S` the door sends what is
new to control, as acts that the key of the channel signs: at most one of each kind and pilot, with up to 50 items, so
that no flood of complaints delays an act of an officer. What became of a complaint is read from the decisions.

The forms use no cookie, so no other site can act for a user. A token that is bound to pilot, client and hour keeps
other sites from sending complaints with the browsers of their visitors, and a client has a budget.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from aiohttp import web
from msgspec import Struct

from monitor.charter.spec import Charter
from monitor.charter.users_acts import (
    MOST_ITEMS,
    ComplaintFiling,
    ComplaintWithdrawal,
    RedressStep,
    UserComplaint,
    UserDeparture,
    UsersAct,
)
from monitor.console.users_page import ask_receipt_page, form_page, sent_page, start_page, state_page
from monitor.console.users_words import said
from monitor.embedded.store import Incoming, Store
from monitor.embedded.users_store import ASK, LEAVE, SENT, TEXT_CHARACTERS, WITHDRAW, Complaint, UsersStore
from monitor.http_server.connection_counts import client_of
from monitor.http_server.guards import TooMany
from monitor.http_server.limits import ServerLimits
from monitor.http_server.queries import json_response
from monitor.http_server.server import HttpServer
from monitor.http_server.token_buckets import TokenBuckets
from monitor.logs import EventLogger
from monitor.model.events import instant
from monitor.model.records import Decision, Outputs, Reason
from monitor.model.signing import HEADER, HTTP_HEADER, Signer
from monitor.state.acts_once import validity
from monitor.state.users import ANSWERED, ASKED, GIVEN, REFUSED, WITHDRAWN
from monitor.translation import LANGUAGES, language_of
from monitor.validate.rejections import RejectionReason
from monitor.validate.users_report import REPORT_BYTES, Channels, report_of

FORWARD_S = 5.0
RETRY_S = 60.0  # after a report that was refused
FORM_BYTES = 64 * 1024
CLIENT_PER_HOUR, CLIENT_BURST = 10.0, 5.0  # complaints of one client address
ASKED_PER_SECOND, ASKED_BURST = 1.0, 30.0  # looks at a state, and reports of one client
HOUR_MS = 3_600_000
LISTED = 500  # pilots on the first page
LIMITS = ServerLimits(
    connections=256,
    connections_per_client=16,
    body_bytes=FORM_BYTES,
    client_requests_per_second=10.0,
    client_request_burst=100.0,
)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
BITS = {
    Reason.COMPLAINT_WITHDRAWN: {"withdrawn": WITHDRAWN},
    Reason.COMPLAINT_ANSWERED: {"answered": ANSWERED},
    Reason.REDRESS_RECORDED: {"asked": ASKED, "given": GIVEN, "refused": REFUSED},
}
logger = EventLogger(__name__)
T = TypeVar("T")


class UsersDoorSettings(Struct, frozen=True, kw_only=True):
    """How the door runs. `signer` is the key of the channel, whose name in the configuration of the sandbox is
    `author`; `host_names` are accepted besides loopback names."""

    signer: Signer
    author: str = "public"
    host: str = "127.0.0.1"
    port: int = 8323
    host_names: tuple[str, ...] = ()
    forward_s: float = FORWARD_S


class UsersDoor:
    """`start`, then `run` until it is cancelled, then `stop`. `charters` returns those of the pilots that are in the
    sandbox, by pilot; `channels` whose signed reports are taken. `watch` is given all committed outputs."""

    def __init__(
        self,
        directory: Path,
        settings: UsersDoorSettings,
        store: Store,
        clock: Callable[[], int],
        charters: Callable[[], Mapping[str, Charter]],
        channels: Channels,
    ) -> None:
        self._settings, self._store, self._clock = settings, store, clock
        self._charters, self._channels = charters, channels
        self._kept = UsersStore(directory / "users.db")
        self._thread = ThreadPoolExecutor(1, "users")
        self._secret = secrets.token_bytes(32)
        self._complaints = TokenBuckets(CLIENT_PER_HOUR / 3600, CLIENT_BURST)
        self._others = TokenBuckets(ASKED_PER_SECOND, ASKED_BURST)
        self._learnt: deque[tuple[str, list[str], int]] = deque()
        self._sent: dict[int, tuple[list[str], int]] = {}  # offset on control -> complaints, and what was told
        self._refused: list[list[str]] = []
        self._not_before: dict[str, float] = {}  # pilots of which a report was refused
        self.arrived: Callable[[], None] = lambda: None
        self.port = 0
        self._web: HttpServer | None = None

    async def start(self, count: Callable[[str], None]) -> int:
        """Listen. Returns the port. Raises Refused when the address is taken."""
        made = self._web = HttpServer("users", limits=LIMITS, names=self._settings.host_names, count=count)
        made.app.add_routes([
            web.get("/", self._start), web.get("/complain/{pilot}", self._form),
            web.post("/complain/{pilot}", self._take),
            web.get("/receipt", self._receipt), web.post("/receipt", self._state),
            web.post("/receipt/withdraw", self._wanted(WITHDRAW)), web.post("/receipt/redress", self._wanted(ASK)),
            web.post("/reports/{pilot}", self._report), web.get("/users.css", self._css),
        ])  # fmt: skip
        self.port = await made.start(self._settings.host, self._settings.port)
        return self.port

    async def stop(self) -> None:
        """Stop listening and close the file."""
        if self._web is not None:
            await self._web.stop()
        self._thread.shutdown()
        self._kept.close()

    async def run(self) -> None:
        """Forward what is new, and learn from the record what became of it, until cancelled."""
        while True:
            try:
                await self.forward()
            except sqlite3.Error as error:
                logger.error("users_door.file_failed", stage="record", error=error)
            await asyncio.sleep(self._settings.forward_s)

    # ---- pages

    def _language(self, request: web.Request, given: str = "") -> str:
        asked = given or request.query.get("lang", "")
        if asked in LANGUAGES:
            return asked
        return language_of(request.headers.get("Accept-Language", ""))

    async def _start(self, request: web.Request) -> web.Response:
        return _html(start_page(self._language(request), sorted(self._charters())[:LISTED]))

    def _charter(self, request: web.Request) -> Charter:
        charter = self._charters().get(request.match_info["pilot"])
        if charter is None:
            raise web.HTTPNotFound(text="there is no such pilot")
        return charter

    async def _form(self, request: web.Request) -> web.Response:
        charter = self._charter(request)
        return _html(form_page(self._language(request), charter, self._token(request, charter.pilot)))

    async def _take(self, request: web.Request) -> web.Response:
        charter, form = self._charter(request), await self._fields(request)
        language, text = self._language(request, form.get("lang", "")), form.get("text", "").strip()
        client, now = _client(request), asyncio.get_running_loop().time()

        def again(wrong: str, status: int) -> web.Response:
            shown = text[:TEXT_CHARACTERS]
            return _html(form_page(language, charter, self._token(request, charter.pilot), wrong, shown), status)

        if not self._is_token(request, charter.pilot, form.get("token", "")):
            return again(said(language, "old"), 403)
        if not text or len(text) > TEXT_CHARACTERS:
            return again(said(language, "empty"), 400)
        if wait := self._complaints.wait(client, now):
            answer = again(said(language, "too_many", minutes=int(wait // 60) + 1), 429)
            answer.headers["Retry-After"] = str(int(wait) + 1)
            return answer
        self._complaints.charge(client, 1.0, now)
        segment = form.get("segment", "")
        listed = {name for spec in charter.indicators for name in spec.segments}
        wants = LEAVE if form.get("leave") else 0
        segment = segment if segment in listed else ""
        receipt = await self._in_thread(partial(self._kept.add, charter.pilot, self._clock(), segment, text, wants))
        if receipt is None:
            return again(said(language, "full"), 503)
        return _html(sent_page(language, receipt))

    async def _receipt(self, request: web.Request) -> web.Response:
        return _html(ask_receipt_page(self._language(request)))

    async def _known(self, request: web.Request) -> tuple[str, str, Complaint | None]:
        """Language, receipt and complaint of a posted receipt. Raises `TooMany`."""
        _same_site(request)
        form, client, now = await self._fields(request), _client(request), asyncio.get_running_loop().time()
        if wait := self._others.wait(client, now):
            raise TooMany("too many requests; slow down", wait)
        self._others.charge(client, 1.0, now)
        receipt = form.get("receipt", "")[:64]
        return (
            self._language(request, form.get("lang", "")),
            receipt,
            await self._in_thread(lambda: self._kept.find(receipt)),
        )

    async def _state(self, request: web.Request) -> web.Response:
        language, receipt, found = await self._known(request)
        if found is None:
            return _html(ask_receipt_page(language, said(language, "unknown")), 404)
        return _html(_shown(language, receipt, found))

    def _wanted(self, bit: int) -> Callable[[web.Request], Any]:
        async def note(request: web.Request) -> web.Response:
            language, receipt, found = await self._known(request)
            if found is None:
                return _html(ask_receipt_page(language, said(language, "unknown")), 404)
            name = found.id
            await self._in_thread(lambda: self._kept.want(name, bit))
            return _html(_shown(language, receipt, found._replace(wants=found.wants | bit)))

        return note

    async def _css(self, request: web.Request) -> web.Response:
        text = files("monitor.console").joinpath("users.css").read_text("utf-8")
        return web.Response(text=text, content_type="text/css", headers=HEADERS)

    async def _fields(self, request: web.Request) -> dict[str, str]:
        if request.content_type != "application/x-www-form-urlencoded" or "Content-Encoding" in request.headers:
            raise web.HTTPUnsupportedMediaType(text="send the form as application/x-www-form-urlencoded")
        assert self._web is not None
        body = await self._web.guards.body(request, FORM_BYTES)
        try:
            found = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=16)
        except ValueError:
            raise web.HTTPBadRequest(text="the form cannot be read; send UTF-8, at most 16 fields") from None
        return {name: values[0] for name, values in found.items()}

    # ---- tokens

    def _token(self, request: web.Request, pilot: str, hours_ago: int = 0) -> str:
        hour = self._clock() // HOUR_MS - hours_ago
        said = f"{pilot}\n{_client(request)}\n{hour}".encode()
        return hmac.new(self._secret, said, hashlib.sha256).hexdigest()

    def _is_token(self, request: web.Request, pilot: str, token: str) -> bool:
        _same_site(request)
        return any(hmac.compare_digest(self._token(request, pilot, ago).encode(), token.encode()) for ago in (0, 1, 2))

    # ---- signed reports

    async def _report(self, request: web.Request) -> web.Response:
        """Append a signed report of a channel to control: 202; the machine decides whether it takes effect."""
        client, now = _client(request), asyncio.get_running_loop().time()
        if wait := self._others.wait(client, now):
            raise TooMany("too many reports; slow down", wait)
        self._others.charge(client, 1.0, now)
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            raise web.HTTPUnsupportedMediaType(text="send one act as application/json, without a content encoding")
        assert self._web is not None
        body = await self._web.guards.body(request, REPORT_BYTES)
        key, signature = request.match_info["pilot"].encode(), request.headers.get(HTTP_HEADER, "")
        found = report_of(self._channels, key, body, signature)
        if isinstance(found, str):
            raise web.HTTPForbidden(text=found)
        kept = await self._store.feed_control([Incoming(body, key=key, headers=((HEADER, signature.encode()),))])
        self.arrived()
        return json_response({"offset": kept.first, "received": kept.received}, 202)

    # ---- to control, and from the record

    def watch(self, outputs: Outputs) -> None:
        """Learn from committed outputs; applied at the next round."""
        for decision in outputs.decisions:
            if (bits := _bits(decision)) is not None:
                names = decision.finding.content and decision.finding.content.get("complaints")
                self._learnt.append((decision.pilot, list(names) if isinstance(names, tuple | list) else [], bits))
        for rejected in outputs.rejected:
            sent = self._sent.pop(rejected.offset, None) if rejected.topic == "control" else None
            if sent is None:
                continue
            if rejected.reason == RejectionReason.REPEATED.value and not sent[1]:
                self._learnt.append((rejected.pilot, sent[0], 0))
            else:
                logger.error("users_door.report_refused", stage="decide", pilot=rejected.pilot, detail=rejected.detail)
                if not sent[1]:  # a request about a complaint that is settled stays refused
                    self._refused.append(sent[0])
                    self._not_before[rejected.pilot] = asyncio.get_running_loop().time() + RETRY_S

    async def forward(self) -> int:
        """One round. Returns how many acts were sent."""
        while self._learnt:
            await self._in_thread(partial(self._kept.learn, *self._learnt[0]))
            self._learnt.popleft()  # after it is durable: a full disk loses nothing
        refused, self._refused = self._refused, []
        for names in refused:
            await self._in_thread(partial(self._kept.refused, names))
        sent = await self._send(await self._in_thread(lambda: self._kept.pending(MOST_ITEMS)), 0)
        for bit, done in ((LEAVE, 0), (ASK, ASKED | GIVEN | REFUSED | WITHDRAWN), (WITHDRAW, WITHDRAWN)):
            wanting = await self._in_thread(partial(self._kept.wanting, bit, done, MOST_ITEMS))
            sent += await self._send(wanting, bit)
        return sent

    async def _send(self, by_pilot: Mapping[str, Sequence[Complaint]], told: int) -> int:
        now, sent = asyncio.get_running_loop().time(), 0
        for pilot, found in by_pilot.items():
            if self._not_before.get(pilot, 0.0) > now:
                continue
            self._not_before.pop(pilot, None)
            body = msgspec.json.encode(self._act(pilot, found, told))
            headers = ((HEADER, self._settings.signer.sign("control", body).encode()),)
            kept = await self._store.feed_control([Incoming(body, key=pilot.encode(), headers=headers)])
            names = [one.id for one in found]
            self._sent[kept.first] = names, told
            while len(self._sent) > LISTED:
                del self._sent[next(iter(self._sent))]
            # After a crash before this line it is resent, and counts once.
            await self._in_thread(partial(self._kept.mark, names, SENT, told))
            self.arrived()
            sent += 1
        return sent

    def _act(self, pilot: str, found: Sequence[Complaint], told: int) -> UsersAct:
        given = validity(0, self._clock())
        by: dict[str, Any] = {
            "id": secrets.token_hex(16),
            "pilot": pilot,
            "author": self._settings.author,
            "not_before": given["not_before"],
            "not_after": given["not_after"],
        }
        names = tuple(one.id for one in found)
        if told == WITHDRAW:
            return ComplaintWithdrawal(**by, complaints=names)
        if told == ASK:
            return RedressStep(**by, step="asked", complaints=names)
        if told == LEAVE:
            return UserDeparture(**by, users=names)
        complaints = tuple(
            UserComplaint(complaint=one.id, time=instant(one.at), segment=one.segment[:64], text=one.digest)
            for one in found
        )
        return ComplaintFiling(**by, complaints=complaints)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _bits(decision: Decision) -> int | None:
    """What a decision says of the complaints that it names; `None` if it is about none."""
    if decision.reason is Reason.COMPLAINT_FILED:
        return 0
    return BITS.get(decision.reason, {}).get(decision.finding.rule)


def _shown(language: str, receipt: str, found: Complaint) -> str:
    wants = found.wants & ~found.told & (WITHDRAW | ASK)
    waiting = bool(wants) or bool(found.told & WITHDRAW and not found.state & WITHDRAWN)
    waiting |= bool(found.told & ASK and not found.state & ASKED)
    return state_page(language, receipt, found.pilot, found.at, (found.filed == 2, found.state, int(waiting)))


def _client(request: web.Request) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return client_of(peer) if peer else ""


def _same_site(request: web.Request) -> None:
    """Raises 403 for a form that another site sent."""
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    if origin is not None and origin != "null" and origin.split("://", 1)[-1] != host:
        raise web.HTTPForbidden(text="the form was sent by another site; open it here")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise web.HTTPForbidden(text="the form was sent by another site; open it here")


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=status, headers=HEADERS)
