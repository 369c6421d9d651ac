"""A shadow charter over a history: what would have been different, had it been in force since some moment. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import structs

from monitor.charter.spec import Charter, hash_of
from monitor.engine.history import EndLine, Header, HistoryLine
from monitor.engine.history_replay import HistoryReplay
from monitor.engine.machine import Machine
from monitor.model.output_records import LAST_MS
from monitor.model.shadow_records import ShadowSummary

NAME = "replay"


class ShadowTrial(HistoryReplay):
    """A replay in which `candidate` runs as a shadow of its pilot from the first act or `time` on that is not before
    `since` (ms) and finds the pilot admitted. Later amendments leave it as it is. `started` is when it began (ms)."""

    def __init__(self, candidate: Charter, since: int = 0) -> None:
        super().__init__(after=self._begin_run)
        self._candidate, self._since = candidate, since
        self.started: int | None = None
        self._summary: ShadowSummary | None = None

    def _begin_run(self, machine: Machine, at: int) -> None:
        name = self._candidate.pilot
        if self.started is not None or at < self._since or name not in machine.pilots:
            return
        live = machine.pilots.peek(name)
        if live.exited or live.standing.halted:
            return
        candidate = self._candidate
        if hash_of(candidate) != live.hash and candidate.version <= live.charter.version:
            candidate = structs.replace(candidate, version=live.charter.version + 1)
        self.started = at
        machine.shadows.start(name, candidate, (at, LAST_MS), LAST_MS, NAME)

    def compare(self, lines: Iterable[Header | HistoryLine | EndLine]) -> Iterator[None]:
        """Step all lines, giving way after each step; then `summary` has the result."""
        for out in self.steps(lines):
            self._take(out.shadows)
            yield
        self._take(self.machine.shadows.finish(self.received).shadows)

    def _take(self, shadows: Iterable[object]) -> None:
        for one in shadows:
            if isinstance(one, ShadowSummary):
                self._summary = one

    @property
    def summary(self) -> ShadowSummary | None:
        """The comparison up to the end of the history, or of the stay; `None`: the pilot never ran in it."""
        return self._summary
