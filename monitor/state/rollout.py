"""What is remembered of the rollout of a pilot: the cap on users in force, and what was counted before its step began.
Values only; `monitor/decide/rollout.py` changes them. Pure.

A pilot in the first step of a rollout, or without one, has `FIRST_STEP`, and its snapshot leaves it out.
"""

from __future__ import annotations

from msgspec import Struct

from monitor.charter.spec import Charter
from monitor.state.tally import Tally


class Rollout(Struct, array_like=True, frozen=True, gc=False):
    """The step in force, by its `cap` (0: the first one), since when (ms; `None`: the pilot began with it), how many
    steps `began` before it, the share of alpha (`restart`) and the number of `halts` of the pilot when it began, and
    the totals of each stream at that moment (`marks`). New fields are appended, with defaults."""

    cap: int = 0
    since: int | None = None
    began: int = 0
    restart: int = 1
    halts: int = 0
    marks: dict[str, Tally] = {}


FIRST_STEP = Rollout()


def step_in_force(charter: Charter, rollout: Rollout, halts: int) -> int:
    """The index of the step in force under a charter with steps: the last one whose cap is not above the one that was
    reached, else the first. A halt since it began takes it back by one. An amendment whose steps would allow more users
    is refused (`monitor/decide/control_acts.py`)."""
    steps = charter.rollout or ()
    reached = max((i for i, step in enumerate(steps) if step.cap <= rollout.cap), default=0)
    return max(reached - (halts > rollout.halts), 0)


def cap_in_force(charter: Charter, rollout: Rollout, halts: int) -> int | None:
    """The most users that the pilot may have now; `None` without a cap."""
    if not charter.rollout:
        return charter.users.cap
    return charter.rollout[step_in_force(charter, rollout, halts)].cap


def since_mark(tally: Tally, mark: Tally) -> Tally:
    """What was counted after the totals were `mark`."""
    return Tally(
        tally.first,
        tally.complete - mark.complete,
        tally.partial - mark.partial,
        max(tally.k - mark.k, 0.0),
        max(tally.m - mark.m, 0.0),
        max(tally.extra - mark.extra, 0.0),
    )
