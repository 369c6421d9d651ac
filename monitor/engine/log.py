"""The Log protocol: everything one partition's owner needs from a log store, and nothing about which store it is.

Implemented by `monitor.testing.memory_log` (tests), `monitor.embedded.sqlite_log` (one process, no broker) and
`monitor.kafka.log` (Kafka). One `Log` object serves one partition of all topics. All implementations pass the same
contract suite (`tests/contract/test_log.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from monitor.model.records import JournalEntry, Outputs, Position, Record


class Journalled(Struct, frozen=True):
    """One journal record as read back: its offset, its log-append time (ms), and the entry."""

    offset: int
    received: int
    entry: JournalEntry


class Recovery(Struct, frozen=True):
    """What `claim` found.

    `watermark` is the position of the last checkpoint. `through` is the position up to which outputs are already
    written, `None` when nothing was ever emitted; it may be past `watermark`, as outputs are written more often than
    state. `snapshots` maps each pilot to the checkpointed bytes of its state, and the key "" to the state of the
    partition. `journal` holds the entries from the watermark on, this claim included; void entries (of a lower epoch
    after a higher claim) are left out. `fruitless` is how many owners in a row before this one wrote no entry after
    their claim: they ended before they made a step.
    """

    epoch: int
    watermark: Position
    through: Position | None
    snapshots: dict[str, bytes]
    journal: tuple[Journalled, ...]
    fruitless: int = 0


class Checkpoint(Struct, frozen=True):
    """States that changed since the last checkpoint (pilot -> bytes, `None` = delete) and the position they belong
    to."""

    watermark: Position
    states: dict[str, bytes | None]


class Log(Protocol):
    """One partition, owned by one process at a time.

    Every method may wait for the store and blocks its caller meanwhile, never the event loop. Every method may raise
    `Fenced` (a higher epoch has claimed the partition), `LogBroken` (the store does not keep its promise), or an
    error of the store. After any error the outcome is unknown: a write that failed *may have been written*. So the
    owner must never retry or go on; the process ends, and the next `claim` reads what is true.
    """

    partition: int

    async def claim(self) -> Recovery:
        """Fence every older owner, read state and journal to their end, and append the claim of the next epoch.

        Blocks until the claim is durable and read back. After it returns, no write of an older owner can succeed. It
        does not mean that this owner stays the owner: a later claim fences it at any time.
        """

    async def telemetry(self, topic: str, start: int, stop: int) -> Sequence[Record]:
        """Returns records with `start <= offset < stop` of this partition of a telemetry topic, in order and bounded
        in size.

        May return fewer than there are, but at least one if there is one. Empty only when there is none (holes left
        by the store are skipped). Records above `stop` may exist.
        """

    async def control(self, start: int, stop: int) -> Sequence[Record]:
        """The same for the control topic."""

    async def append(self, entry: JournalEntry) -> Journalled:
        """Append to the journal. Returns once it is durable; its `received` is `now` for the machine.

        Success does not mean that the entry takes effect: an owner with a higher epoch ignores entries appended after
        its claim. It also makes no output durable.
        """

    async def write(self, outputs: Outputs, through: Position | None, checkpoint: Checkpoint | None) -> None:
        """Write outputs, `through` (required when there are outputs) and the checkpoint: all of it or nothing.

        Returns once it is durable and visible together, in the order rejected, decisions, commands, permits, evidence,
        shadows, through, states, watermark. Success does not mean that an actor or a service has read an output.
        """
