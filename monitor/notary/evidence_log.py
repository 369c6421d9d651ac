"""The log of evidence of one pilot: yearly shards, each a ledger file that begins with size and root of the one before.

A log goes on in the shard of the highest year of its periods so far, so what comes late for an earlier year stands in
the current shard, and an older shard is frozen: it never changes again. A period belongs to the year in which it ends;
one that ends at midnight of New Year belongs to the old year.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from monitor.errors import LedgerBroken
from monitor.files.durable import Disk
from monitor.model.records import digest
from monitor.notary.charter_entries import entry_of_body
from monitor.notary.encoding import Entry
from monitor.notary.format import EVIDENCE, LogName
from monitor.notary.store import LedgerFile, file_name
from monitor.notary.typed import SHARD

LAST_MS = 253_402_300_799_999  # the end of the year 9999


def year_of(end: int) -> int:
    """The year of a period that ends at `end` (ms, UTC).

    >>> year_of(1_798_761_600_000), year_of(1_798_761_600_001)
    (2026, 2027)
    """
    return datetime.fromtimestamp(min(max(end - 1, 0), LAST_MS) // 1000, UTC).year


class EvidenceLog:
    """The shards of a pilot that are here, the oldest first. Raises LedgerBroken where one does not follow the one
    before it. After any OSError the object must not be used again."""

    def __init__(self, directory: Path, pilot: str, disk: Disk, shards: Sequence[LedgerFile] = ()) -> None:
        self.pilot = pilot
        self.shards = sorted(shards, key=lambda shard: shard.name.year)
        self._directory, self._disk = directory, disk
        before: LedgerFile | None = None
        for shard in self.shards:
            if shard.name.year and (wrong := _wrong(before, shard)):
                raise LedgerBroken(f"{shard.path}: {wrong}; restore the newest copies of both files")
            before = shard

    def holds(self, identity: str) -> bool:
        """Whether a record of this id is entered, in a shard that is here."""
        return any(identity in shard.ids for shard in self.shards)

    def retired(self, end: int) -> bool:
        """Whether a period with this end (ms) stood in a shard that is here no more."""
        first = self.shards[0].name.year if self.shards else 0
        return year_of(end) < first

    def append(self, entries: Iterable[Entry]) -> list[LedgerFile]:
        """Append all entries; returns the shards that grew. Durable when this returns: an older shard before the next
        one begins, so a crash in between leaves a log that is continued in the same way."""
        grown = []
        current = self.shards[-1] if self.shards else None
        for year, run in _by_year(entries, year_of(current.latest) if current else 0):
            if current is None:
                current = self._new(0)
            elif year != year_of(current.latest):
                before, current = current, self._new(year)
                run.insert(0, _beginning(before, current.name, run[0].at))
            current.append(run)
            if current not in self.shards:
                self.shards.append(current)
            grown.append(current)
        return grown

    def _new(self, year: int) -> LedgerFile:
        name = LogName(self.pilot, EVIDENCE, year)
        return LedgerFile(self._directory / file_name(name), name, self._disk)


def _by_year(entries: Iterable[Entry], current: int) -> Iterator[tuple[int, list[Entry]]]:
    """Entries in runs that stand in one shard each; `current` is the year of the shard that is written, 0 for none."""
    run: list[Entry] = []
    for entry in entries:
        year = max(current, year_of(entry.at))
        if run and year != current:
            yield current, run
            run = []
        current = year
        run.append(entry)
    if run:
        yield current, run


def _beginning(before: LedgerFile, name: LogName, at: int) -> Entry:
    """The first entry of the shard `name`, which follows the shard `before`; `at` is that of its first evidence."""
    head = before.head
    return entry_of_body(
        {
            "kind": SHARD,
            "id": digest(SHARD, name.subject, name.log, name.year),
            "pilot": name.subject,
            "at": at,
            "standing": 0,
            "epoch": 0,
            "log": name.log,
            "year": name.year,
            "file": before.path.stem,
            "size": head.size,
            "root": head.root,
            "part": 1,
            "parts": 1,
        }
    )


def _wrong(before: LedgerFile | None, shard: LedgerFile) -> str:
    """What is wrong with a shard that follows `before` (`None`: it is not here); "" when nothing is."""
    if shard.beginning is None:
        return "the beginning of the shard is missing"
    if before is None:
        return ""
    said, head = shard.beginning, before.head
    if (said["file"], said["size"], said["root"]) == (before.path.stem, head.size, head.root):
        return ""
    return f"it follows {said['file']} of {said['size']} entries, but {before.path.name} has {head.size}, or other ones"
