"""When the owner of each partition was last seen: a board that receives no data must not look calm. Pure; times in
ms."""

from __future__ import annotations

SILENT_MS = 30_000
"""A live owner writes at least every ten seconds, or at each checkpoint while it catches up."""


class OwnerLiveness:
    """Last write of each partition's owner. A partition is silent when nothing was written for more than `silent_ms`;
    one without any write, `silent_ms` after `watch`."""

    def __init__(self, silent_ms: int = SILENT_MS) -> None:
        self.silent_ms = silent_ms
        self.seen_at: dict[int, int | None] = {}
        self._since: dict[int, int] = {}

    def watch(self, partition: int, now: int) -> None:
        """Expect writes of this partition's owner from `now` on."""
        self._since.setdefault(partition, now)
        self.seen_at.setdefault(partition, None)

    def mark_alive(self, partition: int, at: int) -> None:
        """The owner wrote something at `at`. A late report does not lower the time; a time more than `silent_ms`
        earlier means that the clock was set back, and it counts: the old time would hide a crash for as long."""
        self._since.setdefault(partition, at)
        known = self.seen_at.get(partition) or 0
        self.seen_at[partition] = at if known - at > self.silent_ms else max(at, known)

    @property
    def last_seen(self) -> int | None:
        """When the longest silent partition was last seen; `None` without partitions or while one was never seen."""
        seen = [at for at in self.seen_at.values() if at is not None]
        return min(seen) if seen and len(seen) == len(self.seen_at) else None

    def silent(self, now: int) -> list[int]:
        """Partitions without a write for more than `silent_ms` at `now`."""
        return [
            p for p, at in sorted(self.seen_at.items()) if now - (self._since[p] if at is None else at) > self.silent_ms
        ]
