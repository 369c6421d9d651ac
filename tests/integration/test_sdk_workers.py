"""The workers of a pre-forking server share one state: one process reads for all, and any of them may be killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.errors import Unavailable
from monitor.model.events import CommandAcknowledged, Event, Heartbeat
from monitor.model.records import Command, Permit
from monitor.sdk import Pilot
from monitor.testing.memory_link import MemoryLink
from monitor.testing.records import command
from monitor.testing.service import Service
from monitor.testing.wait import Until

EVENTS = msgspec.json.Decoder(list[Event])
WORKERS = 4
until = Until(60.0)


class Door(ThreadingHTTPServer):
    """The HTTP interface of a monitor without a monitor: stores events, answers heartbeats, serves a given command."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: list[Any] = []
        self.command: Command | None = None
        self.permit: Permit | None = None
        self.readers: set[Any] = set()  # connections that polled for commands
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Logs nothing: workers are killed during requests."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Door

    def do_POST(self) -> None:
        for event in EVENTS.decode(self.rfile.read(int(self.headers["content-length"]))):
            self.server.events.append(event)
            if isinstance(event, Heartbeat) and not (self.server.command and self.server.command.halts):
                number = self.server.command.standing if self.server.command else 0
                self.server.permit = Permit(
                    pilot="p-1", nonce=event.data.nonce, standing=number, epoch=1, lease_ms=60_000
                )
        self._answer(202, b"{}")

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        asked = dict(part.split("=") for part in query.split("&"))
        commands = path.startswith("/v1/commands/")
        if commands:
            self.server.readers.add(self.client_address)
        end = time.monotonic() + float(asked.get("wait", 0))
        while True:
            found: Any = self.server.command if commands else self.server.permit
            if found is not None and (found.standing > int(asked["after"]) if commands else found.nonce in query):
                return self._answer(200, msgspec.json.encode(found))
            if time.monotonic() >= end:
                return self._answer(204, b"")
            time.sleep(0.01)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def boottime() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@pytest.mark.parametrize("permits", ["off", "required"])
def test_all_workers_obey_what_one_of_them_reads(tmp_path: Path, permits: str) -> None:
    """Of 4 processes one polls for commands. All serve; all refuse within a second of the halt, and each acknowledges.
    The leader is killed and another one takes over; after a release the others work only once the firm has resumed."""
    door = Door()
    with Service(
        to=door.address,
        pilot="p-1",
        participant="firm",
        spool=tmp_path,
        workers=WORKERS,
        heartbeat_s=0.5,
        pack_ms=5,
        permits=permits,
    ) as service:
        began = service.wait("serving", WORKERS)
        leaders = [said.worker for said in began if said.leading]
        assert len(leaders) == 1
        assert len(door.readers) == 1
        os.kill(leaders[0], signal.SIGKILL)
        until(lambda: len(door.readers) == 2)  # another process polls now
        assert set(service.last().values()) == {"serving"}
        at = boottime()
        door.command = command(2)
        refused = service.wait("Halted", WORKERS - 1, since=at)
        assert max(said.at for said in refused) - at < 1_000_000_000
        assert leaders[0] not in {said.worker for said in refused}

        def answered() -> set[str]:
            return {e.source for e in door.events if isinstance(e, CommandAcknowledged)}

        until(lambda: len(answered()) == WORKERS - 1)
        words = {e.data.last_decision.split("-")[1] for e in door.events if isinstance(e, CommandAcknowledged)}
        assert words == {str(said.worker) for said in refused}
        door.command = command(3, "release")
        time.sleep(0.5)
        survivors = {said.worker for said in refused}
        assert {service.last()[worker] for worker in survivors} == {"Halted"}
        at = boottime()
        with Pilot("p-1", participant="firm", to=door.address, spool_dir=tmp_path, heartbeat_s=0) as pilot:
            until(lambda: pilot.standing.number == 3)
            assert not pilot.status().leading
            pilot.resume()  # in any process of the machine
        assert {said.worker for said in service.wait("serving", WORKERS - 1, since=at)} == survivors
    door.shutdown()
    door.server_close()


def test_a_pilot_made_before_a_fork_refuses_in_the_child(tmp_path: Path) -> None:
    """No thread in the child would see a halt, so its guard refuses all work; the parent is not affected."""
    with Pilot("p-1", participant="firm", to=MemoryLink(), spool_dir=tmp_path, heartbeat_s=0) as pilot:
        with pilot.guard():
            pass
        child = os.fork()
        if child == 0:
            try:
                with pilot.guard():
                    os._exit(1)
            except Unavailable as error:
                os._exit(0 if "before a fork" in str(error) else 2)
            finally:
                os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with pilot.guard():
            pass
        assert pilot.status().leading
