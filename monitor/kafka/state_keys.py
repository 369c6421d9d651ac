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

    Values are for recovery: after `drop_values`, only keys are remembered.
    """

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], bytes] = {}  # (kind, pilot) -> value of the highest epoch
        self._epochs: dict[tuple[str, str], tuple[int, ...]] = {}  # rising
        self._same: dict[
            tuple[int, ...], tuple[int, ...]
        ] = {}  # most entries have keys in the same epochs, and share the tuple
        self._keep_values = True
        self.highest = 0

    def feed(self, raw: bytes | None, value: bytes | None) -> bool:
        """Take one record, in log order; a value of `None` is a tombstone. Returns False, and changes nothing, for a
        record that no owner can have written: its key or its value cannot be read."""
        try:
            kind, epoch, pilot = parse(raw or b"")
            if value is not None:
                DECODERS[kind](value)
        except (ValueError, msgspec.MsgspecError):
            return False
        name = kind, pilot
        self.highest = max(self.highest, epoch)
        epochs = self._epochs.get(name, ())
        if value is None:
            epochs = tuple(e for e in epochs if e != epoch)
        elif epoch not in epochs:
            epochs = tuple(sorted((*epochs, epoch)))
        if epochs:
            self._epochs[name] = self._same.setdefault(epochs, epochs)
            if value is not None and epoch == epochs[-1] and self._keep_values:
                self.values[name] = value
        else:
            self._epochs.pop(name, None)
            self.values.pop(name, None)
        return True

    def drop_values(self) -> None:
        """Forget all values; from now on only keys are remembered."""
        self.values.clear()
        self._keep_values = False

    def others(self, kind: str, epoch: int, pilot: str = "") -> list[bytes]:
        """Keys of the same entry under other epochs: those that need a tombstone when `epoch` writes it."""
        return [key(kind, e, pilot) for e in self._epochs.get((kind, pilot), ()) if e != epoch]

    def alive(self, kind: str, pilot: str = "") -> list[bytes]:
        """Every key of this entry without a tombstone."""
        return [key(kind, e, pilot) for e in self._epochs.get((kind, pilot), ())]
