"""Keys and values of the state topic: who wrote which snapshot in which epoch, and where it stands.

Each key carries the epoch of its writer. Compaction keeps the last record of a key, so a late write of an older owner
can never hide a newer owner's record. The older key gets a tombstone in the transaction that replaces it: apart, a
crash between the two would leave either both values or none.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from monitor.kafka.output_routes import decode_written
from monitor.model.output_records import HIGHEST_EPOCH
from monitor.model.records import Position

SNAPSHOT = "snapshot"
WATERMARK = "!watermark"
THROUGH = "!through"
WRITTEN = "!written"


class Snapshot(Struct, array_like=True, frozen=True):
    """A pilot's state as bytes, and the checkpoint's position it stands at."""

    position: Position
    state: bytes


class Watermark(Struct, array_like=True, frozen=True):
    """Where the last checkpoint stands, and the epoch that was in force at that place of the journal."""

    position: Position
    in_force: int


encode = msgspec.msgpack.encode
decode_snapshot = msgspec.msgpack.Decoder(Snapshot).decode
decode_watermark = msgspec.msgpack.Decoder(Watermark).decode
decode_position = msgspec.msgpack.Decoder(Position).decode


DECODERS: dict[str, Callable[[bytes], object]] = {
    SNAPSHOT: decode_snapshot,
    WATERMARK: decode_watermark,
    THROUGH: decode_position,
    WRITTEN: decode_written,
}


def key(kind: str, epoch: int, pilot: str = "") -> bytes:
    """The bytes of a state key.

    >>> key(SNAPSHOT, 7, "pilot/a")
    b'snapshot/7/pilot/a'
    """
    return f"{kind}/{epoch}/{pilot}".encode()


def parse(raw: bytes) -> tuple[str, int, str]:
    """Kind, epoch and pilot of a state key. Raises `ValueError` for anything else.

    >>> parse(b'snapshot/7/pilot/a')
    ('snapshot', 7, 'pilot/a')
    """
    kind, number, pilot = raw.decode().split("/", 2)
    epoch = int(number) if len(number) <= 16 else -1
    if kind not in DECODERS or not 0 <= epoch <= HIGHEST_EPOCH or key(kind, epoch, pilot) != raw:
        raise ValueError(f"not a state key: {raw!r}")
    return kind, epoch, pilot


class LiveKeys:
    """The state topic folded: the value of the highest epoch of each entry, and every key without a tombstone.

    A value that cannot be read changes nothing, except under a key of a snapshot. There it may be damage to what an
    owner wrote, and compaction removes the readable record of this key before it: `damaged` names the pilots whose
    newest snapshot it is, so that no older one is used, which may lack a halt. `foreign` are keys of such values whose
    epoch is above that of every checkpoint: no owner wrote them, as each snapshot is written in one transaction with
    its watermark. The first checkpoint must remove them: from then on their epoch is that of an owner.

    Values are for recovery: after `drop_values`, only keys are remembered.
    """

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], bytes] = {}  # (kind, pilot) -> readable value of the highest epoch
        self._epochs: dict[tuple[str, str], tuple[int, ...]] = {}  # of readable values, rising
        self._unreadable: dict[str, tuple[int, ...]] = {}  # pilot -> epochs of unreadable snapshots, rising
        self._same: dict[
            tuple[int, ...], tuple[int, ...]
        ] = {}  # most entries have keys in the same epochs, and share the tuple
        self._keep_values = True
        self.highest = 0

    def feed(self, raw: bytes | None, value: bytes | None) -> bool:
        """Take one record, in log order; a value of `None` is a tombstone. Returns False for a record that no owner can
        have written as it is: its key or its value cannot be read. It raises no epoch and replaces no value."""
        try:
            kind, epoch, pilot = parse(raw or b"")
        except ValueError:
            return False
        try:
            if value is not None:
                DECODERS[kind](value)
        except (ValueError, msgspec.MsgspecError):
            if kind == SNAPSHOT:
                self._mark_unreadable(pilot, epoch)
            return False
        name = kind, pilot
        if value is not None:  # an owner writes a tombstone together with a value under its own key, which is newer
            self.highest = max(self.highest, epoch)
        if kind == SNAPSHOT and pilot in self._unreadable:
            self._forget_unreadable(pilot, epoch)
        epochs = self._epochs.get(name, ())
        if value is None:
            epochs = tuple(e for e in epochs if e != epoch)
        elif epoch not in epochs:
            epochs = tuple(sorted((*epochs, epoch)))
        self._set_epochs(name, epochs)
        if value is not None and epoch == epochs[-1] and self._keep_values:
            self.values[name] = value
        return True

    def _set_epochs(self, name: tuple[str, str], epochs: tuple[int, ...]) -> None:
        if epochs:
            self._epochs[name] = self._same.setdefault(epochs, epochs)
        else:
            self._epochs.pop(name, None)
            self.values.pop(name, None)

    def _mark_unreadable(self, pilot: str, epoch: int) -> None:
        """The record replaces the one of the same key, as compaction will."""
        name = SNAPSHOT, pilot
        self._unreadable[pilot] = tuple(sorted({*self._unreadable.get(pilot, ()), epoch}))
        if epoch in self._epochs.get(name, ()):
            self._set_epochs(name, tuple(e for e in self._epochs[name] if e != epoch))

    def _forget_unreadable(self, pilot: str, epoch: int) -> None:
        left = tuple(e for e in self._unreadable.pop(pilot) if e != epoch)
        if left:
            self._unreadable[pilot] = left

    def damaged(self) -> list[str]:
        """Pilots whose newest snapshot of an owner cannot be read, sorted. Call it when the topic is read to its end:
        the watermark of a snapshot follows it."""
        checkpoint = self._last(WATERMARK)
        return sorted(
            pilot
            for pilot, epochs in self._unreadable.items()
            if max((e for e in epochs if e <= checkpoint), default=-1) > self._last(SNAPSHOT, pilot)
        )

    def foreign(self) -> list[tuple[str, bytes]]:
        """Pilot and key of each unreadable snapshot that no owner wrote. Call it as `damaged`."""
        checkpoint = self._last(WATERMARK)
        return [
            (pilot, key(SNAPSHOT, epoch, pilot))
            for pilot, epochs in self._unreadable.items()
            for epoch in epochs
            if epoch > checkpoint
        ]

    def _last(self, kind: str, pilot: str = "") -> int:
        """The highest epoch of the readable values of an entry; -1 when there is none."""
        return self._epochs.get((kind, pilot), (-1,))[-1]

    def drop_values(self) -> None:
        """Forget all values; from now on only keys are remembered."""
        self.values.clear()
        self._keep_values = False

    def others(self, kind: str, epoch: int, pilot: str = "") -> list[bytes]:
        """Keys of the same entry under other epochs: those that need a tombstone when `epoch` writes it."""
        return [raw for raw in self.alive(kind, pilot) if raw != key(kind, epoch, pilot)]

    def alive(self, kind: str, pilot: str = "") -> list[bytes]:
        """Every key of this entry without a tombstone."""
        unreadable = self._unreadable.get(pilot, ()) if kind == SNAPSHOT else ()
        return [key(kind, e, pilot) for e in (*self._epochs.get((kind, pilot), ()), *unreadable)]
