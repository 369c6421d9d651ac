"""Steps a history (`monitor/engine/history.py`) through the machine again: the same decisions, ids and numbers as when
it was recorded.

Pure: outputs depend on the lines alone, never on `batch` or `fast_path`. `replay --against` reports differences
from a record; `replay --twice` raises `monitor.errors.NotDeterministic` when two replays differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import UNSET

from monitor.charter.spec import Charter
from monitor.engine.history import (
    ConfigurationLine,
    ControlLine,
    EndLine,
    Header,
    HistoryLine,
    JournalLine,
    TelemetryLine,
    record_of,
)
from monitor.engine.machine import Machine
from monitor.errors import HistoryBroken
from monitor.model.records import Claim, Outputs, Record, Skipped, TimeRead

BATCH = 5_000  # telemetry records that are stepped together


class HistoryReplay:
    """One pass over the lines of a file, which may hold several partitions.

    `charters` are those in force by pilot, `headers` and `ends` what the parts say of themselves, `received` is the
    moment (ms) that has been reached, `events` how many valid events have been stepped, `programs` the programs that
    recorded it, each with its beginning (ms); "" where it is not known. `after` is called after each act and `time`
    with the machine and the moment (ms) that it has reached.
    """

    def __init__(
        self, *, batch: int = BATCH, fast_path: bool = True, after: Callable[[Machine, int], None] | None = None
    ) -> None:
        self._batch, self._fast_path, self._after = batch, fast_path, after
        self._machine = Machine()
        self._pending: list[Record] = []
        self._topic = ""
        self._hidden: set[tuple[int, int]] = set()  # (offset, place) of events that are left out
        self._stepped = 0
        self.charters: dict[str, Charter] = {}
        self.headers: list[Header] = []
        self.ends: list[EndLine] = []
        self.received = 0
        self.programs: list[tuple[int, str]] = []

    @property
    def events(self) -> int:
        """Valid events stepped."""
        return self._stepped + self._machine.events

    def steps(self, lines: Iterable[Header | HistoryLine | EndLine]) -> Iterator[Outputs]:
        """Yields the outputs of each step. Raises HistoryBroken when retention has deleted the beginning."""
        for line in lines:
            if isinstance(line, TelemetryLine):
                if self._pending and (line.topic != self._topic or len(self._pending) >= self._batch):
                    yield self._telemetry()
                self._topic = line.topic
                self._pending.append(record_of(line))
                self._hidden.update((line.offset, place) for place in line.left_out)
                continue
            if self._pending:
                yield self._telemetry()
            if isinstance(line, Header):
                self._begin(line)
            elif isinstance(line, EndLine):
                self.ends.append(line)
            else:
                self.received = max(self.received, line.received)
                yield self._act(line)
                if self._after is not None:
                    self._after(self._machine, self.received)

    @property
    def machine(self) -> Machine:
        """The machine of the partition that is stepped."""
        return self._machine

    def _begin(self, header: Header) -> None:
        if header.missing:
            lost = ", ".join(f"{name} before offset {at}" for name, at in sorted(header.missing.items()))
            raise HistoryBroken(
                f"partition {header.partition} is incomplete: retention deleted {lost}; without its beginning it "
                "cannot be replayed; fix: export --telemetry, and replay a charter over that"
            )
        self._stepped += self._machine.events
        self._machine = Machine(header.partition, keyed=header.keyed, control_topic=header.control_topic)
        self._machine.fast_path = self._fast_path
        self.headers.append(header)

    def _telemetry(self) -> Outputs:
        records, self._pending = self._pending, []
        self.received = max(self.received, records[-1].received)
        out = self._machine.telemetry(self._topic, records)
        if self._hidden:
            out.rejected = [r for r in out.rejected if (r.offset, r.index) not in self._hidden]
            self._hidden.clear()
        return out

    def _act(self, line: ControlLine | ConfigurationLine | JournalLine) -> Outputs:
        if isinstance(line, ConfigurationLine):
            return self._machine.use_configuration(line.sandbox, line.digest, line.at, line.received)
        return self._control(line) if isinstance(line, ControlLine) else self._journal(line)

    def _control(self, line: ControlLine) -> Outputs:
        if line.firm_class is not UNSET:
            self._machine.use_class(line.firm_class)
        if line.withheld and isinstance(line.key, str):
            return self._machine.withheld(line.key, line.received)
        out = self._machine.control(record_of(line))
        pilots = self._machine.pilots
        for name in {decision.pilot for decision in out.decisions}:
            if name in pilots:  # not the sandbox itself, nor an applicant
                self.charters[name] = pilots.peek(name).charter
        return out

    def _journal(self, line: JournalLine) -> Outputs:
        entry = line.entry
        if isinstance(entry, Claim):
            self.programs.append((line.received, entry.program or ""))
            self._machine.take_claim(entry)
        elif isinstance(entry, TimeRead):
            return self._machine.time(line.received, unbroken=line.unbroken)
        elif isinstance(entry, Skipped):
            out = self._machine.lost(entry.lost, entry.keys or {})
            out.extend(self._machine.set_aside(entry.aside))
            return out
        return Outputs()  # a `control` entry only orders control: its records stand before it
