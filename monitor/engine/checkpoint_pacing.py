"""Pace: how often state is written, so that writing it takes at most a fifth of the time."""

from __future__ import annotations

SHARE = 5  # at most one part in so many
LONGEST_MS = 60_000  # never wait longer: what was not written is stepped again after a crash


class CheckpointPacer:
    """Decides when a checkpoint is due from what the last ones took. Pure: times are arguments (ms of any steady clock).

    >>> pace = CheckpointPacer(5_000)
    >>> pace.start(0)
    >>> pace.due(4_999), pace.due(5_000)
    (False, True)
    >>> pace.took(5_000, 7_000)  # two seconds of writing: eight without it must follow
    >>> pace.due(14_999), pace.due(15_000)
    (False, True)
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.wait = every
        self._since = 0

    def start(self, now: int) -> None:
        """What stands at `now` (ms) is written."""
        self._since = now

    def due(self, now: int) -> bool:
        """Whether state should be written at `now` (ms)."""
        return now - self._since >= self.wait

    def took(self, began: int, ended: int) -> None:
        """A checkpoint was written from `began` to `ended` (ms)."""
        self._since = ended
        self.wait = min(max(self.every, (SHARE - 1) * (ended - began)), max(self.every, LONGEST_MS))
