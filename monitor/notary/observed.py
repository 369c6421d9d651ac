"""Compares the observations of closed periods in a replay with the evidence in ledgers, row by row.

Where counts differ, the telemetry in the history is not the one that was counted: the first such period says where,
even if no decision differs. Evidence that is not in the ledger yet, or is from before its log begins, is not compared.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from monitor.model.canonical import canonical
from monitor.model.records import Evidence
from monitor.notary import verify
from monitor.notary.compare import Difference, ledger_names
from monitor.notary.evidence_entries import observation_row
from monitor.notary.format import EVIDENCE

Row = dict[str, Any]


class Period(NamedTuple):
    """What an observation is of: a period of an indicator and segment, and whether it is a late revision."""

    indicator: str
    segment: str
    start: int
    late: bool


class Observed(Struct, frozen=True):
    """An observation that is not the same: `verdict` is `different`, `missing` in the ledger or `extra` there. `end` of
    the period (ms)."""

    verdict: str
    pilot: str
    period: Period
    end: int
    differences: tuple[Difference, ...] = ()


class ObservationComparison:
    """Give `take` every replayed observation, then read `rest`. Rows are read in step with the replay, so memory does
    not grow while both agree. Raises Damage."""

    def __init__(self, path: Path, pilots: frozenset[str]) -> None:
        files: dict[str, list[tuple[int, Path]]] = defaultdict(list)
        for file, name in ledger_names(path):
            if name.log == EVIDENCE and (not pilots or name.subject in pilots):
                files[name.subject].append((name.year, file))
        self._logs = {pilot: _Log(file for _, file in sorted(those)) for pilot, those in files.items()}
        self.same = 0

    @property
    def present(self) -> bool:
        """Whether there is evidence in these ledgers."""
        return bool(self._logs)

    def take(self, one: Evidence) -> Observed | None:
        """Compare one observation. `None`: it is the same, or judged in `rest`."""
        log = self._logs.get(one.pilot)
        if log is None or one.end < log.first:
            return None
        period = Period(one.indicator, one.segment, one.start, one.late)
        row, found = observation_row(one), log.find(period)
        if found is None:
            log.unfound.append((period, one.end, log.matches))
            return None
        if row != found and (row := json.loads(canonical(row))) != found:
            return Observed("different", one.pilot, period, one.end, tuple(_differences(found, row)))
        self.same += 1
        return None

    def rest(self) -> Iterator[Observed]:
        """What one side lacks. Only between rows that both have: before, the log had not begun; behind, ledger or
        history had ended."""
        for pilot, log in sorted(self._logs.items()):
            for period, end, matches in log.unfound:
                if 0 < matches < log.matches:
                    yield Observed("missing", pilot, period, end)
            for period, end in log.passed_over():
                yield Observed("extra", pilot, period, end)


class _Log:
    """The rows of one pilot in their order, read as far as they are asked for. `first` is the end of the first period,
    `matches` how many rows were found, `unfound` (period, end, `matches` then) is what was not."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._rows = (row for file in files for row in _rows(file))
        self._passed: dict[Period, deque[tuple[int, Row, int]]] = defaultdict(deque)
        self._next = next(self._rows, None)
        self._place = self._furthest = 0
        self.first = self._next[2] if self._next else 0
        self.matches = 0
        self.unfound: list[tuple[Period, int, int]] = []

    def find(self, period: Period) -> Row | None:
        """The next row of a period, or `None`."""
        if passed := self._passed.get(period):
            place, row, _ = passed.popleft()
            return self._found(place, row)
        while self._next is not None:
            (known, row, end), self._next = self._next, next(self._rows, None)
            self._place += 1
            if known == period:
                return self._found(self._place, row)
            self._passed[known].append((self._place, row, end))
        return None

    def passed_over(self) -> Iterator[tuple[Period, int]]:
        """The rows that were not found although a later one was."""
        for period, rows in self._passed.items():
            for place, _, end in rows:
                if place < self._furthest:
                    yield period, end

    def _found(self, place: int, row: Row) -> Row:
        self._furthest = max(self._furthest, place)
        self.matches += 1
        return row


def _rows(file: Path) -> Iterator[tuple[Period, Row, int]]:
    for entry in verify.entries(file):
        if not entry.type.typed:
            continue
        record = entry.record()
        for row in record.get("observations", ()):
            yield Period(row["indicator"], row["segment"], row["start"], row.get("late", False)), row, record["at"]


def _differences(recorded: Row, replayed: Row) -> Iterator[Difference]:
    for name in sorted(recorded.keys() | replayed.keys()):
        if recorded.get(name) != replayed.get(name):
            yield Difference(name, recorded.get(name), replayed.get(name))
