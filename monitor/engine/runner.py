"""Runner: recover, read, step, write, checkpoint - one partition over a `Log`, whichever store that is.

The input of the machine is fixed by the journal: telemetry up to `telemetry_next`, then control up to `control_next`,
then the time. Telemetry is stepped as it arrives; control and time only after their journal entry is durable. One
write per call carries all outputs; recovery never emits outputs up to `through` twice. Any exception leaves the outcome
unknown - a write that failed may have been written -, so the process must exit and recover.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, Protocol

from msgspec import UNSET

from monitor.engine.checkpoint_pacing import CheckpointPacer
from monitor.engine.log import Checkpoint, Journalled, Log, Recovery
from monitor.engine.machine import Machine
from monitor.errors import LogBroken
from monitor.logs import EventLogger
from monitor.model.events import instant
from monitor.model.records import Claim, ControlRead, Outputs, Position, Reason, Record, Skipped, TimeRead
from monitor.model.shadow_records import ShadowSummary

logger = EventLogger(__name__)

CHUNK = 5_000  # records stepped between two writes while recovering
WRITE_OUTPUTS = 250  # outputs of one transaction while telemetry is stepped in turns: some 15 ms
FIRST_PORTION = 256  # records before the first write of a topic, when it is not known how many outputs they have
END = 1 << 62
NONE: Mapping[str, str] = {}


class StateMachine(Protocol):
    """What a runner asks of a state machine. `monitor.engine.machine` is the first stage,
    `monitor.common_cause.machine` the second."""

    dirty: set[str]

    @property
    def notify_at(self) -> int | None:
        """When it wants a `time` (ms)."""

    def snapshots(self, pilots: Iterable[str]) -> dict[str, bytes | None]:
        """States as bytes; under "" the partition's own."""

    def restore(self, snapshots: dict[str, bytes]) -> None:
        """Take up where snapshots left off."""

    def telemetry(self, topic: str, records: Sequence[Record]) -> Outputs:
        """Step records of one topic. Between two journal entries no result may depend on how topics were
        interleaved."""

    def telemetry_steps(self, topic: str, records: Sequence[Record]) -> Generator[None, None, Outputs]:
        """The same in steps, between which records of another topic may be stepped."""

    def control(self, record: Record) -> Outputs:
        """Step one control record."""

    def time(self, now: int) -> Outputs:
        """Step to a journalled time (ms)."""

    @property
    def unreadable(self) -> Collection[str]:
        """Pilots whose snapshot could not be read, and that are not set aside yet."""

    def set_aside(self, pilots: Collection[str]) -> Outputs:
        """Continue without these pilots until they are admitted again."""

    def lost(self, lost: dict[str, tuple[int, int]], keys: Mapping[str, str]) -> Outputs:
        """Advance past telemetry that retention deleted unread: topic -> first offset lost, first kept. Of the topics
        in `keys`, an operator skipped the last record of the range: see `Skipped`."""


if TYPE_CHECKING:
    from typing_extensions import TypeVar

    M = TypeVar("M", bound=StateMachine, default=Machine)
else:
    from typing import TypeVar

    M = TypeVar("M")


