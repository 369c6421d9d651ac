"""Whether the time in a cosignature can be true. Pure: the times are arguments.

The time says when the checkpoint was the largest one that the witness knew. A cosignature from before the checkpoint
was made, or from the future, states nothing that a reader could use; with ML-DSA-44 the time 0 states nothing at all.
"""

from __future__ import annotations

TOLERANCE_S = 600  # between the clocks of publisher and witness


def time_problem(time_s: int | None, made_s: int, now_s: int) -> str:
    """Why a cosignature of this time cannot be used, with the fix; "" where it can. `made_s` is when the checkpoint
    was made, `now_s` when the answer came, all in seconds since 1970.

    >>> time_problem(1_000_100, 1_000_000, 1_000_200)
    ''
    >>> time_problem(0, 1_000_000, 1_000_200)
    'a cosignature without a time'
    """
    if not time_s:
        return "a cosignature without a time"
    if time_s < made_s - TOLERANCE_S:
        return f"its time is {made_s - time_s} s before the checkpoint was made; set the clocks"
    if time_s > now_s + TOLERANCE_S:
        return f"its time is {time_s - now_s} s in the future; set the clocks"
    return ""
