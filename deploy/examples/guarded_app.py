"""A guarded service on a multi-process server. Each process makes its own `Pilot`; they share one state.

    uvicorn guarded_app:app --workers 2
    gunicorn guarded_app:app --worker-class uvicorn_worker.UvicornWorker --workers 2
    gunicorn guarded_app:wsgi --workers 2

Settings come from the environment: TO, PILOT, PARTICIPANT, and optionally TRUST, KEY, SPOOL, HEARTBEAT_S.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec

from monitor.sdk import Halted, Lapsed, Pilot, Unavailable
from monitor.sdk.asgi import problem

pilot = Pilot(
    os.environ["PILOT"],
    participant=os.environ["PARTICIPANT"],
    to=os.environ["TO"],
    model="m1",
    tier="high",
    trust=os.environ.get("TRUST"),
    key=os.environ.get("KEY"),
    spool_dir=os.environ.get("SPOOL"),
    heartbeat_s=float(os.environ.get("HEARTBEAT_S", "10")),
)


async def decide(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The service: responds to each request with the id of the process."""
    if scope["type"] != "http":
        return
    pilot.exposure(1, "decisions")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"served by %d" % os.getpid()})


app = pilot.asgi(decide, exempt=("/health",))


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The same as a WSGI application, with the guard around each request."""
    try:
        with pilot.guard():
            pilot.exposure(1, "decisions")
            start_response("200 OK", [("content-type", "text/plain")])
            return [b"served by %d" % os.getpid()]
    except (Halted, Lapsed, Unavailable) as refused:
        start_response("503 Service Unavailable", [("content-type", "application/problem+json")])
        return [msgspec.json.encode(problem(pilot.pilot, refused))]