class Runner(Generic[M]):
    """Owns one partition. `clock` (ms, any steady clock) only paces checkpoints; it never reaches the machine.
    `on_outputs` and `on_checkpoint` are called after each durable write.

    After `recover`, the caller reads each telemetry topic from `next_telemetry` (a missing topic from its beginning)
    and control from `next_control`, and calls `telemetry`, `control` and `time`. While `replaying` it calls
    `telemetry` only.
    """

    def __init__(
        self,
        log: Log,
        *,
        clock: Callable[[], int],
        machine: Callable[[int, int], M] = Machine,  # type: ignore[assignment]
        checkpoint_every_ms: int = 5_000,
        on_outputs: Callable[[Outputs], None] | None = None,
        on_checkpoint: Callable[[], None] | None = None,
        owner: str = "",
        failpoint: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._log = log
        self._clock = clock
        self._make = machine
        self._pace = CheckpointPacer(checkpoint_every_ms)
        self._on_outputs = on_outputs
        self._on_checkpoint = on_checkpoint
        self._owner = owner
        self._failpoint = failpoint
        self._through: Position | None = None
        self._journal = 0
        self._advanced = False
        self._turns = 0  # calls of `telemetry_in_turns` that have not ended
        self._portion: dict[str, int] = {}  # records of the next write, by topic, where they are stepped in turns
        self._begun: dict[str, int] = {}  # outputs of the next record that are written, by topic
        self.machine = machine(log.partition, 0)
        self.epoch = 0
        self.fruitless = 0  # owners in a row before this one that made no step
        self.next_telemetry: dict[str, int] = {}
        self.next_control = 0

    @property
    def notify_at(self) -> int | None:
        """When the machine wants a `time` (ms)."""
        return self.machine.notify_at

    @property
    def replaying(self) -> bool:
        """Whether the outputs of what is stepped now were already written by an earlier owner."""
        return not self._reached(self.next_telemetry, self._journal)

    @property
    def position(self) -> Position:
        """The position of this owner in all logs."""
        return Position(dict(self.next_telemetry), self.next_control, self._journal, dict(self._begun) or UNSET)

    # ---- recover

    async def recover(self) -> None:
        """Claim the partition, restore its state, step the journalled range again and emit the outputs that
        are not written yet.

        Raises Fenced or LogBroken.
        """
        found: Recovery = await self._log.claim()
        self.epoch, self.fruitless = found.epoch, found.fruitless
        self.machine = self._make(self._log.partition, found.epoch)
        self._restore(found.snapshots)
        self._through = found.through
        self.next_telemetry = dict(found.watermark.telemetry)
        self.next_control = found.watermark.control
        self._journal = found.watermark.journal
        for row in found.journal:
            await self._replay_entry(row)
            self._failpoint("replayed")
        self._pace.start(self._clock())

    def _restore(self, snapshots: dict[str, bytes]) -> None:
        """Restore the snapshots piece by piece, so that their bytes are freed while pilots are made. Garbage
        collection is off meanwhile: nothing of this is garbage, and looking for some takes as long as the
        restoring."""
        collects = gc.isenabled()
        gc.disable()
        try:
            while snapshots:
                self.machine.restore(dict(snapshots.popitem() for _ in range(min(CHUNK, len(snapshots)))))
        finally:
            if collects:
                gc.enable()

    async def _replay_entry(self, row: Journalled) -> None:
        """Step up to and including one journal entry that an earlier owner wrote."""
        entry = row.entry
        if isinstance(entry, Claim):
            self._journal = row.offset + 1
            return
        for topic in sorted(entry.telemetry_next):
            stop = entry.telemetry_next[topic]
            while self.next_telemetry.get(topic, 0) < stop:
                start = self.next_telemetry.get(topic, 0)
                records = await self._log.telemetry(topic, start, min(stop, start + CHUNK))
                if records:
                    await self._step_telemetry(topic, records)
                else:
                    self.next_telemetry[topic] = min(stop, start + CHUNK)
        records = []
        while self.next_control < entry.control_next:
            read = await self._log.control(self.next_control, entry.control_next)
            if not read:
                break
            records.extend(read)
            self.next_control = read[-1].next
        self.next_control = max(self.next_control, entry.control_next)
        if isinstance(entry, Skipped):
            await self._step_skipped(records, row, entry)
        elif isinstance(entry, ControlRead):
            await self._step_control(records, row)
        else:
            await self._step_time(records, row)

    # ---- read and step

    async def telemetry(self, topic: str, records: Sequence[Record]) -> None:
        """Step telemetry records of one topic, in offset order. Records below `next_telemetry[topic]` are skipped."""
        await self._step_telemetry(topic, records)
        await self._checkpoint_if_due()

    async def telemetry_in_turns(self, topic: str, records: Sequence[Record]) -> AsyncIterator[None]:
        """The same, giving way after each step and after each write: another topic may be stepped then. Records are
        written in portions of about `WRITE_OUTPUTS` outputs, and a record that has more in parts; each write has the
        position behind it. Nothing is journalled and no checkpoint is written before it ends; abandon it only with the
        partition."""
        start = self.next_telemetry.get(topic, 0)
        through = self._through.telemetry.get(topic, 0) if self._through else 0
        if start < through or self._written_of_next(topic) or (records and records[0].offset < start):
            await self.telemetry(topic, records)
            return
        self._turns += 1
        at = 0
        while at < len(records):
            size = self._portion.get(topic, FIRST_PORTION)
            portion = records[at : at + size]
            at += len(portion)
            steps = self.machine.telemetry_steps(topic, portion)
            while True:
                try:
                    next(steps)
                except StopIteration as done:
                    outputs: Outputs = done.value
                    break
                yield
            outputs.newest_permits()
            self._portion[topic] = _next_portion(size, len(portion), len(outputs))
            *parts, last = outputs.in_parts(WRITE_OUTPUTS if len(portion) == 1 else len(outputs) or 1)
            for part in parts:
                self._begun[topic] = self._begun.get(topic, 0) + len(part)
                await self._write(part)
                yield
            self._begun.pop(topic, None)
            self.next_telemetry[topic] = portion[-1].next
            self._advanced = True
            await self._write(last)
            if at < len(records):
                yield
        self._turns -= 1
        await self._checkpoint_if_due()

    async def control(self, records: Sequence[Record]) -> None:
        """Journal that control is read up to the last of `records`, then step them. Never while `replaying`, and only
        when the telemetry that stood in the log when they were read has been stepped: an owner whose state was lost
        would otherwise step in another order than the one whose outputs are written."""
        records = [r for r in records if r.offset >= self.next_control]
        if not records:
            return
        self._refuse_while_replaying("control")
        await self._set_aside_unreadable()
        self._failpoint("before_append")
        entry = ControlRead(self.epoch, dict(self.next_telemetry), records[-1].next)
        # The order of control and telemetry must be durable before any output depends on it: a later owner then
        # steps the same records in the same order, and so emits the same bytes.
        row = await self._log.append(entry)
        self._failpoint("after_append")
        self.next_control = entry.control_next
        await self._step_control(records, row)
        await self._checkpoint_if_due()

    async def time(self) -> None:
        """Journal the time and step to it. Only when telemetry has been read to its end, never while `replaying`."""
        self._refuse_while_replaying("time")
        await self._set_aside_unreadable()
        self._failpoint("before_append")
        # `now` is the log-append time, so it is durable before timers fire; a clock that was read here could not be
        # replayed.
        row = await self._log.append(TimeRead(self.epoch, dict(self.next_telemetry), self.next_control))
        self._failpoint("after_append")
        await self._step_time([], row)
        await self._checkpoint_if_due()

    @property
    def written(self) -> dict[str, int]:
        """The offset of each telemetry topic below which outputs are written: an earlier owner stepped so far."""
        return {} if self._through is None else dict(self._through.telemetry)

    async def skip(self, lost: dict[str, tuple[int, int]], keys: Mapping[str, str] = NONE) -> None:
        """Journal that these offsets of telemetry (topic -> first lost, first kept) were deleted unread, or skipped by
        an operator (`keys`, see `Skipped`), and continue after them: recovery and replay do the same. Only right after
        `recover`, where each first lost offset is `next_telemetry`.

        Raises LogBroken while `replaying`: decisions were emitted from what is lost, so the state cannot be computed
        again.
        """
        self._refuse_while_replaying("a loss of telemetry")
        if any(self.next_telemetry.get(topic, 0) != first for topic, (first, _) in lost.items()):
            raise ValueError("what is skipped must begin where telemetry is to be read next")
        entry = Skipped(self.epoch, dict(self.next_telemetry), self.next_control, lost, keys=dict(keys) or UNSET)
        row = await self._log.append(entry)
        self._failpoint("after_append")
        await self._step_skipped([], row, entry)
        await self.checkpoint()

    async def _set_aside_unreadable(self) -> None:
        """Journal the pilots whose state cannot be read, and continue without them: a replay does the same. Never while
        `replaying`. The checkpoint keeps later owners from doing it again."""
        pilots = tuple(sorted(self.machine.unreadable))
        if not pilots:
            return
        logger.error("pilot.set_aside", stage="record", partition=self._log.partition, pilots=" ".join(pilots))
        entry = Skipped(self.epoch, dict(self.next_telemetry), self.next_control, {}, pilots)
        row = await self._log.append(entry)
        self._failpoint("after_append")
        await self._step_skipped([], row, entry)
        await self.checkpoint()

    async def checkpoint(self) -> None:
        """Write the states that changed and the watermark now. Returns once they are durable. Raises LogBroken while
        telemetry is stepped in turns."""
        if self._turns:
            raise LogBroken("a checkpoint was asked for while telemetry is stepped in turns")
        await self._write(Outputs(), force=True)

    # ---- what the three inputs share

    async def _step_telemetry(self, topic: str, records: Sequence[Record]) -> None:
        start = self.next_telemetry.get(topic, 0)
        if records and records[0].offset < start:
            records = [r for r in records if r.offset >= start]
        if not records:
            return
        through = self._through.telemetry.get(topic, 0) if self._through else 0
        if start < through:  # its outputs are written: step it, discard the outputs
            cut = next((i for i, r in enumerate(records) if r.offset >= through), len(records))
            self.machine.telemetry(topic, records[:cut])
            records, done = records[cut:], records[:cut]
            self.next_telemetry[topic] = through if records else done[-1].next
            self._advanced = True
            if not records:
                return
        if written := self._written_of_next(topic):  # an earlier owner ended within the outputs of this record
            outputs = self.machine.telemetry(topic, records[:1])
            outputs.newest_permits()
            (outputs,) = outputs.in_parts(len(outputs) or 1, written)
            self.next_telemetry[topic] = records[0].next
            self._advanced = True
            await self._write(outputs)
            records = records[1:]
            if not records:
                return
        outputs = self.machine.telemetry(topic, records)
        self.next_telemetry[topic] = records[-1].next
        self._advanced = True
        await self._write(outputs)

    def _written_of_next(self, topic: str) -> int:
        """How many outputs of the next record an earlier owner has written."""
        old, start = self._through, self.next_telemetry.get(topic, 0)
        if old is None or old.begun is UNSET or topic in self._begun or old.telemetry.get(topic, 0) != start:
            return 0
        return old.begun.get(topic, 0)

    async def _step_control(self, records: Sequence[Record], row: Journalled) -> None:
        outputs = Outputs()
        for record in records:
            outputs.extend(self.machine.control(record))
        await self._after_entry(outputs, row)

    async def _step_time(self, records: Sequence[Record], row: Journalled) -> None:
        outputs = Outputs()
        for record in records:
            outputs.extend(self.machine.control(record))
        outputs.extend(self.machine.time(row.received))
        await self._after_entry(outputs, row)

    async def _step_skipped(self, records: Sequence[Record], row: Journalled, entry: Skipped) -> None:
        outputs = Outputs()
        for record in records:
            outputs.extend(self.machine.control(record))
        for topic, (_, kept) in entry.lost.items():
            self.next_telemetry[topic] = max(self.next_telemetry.get(topic, 0), kept)
        outputs.extend(self.machine.lost(entry.lost, entry.keys or {}))
        if entry.aside:
            outputs.extend(self.machine.set_aside(entry.aside))
        await self._after_entry(outputs, row)

    async def _after_entry(self, outputs: Outputs, row: Journalled) -> None:
        replaying = self._through is not None and row.offset < self._through.journal
        self._journal = row.offset + 1
        self._advanced = True
        if not replaying:
            await self._write(outputs)
            self._log_outage(outputs)
            self._log_failed_shadows(outputs)

    def _log_outage(self, outputs: Outputs) -> None:
        """Log an outage of the monitor, for the operator who started it again."""
        gaps = [d for d in outputs.decisions if d.reason is Reason.MONITOR_GAP and d.finding.period_start is not None]
        if gaps:
            start, end = (
                instant(at or 0).isoformat(timespec="milliseconds")
                for at in (gaps[0].finding.period_start, gaps[0].finding.period_end)
            )
            logger.warning(
                "monitor.outage",
                stage="detect",
                partition=self._log.partition,
                start=start,
                end=end,
                pilots=len(gaps),
            )

    def _log_failed_shadows(self, outputs: Outputs) -> None:
        """Log shadow charters that ended with an error: nothing else depends on them."""
        for one in outputs.shadows:
            if isinstance(one, ShadowSummary) and one.ended == "failed":
                logger.error("shadow.failed", stage="decide", pilot=one.pilot, shadow=one.shadow, error=one.detail)

    # ---- write and checkpoint

    async def _write(self, outputs: Outputs, force: bool = False) -> None:
        if not outputs and not force:
            return
        outputs.newest_permits()
        began = self._clock()
        due = force or (not self._turns and not self.replaying and self._pace.due(began))
        self._failpoint("before_checkpoint" if due else "before_write")
        checkpoint = Checkpoint(self.position, self.machine.snapshots(self.machine.dirty)) if due else None
        # Record before act: actors, services and callbacks see outputs only once they are durable, together with the
        # position that keeps the next owner from emitting them again. If this raises, the outputs may have been
        # written: nothing is retried here, as only `claim` can tell.
        await self._log.write(outputs, self._furthest() if outputs else None, checkpoint)
        if outputs:
            self._through = self._furthest()
        if due:
            self.machine.dirty.clear()  # only now: a state that is not durable has to be written by the next checkpoint
            self._advanced = False
            self._pace.took(began, self._clock())
            if self._on_checkpoint is not None:
                self._on_checkpoint()
        self._failpoint("after_checkpoint" if due else "after_write")
        if outputs and self._on_outputs is not None:
            self._on_outputs(outputs)

    async def _checkpoint_if_due(self) -> None:
        if self._advanced and not self._turns and not self.replaying and self._pace.due(self._clock()):
            await self._write(Outputs(), force=True)

    def _furthest(self) -> Position:
        """Up to where all outputs are written: this position, or an earlier owner's `through` where that is further."""
        here, old = self.position, self._through or Position()
        topics = here.telemetry.keys() | old.telemetry.keys()
        telemetry = {t: max(here.telemetry.get(t, 0), old.telemetry.get(t, 0)) for t in sorted(topics)}
        begun = {
            topic: count
            for at in (old, here)
            for topic, count in (at.begun or {}).items()
            if at.telemetry.get(topic, 0) == telemetry.get(topic, 0)
        }
        return Position(telemetry, max(here.control, old.control), max(here.journal, old.journal), begun or UNSET)

    def _reached(self, telemetry: dict[str, int], journal: int) -> bool:
        old = self._through
        if old is None:
            return True
        return journal >= old.journal and all(telemetry.get(t, 0) >= at for t, at in old.telemetry.items())

    def _refuse_while_replaying(self, what: str) -> None:
        if self._turns:
            raise LogBroken(f"{what} was offered while telemetry is stepped in turns")
        if self.replaying:
            raise LogBroken(f"{what} was offered before the outputs of the last owner were reached")


def _next_portion(size: int, records: int, outputs: int) -> int:
    """How many records to step before the next write, after this many of at most `size` had this many outputs."""
    if outputs > WRITE_OUTPUTS:
        return max(1, records * WRITE_OUTPUTS // outputs)
    return min(CHUNK, max(size, 2 * records))
