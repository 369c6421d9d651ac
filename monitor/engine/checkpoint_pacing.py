"""Decides when to write a checkpoint, so that writing takes at most a fifth of the time."""

from __future__ import annotations

SHARE = 5  # writing may take at most 1/SHARE of the time
LONGEST_MS = 60_000  # longest wait: after a crash, everything since the last checkpoint is stepped again


class CheckpointPacer:
    """Decides when a checkpoint is due from the time that the last ones took. Pure: times are arguments (ms of any
    steady clock). `every` is the shortest wait (ms).

    >>> pacer = CheckpointPacer(5_000)
    >>> pacer.start(0)
    >>> pacer.due(4_999), pacer.due(5_000)
    (False, True)
    >>> pacer.took(5_000, 7_000)  # two seconds of writing: eight seconds without must follow
    >>> pacer.due(14_999), pacer.due(15_000)
    (False, True)
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.wait = every
        self._since = 0

    def start(self, now: int) -> None:
        """The state of `now` (ms) is written."""
        self._since = now

    def due(self, now: int) -> bool:
        """Returns whether state should be written at `now` (ms)."""
        return now - self._since >= self.wait

    def took(self, began: int, ended: int) -> None:
        """A checkpoint was written from `began` to `ended` (ms)."""
        self._since = ended
        self.wait = min(max(self.every, (SHARE - 1) * (ended - began)), max(self.every, LONGEST_MS))
