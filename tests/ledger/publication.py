"""A notary and its publication for the goals: ledgers of many pilots, served over HTTP on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.http_server.limits import ServerLimits
from monitor.http_server.server import HttpServer
from monitor.notary.notary import Notary
from monitor.publication.hooks import NewestCheckpoint
from monitor.publication.log_key import LogKey
from monitor.publication.publisher import PublicationSettings, Publisher
from monitor.publication.routes import PREFIX, publication_route
from monitor.testing.records import decision

KEY = LogKey("sandbox.example/ledger", b"publication goals".ljust(32, b"."))
BATCH = 500  # decisions in one append, as the notary on Kafka takes them
NO_RATE = ServerLimits(client_requests_per_second=1e6, client_request_burst=1e6, client_bytes_per_second=1e10)


class World:
    """The notary's directory, the publication and the second place, below `path`."""

    def __init__(self, path: Path, second: NewestCheckpoint | None = None) -> None:
        self.ledgers, self.published = path / "ledger", path / "published"
        self.second = second
        self.notary = Notary(self.ledgers)
        self.publisher = self._open()

    def restart(self) -> None:
        """Open everything again, as a new process does."""
        self.notary.close()
        self.notary = Notary(self.ledgers)
        self.publisher = self._open()

    def enter(self, pilot: str, number: int, **changes: str) -> None:
        """Enter the next `number` decisions of a pilot."""
        first = (head.size if (head := self.notary.head(pilot)) else 0) + 1
        for start in range(first, first + number, BATCH):
            end = min(start + BATCH, first + number)
            self.notary.record([decision(standing, pilot, **changes) for standing in range(start, end)])

    def _open(self) -> Publisher:
        settings = PublicationSettings(directory=self.published, key=KEY, second=self.second)
        return Publisher(self.ledgers, lambda: self.notary.heads, settings)


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The URL under which the publication is served, by the same server and route as the board."""
    loop, server = asyncio.new_event_loop(), HttpServer("publication", limits=NO_RATE)
    server.app.add_routes([publication_route(directory, pilot_logs=True)])
    thread = threading.Thread(target=loop.run_forever, name="publication-http")
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop).result()
        yield f"http://127.0.0.1:{port}{PREFIX}"
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
