"""Failpoints: end or freeze this very process at a named place, the n-th time it gets there.

`SANDBOX_FAILPOINT="after_write:kill@5"` kills it (SIGKILL) at the fifth write, just after the outputs are durable and
before anything else happens. Several are separated by commas. The places are those that the runner names.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping

VARIABLE = "SANDBOX_FAILPOINT"
ACTIONS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "stop": signal.SIGSTOP}


def parse(text: str) -> dict[tuple[str, int], signal.Signals]:
    """Read `place:action@n` entries. Raises `ValueError` for anything else.

    >>> parse("after_write:kill@5")
    {('after_write', 5): <Signals.SIGKILL: 9>}
    """
    found = {}
    for entry in filter(None, text.split(",")):
        place, _, rest = entry.partition(":")
        action, _, times = rest.partition("@")
        if not place or action not in ACTIONS or not times.isdecimal():
            raise ValueError(f"{entry!r} is no failpoint; write place:kill@n, place:term@n or place:stop@n")
        found[place, int(times)] = ACTIONS[action]
    return found


def from_environment(environment: Mapping[str, str] = os.environ) -> Callable[[str], None]:
    """The failpoint function for a runner; one that does nothing unless the variable is set."""
    wanted = parse(environment.get(VARIABLE, ""))
    hits: Counter[str] = Counter()

    def reach(place: str) -> None:
        if not wanted:
            return
        hits[place] += 1
        number = wanted.get((place, hits[place]))
        if number is not None:
            os.kill(os.getpid(), number)

    return reach
