"""ASGI middleware: each request and each websocket is one piece of work; a refused one gets 503 with the reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import msgspec

from monitor.errors import Halted, Lapsed, Unavailable
from monitor.sdk.guard import Guard
from monitor.sdk.refusals import WorkRefusal

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
PROBLEM = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
RETRY_AFTER = (b"retry-after", b"5")  # s; a halt does not end by waiting, so it has none
TITLES = {
    WorkRefusal.HALTED: "The pilot is halted",
    WorkRefusal.LAPSED: "The pilot has no permit",
    WorkRefusal.UNAVAILABLE: "Not known yet",
}


class GuardedApp:
    """`app` behind the guard. Not guarded: paths that begin with one of `exempt` (health pages), and the lifespan."""

    def __init__(self, app: ASGIApp, pilot: str, guard: Guard, exempt: tuple[str, ...]) -> None:
        self._app, self._pilot, self._guard, self._exempt = app, pilot, guard, exempt

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one connection. Raises what the application raises, and a refusal after the response has begun."""
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(self._exempt):
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with self._guard.work("", False):
                await self._app(scope, receive, watched)
        except (Halted, Lapsed, Unavailable) as error:
            if begun:  # the response has begun: the server must abort the connection
                raise
            await self._refuse(scope, send, error)

    async def _refuse(self, scope: MutableMapping[str, Any], send: Send, error: Halted | Lapsed | Unavailable) -> None:
        body = msgspec.json.encode(problem(self._pilot, error))
        headers = PROBLEM if isinstance(error, Halted) else [*PROBLEM, RETRY_AFTER]
        if scope["type"] == "websocket":
            if "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 1013, "reason": _word(error).value})
                return
            kind = "websocket.http.response"
        else:
            kind = "http.response"
        await send({"type": f"{kind}.start", "status": 503, "headers": headers})
        await send({"type": f"{kind}.body", "body": body})


def problem(pilot: str, error: Halted | Lapsed | Unavailable) -> dict[str, Any]:
    """Return the refusal as RFC 9457 problem details.

    `reason` is a word of `WorkRefusal`, or the reason of the halt (`monitor.model.records.Reason`). Under a halt
    `detail` leaves out incidents and counts: they are not for the public.
    """
    word = _word(error)
    halted = error if isinstance(error, Halted) else None
    return {
        "type": f"urn:sandbox-monitor:{word.value}",
        "title": TITLES[word],
        "status": 503,
        "detail": halted.brief if halted else str(error),
        "pilot": pilot,
        "reason": halted.reason if halted else word.value,
        "decision": halted.decision if halted else "",
    }


def _word(error: Halted | Lapsed | Unavailable) -> WorkRefusal:
    if isinstance(error, Halted):
        return WorkRefusal.HALTED
    return WorkRefusal.LAPSED if isinstance(error, Lapsed) else WorkRefusal.UNAVAILABLE
