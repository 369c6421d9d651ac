"""The wall clock: the only place that reads it. Pure code takes the time as an argument."""

from __future__ import annotations

import time


def wall_ms() -> int:
    """Milliseconds since 1970-01-01T00:00:00Z, as this machine's clock has it. It may step back."""
    return time.time_ns() // 1_000_000
