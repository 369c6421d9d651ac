"""What is remembered of a pilot for its assessments and its exit. Values only; `monitor/decide/exits.py` changes them.
Pure.

A pilot of which nothing of this is known has `NOT_REVIEWED`, and its snapshot leaves it out.
"""

from __future__ import annotations

from msgspec import Struct

MOST_APPROVALS = 16  # remembered; two are needed


class Approvals(Struct, array_like=True, frozen=True, gc=False):
    """Approvals of one thing, named by `of`: the `people` who approve it, and when each did (`at`, ms)."""

    people: tuple[str, ...] = ()
    at: tuple[int, ...] = ()
    of: str = ""

    def given(self, of: str) -> Approvals:
        """Those that were given for this; none where they were given for something else."""
        return self if self.of == of else Approvals(of=of)

    def plus(self, author: str, at: int) -> Approvals:
        """With one more, in place of an earlier one by the same author."""
        rest = [(name, when) for name, when in zip(self.people, self.at, strict=True) if name != author]
        kept = [*rest, (author, at)][-MOST_APPROVALS:]
        return Approvals(tuple(name for name, _ in kept), tuple(when for _, when in kept), self.of)


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


class Stay(Struct, array_like=True, frozen=True, gc=False):
    """What else is remembered for the end of a stay: when each of `Review.approvals` was given (`approved_at`, ms), who
    approve a charter with a lower `tier`, and how long (`paused`, ms) the pilot was in pauses that ended since it was
    last at level escalate or above, and how many complaints the reporters of the charter filed (`outside`). New fields
    are appended, with defaults."""

    approved_at: tuple[int, ...] = ()
    tier: Approvals = Approvals()
    paused: int = 0
    outside: int = 0


NO_STAY = Stay()


def exit_approvals(review: Review, stay: Stay) -> Approvals:
    """Who approve the exit. Approvals from before their time was kept have none, and do not count."""
    same = len(review.approvals) == len(stay.approved_at)
    return Approvals(review.approvals, stay.approved_at if same else (0,) * len(review.approvals), review.approved)
