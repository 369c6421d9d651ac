"""A participant's service as a separate process, to be halted, cut off and killed.

Each of its worker processes does a piece of work every few milliseconds and reports exposure; it writes a line of JSON
whenever the state of its guard changes. `Service` starts one and reads its lines:

    with Service(to=f"http://127.0.0.1:{port}", pilot="p-1", participant="firm-1", spool=tmp_path) as service:
        service.wait("serving")
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from msgspec import Struct

from monitor.errors import Unavailable
from monitor.logs import TEXT, EventLogger

LOG = EventLogger("monitor.testing")
SHOWN_LINES = 200  # of the log of a service, when a wait fails
DUMP_S = 1.0  # that a service has to write the state of its threads


class GuardChange(Struct, frozen=True):
    """The guard of one worker process changed to `state`: `serving`, or the name of the error. Nanoseconds of
    CLOCK_BOOTTIME, 0 for never: `at` (the change), `sent` (the last heartbeat that a permit answered), `served` (start
    of the last piece of work). `wall` is the wall clock of the process (s)."""

    worker: int
    at: int
    state: str
    sent: int
    leading: bool
    served: int
    wall: int


class Service:
    """One service with `workers` processes. `settings` go to `Pilot`. With `ignores_halt` it goes on serving through a
    halt. With `clock`, a file, libfaketime sets its wall clock, and `move_clock` shifts it. Its log is `log`, next to
    `spool`."""

    def __init__(
        self,
        *,
        to: str,
        pilot: str,
        participant: str,
        spool: Path,
        workers: int = 1,
        ignores_halt: bool = False,
        clock: Path | None = None,
        **settings: Any,
    ) -> None:
        given = {"to": to, "pilot": pilot, "participant": participant, "spool_dir": str(spool), **settings}
        command = [sys.executable, "-m", "monitor.testing.service"]
        command.append(
            json.dumps(
                {"settings": given, "workers": workers, "ignores_halt": ignores_halt, "faked": clock is not None}
            )
        )
        self.changes: list[GuardChange] = []
        self.log = spool.with_name(f"{spool.name}.log")
        self._clock = clock
        self.move_clock(0)
        self._changed = threading.Condition()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=None if clock is None else {**os.environ, **faked(clock)},
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.changes.append(GuardChange(**json.loads(line)))
                self._changed.notify_all()

    def wait(self, state: str, workers: int = 1, since: int = 0, timeout: float = 60.0) -> list[GuardChange]:
        """Block until so many workers have changed to `state` at or after `since`; returns the first such change of
        each. Raises `Unavailable` after `timeout` seconds, with the log of the service and what its threads do."""

        def found() -> dict[int, GuardChange]:
            first: dict[int, GuardChange] = {}
            for change in self.changes:
                if change.state == state and change.at >= since:
                    first.setdefault(change.worker, change)
            return first

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= workers, timeout):
                seen = f"no {state} of {workers} within {timeout:g} s: {self.changes[-5:]}"
                raise Unavailable(f"{seen}\n{self._described()}")
            return list(found().values())

    def wait_in(self, state: str, since: int, timeout: float = 60.0) -> list[GuardChange]:
        """`wait`, but a worker that was in `state` at `since` counts with the change that led to it."""
        with self._changed:
            before = {change.worker: change for change in self.changes if change.at < since}
        return [now for now in before.values() if now.state == state] or self.wait(state, since=since, timeout=timeout)

    def _described(self) -> str:
        """The end of its log, after its workers have written their status and the stacks of their threads to it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGUSR1)
        time.sleep(DUMP_S)
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-SHOWN_LINES:])

    def last(self) -> dict[int, str]:
        """The current state of each worker."""
        with self._changed:
            return {change.worker: change.state for change in self.changes}

    def move_clock(self, seconds: int) -> None:
        """Shift its wall clock by so many seconds from now on."""
        if self._clock is not None:
            fresh = self._clock.with_suffix(".new")
            fresh.write_text(f"{seconds:+d}")
            fresh.replace(self._clock)

    def suspend(self) -> None:
        """SIGSTOP to all of its processes, as on a suspended machine."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()


def faked(clock: Path) -> dict[str, str]:
    """Environment variables that shift the wall clock of a process by the content of the file `clock`; other clocks are
    not shifted. Raises `Unavailable` without libfaketime."""
    for library in sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")):
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
    raise Unavailable("no libfaketime: deploy/local/install-test-servers.sh installs it from Debian")


def work(settings: dict[str, Any], ignores_halt: bool, faked: bool) -> None:
    """One worker, until it is killed."""
    from monitor.sdk import Halted, Lapsed, Pilot
    from monitor.sdk.clock import boottime

    if faked:  # libfaketime 0.9.10 refuses the absolute clock_nanosleep that Python's own sleep is made of
        time.sleep = lambda seconds: select.select([], [], [], float(seconds)) and None
    clock, last, case, reported, served = boottime(), "", 0, 0.0, 0
    if ignores_halt:
        settings = {**settings, "serving": lambda: True}
    pilot = Pilot(**settings, guard_timeout=0.05)
    signal.signal(signal.SIGUSR1, lambda *_: LOG.warning("service.status", detail=pilot.status()))
    faulthandler.register(signal.SIGUSR1, chain=True)
    while True:
        case += 1
        asked = clock()
        try:
            with pilot.guard(f"case-{os.getpid()}-{case}"):
                state, served = "serving", asked
        except (Halted, Lapsed, Unavailable) as error:
            state = type(error).__name__
        now = time.monotonic()
        if (state == "serving" or ignores_halt) and now - reported > 0.2:
            reported = now
            pilot.exposure(1, "decisions")
        if state != last:
            last, lease = state, pilot._guard.lease
            leading = pilot.status().leading
            change = GuardChange(
                os.getpid(), clock(), state, lease.sent if lease else 0, leading, served, int(time.time())
            )
            os.write(1, json.dumps({name: getattr(change, name) for name in change.__struct_fields__}).encode() + b"\n")
        time.sleep(0.003)


def main() -> None:
    """Fork the workers, as a pre-forking server does, and wait for the end."""
    logging.basicConfig(level=logging.INFO, format=TEXT)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # for the workers
    given = json.loads(sys.argv[1])
    for _ in range(given["workers"]):
        if os.fork() == 0:
            work(given["settings"], given["ignores_halt"], given["faked"])
    signal.pause()


if __name__ == "__main__":
    main()
