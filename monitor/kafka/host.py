"""What a worker takes from its process: clocks, the garbage collector, and how the process ends. Tests pass a fake."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from msgspec import Struct

from monitor.clock import wall_ms
from monitor.logs import EventLogger

logger = EventLogger(__name__)


def end_process(why: str) -> NoReturn:
    """End at once with exit code 1.

    No clean-up runs: after a write with an unknown outcome, another write by this process could contradict what the
    log holds. The next owner reads the log and knows.
    """
    logger.critical("worker.aborted", detail=why)
    print(f"sandbox-monitor worker ends: {why}", file=sys.stderr, flush=True)
    os._exit(1)


def exit_within(seconds: float) -> None:
    """End the process with exit code 0 after so long, whatever it is waiting for then. Returns at once.

    For an orderly stop that has written everything: what remains is telling the group, and Faust may wait for ever when
    it is asked to stop while it joins.
    """

    def exit_later() -> None:
        time.sleep(seconds)
        os._exit(0)

    threading.Thread(target=exit_later, name="exit", daemon=True).start()


class Host(Struct, frozen=True, kw_only=True):
    """The process. `abort` never returns; `monotonic` is in seconds, `wall` in ms."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], int] = wall_ms
    abort: Callable[[str], NoReturn] = end_process
    exit_within: Callable[[float], None] = exit_within
    collect_garbage: Callable[[], object] = gc.collect
    freeze_heap: Callable[[], None] = gc.freeze
    unfreeze_heap: Callable[[], None] = gc.unfreeze
