"""The notary: records decisions and commands in one ledger per subject.

Safe with at-least-once input: repeated ids and void records (a higher epoch precedes them) are dropped and counted. The
subject of a ledger is a pilot, a model (`model:<id>`), a firm (`firm:<id>`) or the sandbox. A lock file keeps a
directory to one process. Text that people write is not entered; the entry holds a commitment, and the plaintext goes to
a separate directory (`plaintexts.plaintext_dir`), durable before its entry is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from monitor.errors import LedgerBroken
from monitor.files.durable import Disk, RealDisk
from monitor.logs import EventLogger
from monitor.model.epochs import EpochFilter
from monitor.model.records import Command, Decision
from monitor.notary.charters import CharterKey, Charters, ChartersInForce, entries_of, wanted
from monitor.notary.commitment import Plaintext, PlaintextBroken
from monitor.notary.cursor import FIX, NAME, Cursor, CursorBroken, Sizes, read_cursor, too_short
from monitor.notary.encoding import Entry, EntryType
from monitor.notary.entries import by_a_person, entry_of, in_order
from monitor.notary.evidence_entries import EvidenceGroup, Gathered, evidence_entries
from monitor.notary.evidence_log import EvidenceLog
from monitor.notary.follows import Follows
from monitor.notary.format import DECISIONS, EVIDENCE, LogName
from monitor.notary.ownership import own
from monitor.notary.plaintexts import PlaintextStore, plaintext_dir
from monitor.notary.retired import read_retired
from monitor.notary.store import Head, LedgerFile, file_name

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
            self._gathered = {
                log: Gathered(kept.position.get(log, 0), pending, kept.epochs.get(log, 0))
                for log, pending in kept.pending.items()
            }
            opened = [LedgerFile.open(path, self._disk) for path in sorted(directory.glob("*.ledger"))]
            _complete(directory, kept, opened)
            evidence = _evidence_logs(directory, self._disk, opened)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise LedgerBroken(f"{directory}: {error}") from error
            if isinstance(error, CursorBroken):
                raise LedgerBroken(str(error)) from None
            raise
        self._files = {file.subject: file for file in opened if file.name.log == DECISIONS}
        self._evidence = evidence
        self._heads: dict[LogName, Head] = {}
        self._sizes = Sizes({}, {})
        for file in opened:
            self._grew(file)

    @property
    def position(self) -> dict[str, int]:
        """The last durable position given to `record`, from which a reader of the logs resumes. Empty at first."""
        return dict(self._position)

    def gathered(self, log: str) -> Gathered:
        """How far evidence of a log was durably gathered."""
        return self._gathered.get(log) or Gathered()

    @property
    def heads(self) -> dict[str, Head]:
        """Size and tree head of every ledger of decisions, by subject. Only durable entries count. Thread-safe."""
        return {name.subject: head for name, head in self.logs.items() if name.log == DECISIONS}

    @property
    def logs(self) -> dict[LogName, Head]:
        """Size and tree head of every ledger file. Only durable entries count. Thread-safe."""
        return dict(self._heads)

    @property
    def last_standings(self) -> dict[str, int]:
        """The standing of the last decision of every pilot that has one. Thread-safe."""
        return {pilot: file.standings.last or 0 for pilot, file in list(self._files.items())}

    def head(self, pilot: str) -> Head | None:
        """Size and tree head of the ledger of one subject, `None` when it has no entry. Thread-safe."""
        return self._heads.get(LogName(pilot))

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

    def charters_wanted(self, decisions: Sequence[Decision]) -> set[CharterKey]:
        """The charters that `record` makes entries of these decisions from."""
        return wanted(decisions, self._charter_in_force)

    def record(
        self,
        decisions: Sequence[Decision],
        commands: Sequence[Command] = (),
        *,
        partition: int = 0,
        position: Mapping[str, int] | None = None,
        set_aside: SetAside | None = None,
        charters: Charters | None = None,
    ) -> int:
        """Record the outputs of one partition, in its order. Returns how many entries are new; all are durable then.

        Costs one fsync per pilot among the new records (two for a pilot's first record), as many again for each pilot
        with text written by people, and two more when a `position` is given. The position is saved after the entries:
        a crash in between makes the reader send them again, and repeats are dropped. Raises LedgerBroken.

        `set_aside` is called for each decision that its ledger cannot hold or that does not follow the last one there,
        with the reason in words: it is not entered, nor are its commands. Without it such a decision is an error.

        `charters` holds those of `charters_wanted`, as far as they are known: each one that came into force is entered
        after its decision. One that is not known is reported and left out.
        """
        with self._writing():
            records = in_order(list(decisions), list(commands))
            if set_aside is not None:
                records = self._without_misfits(records, set_aside)
            fresh, texts = self._fresh(records, partition, charters)
            for pilot, entries in fresh.items():
                # Before the entry: an entry without its plaintext would be a repeat, and never get it afterwards.
                if pilot in texts:
                    self._plaintexts.add(Path(file_name(pilot)).stem, texts[pilot])
                file = self._files.get(pilot) or LedgerFile(self.directory / file_name(pilot), pilot, self._disk)
                file.append(entries)
                self._files[pilot] = file
                self._grew(file)
            if position is not None and dict(position) != self._position:
                self._save(dict(position))
        return sum(map(len, fresh.values()))

    def record_evidence(
        self, groups: Sequence[EvidenceGroup], *, log: str = "", gathered: Gathered | None = None
    ) -> int:
        """Record evidence that was gathered from `log`, in its order, in the log of evidence of each pilot. Returns how
        many entries are new; all are durable then, and after them how far it was `gathered`. Repeats are dropped. A
        record that no entry can hold is reported and left out. Raises LedgerBroken."""
        with self._writing():
            fresh: dict[str, list[Entry]] = {}
            seen: set[str] = set()
            for group in groups:
                try:
                    entries = evidence_entries(group)
                except ValueError as error:
                    _log.error(
                        "evidence.not_entered", stage="record", pilot=group.pilot, end=group.end, error=str(error)
                    )
                    continue
                known = self._evidence.get(group.pilot)
                if known is not None and known.retired(group.end):  # it was entered, and deleted after its time
                    continue
                new = [e for e in entries if e.id not in seen and not (known and known.holds(e.id))]
                seen.update(entry.id for entry in new)
                self.repeated += len(entries) - len(new)
                if new:
                    fresh.setdefault(group.pilot, []).extend(new)
            for pilot, entries in fresh.items():
                mine = self._evidence.get(pilot) or EvidenceLog(self.directory, pilot, self._disk)
                for shard in mine.append(entries):
                    self._grew(shard)
                self._evidence[pilot] = mine
            if gathered is not None and gathered != self._gathered.get(log):
                self._gathered[log] = gathered
                self._epochs[log] = gathered.epoch
                self._save({**self._position, log: gathered.read})
        return sum(map(len, fresh.values()))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """What is done inside changes the files. Raises LedgerBroken on any failure, and from then on."""
        if self._failed:
            raise LedgerBroken(f"the notary stopped at an earlier error: {self._failed}")
        try:
            yield
        except OSError as error:
            self._failed = str(error)
            raise LedgerBroken(f"the ledger in {self.directory} cannot be written: {error}") from error
        except (LedgerBroken, PlaintextBroken, ValueError) as error:
            self._failed = str(error)
            raise LedgerBroken(str(error)) from error

    def _charter_in_force(self, pilot: str) -> CharterKey | None:
        file = self._files.get(pilot)
        return None if file is None else file.charter

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
        self, records: Sequence[Decision | Command], partition: int, charters: Charters | None
    ) -> tuple[dict[str, list[Entry]], dict[str, list[Plaintext]]]:
        """Entries to append, by pilot, without repeats and void ones; and the plaintexts of their commitments."""
        fresh: dict[str, list[Entry]] = {}
        texts: dict[str, list[Plaintext]] = {}
        seen: set[tuple[str, str]] = set()
        in_force = ChartersInForce(self._charter_in_force)

        def enter(pilot: str, entries: Sequence[Entry], written: Sequence[Plaintext]) -> None:
            file = self._files.get(pilot)
            new = [entry for entry in entries if not (file and entry.id in file.ids)]
            if new:
                fresh.setdefault(pilot, []).extend(new)
            if new and written:
                texts.setdefault(pilot, []).extend(written)

        for record in records:
            file = self._files.get(record.pilot)
            repeated = (record.pilot, record.id) in seen or (file is not None and record.id in file.ids)
            if repeated:
                self.repeated += 1
            elif not self._accepts(record, partition):
                continue
            else:
                seen.add((record.pilot, record.id))
                entry, written = entry_of(record, self._plaintexts.key() if by_a_person(record) else b"")
                enter(record.pilot, [entry], written)
            if charters is None or not isinstance(record, Decision) or (pair := in_force.take(record)) is None:
                continue
            # Behind a decision that is entered already, only where a crash came in between: nothing follows it.
            if not repeated or (file is not None and file.standings.last == record.standing):
                enter(record.pilot, *self._charter(record, pair, charters))
        return fresh, texts

    def _accepts(self, record: Decision | Command, partition: int) -> bool:
        """Whether a record that is new is not void; the highest epoch of its log is remembered."""
        command = isinstance(record, Command)
        file = self._files.get(record.pilot)
        known = file.epochs.get(EntryType.COMMAND if command else EntryType.DECISION, 0) if file else 0
        # Each log has its own order, so each has its own highest epoch; a pilot lives in one partition.
        log = f"{'commands' if command else 'decisions'}/{partition}"
        epochs = EpochFilter(max(self._epochs.get(log, 0), known))
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
            return False
        self._epochs[log] = epochs.highest
        return True

    def _charter(
        self, decision: Decision, pair: tuple[CharterKey, CharterKey | None], charters: Charters
    ) -> tuple[list[Entry], list[Plaintext]]:
        """The entries of the charter that `decision` put in force; none where it is not known."""
        try:
            found = entries_of(decision, pair, charters, self._plaintexts.key())
            why = "" if found is not None else "it is not in the control log"
        except ValueError as error:
            found, why = None, str(error)
        if found is None:
            _log.warning("charter.not_entered", stage="record", pilot=decision.pilot, act=pair[0][0], detail=why)
            return [], []
        return found

    def _grew(self, file: LedgerFile) -> None:
        head = file.head
        self._heads[file.name] = head
        self._sizes.put(file.name, file.path, head.size)  # kept, as naming each file anew takes longer than the rest

    def _save(self, position: dict[str, int]) -> None:
        pending = {log: one.pending for log, one in self._gathered.items()}
        self._disk.replace(self.directory / NAME, Cursor(position, self._epochs, *self._sizes, pending).line())
        self._position = position


def _complete(directory: Path, kept: Cursor, opened: Sequence[LedgerFile]) -> None:
    """Raise LedgerBroken when a ledger is missing, or holds fewer entries than the cursor says."""
    orphans = [index for index in sorted(directory.glob("*.index")) if not index.with_suffix(".ledger").exists()]
    fix = FIX.format(directory=directory)
    if orphans:
        raise LedgerBroken(f"{orphans[0].with_suffix('.ledger')} is missing, its index is here; {fix}")
    sizes = Sizes.of((file.name, file.path, file.head.size) for file in opened)
    named = {file.beginning["file"] for file in opened if file.beginning is not None}
    for gone in read_retired(directory):
        if gone.file in named:
            sizes.logs.setdefault(gone.file, gone.size)
    lacking = too_short(kept, sizes)
    if lacking:
        raise LedgerBroken(f"{directory}: {'; '.join(lacking)}; {fix}")


def _evidence_logs(directory: Path, disk: Disk, opened: Sequence[LedgerFile]) -> dict[str, EvidenceLog]:
    """The logs of evidence of these files, by pilot."""
    shards: dict[str, list[LedgerFile]] = {}
    for file in opened:
        if file.name.log == EVIDENCE:
            shards.setdefault(file.subject, []).append(file)
    return {pilot: EvidenceLog(directory, pilot, disk, found) for pilot, found in shards.items()}
