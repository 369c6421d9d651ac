"""Builders of what the machine puts out, for tests of everything that reads it: each argument left out has a plain value."""

from __future__ import annotations

from typing import Any

from monitor.model import Decision, Evidence, Level, Reason, digest


def decision(pilot: str = "p1", level: Level = Level.HALT, standing: int = 1, **more: Any) -> Decision:
    """A decision; by default the first one of its pilot, a halt because a limit is exceeded.

    >>> decision().reason.value
    'limit_exceeded'
    """
    fields: dict[str, Any] = {
        "id": digest(pilot, standing),
        "participant": "firm",
        "charter": "c",
        "kind": "level",
        "was": Level.NORMAL,
        "reason": Reason.LIMIT_EXCEEDED,
        "at": 1_700_000_000_000,
        "epoch": 1,
        "cause": "event:s#1",
    }
    return Decision(pilot=pilot, level=level, standing=standing, **(fields | more))


def evidence(pilot: str = "p1", end: int = 2_000, **more: Any) -> Evidence:
    """A closed period; by default 3 incidents over an exposure of 10, well under the bar.

    >>> evidence().scores
    {'limit': (1.5, 5.1)}
    """
    fields: dict[str, Any] = {
        "participant": "firm",
        "vendor": "v",
        "data_source": "d",
        "model": "m",
        "indicator": "incidents",
        "segment": "all",
        "kind": "count",
        "start": end - 1_000,
        "k": 3.0,
        "m": 10.0,
        "scores": {"limit": (1.5, 5.1)},
    }
    return Evidence(pilot=pilot, end=end, **(fields | more))
