"""The notary: takes decisions and commands as they come, repeats and all, and keeps one ledger per model file.

Safe against at-least-once input: a repeated id is dropped, a void record (of a lower epoch than one before it) is dropped, both
are counted. A pilot's model file is the pilot itself. One process per directory; a lock file sees to it. What people write
is not entered but committed to; the words are kept in a directory beside (`words.beside`), on the disk before their entry is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitor.errors import LedgerBroken
from monitor.files.durable import Disk, RealDisk
from monitor.model.epochs import EpochFilter
from monitor.model.records import Command, Decision
from monitor.notary.commitment import Words, WordsBroken
from monitor.notary.cursor import FIX, NAME, Cursor, CursorBroken, read_cursor, too_short
from monitor.notary.encoding import Entry
from monitor.notary.entries import by_a_person, entry_of, in_order
from monitor.notary.ownership import own
from monitor.notary.plaintexts import WordsFile, beside
from monitor.notary.store import Head, ModelFile, file_name

_log = logging.getLogger(__name__)


class Notary:
    """Opens every ledger in `directory` (made if missing), checks it whole and cuts torn ends.

    Raises LedgerBroken: a file is damaged, a standing is missing in it, it holds less than the cursor knows, or another
    process holds the directory. After any error of `record` this object refuses all further work, because the disk's
    state is unknown: open a new one, it decides what happened.

    `repeated` and `voided` count what `record` dropped since opening. One thread at a time may call `record`.
    """

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self.directory = directory
        self.repeated = 0
        self.voided = 0
        self._disk = disk or RealDisk()
        self._words = WordsFile(beside(directory), self._disk)
        self._failed = ""
        try:
            if not directory.is_dir():
                self._disk.directory(directory)
            self._lock = own(directory)
        except OSError as error:
            raise LedgerBroken(f"{directory}: {error}") from error
        try:
            kept = read_cursor(directory)
            self._position, self._epochs = kept.position, kept.epochs
            opened = [ModelFile.open(path, self._disk) for path in sorted(directory.glob("*.ledger"))]
            _complete(directory, kept, opened)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise LedgerBroken(f"{directory}: {error}") from error
            if isinstance(error, CursorBroken):
                raise LedgerBroken(str(error)) from None
            raise
        self._files = {file.model: file for file in opened}
        self._heads = {model: file.head for model, file in self._files.items()}

    @property
    def position(self) -> dict[str, int]:
        """The last position given to `record` that is durable: where a reader of the logs starts again. Empty at first."""
        return dict(self._position)

    @property
    def heads(self) -> dict[str, Head]:
        """Size and tree head of every model file, by pilot. Only durable entries count. Safe to call from another thread."""
        return dict(self._heads)

    def head(self, pilot: str) -> Head | None:
        """Size and tree head of one pilot's model file, `None` when it has no entry. Safe to call from another thread."""
        return self._heads.get(pilot)

    def must_hold(self, latest: Sequence[Decision]) -> None:
        """Raise LedgerBroken unless each of these decisions is entered: the last of each pilot before `position`, as
        the log has it."""
        for decision in latest:
            file = self._files.get(decision.pilot)
            if file is None or decision.id not in file.ids:
                held = "is gone" if file is None else f"ends at standing {file.standings.last}"
                raise LedgerBroken(
                    f"{self.directory / file_name(decision.pilot)} {held}, but the decisions log was read past standing "
                    f"{decision.standing} of {decision.pilot}; {FIX.format(directory=self.directory)}"
                )

    def record(
        self,
        decisions: Sequence[Decision],
        commands: Sequence[Command] = (),
        *,
        partition: int = 0,
        position: Mapping[str, int] | None = None,
    ) -> int:
        """Record what one partition put out, in its order; returns how many entries are new, all durable when it returns.

        Costs one fsync per pilot among the new records (two for a pilot's first), as much again for a pilot for which a person
        wrote something, and two more when a `position` is given; it is kept after the entries, so input read again from it is
        harmless. Raises LedgerBroken.
        """
        if self._failed:
            raise LedgerBroken(f"the notary stopped at an earlier error: {self._failed}")
        try:
            fresh, words = self._fresh(in_order(list(decisions), list(commands)), partition)
            for pilot, entries in fresh.items():
                if pilot in words:  # before the entry: one whose words a crash took would never get them again
                    self._words.add(Path(file_name(pilot)).stem, words[pilot])
                file = self._files.get(pilot) or ModelFile(self.directory / file_name(pilot), pilot, self._disk)
                file.append(entries)
                self._files[pilot] = file
                self._heads[pilot] = file.head
            if position is not None and dict(position) != self._position:
                self._keep(dict(position))
        except OSError as error:
            self._failed = str(error)
            raise LedgerBroken(f"the ledger in {self.directory} cannot be written: {error}") from error
        except (LedgerBroken, WordsBroken, ValueError) as error:
            self._failed = str(error)
            raise LedgerBroken(str(error)) from error
        return sum(map(len, fresh.values()))

    def close(self) -> None:
        """Let another process have the directory."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        self._failed = self._failed or "closed"

    def _fresh(
        self, records: Sequence[Decision | Command], partition: int
    ) -> tuple[dict[str, list[Entry]], dict[str, list[Words]]]:
        """Entries to append, by pilot, without repeats and void ones; and the words behind them."""
        fresh: dict[str, list[Entry]] = {}
        said: dict[str, list[Words]] = {}
        seen: set[tuple[str, str]] = set()
        for record in records:
            file = self._files.get(record.pilot)
            if (record.pilot, record.id) in seen or (file and record.id in file.ids):
                self.repeated += 1
                continue
            command = isinstance(record, Command)
            # Each log has its own order, so each has its own highest epoch; a pilot lives in one partition.
            log = f"{'commands' if command else 'decisions'}/{partition}"
            epochs = EpochFilter(max(self._epochs.get(log, 0), file.epochs.get(command, 0) if file else 0))
            if not epochs.accepts(record.epoch):
                self.voided += 1
                _log.warning(
                    "record: void, epoch %d after %d: %s of %s", record.epoch, epochs.highest, record.id, record.pilot
                )
                continue
            self._epochs[log] = epochs.highest
            seen.add((record.pilot, record.id))
            entry, words = entry_of(record, self._words.key() if by_a_person(record) else b"")
            fresh.setdefault(record.pilot, []).append(entry)
            if words:
                said.setdefault(record.pilot, []).extend(words)
        return fresh, said

    def _keep(self, position: dict[str, int]) -> None:
        sizes = {pilot: head.size for pilot, head in self._heads.items()}
        self._disk.replace(self.directory / NAME, Cursor(position, self._epochs, sizes).line())
        self._position = position


def _complete(directory: Path, kept: Cursor, opened: Sequence[ModelFile]) -> None:
    """Raise LedgerBroken when a ledger is gone, or ends before the cursor."""
    orphans = [index for index in sorted(directory.glob("*.index")) if not index.with_suffix(".ledger").exists()]
    fix = FIX.format(directory=directory)
    if orphans:
        raise LedgerBroken(f"{orphans[0].with_suffix('.ledger')} is gone, its index is still here; {fix}")
    lacking = too_short(kept, {file.model: file.head.size for file in opened})
    if lacking:
        raise LedgerBroken(f"{directory}: {'; '.join(lacking)}; {fix}")
