"""What is remembered of a pilot for its assessments and its exit. Values only; `monitor/decide/exits.py` changes them.
Pure.

A pilot of which nothing of this is known has `NOT_REVIEWED`, and its snapshot leaves it out.
"""

from __future__ import annotations

from msgspec import Struct

MOST_APPROVALS = 16  # remembered; two are needed


class Review(Struct, array_like=True, frozen=True, gc=False):
    """Times in ms; `None` = never. `loud`: when it last was at level escalate or above; `assessed`: when it was last
    assessed; `fell_due`: when the assessment that is due fell due. `approvals` are people who approve its exit, given
    for `approved`: the hash of the charter and the share of alpha then in force. `tracked_until`: end of its routine
    supervision. `halts` is how often it was halted. New fields are appended, with defaults."""

    loud: int | None = None
    assessed: int | None = None
    fell_due: int | None = None
    approvals: tuple[str, ...] = ()
    approved: str = ""
    tracked_until: int | None = None
    halts: int = 0


NOT_REVIEWED = Review()
