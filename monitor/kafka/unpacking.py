"""Decompresses a record batch up to a limit: a batch of 63 KB may hold 64 MB, one of 2 MB 2 GB.

Each codec of Kafka writes into a buffer of `UNPACKED_BYTES`, which is used again for the next batch, and ends when it
is full: neither memory nor time depend on what a batch claims to hold. The result depends on the bytes alone, so every
reader of a log decides alike.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from enum import StrEnum

from cramjam import DecompressionError, gzip, lz4, snappy, zstd

# What one batch may unpack to. A batch is at most 8 MiB as it is stored (`topics.LARGE`), also uncompressed. Batches of
# the SDK are at most 512 KiB unpacked; a client that fills batches of 1 MiB by their compressed size, as Java's does,
# reaches 12 MiB with telemetry, which compresses to a twelfth.
UNPACKED_BYTES = 16 * 1024 * 1024

# Blocks of one batch in the format of snappy-java; its blocks have 32 KiB, so no batch within the limit needs more.
SNAPPY_BLOCKS = 16_384
_SNAPPY_JAVA = bytes([0x82]) + b"SNAPPY" + bytes([0])
_SNAPPY_HEAD = 16

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
_FULL = "failed to write whole buffer"  # what the library says when the buffer is too short


class UnreadableReason(StrEnum):
    """Why records of a batch cannot be read."""

    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable_batch"


class UnreadableBatch(Exception):
    """A batch, or what is left of it, cannot be read. `reason` says why."""

    def __init__(self, reason: UnreadableReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class _Buffers(threading.local):
    """One buffer per thread. Pages of it that no batch reached take no memory."""

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(UNPACKED_BYTES))


_buffers = _Buffers()


def unpack(codec: int, packed: bytes, head: bytes = b"") -> bytes:
    """`head` followed by the decompressed bytes of a batch. `codec` is the compression type of its attributes.

    Raises `UnreadableBatch`: `too_large` beyond `UNPACKED_BYTES`, `unreadable_batch` for an unknown codec and for bytes
    that the codec does not read.
    """
    decode = _CODECS.get(codec)
    if decode is None:
        raise UnreadableBatch(UnreadableReason.UNREADABLE)
    buffer = _buffers.buffer
    try:
        size = decode(packed, buffer)
    except DecompressionError as error:
        full = _FULL in str(error)
        raise UnreadableBatch(UnreadableReason.TOO_LARGE if full else UnreadableReason.UNREADABLE) from error
    return b"".join((head, buffer[:size]))


def _snappy(packed: bytes, buffer: memoryview) -> int:
    if len(packed) <= _SNAPPY_HEAD or not packed.startswith(_SNAPPY_JAVA):
        return _snappy_block(packed, buffer)
    at, filled, blocks = _SNAPPY_HEAD, 0, 0
    while at < len(packed):
        blocks += 1
        if blocks > SNAPPY_BLOCKS:
            raise UnreadableBatch(UnreadableReason.TOO_LARGE)
        if at + 4 > len(packed):
            raise UnreadableBatch(UnreadableReason.UNREADABLE)
        (size,) = struct.unpack_from(">i", packed, at)
        at += 4
        if not 0 < size <= len(packed) - at:
            raise UnreadableBatch(UnreadableReason.UNREADABLE)
        filled += _snappy_block(packed[at : at + size], buffer[filled:])
        at += size
    return filled


def _snappy_block(packed: bytes, buffer: memoryview) -> int:
    if snappy.decompress_raw_len(packed) > len(buffer):
        raise UnreadableBatch(UnreadableReason.TOO_LARGE)
    return int(snappy.decompress_raw_into(packed, buffer)) if packed else 0


_CODECS: dict[int, Callable[[bytes, memoryview], int]] = {
    GZIP: gzip.decompress_into,
    SNAPPY: _snappy,
    LZ4: lz4.decompress_into,
    ZSTD: zstd.decompress_into,
}
