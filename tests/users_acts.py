"""Acts of the users' channel, for tests that try every act."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from monitor.charter.act_base import ControlBase
from monitor.charter.users_acts import (
    MOST_ITEMS,
    ComplaintAnswer,
    ComplaintFiling,
    ComplaintWithdrawal,
    RedressStep,
    UserComplaint,
    UserDeparture,
)
from monitor.model.events import instant


def names(rng: Random, among: int = 1 << 128, most: int = 8) -> tuple[str, ...]:
    """Pseudonyms, from a set of that size."""
    return tuple(f"{rng.randrange(among):032x}" for _ in range(rng.randint(1, most)))


def users_acts(by: Callable[[], dict[str, Any]], at: int, rng: Random, most: int = 8) -> Iterator[ControlBase]:
    """The acts; `by()` are id, pilot and author of the next, `at` (ms) is now. Some ids are repeated."""
    for among in (20, 1 << 128):
        filed = names(rng, among, most)
        times = [instant(at - rng.randrange(3 * 3_600_000)) for _ in filed]
        segment = rng.choice(["", "north", "elsewhere"])
        complaints = [
            UserComplaint(complaint=name, time=time, segment=segment) for name, time in zip(filed, times, strict=True)
        ]
        yield ComplaintFiling(**by(), complaints=tuple(complaints))
        yield RedressStep(**by(), step="asked", complaints=filed)
        yield ComplaintAnswer(**by(), complaints=filed[: MOST_ITEMS // 2], text="a" * 64)
        yield RedressStep(**by(), step=rng.choice(["given", "refused"]), complaints=filed)
    yield ComplaintWithdrawal(**by(), complaints=names(rng, 20))
    yield UserDeparture(**by(), users=names(rng, 20))
