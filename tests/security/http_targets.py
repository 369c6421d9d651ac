"""The servers that are fuzzed, in one process: ingress with board, the notary's board, pages of a service, gateway.

    python -m tests.security.http_targets DIRECTORY

Prints the ports as a JSON object, then serves until its standard input ends. The logs go to stderr.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from monitor.embedded import ingress
from monitor.embedded.monitor import Monitor
from monitor.http_server.in_thread import Page, PagesInThread
from monitor.http_server.limits import ServerLimits
from monitor.logs import set_up
from monitor.projections.metrics import CONTENT_TYPE, Metrics
from monitor.publication.log_key import LogKey
from monitor.publication.publisher import PublicationSettings
from monitor.simulation.fleet import Fleet
from tests.security.gateway_bench import bench
from tests.security.http_tools import board

# A fuzzer is one client that sends as fast as it can; rates are tested in `test_http_door.py`.
UNHURRIED = ServerLimits(client_requests_per_second=1e9, client_request_burst=1e9, client_bytes_per_second=1e12)
LONGEST_WAIT_S = 0.05


async def serve(directory: Path) -> None:
    """Serve until standard input ends."""
    ingress.LONGEST_WAIT = LONGEST_WAIT_S
    start = time.time_ns() // 1_000_000
    fleet = Fleet(1, pilots=2, scenarios=["calm"], start=start, hours=1, period="1h")
    charters = [fleet.charter_for(pilot) for pilot in fleet.pilots]
    published = PublicationSettings(directory=directory / "published", key=LogKey("sandbox.example", bytes(32)))
    monitor = Monitor(directory, port=0, charters=charters, limits=UNHURRIED, publishing=(published, 1.0))
    metrics = Metrics()
    await monitor.start()
    found: dict[str, Page] = {
        "/metrics": lambda: (200, CONTENT_TYPE, metrics.exposition()),
        "/live": lambda: (200, "text/plain", b"live\n"),
    }
    pages = PagesInThread(0, found, limits=UNHURRIED, count=metrics.http_refused)
    async with board(UNHURRIED) as shown, bench(limits=UNHURRIED) as gateway:
        ports = {"ingress": monitor.port, "board": shown.port, "pages": pages.port, "gateway": gateway.port}
        print(json.dumps({"ports": ports, "session": gateway.routes.gate.session}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
    pages.stop()
    await monitor.stop()


if __name__ == "__main__":
    set_up()
    asyncio.run(serve(Path(sys.argv[1])))
