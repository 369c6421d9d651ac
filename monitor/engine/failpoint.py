"""Failpoints: kill, terminate or stop this process at a named place, the n-th time that it is reached. For tests.

`SANDBOX_FAILPOINT="after_write:kill@5"` kills it (SIGKILL) at the fifth write, just after the outputs are durable and
before anything else happens. Several failpoints are separated by commas. `PLACES` names every place, in the order of
the protocol.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping

VARIABLE = "SANDBOX_FAILPOINT"
PLACES = {
    "fenced": "older owners are being fenced, nothing is read",
    "state_read": "the state is read to its end, the journal is not",
    "claimed": "the claim is durable, the journal before it is not stepped",
    "replayed": "one journal entry of an earlier owner is stepped again, and its missing outputs are emitted",
    "recovered": "partitions are recovered, no record flows",
    "before_append": "control or time is about to be journalled",
    "after_append": "control or time is journalled, not stepped",
    "before_write": "records are stepped, their outputs are not written",
    "after_write": "outputs are durable, the state is not",
    "before_checkpoint": "records are stepped, neither their outputs nor the state are written",
    "after_checkpoint": "outputs and state are durable",
    "in_transaction": "every line of a transaction is acknowledged, its commit is not requested",
    "committed": "the commit is acknowledged, no caller was notified",
    "hint_committed": "the group has accepted an offset, which is for monitoring only",
    "revoking": "the batch is done, partitions are about to be revoked",
    "leaving": "the batch is done, the last checkpoint of an orderly stop is not written",
}
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
        if place not in PLACES or action not in ACTIONS or not times.isdecimal():
            raise ValueError(f"{entry!r} is not a failpoint; write place:kill@n, place:term@n or place:stop@n")
        found[place, int(times)] = ACTIONS[action]
    return found


def from_environment(environment: Mapping[str, str] = os.environ) -> Callable[[str], None]:
    """Returns the failpoint function for a runner; it does nothing unless the variable is set."""
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
