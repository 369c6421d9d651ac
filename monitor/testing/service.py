"""A participant's service as a process of its own, to be halted, cut off and killed.

It works without pause, a small piece every few milliseconds in each of its worker processes, reports exposure, and writes a
line of JSON for each change of what the guard says. `Service` starts one and reads its lines:

    with Service(to=f"http://127.0.0.1:{port}", pilot="p-1", participant="firm-1", spool=tmp_path) as service:
        service.wait("serving")
"""

from __future__ import annotations

import contextlib
import json
import os
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
    """A worker said that its guard now answers `state`: `serving`, or the name of the error. `at` and `sent` are nanoseconds of
    CLOCK_BOOTTIME: when, and when the last heartbeat was sent that a permit answered (0: none)."""

    worker: int
    at: int
    state: str
    sent: int
    leading: bool


class Service:
    """One service with `workers` processes. `settings` go to `Pilot`; `lies` goes on serving through a halt, `shift` moves its
    wall clock by so many seconds half a second after it began to serve."""

    def __init__(
        self,
        *,
        to: str,
        pilot: str,
        participant: str,
        spool: Path,
        workers: int = 1,
        lies: bool = False,
        shift: float = 0.0,
        **settings: Any,
    ) -> None:
        given = {"to": to, "pilot": pilot, "participant": participant, "spool_dir": str(spool), **settings}
        command = [sys.executable, "-m", "monitor.testing.service"]
        command.append(json.dumps({"settings": given, "workers": workers, "lies": lies, "shift": shift}))
        self.said: list[Said] = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.said.append(Said(**json.loads(line)))
                self._changed.notify_all()

    def wait(self, state: str, workers: int = 1, since: int = 0, timeout: float = 20.0) -> list[Said]:
        """The first word `state` of each of so many workers at or after `since`. Raises `Unavailable` after `timeout` seconds."""

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


def work(settings: dict[str, Any], lies: bool, shift: float) -> None:
    """One worker, until it is killed."""
    from monitor.sdk import Halted, Lapsed, Pilot
    from monitor.sdk.clock import boottime

    clock, last, case, reported, first = boottime(), "", 0, 0.0, 0.0
    if lies:
        settings = {**settings, "serving": lambda: True}
    pilot = Pilot(**settings, guard_timeout=0.05)
    while True:
        case += 1
        try:
            with pilot.guard(f"case-{os.getpid()}-{case}"):
                state = "serving"
        except (Halted, Lapsed, Unavailable) as error:
            state = type(error).__name__
        now = time.monotonic()
        if (state == "serving" or lies) and now - reported > 0.2:
            reported = now
            pilot.exposure(1, "decisions")
        if shift and first and now - first > 0.5:
            _move_wall_clock(shift)
            shift = 0.0
        first = first or (now if state == "serving" else 0.0)
        if state != last:
            last, lease = state, pilot._guard.lease
            said = Said(os.getpid(), clock(), state, lease.sent if lease else 0, pilot.status().leading)
            os.write(1, json.dumps({name: getattr(said, name) for name in said.__struct_fields__}).encode() + b"\n")
        time.sleep(0.003)


def _move_wall_clock(shift: float) -> None:
    """Everything that this process asks for the time of day is wrong by so many seconds."""
    import datetime

    from monitor.sdk import build

    true_time, true = time.time, datetime.datetime

    class _Whole(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, true)

    class Shifted(metaclass=_Whole):
        @staticmethod
        def now(tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return true.now(tz) + datetime.timedelta(seconds=shift)

    time.time = lambda: true_time() + shift
    build.datetime = Shifted  # type: ignore[attr-defined, assignment]


def main() -> None:
    """Fork the workers, as a pre-forking server does, and wait for the end."""
    given = json.loads(sys.argv[1])
    for _ in range(given["workers"]):
        if os.fork() == 0:
            work(given["settings"], given["lies"], given["shift"])
    signal.pause()


if __name__ == "__main__":
    main()
