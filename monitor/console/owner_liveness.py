"""When each partition's owner was last heard: a board that nobody feeds any more must not look calm. Pure; times in ms."""

from __future__ import annotations

SILENT_MS = 30_000
"""An owner that lives is heard every ten seconds, or at each checkpoint while it catches up."""


class Heard:
    """What is written to a partition's logs by its owner. One that was never heard is silent `silent_ms` after somebody listened."""

    def __init__(self, silent_ms: int = SILENT_MS) -> None:
        self.silent_ms = silent_ms
        self.at: dict[int, int | None] = {}
        self._since: dict[int, int] = {}

    def listen(self, partition: int, now: int) -> None:
        """From now on something is to be heard of this partition."""
        self._since.setdefault(partition, now)
        self.at.setdefault(partition, None)

    def hear(self, partition: int, at: int) -> None:
        """Its owner wrote something. What is told late makes nobody older; later than `silent_ms` it is the clock that was set
        back: what stood before would hide a death for as long."""
        self._since.setdefault(partition, at)
        known = self.at.get(partition) or 0
        self.at[partition] = at if known - at > self.silent_ms else max(at, known)

    @property
    def last(self) -> int | None:
        """When the partition that has been silent for longest was heard; `None` while one was never heard, or there is none."""
        heard = [at for at in self.at.values() if at is not None]
        return min(heard) if heard and len(heard) == len(self.at) else None

    def silent(self, now: int) -> list[int]:
        """Partitions of which nothing has been heard for longer than `silent_ms`."""
        return [p for p, at in sorted(self.at.items()) if now - (self._since[p] if at is None else at) > self.silent_ms]
