"""A worker whose time is driven: `python -m monitor.testing.driven BOOTSTRAP PREFIX METRICS_PORT LONGEST_STEP_H KEY..`.

For tests in which a year passes in minutes: broker and worker read a wall clock that the test moves
(`monitor/testing/wallclock.py`) in steps of hours, where a real clock runs. It is the worker of `sandbox-monitor
worker` but for three settings: a step of up to `LONGEST_STEP_H` hours between two `time` entries is no outage, `time`
entries are written 20 times a second, and a fetch waits for at most 50 ms. `KEY` are public keys that may admit pilots.
"""

from __future__ import annotations

import sys

from monitor.engine.machine import Machine
from monitor.kafka import time_journal, worker
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.worker_service import Endpoint, serve_worker
from monitor.testing.workers import Worker

HOUR_MS = 3_600_000
TIME_EVERY_MS = 50


class DrivenWorker(Worker):
    """One such worker in a separate process; its options are `LONGEST_STEP_H` and the keys. See `Worker`."""

    def _command(self, bootstrap: str, prefix: str, group: str, options: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "monitor.testing.driven", bootstrap, prefix, str(self.port), *options]


def main() -> None:
    """See the module."""
    bootstrap, prefix, port, hours, *admitters = sys.argv[1:]
    Machine.gap_ms = int(hours) * HOUR_MS
    worker.LONGEST_POLL_S = time_journal.TIMER_EVERY_S = TIME_EVERY_MS / 1000
    settings = WorkerSettings(
        bootstrap=bootstrap, group=prefix, prefix=prefix, admitters=tuple(admitters), time_every_ms=TIME_EVERY_MS,
        session_timeout=60.0, stall=600.0,
    )  # fmt: skip
    serve_worker(
        settings, partitions=None, metrics_at=Endpoint("127.0.0.1", int(port)), loglevel="WARN",
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )  # fmt: skip


if __name__ == "__main__":
    main()
