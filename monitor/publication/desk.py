"""Answers questions about ledgers from the files of a notary and of a publication, cheaply: for the board.

An entry is read through the index of its file. The path of an entry in the ledger as it is now is computed from the
leaf hashes of the index, for ledgers of at most `LEAVES` entries. What is published is read through its tiles, so that
a proof reads a number of small files that grows with the logarithm of the size. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from monitor.errors import LedgerBroken
from monitor.notary.desk_facts import (
    CheckFact,
    CheckpointFact,
    DeskUnavailable,
    HeldEntry,
    HeldLedger,
    ProofFact,
    SignatureFact,
)
from monitor.notary.encoding import Entry, Malformed, decode
from monitor.notary.entry_rules import Broken, EntryRules
from monitor.notary.format import INDEX_RECORD, LogName
from monitor.notary.notary import Notary
from monitor.notary.store import Head, file_name
from monitor.publication.log_key import AUTHORITY, LogKey, log_name
from monitor.publication.log_source import LedgerSource, read_range
from monitor.publication.pilot_logs import LEAF_PROOF
from monitor.publication.prove import Published, check_stacked
from monitor.publication.publisher import PublicationSettings
from monitor.tlog.cosignature import time_of
from monitor.tlog.errors import HashUnavailable, TlogError
from monitor.tlog.keys import Verifier
from monitor.tlog.merkle import inclusion_proof, leaf_hash, verify_inclusion
from monitor.tlog.note import SignedNote, verify_note
from monitor.tlog.proof import MAX_EXTRA_BYTES

LEAVES = 1 << 14  # entries of a ledger of which the tree is computed for one page
SEARCHED = 4_096  # newest entries among which an id is looked for
_READ = 256  # entries in one read
_NOT_PUBLISHED = "the ledger is not published (--publish)"


class LedgerDesk:
    """See `monitor.notary.desk_facts.Desk`. `heads` gives the durable heads of all ledgers in `ledgers`; `publication`
    is the directory of `--publish` with the key that signs there."""

    def __init__(
        self,
        ledgers: Path,
        heads: Callable[[], Mapping[LogName, Head]],
        publication: tuple[Path, LogKey] | None = None,
    ) -> None:
        self._ledgers, self._heads = ledgers, heads
        self._published: Path | None = publication[0] if publication else None
        self._key: LogKey | None = publication[1] if publication else None
        self.directory = str(ledgers)
        self.published = "" if self._published is None else str(self._published)

    def ledgers(self) -> Sequence[HeldLedger]:
        """See `Desk`."""
        heads = self._heads()
        return [HeldLedger(name, file_name(name), heads[name].size, heads[name].root) for name in sorted(heads)]

    def visible(self, name: LogName) -> int | None:
        """See `Desk`."""
        opened = None if self._published is None else self._open(log_name(name))
        return None if opened is None else opened.head.size

    def entries(self, name: LogName, first: int, count: int) -> Sequence[HeldEntry]:
        """See `Desk`."""
        end = min(self._head(name).size, first + count)
        found: list[HeldEntry] = []
        for start in range(max(0, first), end, _READ):
            stop = min(end, start + _READ)
            found += [_held(start + place, data) for place, data in enumerate(self._raw(name, start, stop))]
        return found

    def find(self, name: LogName, identity: str) -> int | None:
        """See `Desk`: among the newest `SEARCHED` entries."""
        size = self._head(name).size
        for start in range(max(0, size - _READ), max(-1, size - SEARCHED - 1), -_READ):
            for one in self.entries(name, start, _READ):
                if one.entry is not None and one.entry.id == identity:
                    return one.number
        for one in self.entries(name, 0, size % _READ) if size <= SEARCHED else ():
            if one.entry is not None and one.entry.id == identity:
                return one.number
        return None

    def checkpoint(self, name: LogName | None) -> CheckpointFact | None:
        """See `Desk`."""
        log = AUTHORITY if name is None else log_name(name)
        opened = self._open(log)
        if opened is None or self._published is None or self._key is None:
            return None
        own = self._key.verifier(log)
        stamps = self._published / log / "stamp" / str(opened.head.size)
        return CheckpointFact(
            log=log,
            origin=opened.head.origin,
            size=opened.head.size,
            root=opened.head.root.hex(),
            seen=round((self._published / log / "checkpoint").stat().st_mtime * 1000),
            signatures=tuple(_signatures(opened.note, own)),
            stamps=tuple(sorted(one.name for one in stamps.iterdir())) if stamps.is_dir() else (),
            key=own.vkey,
            text=opened.note.data.decode(),
        )

    def proof(self, name: LogName, number: int) -> ProofFact | None:
        """See `Desk`."""
        head = self._head(name)
        if not 0 <= number < head.size or head.size > LEAVES:
            return None
        leaves = self._leaves(name, head.size)
        path = inclusion_proof(leaves, number)
        hashes = tuple(one.hex() for one in path)
        return ProofFact(number, head.size, leaves[number].hex(), hashes, head.root)

    def verify(self, name: LogName, number: int) -> Sequence[CheckFact]:
        """See `Desk`."""
        held = self.entries(name, number, 1)
        if not held:
            return [CheckFact("entry.encoding", "not run", f"there is no entry {number}")]
        data = held[0].data
        return [*_of_entry(name, data), self._in_ledger(name, number, data), *self._in_publication(name, number, data)]

    def _in_ledger(self, name: LogName, number: int, data: bytes) -> CheckFact:
        found = self.proof(name, number)
        if found is None:
            words = f"the ledger has more than {LEAVES:,} entries; `sandbox-monitor ledger verify` reads them all"
            return CheckFact("ledger.leaf-hash", "not run", words)
        path = [bytes.fromhex(one) for one in found.hashes]
        try:
            verify_inclusion(leaf_hash(data), number, found.size, path, bytes.fromhex(found.root))
        except TlogError as error:
            return CheckFact("ledger.leaf-hash", "FAIL", str(error))
        return CheckFact("ledger.leaf-hash", "pass", f"its hash leads to the root of the {found.size} entries here")

    def _in_publication(self, name: LogName, number: int, data: bytes) -> Iterator[CheckFact]:
        names = ("checkpoint.signature", "proof.inclusion", "authority.contains")
        opened = self._open(log_name(name))
        if opened is None or self._key is None or self._published is None:
            why = _NOT_PUBLISHED if self._published is None else "no checkpoint of this ledger is visible yet"
            yield from (CheckFact(one, "not run", why) for one in names)
            return
        if number >= opened.head.size:
            why = f"the visible checkpoint has {opened.head.size} entries; this one follows with the next round"
            yield from (CheckFact(one, "not run", why) for one in names)
            return
        base = self._key.origin
        keys = {base + "/" + log: self._key.verifier(log) for log in (log_name(name), AUTHORITY)}
        try:
            extra = data if len(data) <= MAX_EXTRA_BYTES else None
            second = (self._published / log_name(name) / LEAF_PROOF).read_bytes()
            stacked = opened.proof(number, extra).data + second
            verify_inclusion(leaf_hash(data), number, opened.head.size, opened.proof(number).hashes, opened.head.root)
            if not verify_note(opened.note, [keys[opened.head.origin]]):
                yield CheckFact(names[0], "FAIL", f"no signature by the key of {opened.head.origin}")
                return
            yield CheckFact(names[0], "pass", f"the checkpoint of {opened.head.size} entries is signed by its log")
            yield CheckFact(names[1], "pass", "its published path leads to the root that is signed")
        except (OSError, TlogError, KeyError) as error:
            yield CheckFact(names[1], "FAIL", str(error))
            return
        try:
            check_stacked(stacked, data, lambda origin: keys[origin])
            yield CheckFact(names[2], "pass", "the authority log, which witnesses see, has that checkpoint")
        except (TlogError, KeyError) as error:  # also between two rounds
            yield CheckFact(names[2], "FAIL", str(error))

    def _head(self, name: LogName) -> Head:
        return self._heads().get(name) or Head(0, "")

    def _raw(self, name: LogName, start: int, end: int) -> Sequence[bytes]:
        try:
            return LedgerSource(self._ledgers / file_name(name), name).read(start, end)
        except (LedgerBroken, OSError) as error:
            raise DeskUnavailable(str(error)) from error

    def _leaves(self, name: LogName, size: int) -> list[bytes]:
        index = (self._ledgers / file_name(name)).with_suffix(".index")
        try:
            raw = read_range(index, 0, size * INDEX_RECORD)
        except (LedgerBroken, OSError) as error:
            raise DeskUnavailable(str(error)) from error
        return [raw[at + 8 : at + 40] for at in range(0, len(raw), INDEX_RECORD)]

    def _open(self, log: str) -> Published | None:
        """The published log as it is visible; `None` where it is not."""
        try:
            return Published.open(self._read, log)
        except TlogError:
            return None

    def _read(self, path: str) -> bytes:
        if self._published is None:
            raise HashUnavailable(path)
        try:
            return (self._published / path).read_bytes()
        except OSError as error:
            raise HashUnavailable(f"{path}: {error.strerror}") from error


def desk_of(notary: Notary, publishing: tuple[PublicationSettings, float] | None) -> LedgerDesk:
    """The desk of a notary in this process, and of what it publishes."""
    published = None if publishing is None else (publishing[0].directory, publishing[0].key)
    return LedgerDesk(notary.directory, lambda: notary.logs, published)


def _held(number: int, data: bytes) -> HeldEntry:
    entry: Entry | None
    try:
        entry = decode(data)
    except Malformed:
        entry = None
    return HeldEntry(number, data, entry)


def _of_entry(name: LogName, data: bytes) -> Iterator[CheckFact]:
    """The checks of an entry alone; whether it stands in the right order is for those who read all of them."""
    found = EntryRules(name.subject, name=name).take(data)
    if isinstance(found, Broken) and found.check in ("entry.encoding", "entry.body", "entry.pilot"):
        yield CheckFact(found.check, "FAIL", found.problem)
        return
    yield CheckFact("entry.encoding", "pass", "it has exactly the bytes of a known format version")
    yield CheckFact("entry.body", "pass", "its body is canonical JSON and agrees with the fields before it")
    yield CheckFact("entry.pilot", "pass", f"it is about {name.subject}, as its ledger is")


def _signatures(note: SignedNote, own: Verifier) -> Iterator[SignatureFact]:
    for line in note.signatures:
        of_log, at = line.is_by(own), None
        if not of_log:
            try:
                at = time_of(line) * 1000
            except TlogError:
                at = None
        yield SignatureFact(line.name, line.key_id.hex(), of_log, at)
