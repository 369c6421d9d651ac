"""One ledger file on disk: open (cutting a torn end), append (write, fsync, then visible), and its tree head."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

from monitor.errors import LedgerBroken
from monitor.files.durable import Disk
from monitor.notary.charters import CharterKey, charter_of_entry
from monitor.notary.cursor import FIX
from monitor.notary.dense import Standings, named
from monitor.notary.encoding import Entry, EntryType, Malformed, decode, encode
from monitor.notary.format import (
    DECISIONS,
    INDEX_RECORD,
    Damage,
    LedgerReader,
    LogName,
    checked_frames,
    frame,
    header,
    index_record,
    read_index,
)
from monitor.tlog.merkle import Frontier, leaf_hash

SET_ASIDE = (
    "fix: restore a copy that has them; without one, move this file and its .index to another place (keep both: they "
    "are a "
    "record), run `sandbox-monitor ledger rebuild` and restart"
)
"""What to do about a ledger in which entries are missing."""


class Head(NamedTuple):
    """The number of entries of a ledger and their RFC 6962 tree head (64 hex digits)."""

    size: int
    root: str


def file_name(name: LogName | str) -> str:
    """The file name of a log: log and year, where they are not `decisions` and 0; then a readable part and 64 bits of
    the SHA-256 of its subject, so any id gives a safe, unique name.

    >>> file_name("acme/scoring")
    'acme-scoring-40cd4f64e1625b65.ledger'
    >>> file_name(LogName("acme/scoring", "evidence", 2027))
    'evidence-2027-acme-scoring-40cd4f64e1625b65.ledger'
    """
    subject, log, year = LogName(name) if isinstance(name, str) else name
    readable = re.sub(r"[^a-z0-9]+", "-", subject.lower())[:40].strip("-")
    digest = hashlib.sha256(subject.encode()).hexdigest()[:16]
    parts = ("" if log == DECISIONS else log, str(year) if year else "", readable, digest)
    return "-".join(filter(None, parts)) + ".ledger"


class LedgerFile:
    """An open ledger file. An append becomes visible here only once it is durable.

    `ids` are the records it holds; `epochs` and `standing` are the highest so far per kind of record, `standings` the
    decisions it holds. Raises LedgerBroken, with file, entry and offset, when a file is damaged or a decision is
    missing; after any OSError the object must not be used again.
    """

    def __init__(self, path: Path, name: LogName | str, disk: Disk) -> None:
        self.path, self._disk = path, disk
        self.name = LogName(name) if isinstance(name, str) else name
        self.subject = self.name.subject
        self._index = path.with_suffix(".index")
        self._end = 0  # 0: the file does not exist yet
        self._tree = Frontier()
        self.ids: set[str] = set()
        self.epochs: dict[EntryType, int] = {}
        self.standing: dict[EntryType, int] = {}
        self.standings = Standings()
        self.charter: CharterKey | None = None  # of the last charter that a decision put in force
        self.latest = 0  # the highest `at` (ms)
        self.beginning: dict[str, Any] | None = None  # the body of the beginning of a shard

    @classmethod
    def open(cls, path: Path, disk: Disk) -> LedgerFile:
        """Read an existing file, cut an incomplete last entry, and make durable what was written but not
        acknowledged."""
        try:
            index = read_index(path.with_suffix(".index"))
            with path.open("rb") as file:
                reader = LedgerReader(path, file)
                if path.name != file_name(reader.name):
                    raise Damage(path, -1, 0, f"the file of {reader.name.text!r} is called {file_name(reader.name)}")
                self = cls(path, reader.name, disk)
                pending: list[tuple[int, bytes, bytes]] = []
                for item in checked_frames(reader, index):
                    entry = decode(item.entry)
                    if hole := self.standings.hole_before(entry):
                        raise Damage(path, item.number, item.start, f"{named(hole)} before this entry; {SET_ASIDE}")
                    self._take(entry, item.leaf)
                    if item.number >= len(index):
                        pending.append((item.end, item.leaf, frame(item.number, item.entry)))
        except Damage as damage:
            raise LedgerBroken(str(damage)) from None
        except Malformed as bad:
            raise LedgerBroken(f"{path}:{self._tree.size}: {bad}") from None
        self._end = reader.end
        if reader.torn:
            disk.cut(path, self._end)
        if pending:
            # A failed fsync may have marked these pages clean without writing them: write them again, so that this
            # fsync covers them.
            rewritten = b"".join(raw for _, _, raw in pending)
            disk.append(path, self._end - len(rewritten), rewritten)
        self._acknowledge(len(index), [(end, leaf) for end, leaf, _ in pending])
        return self

    @property
    def head(self) -> Head:
        """Number of entries and tree head."""
        return Head(self._tree.size, self._tree.root().hex())

    def append(self, entries: Sequence[Entry]) -> None:
        """Append all entries with one write and one fsync (two for a new file, which appears whole).

        Raises LedgerBroken, writing nothing, when an entry is too large or its standing does not follow the last one:
        standings order a ledger, so neither another history nor an entry after a gap may be appended. Raises OSError
        with the outcome unknown.
        """
        standing, standings = dict(self.standing), copy(self.standings)
        written, at = self._tree.size, self._end or len(header(self.name))
        acknowledged: list[tuple[int, bytes]] = []
        raws: list[bytes] = []
        for entry in entries:
            track = entry.type.track
            last = standing.get(track, -1)
            # A command may stand at its decision's standing; two decisions never share one.
            if entry.standing < last or (entry.standing == last and entry.type.numbered):
                raise LedgerBroken(
                    f"{self.path}: standing {entry.standing} after {last} (record {entry.id}): these records "
                    "belong to another history than this ledger. Fix: if the decisions log (embedded: monitor.db) was "
                    "restored from an older copy, restore the newest one; without one, keep this ledger as the record "
                    "of "
                    "what was decided and start a new one in an empty directory"
                )
            if hole := standings.hole_before(entry):
                raise LedgerBroken(
                    f"{self.path}: {named(hole)} between the last entry and standing {entry.standing} (record "
                    f"{entry.id}). "
                    f"{FIX.format(directory=self.path.parent)}"
                )
            standing[track] = entry.standing
            standings.take(entry)
            try:
                raw = encode(entry)
            except ValueError as error:
                raise LedgerBroken(f"{self.path}: record {entry.id}: {error}") from None
            raws.append(frame(written + len(raws), raw))
            at += len(raws[-1])
            acknowledged.append((at, leaf_hash(raw)))
        data = b"".join(raws)
        # Durable before visible: the index, `head` and the acknowledgement follow only after this fsync.
        if self._end:
            self._disk.append(self.path, self._end, data)
        else:
            self._disk.replace(self.path, header(self.name) + data)
        self._end = at
        self._acknowledge(written, acknowledged)
        for entry, (_, leaf) in zip(entries, acknowledged, strict=True):
            self._take(entry, leaf)

    def _take(self, entry: Entry, leaf: bytes) -> None:
        track = entry.type.track
        self._tree.push(leaf)
        self.ids.add(entry.id)
        self.standings.take(entry)
        self.charter = charter_of_entry(entry) or self.charter
        self.latest = max(self.latest, entry.at)
        if entry.type is EntryType.SHARD:
            self.beginning = entry.record()
        self.epochs[track] = max(entry.epoch, self.epochs.get(track, 0))
        self.standing[track] = max(entry.standing, self.standing.get(track, -1))

    def _acknowledge(self, known: int, records: list[tuple[int, bytes]]) -> None:
        if records:
            self._disk.note(self._index, known * INDEX_RECORD, b"".join(index_record(*record) for record in records))
