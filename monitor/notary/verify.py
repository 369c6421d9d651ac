"""Reads ledgers with the standard library alone, checking each entry: no network, no database, none of the code that
wrote them.

`python -m monitor.notary.verify PATH...` is the older name of `python -m monitor.verifier PATH...`, the verifier with
all its checks. To verify without this code, see `README.md` in this folder: it documents every format.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from monitor.notary.commitment import Plaintext, by_entry, committed, get
from monitor.notary.cursor import Cursor, CursorBroken, empty, read_cursor
from monitor.notary.encoding import Entry
from monitor.notary.entry_rules import Broken, EntryRules
from monitor.notary.format import DECISIONS, Damage, LedgerReader, LogName, checked_frames, read_index
from monitor.tlog.merkle import Frontier


class Verified(NamedTuple):
    """A sound ledger: its subject, entries, tree head and bytes.

    `torn` counts bytes of an incomplete last entry that was never acknowledged. `found` maps each root asked for to the
    size at which this ledger had it. `shown` counts disclosed texts that match their commitments. Its decisions have
    all standings from `first` to `last` (`None`: no decision); a `first` above 1 means that the ledger was started when
    earlier ones were no longer in the log. `doubtful` are numbers that an older version may have lost."""

    file: Path
    subject: str
    entries: int
    root: str
    size: int
    torn: int
    found: dict[str, int]
    shown: int = 0
    first: int | None = None
    last: int | None = None
    doubtful: tuple[int, ...] = ()
    log: str = DECISIONS
    year: int = 0

    @property
    def name(self) -> LogName:
        """Which log of which pilot it is."""
        return LogName(self.subject, self.log, self.year)

    @property
    def remarks(self) -> list[str]:
        """Sentences that a reader of a sound ledger must know."""
        found = []
        if self.torn:
            found.append(f"{self.file}: ends with {self.torn} bytes of an entry that was never acknowledged")
        if self.first is not None and self.first > 1:
            found.append(f"{self.file}: begins at standing {self.first}; earlier decisions are not in this file")
        if self.doubtful:
            numbers = ", ".join(map(str, self.doubtful))
            found.append(
                f"{self.file}: no entry at standing {numbers}: an older version may have dropped it as a repeat of the "
                "`cleared` before it; compare with the decisions log"
            )
        return found


class CommitmentMismatch(Exception):
    """A disclosed text does not match its commitment; the ledger itself may be sound."""


def ledgers(path: Path) -> list[Path]:
    """The ledger files at `path`: itself, or those in the directory. Raises Damage when there is none."""
    if not path.is_dir():
        if not path.exists():
            raise Damage(path, -1, 0, "no such file")
        return [path]
    files = sorted(path.glob("*.ledger"))
    orphans = [index for index in path.glob("*.index") if not index.with_suffix(".ledger").exists()]
    if orphans:
        raise Damage(orphans[0].with_suffix(".ledger"), -1, 0, "its index is here, the ledger is missing")
    if not files:
        raise Damage(path, -1, 0, "there is no ledger in this directory")
    return files


def entries(path: Path) -> Iterator[Entry]:
    """The entries of one ledger file, each checked as `verify` does. Raises Damage at the first that is not sound."""
    index = read_index(path.with_suffix(".index"))
    with path.open("rb") as file:
        reader = LedgerReader(path, file)
        for _, entry in _checked(reader, index, EntryRules(reader.subject, name=reader.name)):
            yield entry


def verify(
    path: Path,
    roots: Iterable[str] = (),
    progress: Callable[[int], object] = lambda done: None,
    disclosed: Iterable[Plaintext] = (),
) -> Verified:
    """Read and check one ledger file. Raises Damage (file, entry, offset) at the first error.

    Checked: checksums of header, lengths and index; every leaf hash; encoding and canonical body; fields against the
    body; one subject per file; unique ids; rising epoch; standings of decisions without a gap; that no acknowledged
    entry is missing. `roots` are tree heads noted earlier, in hex; `progress` is called with the bytes read.
    `disclosed` texts of this subject are compared with their commitments; raises CommitmentMismatch."""
    wanted = {root.lower() for root in roots}
    tree, found = Frontier(), dict[str, int]()
    index = read_index(path.with_suffix(".index"))
    with path.open("rb") as file:
        reader = LedgerReader(path, file)
        rules = EntryRules(reader.subject, name=reader.name)
        texts = [text for text in disclosed if text.pilot == reader.subject]
        pending = by_entry(texts)
        if tree.root().hex() in wanted:
            found[tree.root().hex()] = 0
        for leaf, entry in _checked(reader, index, rules):
            tree.push(leaf)
            if entry.id in pending:
                check_disclosure(path, entry, pending.pop(entry.id))
            if wanted and (root := tree.root().hex()) in wanted:
                found[root] = tree.size
            progress(reader.end)
    if pending:
        raise CommitmentMismatch(f"{path}: there is no entry {min(pending)}, of which a text is disclosed")
    return Verified(
        path,
        reader.subject,
        tree.size,
        tree.root().hex(),
        reader.end,
        reader.torn,
        found,
        len(texts),
        rules.standings.first,
        rules.standings.last,
        rules.standings.doubtful,
        reader.name.log,
        reader.name.year,
    )


def cursor_of(path: Path) -> Cursor:
    """The cursor in a directory of ledgers; an empty one for a file, or when it is missing or unreadable.

    Read it before the ledgers: a ledger that is being written then holds at least what the cursor says.
    """
    try:
        return read_cursor(path)
    except (CursorBroken, OSError):
        return empty()  # the notary reports it; the ledgers may be sound


def check_disclosure(path: Path, entry: Entry, texts: Iterable[Plaintext]) -> None:
    """Raise CommitmentMismatch unless each text matches its commitment in the entry."""
    record = entry.record()
    for text in texts:
        expected = committed(get(record, text.field))
        if not expected or expected != text.commitment():
            raise CommitmentMismatch(f"{path}: {text.field} of entry {entry.id} does not match the disclosed text")


def _checked(reader: LedgerReader, index: list[tuple[int, bytes]], rules: EntryRules) -> Iterator[tuple[bytes, Entry]]:
    for item in checked_frames(reader, index):
        entry = rules.take(item.entry)
        if isinstance(entry, Broken):
            raise Damage(reader.path, item.number, item.entry_start + entry.offset, entry.problem, entry.check)
        yield item.leaf, entry


def main(arguments: list[str]) -> int:
    """The command of this name: `monitor.verifier`, which is above this folder and therefore imported when called."""
    run: Callable[[list[str]], int] = importlib.import_module("monitor.verifier.main").main
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
