"""Progress of long work on stderr: on a terminal one line that is rewritten, elsewhere a line every 30 seconds."""

from __future__ import annotations

import sys
import time
from typing import TextIO

TERMINAL_S = 0.2
LOG_S = 30.0


class Progress:
    """Call it with bytes (or entries) done and in total. Silent for work that ends within the first interval."""

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self._what = what
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._every = TERMINAL_S if self._terminal else LOG_S
        self._next = time.monotonic() + self._every
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        self._shown = True
        text = f"{self._what}: {100 * done // total if total else 0} % of {total:,}"
        print(
            f"\r{text}" if self._terminal else text, end="" if self._terminal else "\n", file=self._stream, flush=True
        )

    def close(self) -> None:
        """Clear the line on a terminal."""
        if self._terminal and self._shown:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
