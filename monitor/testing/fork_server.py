"""A nursery of workers: a process that has imported everything once and forks real workers that start in a moment.

A worker takes three seconds of CPU to import what it needs. A test that kills hundreds of them would spend its time
there. What is forked is what `sandbox-monitor worker` runs: the same app with the same settings, plus a failpoint and a
clock that is wrong by so many ms. Each is a separate process, to be killed, stopped and waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import NoReturn

import msgspec
from msgspec import Struct

from monitor.act import ACTORS
from monitor.engine.failpoint import VARIABLE, from_environment
from monitor.errors import SandboxMonitorError, Unavailable
from monitor.kafka.app import build_worker, require_worker_topics, run_worker
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.worker_service import warm_up
from monitor.projections.metrics import Metrics


class Order(Struct, frozen=True, kw_only=True):
    """One worker to be forked. Times in seconds, `clock_ms` is added to what its Python takes for the time."""

    bootstrap: str
    prefix: str
    log: str
    participants: tuple[str, ...] = ()
    replication: int = 1
    instance: str = ""
    batch: int = 5_000
    session_timeout: float = 3.0
    write_timeout: float = 10.0
    checkpoint_every_ms: int = 1_000
    time_every_ms: int = 500
    stall: float = 20.0
    max_pending_control: int = 10_000
    failpoint: str = ""
    clock_ms: int = 0


class _Said(Struct, frozen=True):
    """What the nursery says: worker `number` has this pid, and (later) has ended with `code`, negative for a signal."""

    number: int
    pid: int
    code: int | None = None


class Child:
    """One forked worker."""

    def __init__(self, nursery: Nursery, number: int, pid: int, log: Path) -> None:
        self.pid, self.log = pid, log
        self._nursery, self._number = nursery, number

    @property
    def code(self) -> int | None:
        """Exit code, negative for a signal; None while it lives."""
        return self._nursery.code(self._number)

    @property
    def running(self) -> bool:
        """Whether it lives (a stopped one does)."""
        return self.code is None

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP holds it."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> bool:
        """Send it a signal; False when it is gone."""
        if not self.running:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False

    async def gone(self, timeout: float) -> int:
        """Wait for its end; returns the code. Raises `TimeoutError` after `timeout` (s)."""
        deadline = time.monotonic() + timeout
        while (code := self.code) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"worker {self.pid} lives after {timeout:.0f} s, see {self.log}")
            await asyncio.sleep(0.02)
        return code


class Nursery:
    """Starts with `with`; every worker that still lives at the end is killed."""

    def __enter__(self) -> Nursery:
        # A fork copies one thread only, so nothing imported there may keep more.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "monitor.testing.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._in, self._out = self._process.stdin, self._process.stdout
        assert self._in is not None
        assert self._out is not None
        if self._out.readline() != b"ready\n":
            raise Unavailable(f"the nursery of workers did not start (exit code {self._process.wait()})")
        os.set_blocking(self._out.fileno(), False)
        self._rest = b""
        self._count = 0
        self._pids: dict[int, int] = {}
        self._codes: dict[int, int] = {}
        return self

    def __exit__(self, *_: object) -> None:
        assert self._in is not None
        assert self._out is not None
        self._in.close()  # it kills what it has forked, and ends
        self._process.wait(20)
        self._out.close()

    async def fork(self, order: Order) -> Child:
        """Start one worker. Its talk goes to `order.log`. Raises `Unavailable` when the nursery is gone."""
        assert self._in is not None
        self._count += 1
        number = self._count
        self._in.write(msgspec.json.encode((number, order)) + b"\n")
        self._in.flush()
        deadline = time.monotonic() + 20
        while number not in self._pids:
            self._hear()
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise Unavailable("the nursery of workers does not fork")
            await asyncio.sleep(0.005)
        return Child(self, number, self._pids[number], Path(order.log))

    def code(self, number: int) -> int | None:
        """Exit code of a worker, None while it lives."""
        self._hear()
        return self._codes.get(number)

    def _hear(self) -> None:
        assert self._out is not None
        while raw := self._out.read(65536):
            *whole, self._rest = (self._rest + raw).split(b"\n")
            for line in whole:
                said = msgspec.json.decode(line, type=_Said)
                if said.code is None:
                    self._pids[said.number] = said.pid
                else:
                    self._codes[said.number] = said.code


# ---- inside the nursery


def main() -> None:
    """Fork a worker for every line of standard input; say when each is born and has ended. At the end of input kill
    all."""
    warm_up()
    children: dict[int, int] = {}  # pid -> number
    print("ready", flush=True)
    rest = b""
    os.set_blocking(0, False)
    while True:
        readable, _, _ = select.select([0], [], [], 0.02)
        if readable:
            raw = os.read(0, 65536)
            if not raw:
                break
            *whole, rest = (rest + raw).split(b"\n")
            for line in whole:
                number, order = msgspec.json.decode(line, type=tuple[int, Order])
                pid = os.fork()
                if pid == 0:
                    _work(order)
                children[pid] = number
                _say(_Said(number, pid))
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            _say(_Said(children.pop(pid), pid, os.waitstatus_to_exitcode(status)))
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _say(said: _Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.flush()


def _work(order: Order) -> NoReturn:
    """Be the worker. Never returns to the nursery's loop, whatever happens."""
    code = 1
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no worker outlives the nursery
        log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, sink in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, sink)
        os.environ[VARIABLE] = order.failpoint
        signal.signal(signal.SIGUSR1, _tell_where)
        _shift(order.clock_ms)
        _run(order)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except Unavailable as error:
        print(f"sandbox-monitor worker: {error}", file=sys.stderr)
        code = 3
    except SandboxMonitorError as error:
        print(f"sandbox-monitor worker: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell_where(*_: object) -> None:
    """What every task and thread of a worker that hangs waits for."""
    faulthandler.dump_traceback()
    for task in asyncio.all_tasks(asyncio.get_event_loop_policy().get_event_loop()):
        task.print_stack()


def _shift(milliseconds: int) -> None:
    """A machine whose clock is wrong, as far as Python code can tell."""
    if milliseconds:
        seconds, nanoseconds = time.time, time.time_ns
        time.time = lambda: seconds() + milliseconds / 1000
        time.time_ns = lambda: nanoseconds() + milliseconds * 1_000_000


def _run(order: Order) -> None:
    settings = WorkerSettings(
        bootstrap=order.bootstrap,
        group=order.prefix,
        prefix=order.prefix,
        participants=order.participants,
        instance=order.instance,
        batch=order.batch,
        session_timeout=order.session_timeout,
        write_timeout=order.write_timeout,
        checkpoint_every_ms=order.checkpoint_every_ms,
        time_every_ms=order.time_every_ms,
        stall=order.stall,
        max_pending_control=order.max_pending_control,
    )
    asyncio.run(require_worker_topics(settings, None, order.replication))
    metrics = Metrics(actors=ACTORS)
    run_worker(build_worker(settings, metrics=metrics, failpoint=from_environment()))


if __name__ == "__main__":
    main()
