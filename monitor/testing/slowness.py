"""How much slower a busy machine is than an idle one: what a test multiplies a promised time by."""

from __future__ import annotations

import threading
import time
from types import TracebackType

SPIN_S = 0.02  # processor time of one measurement
EVERY_S = 0.5


class Slowness:
    """Measures all the time, in a thread, how much longer a computation takes than its processor time. Use with `with`.

    `factor` is the largest ratio so far: about 1 where a processor is free, 5 where five processes share it.

    >>> with Slowness() as slowness:
    ...     slowness.factor >= 1.0
    True
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slowness", daemon=True)

    def __enter__(self) -> Slowness:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self.factor = max(self.factor, _ratio())


def _ratio() -> float:
    """Elapsed time of a computation by its processor time."""
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < SPIN_S:
        pass
    return (time.monotonic() - began) / SPIN_S
