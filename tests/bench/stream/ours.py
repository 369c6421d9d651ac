"""Our worker with its whole delivery rule: fence, journal, transactions, checkpoints, every acknowledgement awaited."""

from __future__ import annotations

import asyncio
import os
import threading

from monitor.kafka.app import build_worker, require_worker_topics, run_worker
from monitor.kafka.settings import WorkerSettings
from monitor.kafka.worker_service import warm_up
from monitor.projections.metrics import Metrics
from monitor.validate.rejections import RejectionReason
from tests.bench.stream.job import Meter, arguments


class Metered(Metrics):
    """The worker's own metrics, which also clock the run."""

    def clock(self, events: int) -> None:
        """Count up to `events`, then have the process end."""
        self.meter = Meter(events)

    def stepped(self, seconds: float, events: int) -> None:
        """A batch was stepped and its outputs are acknowledged."""
        super().stepped(seconds, events)
        if not self.meter.began:
            self.meter.start()
            self.meter.began -= seconds
            self.meter.cpu -= seconds
        if self.meter.add(events):
            threading.Timer(0.1, os._exit, (0,)).start()


def main() -> None:
    bootstrap, prefix, events = arguments()
    settings = WorkerSettings(bootstrap=bootstrap, group=prefix, prefix=prefix)
    warm_up()
    asyncio.run(require_worker_topics(settings, None))
    metrics = Metered(rejections=[why.value for why in RejectionReason])
    metrics.clock(events)
    run_worker(build_worker(settings, metrics=metrics), loglevel="WARN")


main()
