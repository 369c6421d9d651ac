"""A guarded ASGI application: `uvicorn guarded_app:app --workers 2`. Each worker makes its own `Pilot`; they share one standing.

Settings come from the environment: TO, PILOT, PARTICIPANT, and where there are such TRUST, KEY, SPOOL.
"""

from __future__ import annotations

import os
from typing import Any

from monitor.sdk import Pilot

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
    """The service itself: answers each request with the process that served it."""
    if scope["type"] != "http":
        return
    pilot.exposure(1, "decisions")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"served by %d" % os.getpid()})


app = pilot.asgi(decide, exempt=("/health",))
