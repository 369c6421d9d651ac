"""Snapshots that begin with a mark, so that they are told from that of a pilot, which begins with a number. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class MarkedSnapshot(Generic[T]):
    """Encodes values of one `type_` as snapshots that begin with `mark`, and decodes them."""

    def __init__(self, mark: str, type_: type[T]) -> None:
        self._mark, self._head = mark, msgspec.msgpack.encode(mark)
        self._decoder = msgspec.msgpack.Decoder(tuple[str, type_])  # type: ignore[valid-type]

    def encode(self, value: T) -> bytes:
        """The bytes of the snapshot."""
        return msgspec.msgpack.encode((self._mark, value))

    def decode(self, raw: bytes) -> T | None:
        """The value of a snapshot; `None` for one with another mark or none, and for damaged bytes."""
        if raw[1 : 1 + len(self._head)] != self._head:
            return None
        try:
            value: T = self._decoder.decode(raw)[1]
        except msgspec.MsgspecError:
            return None
        return value
