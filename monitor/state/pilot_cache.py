"""Cache of the pilots of a partition: at most so many are resident as objects, the others are compressed snapshots.

A lookup restores an evicted pilot exactly as it was. The pilots that were silent for longest are evicted first. No
output depends on which pilots are resident.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, MutableMapping, ValuesView
from heapq import nsmallest
from typing import TypeVar, overload

from monitor.compile.plan import unpacked
from monitor.state.pilot import PilotState
from monitor.state.snapshots import restore, snapshot

RESIDENT_PILOTS = 100_000  # default number of pilots of one partition that are kept as objects
T = TypeVar("T")


class PilotCache(MutableMapping[str, PilotState]):
    """Pilots by name. `on_load` is called with each evicted pilot that becomes resident, `on_evict` with the name of
    each pilot that is evicted.

    Iterating over `values` loads no pilot: an evicted pilot is shown as a copy, and changes to that copy are lost.
    """

    def __init__(
        self,
        most: int = RESIDENT_PILOTS,
        *,
        on_load: Callable[[PilotState], None],
        on_evict: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.most = most
        self.resident: dict[str, PilotState] = {}
        self.evicted: dict[str, tuple[bytes, bytes]] = {}  # packed charter (shared between pilots), compressed snapshot
        self._on_load, self._on_evict = on_load, on_evict

    def __getitem__(self, name: str) -> PilotState:
        pilot = self.resident.get(name)
        if pilot is None:
            pilot = self.resident[name] = _decompressed(*self.evicted.pop(name))
            self._on_load(pilot)
        return pilot

    @overload
    def get(self, name: str, /) -> PilotState | None: ...
    @overload
    def get(self, name: str, default: PilotState | T, /) -> PilotState | T: ...
    def get(self, name: str, default: PilotState | T | None = None, /) -> PilotState | T | None:
        """Returns the pilot of that name, loaded if it was evicted, or `default`."""
        pilot = self.resident.get(name)  # a KeyError would cost more, and this runs for each batch
        if pilot is None:
            return self[name] if name in self.evicted else default
        return pilot

    def __setitem__(self, name: str, pilot: PilotState) -> None:
        self.evicted.pop(name, None)
        self.resident[name] = pilot

    def __delitem__(self, name: str) -> None:
        if self.evicted.pop(name, None) is None:
            del self.resident[name]

    def __iter__(self) -> Iterator[str]:
        yield from list(self.resident)
        yield from list(self.evicted)

    def __contains__(self, name: object) -> bool:
        return name in self.resident or name in self.evicted

    def __len__(self) -> int:
        return len(self.resident) + len(self.evicted)

    def values(self) -> ValuesView[PilotState]:
        """All pilots, for reading only."""
        return _ReadOnlyValues(self)

    def peek(self, name: str) -> PilotState:
        """Returns a pilot for reading only; an evicted pilot stays evicted. Raises KeyError."""
        pilot = self.resident.get(name)
        return _decompressed(*self.evicted[name]) if pilot is None else pilot

    def raw(self, name: str) -> bytes:
        """Returns the snapshot of a pilot. Raises KeyError."""
        return snapshot(self.peek(name))

    def evict_excess(self) -> None:
        """Evict pilots down to 90 % of `most` when more than `most` are resident, so that not every lookup evicts
        one."""
        if len(self.resident) <= self.most:
            return
        excess = len(self.resident) - self.most * 9 // 10
        for pilot in nsmallest(excess, self.resident.values(), key=lambda p: (p.received, p.id)):
            del self.resident[pilot.id]
            self.evicted[pilot.id] = pilot.plan.packed, zlib.compress(snapshot(pilot, b""), 1)
            self._on_evict(pilot.id)


class _ReadOnlyValues(ValuesView[PilotState]):
    _mapping: PilotCache

    def __iter__(self) -> Iterator[PilotState]:
        for name in self._mapping:
            yield self._mapping.peek(name)


def _decompressed(charter: bytes, rest: bytes) -> PilotState:
    return restore(zlib.decompress(rest), unpacked(charter))[0]
