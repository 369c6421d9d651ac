"""A Kafka worker in a separate process, to be killed: what tests and trials start next to a broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from monitor.errors import Unavailable
from monitor.testing.ports import free_port


class Worker:
    """One `sandbox-monitor worker`. `options` are further flags of the command line; its output goes to `log`.

    `environment` is added to this process's own, for failpoints and logins; `group` is called like the prefix unless
    named.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        log: Path,
        *options: str,
        environment: dict[str, str] | None = None,
        group: str = "",
    ) -> None:
        self.port = free_port()
        self.log = log
        command = self._command(bootstrap, prefix, group or prefix, options)
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(environment or {})}
            )

    def _command(self, bootstrap: str, prefix: str, group: str, options: tuple[str, ...]) -> list[str]:
        command = [sys.executable, "-m", "monitor", "worker", "--bootstrap", bootstrap, "--prefix", prefix]
        return [*command, "--group", group, "--metrics-port", str(self.port), "--loglevel", "INFO", *options]

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it says that its share is recovered."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def wait_ready(self, timeout: float = 90.0) -> Worker:
        """Return once it is ready. Raises `Unavailable` with the end of its log when it ends or takes longer (s)."""
        deadline = time.monotonic() + timeout
        while not self.ready:
            if not self.running or time.monotonic() > deadline:
                raise Unavailable(f"worker not ready (exit code {self.process.poll()}):\n{self.tail()}")
            time.sleep(0.1)
        return self

    def wait_read(self, events: int, timeout: float = 40.0) -> Worker:
        """Return once it has stepped or rejected so many telemetry events since it started. Raises `Unavailable` after
        `timeout` (s)."""
        deadline = time.monotonic() + timeout
        while (read := self._read_events()) < events:
            if time.monotonic() > deadline:
                raise Unavailable(f"worker read {read:g} of {events} events within {timeout:g} s:\n{self.tail()}")
            time.sleep(0.1)
        return self

    def _read_events(self) -> float:
        counters = ("sandbox_monitor_events_total ", "sandbox_monitor_rejected_total{")
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.metrics().splitlines() if line.startswith(counters))

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout: float = 20.0) -> int:
        """SIGTERM, and wait; returns its exit code. SIGKILL after `timeout` (s)."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def metrics(self) -> str:
        """Its metrics in Prometheus' text format."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
