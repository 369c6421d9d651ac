"""Compares two copies of one log: the same, one extends the other, or a fork, with the first entry that differs.

A copy is a ledger file, a published log (its directory or URL) or a checkpoint, of which only size and root are known.
Signatures are not checked here: `ledger verify` does that.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from monitor.notary.encoding import Malformed, decode
from monitor.notary.format import Damage, LedgerReader
from monitor.tlog import checkpoint as body
from monitor.tlog.errors import TlogError
from monitor.tlog.merkle import EMPTY_ROOT, Frontier
from monitor.tlog.note import parse_note
from monitor.verifier.followed import log_of
from monitor.verifier.stores import Store, Unreadable, is_url, open_store
from monitor.verifier.tiles import LogTiles, Missing

CHECKPOINT_BYTES = 1 << 20


class Relation(StrEnum):
    """How two copies of a log relate."""

    SAME = "same"
    FIRST_EXTENDS = "the first extends the second"
    SECOND_EXTENDS = "the second extends the first"
    FORK = "fork"
    UNKNOWN = "unknown"


class NotComparable(Exception):
    """A copy cannot be read; the message names it and the fix."""


class Copy(NamedTuple):
    """One copy: its size and root, and the leaf hashes and ids of its entries (`None`: a checkpoint)."""

    where: str
    name: str
    size: int
    root: bytes
    leaves: list[bytes] | None
    ids: list[str]


class Compared(NamedTuple):
    """`first` is the number of the first entry that differs in a fork, `None` where only roots are known."""

    relation: Relation
    first: int | None
    sentence: str


def is_copy(name: str) -> bool:
    """Whether this is a ledger file, a published log or a checkpoint, and not something else to compare with."""
    if is_url(name) or name.endswith(".ledger"):
        return True
    path = Path(name)
    if path.is_dir():
        return (path / "checkpoint").exists()
    try:
        return path.stat().st_size < CHECKPOINT_BYTES and "\n\n\u2014 ".encode() in path.read_bytes()
    except OSError:
        return False


def read_copy(name: str) -> Copy:
    """Read a copy. Raises NotComparable."""
    try:
        if name.endswith(".ledger"):
            return _ledger(Path(name))
        if is_url(name) or Path(name).is_dir():
            parent, _, log = name.rstrip("/").rpartition("/")
            return _published(open_store(parent or "."), log)
        head = body.parse(parse_note(Path(name).read_bytes()).text)
        return Copy(name, head.origin.rpartition("/")[2], head.size, head.root, None, [])
    except (Damage, Missing, TlogError, Unreadable) as error:
        raise NotComparable(f"{name}: {error}; run `ledger verify` on it") from None
    except OSError as error:
        raise NotComparable(f"{name}: {error.strerror}") from None


def compare_copies(first: Copy, second: Copy) -> Compared:
    """How `first` and `second` relate. Raises NotComparable for copies of two logs."""
    if first.name != second.name:
        raise NotComparable(f"{first.where} is of the log {first.name}, {second.where} of {second.name}")
    if first.leaves is not None and second.leaves is not None:
        for number, (ours, theirs) in enumerate(zip(first.leaves, second.leaves, strict=False)):
            if ours != theirs:
                return _fork(first, second, number)
        return _by_size(first, second)
    return _by_root(first, second)


def _by_root(first: Copy, second: Copy) -> Compared:
    size = min(first.size, second.size)
    roots = [_root_at(one, size) for one in (first, second)]
    if None in roots:
        sentence = "of the longer copy only a checkpoint is given; give its ledger or its published log"
        return Compared(Relation.UNKNOWN, None, sentence)
    return _by_size(first, second) if roots[0] == roots[1] else _fork(first, second, None, size)


def _root_at(copy: Copy, size: int) -> bytes | None:
    if size == copy.size:
        return copy.root
    return None if copy.leaves is None else _root(copy.leaves[:size])


def _by_size(first: Copy, second: Copy) -> Compared:
    if first.size == second.size:
        return Compared(Relation.SAME, None, f"both have the same {first.size} entries")
    longer, shorter = (first, second) if first.size > second.size else (second, first)
    relation = Relation.FIRST_EXTENDS if longer is first else Relation.SECOND_EXTENDS
    more = longer.size - shorter.size
    return Compared(relation, None, f"{longer.where} has the {shorter.size} entries of {shorter.where} and {more} more")


def _fork(first: Copy, second: Copy, number: int | None, size: int = 0) -> Compared:
    if number is None:
        return Compared(Relation.FORK, None, f"they differ within the first {size} entries: their roots there differ")
    sides = ", ".join(f"{one.ids[number]} in {one.where}" for one in (first, second))
    return Compared(Relation.FORK, number, f"entry {number} is the first that differs: {sides}")


def _ledger(path: Path) -> Copy:
    with path.open("rb") as file:
        reader = LedgerReader(path, file)
        frames = [(item.leaf, _id(item.entry)) for item in reader]
    return _copy(str(path), log_of(reader.name), frames)


def _published(store: Store, log: str) -> Copy:
    raw = store.read(f"{log}/checkpoint")
    if raw is None:
        raise NotComparable(f"{store.where}/{log}: no checkpoint is here; is it a published log?")
    head = body.parse(parse_note(raw).text)
    found = [(leaf, _id(entry)) for entry, leaf in LogTiles(store, log, head.size).entries()]
    return _copy(f"{store.where}/{log}", log, found)


def _copy(where: str, name: str, entries: list[tuple[bytes, str]]) -> Copy:
    leaves = [leaf for leaf, _ in entries]
    return Copy(where, name, len(leaves), _root(leaves), leaves, [identity for _, identity in entries])


def _id(entry: bytes) -> str:
    try:
        return decode(entry).id
    except Malformed:
        return "(no entry)"


def _root(leaves: Iterable[bytes]) -> bytes:
    tree = Frontier()
    for leaf in leaves:
        tree.push(leaf)
    return tree.root() if tree.size else EMPTY_ROOT
