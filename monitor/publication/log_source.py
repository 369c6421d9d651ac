"""Entries of one log by number, read from the file in which the notary keeps them."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from monitor.errors import LedgerBroken
from monitor.notary.format import FRAME, INDEX_RECORD, LogName, header
from monitor.tlog.merkle import Frontier

_END = struct.Struct(">Q")
_LEAF_AT = _END.size
CHUNK = 4096  # index records in one read


class LogSource(Protocol):
    """Where the entries of a log come from."""

    def read(self, start: int, end: int) -> Sequence[bytes]:
        """The entries `start` to `end` (exclusive), at most 256. Raises LedgerBroken, OSError."""


class LedgerSource:
    """The entries of a ledger file, found through its index. Both are verified by the notary that has them open, and
    the root is compared before a checkpoint is signed."""

    def __init__(self, path: Path, name: LogName | str) -> None:
        self._path, self._index = path, path.with_suffix(".index")
        self._first = len(header(name))

    def read(self, start: int, end: int) -> list[bytes]:
        """See `LogSource`."""
        if start == end:
            return []
        at = max(start - 1, 0) * INDEX_RECORD
        raw = read_range(self._index, at, (end * INDEX_RECORD) - at)
        ends = [_END.unpack_from(raw, place)[0] for place in range(0, len(raw), INDEX_RECORD)]
        begin = ends[0] if start else self._first
        return split_frames(self._path, read_range(self._path, begin, ends[-1] - begin), end - start)

    def root_at(self, size: int) -> bytes:
        """The root of the first `size` entries, from the leaf hashes of the index."""
        tree = Frontier()
        for start in range(0, size, CHUNK):
            raw = read_range(self._index, start * INDEX_RECORD, (min(start + CHUNK, size) - start) * INDEX_RECORD)
            for place in range(_LEAF_AT, len(raw), INDEX_RECORD):
                tree.push(raw[place : place + 32])
        return tree.root()


def split_frames(path: Path, raw: bytes, expected: int) -> list[bytes]:
    """The entries of consecutive frames. Raises LedgerBroken unless there are `expected`."""
    entries, at = [], 0
    while at + FRAME.size <= len(raw):
        length = FRAME.unpack_from(raw, at)[0]
        at += FRAME.size
        entries.append(raw[at : at + length])
        at += length
    if at != len(raw) or len(entries) != expected:
        raise LedgerBroken(f"{path}: {len(entries)} entries where its index says {expected}; restart the notary")
    return entries


def read_range(path: Path, at: int, size: int) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while size and (part := os.pread(handle, size, at)):
            parts.append(part)
            at, size = at + len(part), size - len(part)
    finally:
        os.close(handle)
    if size:
        raise LedgerBroken(f"{path}: ends before byte {at + size}, which was acknowledged; restart the notary")
    return b"".join(parts)
