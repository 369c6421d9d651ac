"""The notary: records decisions and commands in one ledger per model file.

Safe with at-least-once input: repeated ids and void records (a higher epoch precedes them) are dropped and counted. The
model file of a pilot is the pilot itself. A lock file keeps a directory to one process. Text that people write is not
entered; the entry holds a commitment, and the plaintext goes to a separate directory (`plaintexts.plaintext_dir`),
durable before its entry is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from monitor.errors import LedgerBroken
from monitor.files.durable import Disk, RealDisk
from monitor.logs import EventLogger
from monitor.model.epochs import EpochFilter
from monitor.model.records import Command, Decision
from monitor.notary.commitment import Plaintext, PlaintextBroken
from monitor.notary.cursor import FIX, NAME, Cursor, CursorBroken, read_cursor, too_short
from monitor.notary.encoding import Entry
from monitor.notary.entries import by_a_person, entry_of, in_order
from monitor.notary.follows import Follows
from monitor.notary.ownership import own
from monitor.notary.plaintexts import PlaintextStore, plaintext_dir
from monitor.notary.store import Head, ModelFile, file_name

_log = EventLogger(__name__)

SetAside = Callable[[Decision, str], None]
"""Takes a decision that is not entered, and why."""


class Notary:
    """Opens every ledger in `directory` (created if missing), verifies it and cuts torn ends.

    Raises LedgerBroken when a file is damaged, a standing is missing in it, it holds fewer entries than the cursor
    says, or another process holds the directory. After any error of `record` the state of the disk is unknown, so this
    object refuses all further work: open a new one, which reads what was written.

    `repeated` and `voided` count records dropped by `record` since opening. `record` is not thread-safe.
    """

    def __init__(self, directory: Path, disk: Disk | None = None) -> None:
        self.directory = directory
        self.repeated = 0
        self.voided = 0
        self._disk = disk or RealDisk()
        self._plaintexts = PlaintextStore(plaintext_dir(directory), self._disk)
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
        """The last durable position given to `record`, from which a reader of the logs resumes. Empty at first."""
        return dict(self._position)

    @property
    def heads(self) -> dict[str, Head]:
        """Size and tree head of every model file, by pilot. Only durable entries count. Thread-safe."""
        return dict(self._heads)

    @property
    def last_standings(self) -> dict[str, int]:
        """The standing of the last decision of every pilot that has one. Thread-safe."""
        return {pilot: file.standings.last or 0 for pilot, file in list(self._files.items())}

    def head(self, pilot: str) -> Head | None:
        """Size and tree head of one pilot's model file, `None` when it has no entry. Thread-safe."""
        return self._heads.get(pilot)

    def must_hold(self, latest: Sequence[Decision]) -> None:
        """Raise LedgerBroken unless each of these decisions is entered: for each pilot the last one of the log before
        `position`."""
        for decision in latest:
            file = self._files.get(decision.pilot)
            if file is None or decision.id not in file.ids:
                held = "is missing" if file is None else f"ends at standing {file.standings.last}"
                raise LedgerBroken(
                    f"{self.directory / file_name(decision.pilot)} {held}, but the decisions log was read past "
                    f"standing "
                    f"{decision.standing} of {decision.pilot}; {FIX.format(directory=self.directory)}"
                )

    def record(
        self,
        decisions: Sequence[Decision],
        commands: Sequence[Command] = (),
        *,
        partition: int = 0,
        position: Mapping[str, int] | None = None,
        set_aside: SetAside | None = None,
    ) -> int:
        """Record the outputs of one partition, in its order. Returns how many entries are new; all are durable then.

        Costs one fsync per pilot among the new records (two for a pilot's first record), as many again for each pilot
        with text written by people, and two more when a `position` is given. The position is saved after the entries:
        a crash in between makes the reader send them again, and repeats are dropped. Raises LedgerBroken.

        `set_aside` is called for each decision that its ledger cannot hold or that does not follow the last one there,
        with the reason in words: it is not entered, nor are its commands. Without it such a decision is an error.
        """
        if self._failed:
            raise LedgerBroken(f"the notary stopped at an earlier error: {self._failed}")
        try:
            records = in_order(list(decisions), list(commands))
            if set_aside is not None:
                records = self._without_misfits(records, set_aside)
            fresh, texts = self._fresh(records, partition)
            for pilot, entries in fresh.items():
                # Before the entry: an entry without its plaintext would be a repeat, and never get it afterwards.
                if pilot in texts:
                    self._plaintexts.add(Path(file_name(pilot)).stem, texts[pilot])
                file = self._files.get(pilot) or ModelFile(self.directory / file_name(pilot), pilot, self._disk)
                file.append(entries)
                self._files[pilot] = file
                self._heads[pilot] = file.head
            if position is not None and dict(position) != self._position:
                self._save(dict(position))
        except OSError as error:
            self._failed = str(error)
            raise LedgerBroken(f"the ledger in {self.directory} cannot be written: {error}") from error
        except (LedgerBroken, PlaintextBroken, ValueError) as error:
            self._failed = str(error)
            raise LedgerBroken(str(error)) from error
        return sum(map(len, fresh.values()))

    def close(self) -> None:
        """Release the directory; another process may open it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        self._failed = self._failed or "closed"

    def _without_misfits(self, records: Sequence[Decision | Command], set_aside: SetAside) -> list[Decision | Command]:
        """The records that can be appended in this order; each other decision goes to `set_aside`."""
        kept: list[Decision | Command] = []
        left_out: set[str] = set()
        follows = Follows(lambda pilot: file.standings if (file := self._files.get(pilot)) else None)
        for record in records:
            if isinstance(record, Command):
                if record.decision not in left_out:
                    kept.append(record)
                continue
            file = self._files.get(record.pilot)
            why = "" if file and record.id in file.ids else follows.take(record)
            if why:
                left_out.add(record.id)
                set_aside(record, why)
            else:
                kept.append(record)
        return kept

    def _fresh(
        self, records: Sequence[Decision | Command], partition: int
    ) -> tuple[dict[str, list[Entry]], dict[str, list[Plaintext]]]:
        """Entries to append, by pilot, without repeats and void ones; and the plaintexts of their commitments."""
        fresh: dict[str, list[Entry]] = {}
        texts: dict[str, list[Plaintext]] = {}
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
                    "record.void",
                    stage="record",
                    pilot=record.pilot,
                    id=record.id,
                    epoch=record.epoch,
                    highest_epoch=epochs.highest,
                )
                continue
            self._epochs[log] = epochs.highest
            seen.add((record.pilot, record.id))
            entry, written = entry_of(record, self._plaintexts.key() if by_a_person(record) else b"")
            fresh.setdefault(record.pilot, []).append(entry)
            if written:
                texts.setdefault(record.pilot, []).extend(written)
        return fresh, texts

    def _save(self, position: dict[str, int]) -> None:
        sizes = {pilot: head.size for pilot, head in self._heads.items()}
        self._disk.replace(self.directory / NAME, Cursor(position, self._epochs, sizes).line())
        self._position = position


def _complete(directory: Path, kept: Cursor, opened: Sequence[ModelFile]) -> None:
    """Raise LedgerBroken when a ledger is missing, or holds fewer entries than the cursor says."""
    orphans = [index for index in sorted(directory.glob("*.index")) if not index.with_suffix(".ledger").exists()]
    fix = FIX.format(directory=directory)
    if orphans:
        raise LedgerBroken(f"{orphans[0].with_suffix('.ledger')} is missing, its index is here; {fix}")
    lacking = too_short(kept, {file.model: file.head.size for file in opened})
    if lacking:
        raise LedgerBroken(f"{directory}: {'; '.join(lacking)}; {fix}")
