"""ASGI middleware: each request and each websocket is a piece of work; what may not begin is answered 503 with the reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import msgspec

from monitor.errors import Halted, Lapsed, Unavailable
from monitor.sdk.guard import Guard

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
PROBLEM = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]


class GuardedApp:
    """`app` behind the guard. Paths that begin with one of `exempt` pass (health pages), and so does the lifespan."""

    def __init__(self, app: App, pilot: str, guard: Guard, exempt: tuple[str, ...]) -> None:
        self._app, self._pilot, self._guard, self._exempt = app, pilot, guard, exempt

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(self._exempt):
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with self._guard.entry("", False):
                await self._app(scope, receive, watched)
        except (Halted, Lapsed, Unavailable) as error:
            if begun:  # half an answer is out: the server must break it off
                raise
            await self._refuse(scope, send, error)

    async def _refuse(self, scope: MutableMapping[str, Any], send: Send, error: Halted | Lapsed | Unavailable) -> None:
        body = msgspec.json.encode(problem(self._pilot, error))
        headers = PROBLEM if isinstance(error, Halted) else [*PROBLEM, (b"retry-after", b"5")]
        if scope["type"] == "websocket":
            if "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 1013, "reason": type(error).__name__.lower()})
                return
            kind = "websocket.http.response"
        else:
            kind = "http.response"
        await send({"type": f"{kind}.start", "status": 503, "headers": headers})
        await send({"type": f"{kind}.body", "body": body})


def problem(pilot: str, error: Halted | Lapsed | Unavailable) -> dict[str, Any]:
    """The refusal as RFC 9457 problem details; `reason` is a word of `monitor.model.records.Reason`, `not_resumed`, `lapsed` or
    `unavailable`."""
    halted = isinstance(error, Halted)
    kind = "halted" if halted else type(error).__name__.lower()
    return {
        "type": f"urn:sandbox-monitor:{kind}",
        "title": {"halted": "The pilot is halted", "lapsed": "The pilot has no permit"}.get(kind, "Not known yet"),
        "status": 503,
        "detail": error.brief
        if isinstance(error, Halted)
        else str(error),  # incidents and counts are not for the public
        "pilot": pilot,
        "reason": error.reason if isinstance(error, Halted) else kind,
        "decision": error.decision if isinstance(error, Halted) else "",
    }
