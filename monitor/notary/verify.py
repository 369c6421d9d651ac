"""Verify ledgers with the standard library alone: no network, no database, none of the code that wrote them.

`python -m monitor.notary.verify PATH...` does the same as `sandbox-monitor ledger verify` without its dependencies. A stranger
who would rather not run our code finds every format in `README.md` beside this file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from monitor.notary.commitment import Words, WordsBroken, by_entry, committed, get, lines
from monitor.notary.encoding import Entry, EntryType, Malformed, check
from monitor.notary.segment import Damage, Reader, hold, read_index
from monitor.notary.tree import Frontier


class Verified(NamedTuple):
    """A sound ledger: its model file id, entries, tree head, bytes; `torn` bytes of an entry that was never acknowledged;
    `found` maps each root asked for to the size at which this ledger had it; `shown` counts disclosed texts that are what it
    commits to."""

    file: Path
    model: str
    entries: int
    root: str
    size: int
    torn: int
    found: dict[str, int]
    shown: int = 0


class Mismatch(Exception):
    """A disclosed text is not what the ledger commits to; the ledger itself may be sound."""


def ledgers(path: Path) -> list[Path]:
    """The ledger files that `path` names: itself, or those in the directory. Raises Damage when there is none."""
    if not path.is_dir():
        if not path.exists():
            raise Damage(path, -1, 0, "there is no such file")
        return [path]
    files = sorted(path.glob("*.ledger"))
    gone = [index for index in path.glob("*.index") if not index.with_suffix(".ledger").exists()]
    if gone:
        raise Damage(gone[0].with_suffix(".ledger"), -1, 0, "its index is here, the ledger is gone")
    if not files:
        raise Damage(path, -1, 0, "there is no ledger in this directory")
    return files


def entries(path: Path) -> Iterator[Entry]:
    """The entries of one ledger file, each checked as `verify` does. Raises Damage at the first that is not sound."""
    index = read_index(path.with_suffix(".index"))
    with path.open("rb") as file:
        for _, entry in _checked(Reader(path, file), index):
            yield entry


def verify(
    path: Path,
    roots: Iterable[str] = (),
    progress: Callable[[int], object] = lambda done: None,
    disclosed: Iterable[Words] = (),
) -> Verified:
    """Re-read one ledger file whole. Raises Damage (file, entry, offset) at the first thing that is not as it must be.

    Checked: checksums of header, lengths and index; every leaf hash; encoding and canonical body; fields against the body; one
    model file per file; unique ids; rising standing and epoch; that no acknowledged entry is gone. `roots` are tree heads noted
    earlier, in hex; `progress` is told the bytes read. Of `disclosed`, those of this model file are held against their entries:
    raises Mismatch.
    """
    wanted = {root.lower() for root in roots}
    tree, found = Frontier(), dict[str, int]()
    index = read_index(path.with_suffix(".index"))
    with path.open("rb") as file:
        reader = Reader(path, file)
        told = [words for words in disclosed if words.pilot == reader.model]
        waiting = by_entry(told)
        if tree.root().hex() in wanted:
            found[tree.root().hex()] = 0
        for leaf, entry in _checked(reader, index):
            tree.push(leaf)
            if entry.id in waiting:
                hold_against(path, entry, waiting.pop(entry.id))
            if wanted and (root := tree.root().hex()) in wanted:
                found[root] = tree.size
            progress(reader.end)
    if waiting:
        raise Mismatch(f"{path}: there is no entry {min(waiting)}, of which something is disclosed")
    return Verified(path, reader.model, tree.size, tree.root().hex(), reader.end, reader.torn, found, len(told))


def hold_against(path: Path, entry: Entry, told: Iterable[Words]) -> None:
    """Raise Mismatch unless each of these texts is what the entry commits to."""
    record = entry.record()
    for words in told:
        stands = committed(get(record, words.field))
        if not stands or stands != words.commitment():
            raise Mismatch(f"{path}: {words.field} of entry {entry.id} is not the text that is disclosed")


def _checked(reader: Reader, index: list[tuple[int, bytes]]) -> Iterator[tuple[bytes, Entry]]:
    path = reader.path
    ids: set[str] = set()
    standing: dict[bool, int] = {}
    epochs: dict[bool, int] = {}
    for item in hold(reader, index):
        try:
            entry = check(item.entry)
        except Malformed as bad:
            raise Damage(path, item.number, item.entry_start + bad.offset, str(bad)) from None
        command = entry.type is EntryType.COMMAND
        last = standing.get(command, -1)
        problem = ""
        if entry.pilot != reader.model:
            problem = f"an entry of {entry.pilot!r} in the file of {reader.model!r}"
        elif entry.id in ids:
            problem = f"the id {entry.id} is here twice"
        elif entry.standing < last or (entry.standing == last and not command):
            problem = f"standing {entry.standing} after {last}"
        elif entry.epoch < epochs.get(command, 0):
            problem = f"epoch {entry.epoch} after {epochs[command]}: void"
        if problem:
            raise Damage(path, item.number, item.entry_start, problem)
        ids.add(entry.id)
        standing[command], epochs[command] = entry.standing, entry.epoch
        yield item.leaf, entry


def main(arguments: list[str]) -> int:
    """Verify each path; one line per sound ledger on stdout, damage on stderr. 0 all sound, 1 damage, 2 called wrongly."""
    told: list[Words] = []
    if arguments[:1] == ["--disclosed"] and len(arguments) > 2:
        disclosed, arguments = Path(arguments[1]), arguments[2:]
        try:
            told = [words for words in lines(disclosed, disclosed.read_bytes()) if words.salt]
        except (WordsBroken, OSError) as error:
            print(error, file=sys.stderr)
            return 1
    if not arguments or arguments[0].startswith("-"):
        print("usage: python -m monitor.notary.verify [--disclosed FILE] PATH...", file=sys.stderr)
        return 2
    bad, shown = 0, 0
    for argument in arguments:
        try:
            files = ledgers(Path(argument))
        except Damage as damage:
            print(damage, file=sys.stderr)
            bad += 1
            continue
        for file in files:
            try:
                sound = verify(file, disclosed=told)
                shown += sound.shown
                print(f"{sound.file} entries={sound.entries} root={sound.root} pilot={sound.model}")
            except (Damage, Mismatch) as damage:
                print(damage, file=sys.stderr)
                bad += 1
    if told and not bad:
        print(f"{shown} of {len(told)} disclosed texts are what these ledgers commit to", file=sys.stderr)
        bad += shown != len(told)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
