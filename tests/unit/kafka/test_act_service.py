"""The thread that delivers outlives a decision at which delivering fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from monitor.act import Deliver
from monitor.kafka.act_service import deliver_until
from monitor.kafka.reader_reports import ReaderReports
from monitor.projections.metrics import Metrics


class _FailsOnce(Deliver):
    """Fails at the first run, and ends the second."""

    def __init__(self, over: threading.Event) -> None:
        super().__init__({})
        self.over, self.runs = over, 0

    def run(self, clock: Callable[[], int], sleep: Callable[[float], Any], stopped: Callable[[], bool]) -> None:
        self.runs += 1
        if self.runs == 1:
            raise ValueError("a decision that an actor cannot take")
        self.over.set()


def test_delivery_goes_on_after_a_failure() -> None:
    """The failure is counted, and the next decisions are delivered."""
    over, metrics = threading.Event(), Metrics()
    deliver = _FailsOnce(over)
    deliver_until(deliver, over, ReaderReports(metrics))
    assert deliver.runs == 2
    assert b"sandbox_monitor_reader_failures_total 1.0" in metrics.exposition()
