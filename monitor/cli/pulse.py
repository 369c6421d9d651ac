"""Progress of long work on stderr: one line that is overwritten on a terminal, else a new line every 15 s."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

EVERY_S = 0.2  # on a terminal
SELDOM_S = 15.0  # in a file


class Pulse:
    """Call `beat` often: it writes every 0.2 s on a terminal, else every 15 s. `quiet`: writes nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self._terminal = sys.stderr.isatty()
        self._every = EVERY_S if self._terminal else SELDOM_S
        self._quiet = quiet
        self._next = time.monotonic() + self._every
        self._said = False

    def beat(self, words: Callable[..., str], *values: Any) -> None:
        """Write `words(*values)` when the next line is due."""
        if self._quiet or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._every
        sys.stderr.write(f"\r\x1b[K{words(*values)}" if self._terminal else f"{words(*values)}\n")
        sys.stderr.flush()
        self._said = True

    def end(self) -> None:
        """Clear the line."""
        if self._said and self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._said = False
