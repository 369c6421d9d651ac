"""Residents: the pilots of a partition, of which only so many are held in memory; the others sleep as compressed snapshots.

A pilot that is asked for wakes unchanged. Those that were not heard for longest go to sleep first. Nothing that is put out
depends on who sleeps.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, MutableMapping, ValuesView
from heapq import nsmallest
from typing import TypeVar, overload

from monitor.compile.plan import unpacked
from monitor.state.pilot import Pilot, restore, snapshot

AWAKE = 100_000  # pilots held in memory in one partition
T = TypeVar("T")


class Residents(MutableMapping[str, Pilot]):
    """Pilots by name. `woken` is called with each that wakes and `asleep` with the name of each that goes to sleep.

    Iterating over `values` wakes nobody: what it shows of a sleeping pilot is a copy, not to be changed.
    """

    def __init__(
        self, most: int = AWAKE, *, woken: Callable[[Pilot], None], asleep: Callable[[str], None] = lambda name: None
    ) -> None:
        self.most = most
        self.awake: dict[str, Pilot] = {}
        self.asleep: dict[str, tuple[bytes, bytes]] = {}  # a packed charter, shared, and the rest
        self._woken, self._sleeps = woken, asleep

    def __getitem__(self, name: str) -> Pilot:
        pilot = self.awake.get(name)
        if pilot is None:
            pilot = self.awake[name] = _awake(*self.asleep.pop(name))
            self._woken(pilot)
        return pilot

    @overload
    def get(self, name: str, /) -> Pilot | None: ...
    @overload
    def get(self, name: str, default: Pilot | T, /) -> Pilot | T: ...
    def get(self, name: str, default: Pilot | T | None = None, /) -> Pilot | T | None:
        """The pilot of that name, awake, or `default`."""
        pilot = self.awake.get(name)  # not through an exception: this is per batch
        if pilot is None:
            return self[name] if name in self.asleep else default
        return pilot

    def __setitem__(self, name: str, pilot: Pilot) -> None:
        self.asleep.pop(name, None)
        self.awake[name] = pilot

    def __delitem__(self, name: str) -> None:
        if self.asleep.pop(name, None) is None:
            del self.awake[name]

    def __iter__(self) -> Iterator[str]:
        yield from list(self.awake)
        yield from list(self.asleep)

    def __contains__(self, name: object) -> bool:
        return name in self.awake or name in self.asleep

    def __len__(self) -> int:
        return len(self.awake) + len(self.asleep)

    def values(self) -> ValuesView[Pilot]:
        """All pilots, to look at."""
        return _Looking(self)

    def peek(self, name: str) -> Pilot:
        """A pilot to look at, left asleep if it sleeps. Raises KeyError."""
        pilot = self.awake.get(name)
        return _awake(*self.asleep[name]) if pilot is None else pilot

    def raw(self, name: str) -> bytes:
        """The bytes of a pilot's state. Raises KeyError."""
        return snapshot(self.peek(name))

    def settle(self) -> None:
        """Let those sleep that are too many, and a few more, so that this is not done for each one."""
        if len(self.awake) <= self.most:
            return
        for pilot in nsmallest(
            len(self.awake) - self.most * 9 // 10, self.awake.values(), key=lambda p: (p.received, p.id)
        ):
            del self.awake[pilot.id]
            self.asleep[pilot.id] = pilot.plan.packed, zlib.compress(snapshot(pilot, b""), 1)
            self._sleeps(pilot.id)


class _Looking(ValuesView[Pilot]):
    _mapping: Residents

    def __iter__(self) -> Iterator[Pilot]:
        for name in self._mapping:
            yield self._mapping.peek(name)


def _awake(charter: bytes, rest: bytes) -> Pilot:
    return restore(zlib.decompress(rest), unpacked(charter))[0]
