"""A participant's service as a separate process, to be halted, cut off and killed.

It works without pause, a small piece every few milliseconds in each of its worker processes, reports exposure, and
writes a line of JSON for each change of what the guard says. `Service` starts one and reads its lines:

    with Service(to=f"http://127.0.0.1:{port}", pilot="p-1", participant="firm-1", spool=tmp_path) as service:
        service.wait("serving")
"""

from __future__ import annotations

import contextlib
import json
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


class Said(Struct, frozen=True):
    """A worker said that its guard now answers `state`: `serving`, or the name of the error. `at` and `sent` are
    nanoseconds of CLOCK_BOOTTIME: when, and when the last heartbeat was sent that a permit answered (0: none); so is
    `served`, when the last piece of work began (0: none). `wall` is what the process takes for the time of day (s)."""

    worker: int
    at: int
    state: str
    sent: int
    leading: bool
    served: int
    wall: int


class Service:
    """One service with `workers` processes. `settings` go to `Pilot`; `lies` goes on serving through a halt. With
    `clock`, a file, its time of day is what libfaketime makes of it, and `move_clock` moves that."""

    def __init__(
        self,
        *,
        to: str,
        pilot: str,
        participant: str,
        spool: Path,
        workers: int = 1,
        lies: bool = False,
        clock: Path | None = None,
        **settings: Any,
    ) -> None:
        given = {"to": to, "pilot": pilot, "participant": participant, "spool_dir": str(spool), **settings}
        command = [sys.executable, "-m", "monitor.testing.service"]
        command.append(json.dumps({"settings": given, "workers": workers, "lies": lies, "faked": clock is not None}))
        self.said: list[Said] = []
        self._clock = clock
        self.move_clock(0)
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=None if clock is None else {**os.environ, **faked(clock)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.said.append(Said(**json.loads(line)))
                self._changed.notify_all()

    def wait(self, state: str, workers: int = 1, since: int = 0, timeout: float = 60.0) -> list[Said]:
        """The first word `state` of each of so many workers at or after `since`. Raises `Unavailable` after `timeout`
        seconds."""

        def found() -> dict[int, Said]:
            first: dict[int, Said] = {}
            for said in self.said:
                if said.state == state and said.at >= since:
                    first.setdefault(said.worker, said)
            return first

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= workers, timeout):
                raise Unavailable(f"no {state} of {workers} within {timeout:g} s: {self.said[-5:]}")
            return list(found().values())

    def last(self) -> dict[int, str]:
        """The last word of each worker."""
        with self._changed:
            return {said.worker: said.state for said in self.said}

    def move_clock(self, seconds: int) -> None:
        """From now on its time of day is the true one and so many seconds."""
        if self._clock is not None:
            fresh = self._clock.with_suffix(".new")
            fresh.write_text(f"{seconds:+d}")
            fresh.replace(self._clock)

    def suspend(self) -> None:
        """SIGSTOP to all of its processes: suspended, as on a machine that sleeps."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def wake(self) -> None:
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
    """The environment in which a process's time of day is moved by what stands in the file `clock`, and no other clock
    is. Raises `Unavailable` without libfaketime."""
    for library in sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")):
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
    raise Unavailable("no libfaketime: deploy/local/install-test-servers.sh installs it from Debian")


def work(settings: dict[str, Any], lies: bool, faked: bool) -> None:
    """One worker, until it is killed."""
    from monitor.sdk import Halted, Lapsed, Pilot
    from monitor.sdk.clock import boottime

    if faked:  # libfaketime 0.9.10 refuses the absolute clock_nanosleep that Python's own sleep is made of
        time.sleep = lambda seconds: select.select([], [], [], float(seconds)) and None
    clock, last, case, reported, served = boottime(), "", 0, 0.0, 0
    if lies:
        settings = {**settings, "serving": lambda: True}
    pilot = Pilot(**settings, guard_timeout=0.05)
    while True:
        case += 1
        asked = clock()
        try:
            with pilot.guard(f"case-{os.getpid()}-{case}"):
                state, served = "serving", asked
        except (Halted, Lapsed, Unavailable) as error:
            state = type(error).__name__
        now = time.monotonic()
        if (state == "serving" or lies) and now - reported > 0.2:
            reported = now
            pilot.exposure(1, "decisions")
        if state != last:
            last, lease = state, pilot._guard.lease
            leading = pilot.status().leading
            said = Said(os.getpid(), clock(), state, lease.sent if lease else 0, leading, served, int(time.time()))
            os.write(1, json.dumps({name: getattr(said, name) for name in said.__struct_fields__}).encode() + b"\n")
        time.sleep(0.003)


def main() -> None:
    """Fork the workers, as a pre-forking server does, and wait for the end."""
    given = json.loads(sys.argv[1])
    for _ in range(given["workers"]):
        if os.fork() == 0:
            work(given["settings"], given["lies"], given["faked"])
    signal.pause()


if __name__ == "__main__":
    main()
