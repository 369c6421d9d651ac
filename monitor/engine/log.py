"""The Log protocol: everything one partition's owner needs from a log store, and nothing about which store it is.

Implemented by `monitor.testing.memory_log` (tests), `monitor.embedded.sqlite_log` (one process, no broker) and
`monitor.kafka.log` (Kafka). One `Log` object serves one partition of all topics. The same contract suite
(`tests/contract/test_log.py`) meets all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from monitor.model.records import JournalEntry, Outputs, Position, Record


class Journalled(Struct, frozen=True):
    """One journal record as read back: its offset, its log-append time (ms), what it says."""

    offset: int
    received: int
    entry: JournalEntry


class Recovery(Struct, frozen=True):
    """What `claim` found. `watermark` is where the last checkpoint stands; `through` is the position up to which outputs are
    already written, `None` when nothing was ever put out; `snapshots` maps pilot to the checkpointed bytes of its state,
    with the key "" for the partition's own; `journal` are the entries from the watermark on, own claim included, void ones
    (of a lower epoch after a higher claim) left out."""

    epoch: int
    watermark: Position
    through: Position | None
    snapshots: dict[str, bytes]
    journal: tuple[Journalled, ...]


class Checkpoint(Struct, frozen=True):
    """States changed since the last checkpoint (pilot -> bytes, `None` = forget it) and the position they stand at."""

    watermark: Position
    states: dict[str, bytes | None]


class Log(Protocol):
    """One partition, owned. Any error leaves the outcome unknown: the owner must exit and recover, never go on.

    Errors: `Fenced` when a higher epoch has claimed the partition; `LogBroken` when the store does not keep its promise.
    """

    partition: int

    async def claim(self) -> Recovery:
        """Shut out every older owner, read state and journal to their end, append the claim of the next epoch, read up to it.

        After it returns, no write of an older owner can succeed.
        """

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        """Records with `start <= offset < stop` of this partition of a telemetry topic, in order, in bounded chunks: may return
        fewer, but at least one if there is one. Empty only when none exist there (holes left by the store are skipped)."""

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        """The same for the control topic."""

    async def append(self, entry: JournalEntry) -> Journalled:
        """Append to the journal; returns once it is durable. Its `received` is `now` for the machine."""

    async def write(self, outputs: Outputs, through: Position | None, checkpoint: Checkpoint | None) -> None:
        """All or nothing: outputs, `through` (given whenever there are outputs) and the checkpoint become durable and visible
        together, in the order rejected, decisions, commands, permits, evidence, through, states, watermark."""
