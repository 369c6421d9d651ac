"""Reads the ledgers of a sandbox, every file once, and remembers what is wrong with each: nothing is left out silently.

A file that is damaged, cut short, or that does not follow the shard before it is read up to the place of the damage,
and `LedgerFile.remarks` says what is missing. So does `Ledgers.remarks` for files that are not there at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from monitor.notary.cursor import Cursor, Sizes, too_short
from monitor.notary.encoding import Entry
from monitor.notary.entry_rules import Broken, EntryRules
from monitor.notary.format import DECISIONS, EVIDENCE, Damage, LedgerReader, LogName, checked_frames, read_index
from monitor.notary.retired import read_retired
from monitor.notary.verify import cursor_of
from monitor.tlog.merkle import Frontier


class Remark(Struct, frozen=True, kw_only=True):
    """What a reader must know of a ledger: `file` and number of the entry (from 0; -1: the file as a whole)."""

    file: str
    problem: str
    entry: int = -1


class LedgerFile(Struct, frozen=True, kw_only=True):
    """One file as it was read: its log, how many entries were read, and their root (RFC 6962, hex)."""

    file: str
    subject: str
    log: str
    year: int = 0
    entries: int
    root: str
    remarks: tuple[Remark, ...] = ()


class OpenFile:
    """Iterates over the sound entries of a file with their numbers, from 0; afterwards `read` says what was read."""

    def __init__(self, path: Path, name: LogName) -> None:
        self.path, self.name = path, name
        self.read: LedgerFile | None = None
        self.beginning: dict[str, object] | None = None  # of a shard: what it says of the shard before it

    def __iter__(self) -> Iterator[tuple[int, Entry]]:
        tree, problems = Frontier(), list[tuple[int, str]]()
        try:
            index = read_index(self.path.with_suffix(".index"))
        except Damage as damage:
            index = []
            problems.append((-1, damage.problem))
        rules = EntryRules(self.name.subject, name=self.name)
        with self.path.open("rb") as file:
            reader = LedgerReader(self.path, file)
            try:
                for item in checked_frames(reader, index):
                    entry = rules.take(item.entry)
                    if isinstance(entry, Broken):
                        problems.append((item.number, f"{entry.problem}; this entry and all after it were not read"))
                        break
                    tree.push(item.leaf)
                    yield item.number, entry
            except Damage as damage:
                problems.append((damage.entry, f"{damage.problem}; the ledger was read up to here"))
        self.beginning = rules.beginning
        problems += _remarks_of(reader, rules)
        remarks = tuple(Remark(file=self.path.name, entry=entry, problem=problem) for entry, problem in problems)
        self.read = LedgerFile(
            file=self.path.name,
            subject=self.name.subject,
            log=self.name.log,
            year=self.name.year,
            entries=tree.size,
            root=tree.root().hex(),
            remarks=remarks,
        )


def _remarks_of(reader: LedgerReader, rules: EntryRules) -> list[tuple[int, str]]:
    found = []
    if reader.torn:
        found.append((-1, f"ends with {reader.torn} bytes of an entry that was never acknowledged"))
    first = rules.standings.first
    if first is not None and first > 1:
        found.append((-1, f"begins at decision {first}; earlier decisions are not in this file"))
    if rules.standings.doubtful:
        numbers = ", ".join(map(str, rules.standings.doubtful))
        found.append((-1, f"no entry for decision {numbers}; an older version may have dropped it as a repeat"))
    return found


class Ledgers:
    """The ledgers in some directories, by subject. After all subjects were read, `files` and `remarks` are complete.

    Raises Damage when there is no ledger at all. A file whose header cannot be read is a remark.
    """

    def __init__(self, directories: Iterable[Path]) -> None:
        self.directories = tuple(directories)
        self.files: list[LedgerFile] = []
        self.remarks: list[Remark] = []
        self._logs: dict[tuple[str, str], dict[int, Path]] = {}
        self._copies: dict[LogName, list[Path]] = {}
        self._sizes: dict[Path, Sizes] = {}
        self._cursors: dict[Path, Cursor] = {}
        for directory in self.directories:
            self._cursors[directory] = cursor_of(directory)  # first: a ledger that is being written has at least that
            self._list(directory)
        if not self._logs:
            raise Damage(self.directories[0], -1, 0, "there is no ledger in this directory")

    @property
    def subjects(self) -> list[str]:
        """Pilots, models, firms, the sandbox: whatever has a ledger, sorted."""
        return sorted({subject for subject, _ in self._logs})

    def entries(self, subject: str, log: str = DECISIONS) -> Iterator[tuple[str, int, Entry]]:
        """File name, number in it and entry, over all shards of a log; none where there is no such log."""
        before: LedgerFile | None = None
        for year, path in sorted(self._logs.get((subject, log), {}).items()):
            opened = OpenFile(path, LogName(subject, log, year))
            for number, entry in opened:
                yield path.name, number, entry
            assert opened.read is not None
            self.files.append(opened.read)
            self.remarks += opened.read.remarks
            self._follows(opened, before, path)
            for copy in self._copies[opened.name]:  # each is the beginning of what was read, or a remark
                self._sizes[copy.parent].put(opened.name, copy, opened.read.entries)
            before = opened.read

    def has_evidence(self, subject: str) -> bool:
        """Whether the subject has a log of evidence; ledgers of formats 1 and 2 have none."""
        return (subject, EVIDENCE) in self._logs

    def finish(self) -> tuple[LedgerFile, ...]:
        """Every file that was read, sorted; adds what the cursor of a notary knows and the files do not hold."""
        read = {one.subject for one in self.files if one.log == DECISIONS}
        for directory, sizes in self._sizes.items():
            short = too_short(self._cursors[directory], sizes) if read.issuperset(self.subjects_in(directory)) else []
            self.remarks += [Remark(file="cursor.json", problem=problem) for problem in short]
        self.remarks.sort(key=lambda one: (one.file, one.entry, one.problem))
        return tuple(sorted(self.files, key=lambda one: (one.subject, one.log, one.year)))

    def read_files(self) -> tuple[LedgerFile, ...]:
        """The files that were read so far, each once, sorted."""
        found = {(one.file, one.subject): one for one in self.files}
        return tuple(sorted(found.values(), key=lambda one: (one.subject, one.log, one.year)))

    def subjects_in(self, directory: Path) -> set[str]:
        """The subjects whose decisions are in one of the directories."""
        return {
            name.subject
            for name, copies in self._copies.items()
            if name.log == DECISIONS and any(path.parent == directory for path in copies)
        }

    def _list(self, directory: Path) -> None:
        self._sizes[directory] = Sizes({}, {})
        for path in sorted(directory.glob("*.ledger")):
            try:
                with path.open("rb") as file:
                    name = LedgerReader(path, file).name
            except (Damage, OSError) as damage:
                problem = damage.problem if isinstance(damage, Damage) else str(damage)
                self.remarks.append(Remark(file=path.name, problem=f"{problem}; nothing of it was read"))
                continue
            self._copies.setdefault(name, []).append(path)
            shards = self._logs.setdefault((name.subject, name.log), {})
            if name.year in shards:
                self._second(path, shards, name.year)
            else:
                shards[name.year] = path
        for index in sorted(directory.glob("*.index")):
            if not index.with_suffix(".ledger").exists():
                self.remarks.append(Remark(file=index.name, problem="its index is here, the ledger is missing"))

    def _second(self, path: Path, shards: dict[int, Path], year: int) -> None:
        """Two copies of one log: the longer one is read, and the other must be its beginning."""
        other = shards[year]
        longer, shorter = sorted((path, other), key=lambda one: one.stat().st_size, reverse=True)
        shards[year] = longer
        if not _begins_with(longer, shorter):
            problem = f"another copy of the log of {other}; they differ, and only {longer} was read"
            self.remarks.append(Remark(file=shorter.name, problem=problem))

    def _follows(self, opened: OpenFile, before: LedgerFile | None, path: Path) -> None:
        """A shard names the one before it: it must be here, or be on record as deleted."""
        said = opened.beginning
        if said is None:
            return
        wanted = (str(said["file"]), said["size"], said["root"])
        if before is not None and (before.file.removesuffix(".ledger"), before.entries, before.root) == wanted:
            return
        retired = {(one.file, one.size, one.root) for one in read_retired(path.parent)}
        gone = "was deleted after its time" if wanted in retired else "is missing, or another one is here"
        problem = f"the shard before it, {wanted[0]} with {wanted[1]} entries, {gone}"
        self.remarks.append(Remark(file=path.name, entry=0, problem=problem))


def _begins_with(longer: Path, shorter: Path) -> bool:
    with longer.open("rb") as one, shorter.open("rb") as other:
        while block := other.read(1 << 20):
            if one.read(len(block)) != block:
                return False
    return True
