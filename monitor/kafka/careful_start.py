"""Narrows down the record at which a worker ends again and again. Pure.

A worker that ends inside a batch leaves no trace of where: the next one starts at the last checkpoint and meets the
same record. After two starts without a step, each batch is followed by a checkpoint, and with each further start the
first batches become smaller, until the partition's position is the offset of the record.
"""

from __future__ import annotations

from collections import Counter

FRUITLESS = 2  # earlier starts without a step from which on a start is careful
SIZES = (1, 20, 500)  # records of a batch; the first start that is careful begins with the last of them
WINDOW = 100  # batches of one size, then those of the next begin


class CarefulStart:
    """`fruitless`: processes in a row before this one that claimed the partition and made no step.

    >>> third = CarefulStart(2)
    >>> third.batch("t", 20_000), third.stepped("t", 50_000), third.batch("t", 20_000)
    (500, None, 20000)
    >>> CarefulStart(4).batch("t", 20_000), CarefulStart(0).batch("t", 20_000), CarefulStart(0).active
    (1, 20000, False)
    """

    def __init__(self, fruitless: int) -> None:
        first = max(0, len(SIZES) - 1 + FRUITLESS - fruitless)
        self._sizes = SIZES[first:] if fruitless >= FRUITLESS else ()
        self._stepped: Counter[str] = Counter()

    def batch(self, topic: str, usual: int) -> int:
        """How many records of the topic to step at once."""
        end = 0
        for size in self._sizes:
            end += size * WINDOW
            if self._stepped[topic] < end:
                return min(usual, size)
        return usual

    @property
    def active(self) -> bool:
        """Whether each batch is to be followed by a checkpoint."""
        return bool(self._sizes)

    def stepped(self, topic: str, records: int) -> None:
        """Note a batch."""
        self._stepped[topic] += records
