"""The epoch filter: which records of one log are in force.

The owner of a partition claims it with an epoch; each claim has a higher one. A record is void when a record with a
higher epoch precedes it in the same log: its writer had been replaced. Readers drop void records.
"""

from __future__ import annotations


class EpochFilter:
    """Follows the records of one log in order. `highest` is the highest epoch so far; a new log begins at 0."""

    __slots__ = ("highest",)

    def __init__(self, highest: int = 0) -> None:
        self.highest = highest

    def accepts(self, epoch: int) -> bool:
        """Return whether the next record, of this epoch, is in force; if so its epoch is the highest from now on.

        >>> of = EpochFilter()
        >>> [of.accepts(epoch) for epoch in (1, 2, 1, 2)]
        [True, True, False, True]
        """
        if epoch < self.highest:
            return False
        self.highest = epoch
        return True
