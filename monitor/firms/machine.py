"""The second stage of firms: the decisions and the evidence of all partitions, folded into one record for each firm.

It is a separate deployment over the same `Log` and runner, as that of vendors (`monitor/common_cause/machine.py`): its
telemetry are the partitions of `decisions` and `evidence`, one topic each. It emits nothing; what it knows are its
snapshots, one for each firm. The result does not depend on the order in which partitions are read, nor on restarts
(`fold.py`). Pure.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from monitor.errors import LogBroken, SetAside
from monitor.firms.fold import FirmsFold
from monitor.model.epochs import EpochFilter
from monitor.model.output_records import OutputRejection, judge_output
from monitor.model.records import Decision, Evidence, Outputs, Record
from monitor.model.subjects import firm_of, firm_subject

VERSION = 1
RECENT = 2_048  # observations of a partition that are recognized when they are written again
SKIPS_KEPT = 1_000  # skipped records that wait to be reported


class _Progress(Struct, array_like=True):
    """Of one partition: the highest epoch read, and digests (8 bytes each) of the last observations, those that its
    owner wrote and those of the owners before it that it has not repeated."""

    epoch: int = 0
    recent: bytes = b""
    before: bytes = b""


class _State(Struct, array_like=True):
    version: int
    progress: dict[str, _Progress]


class FirmsMachine:
    """The state machine of this stage; one partition. See `monitor.engine.machine.Machine` for what a runner asks of
    it."""

    def __init__(self, partition: int = 0, epoch: int = 0) -> None:
        self.partition = partition
        self.epoch = epoch
        self.fold = FirmsFold()
        self.dirty: set[str] = set()
        self.skipped: deque[tuple[str, int, OutputRejection]] = deque(maxlen=SKIPS_KEPT)  # for reports; no result of it
        self._epochs: dict[str, int] = {}
        self._recent: dict[str, list[bytes]] = {}
        self._before: dict[str, list[bytes]] = {}

    # ---- state in and out

    @property
    def notify_at(self) -> int | None:
        """`None`: nothing here waits for a time."""
        return None

    def snapshots(self, names: Iterable[str]) -> dict[str, bytes | None]:
        """The records of the named firms (keys `firm:<id>`), and under "" how far each partition was read."""
        states: dict[str, bytes | None] = {name: self.fold.snapshot(firm_of(name) or "") for name in sorted(set(names))}
        progress = {
            topic: _Progress(epoch, b"".join(self._recent.get(topic, ())), b"".join(self._before.get(topic, ())))
            for topic, epoch in self._epochs.items()
        }
        states[""] = msgspec.msgpack.encode(_State(VERSION, progress))
        return states

    def restore(self, snapshots: dict[str, bytes]) -> None:
        """Restore the state from snapshots. Raises LogBroken when one cannot be read."""
        for name, raw in snapshots.items():
            if name:
                self.fold.restore(firm_of(name) or "", raw)
                continue
            try:
                state = msgspec.msgpack.decode(raw, type=_State)
            except msgspec.MsgspecError as error:
                raise LogBroken(f"the state of the second stage of firms cannot be read: {error}") from error
            if state.version != VERSION:
                raise LogBroken(f"the state of this stage has version {state.version}, this code reads {VERSION}")
            self._epochs = {topic: one.epoch for topic, one in state.progress.items()}
            for topic, one in state.progress.items():
                self._recent[topic], self._before[topic] = _parts(one.recent), _parts(one.before)

    @property
    def unreadable(self) -> Collection[str]:
        """None: a record that cannot be read ends the stage."""
        return ()

    def set_aside(self, pilots: Collection[str]) -> Outputs:
        """Change nothing: this stage has no pilots."""
        return Outputs()

    # ---- the three inputs

    def telemetry_steps(self, topic: str, records: Sequence[Record]) -> Generator[None, None, Outputs]:
        """`telemetry` as a generator whose result are the outputs."""
        yield
        return self.telemetry(topic, records)

    def telemetry(self, topic: str, records: Sequence[Record]) -> Outputs:
        """Fold the records of one partition, `<topic>/<partition>`. What is no output of the monitor is skipped, and
        stands in `skipped`."""
        for record in records:
            found = judge_output(topic.rpartition("/")[0], record.key, record.value, record.headers)
            if isinstance(found, OutputRejection):
                self.skipped.append((topic, record.offset, found))
                continue
            epochs = EpochFilter(self._epochs.get(topic, 0))
            if not epochs.accepts(found.epoch):
                continue
            if epochs.highest > self._epochs.get(topic, 0):  # a new owner
                self._before[topic] = [*self._before.get(topic, ()), *self._recent.pop(topic, ())][-RECENT:]
            self._epochs[topic] = epochs.highest
            if isinstance(found.value, Decision):
                self.fold.decide(found.value)
            elif isinstance(found.value, Evidence) and self._is_new(topic, found.value):
                self.fold.observe(found.value)
        self.dirty |= {firm_subject(name) for name in self.fold.changed}
        self.fold.changed.clear()
        return Outputs()

    def control(self, record: Record) -> Outputs:
        """Refuse: this stage takes no acts."""
        raise SetAside("control", "no_control", "the second stage takes no acts")

    def lost(self, lost: dict[str, tuple[int, int]], keys: Mapping[str, str]) -> Outputs:
        """What the log deleted unread is missing in the records."""
        return Outputs()

    def time(self, now: int) -> Outputs:
        """Nothing here depends on the time."""
        return Outputs()

    def _is_new(self, topic: str, evidence: Evidence) -> bool:
        """Whether an observation was not read before: a new owner of a partition writes again what it cannot know to be
        written. Such repeats follow at once. What one owner writes twice are two observations: late events of one
        period may be equal."""
        name = hashlib.sha256(msgspec.json.encode(evidence)).digest()[:8]
        recent, before = self._recent.setdefault(topic, []), self._before.setdefault(topic, [])
        recent.append(name)
        if len(recent) > RECENT:
            del recent[0]
            before.clear()
        if name not in before:
            return True
        before.remove(name)
        return False


def _parts(digests: bytes) -> list[bytes]:
    return [digests[at : at + 8] for at in range(0, len(digests), 8)]
