"""The pilot logs of a publication: what each of them shows, and how it grows up to the head of its ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from monitor.errors import Refused
from monitor.files.durable import DurableBatch
from monitor.logs import EventLogger
from monitor.notary.authority_leaf import Leaf
from monitor.notary.format import LogName
from monitor.notary.store import Head
from monitor.publication.authority_leaves import AuthorityLeaves
from monitor.publication.log_key import LogKey, log_name
from monitor.publication.log_source import LedgerSource
from monitor.publication.log_tiles import LogTiles
from monitor.publication.refusals import SigningRefusal
from monitor.tlog.errors import TlogError

_log = EventLogger(__name__)

Cosign = Callable[[str, int, bytes], bytes]
"""Takes log, size and signed checkpoint; returns the checkpoint with the cosignatures that could be had."""


LEAF_PROOF = "authority.tlog-proof"
"""The file with the proof that the checkpoint of a pilot log is in the authority log."""


class Grown(NamedTuple):
    """A pilot log whose tiles are written up to a leaf of the authority log."""

    log: str
    leaf: Leaf
    tiles: LogTiles


class PilotLogs:
    """The pilot logs below `directory`, made from the ledgers in `ledgers`.

    `refused` are the logs that may not be signed, because their ledger does not continue what was published.
    """

    def __init__(self, ledgers: Path, directory: Path, key: LogKey, files: DurableBatch) -> None:
        self._ledgers, self._directory, self._key, self._files = ledgers, directory, key, files
        self._names: dict[LogName, str] = {}
        self._shown: dict[str, int] = {}  # log -> entries of its visible checkpoint
        self._written: dict[str, int] = {}  # log -> entries whose tiles are durable, where it shows fewer
        self._tiles: dict[str, LogTiles] = {}  # of these logs
        self._roots: dict[str, bytes] = {}  # log -> root of the checkpoint that was visible when it was opened
        self._lacking: set[str] = set()  # logs whose newest checkpoint lacks its quorum
        self._checked: set[str] = set()  # logs whose ledger continues what was published
        self._different: dict[str, list[tuple[int, bytes]]] = {}  # log -> what its ledger was found to contradict
        self.refused: dict[str, SigningRefusal] = {}

    @property
    def entries(self) -> int:
        """The number of entries that are visible in all logs."""
        return sum(self._shown.values())

    def reopen(self, heads: Mapping[LogName, Head]) -> None:
        """Read again what is visible."""
        self._checked.clear()
        self._roots.clear()
        self._written.clear()
        self._tiles.clear()
        self._shown = {log: self._read_shown(log) for log in map(log_name, heads)}

    def shown_by_origin(self) -> dict[str, int]:
        """The visible size of each log, by origin."""
        return {self._key.origin_of(log): size for log, size in self._shown.items()}

    def grow(self, heads: Mapping[LogName, Head], leaves: AuthorityLeaves) -> Iterator[Grown]:
        """Grow each log that shows less than its ledger holds; its tiles are in the batch when it is yielded."""
        for name, head in heads.items():
            log = self._names.get(name) or self._names.setdefault(name, log_name(name))
            if log not in self._shown:
                self._shown[log] = self._read_shown(log)
            if self._shown[log] == head.size and log in self._checked:
                continue
            source = LedgerSource(self._ledgers / f"{log}.ledger", name)
            leaf = Leaf(self._key.origin_of(log), head.size, bytes.fromhex(head.root))
            if not self._continues(log, leaf, leaves.last.get(leaf.origin), source):
                continue
            shown = self._shown[log]
            if shown == head.size and leaves.last.get(leaf.origin) == leaf:
                continue
            tiles = self._tiles.setdefault(log, LogTiles(self._directory / log, self._files))
            written = self._written.get(log, shown)
            if written < head.size or not written:
                tiles.grow(source, written, head.size, leaf.root, frozenset(leaves.sizes.pop(leaf.origin, ())))
            yield Grown(log, leaf, tiles)

    def durable(self, grown: Sequence[Grown]) -> None:
        """The tiles of these logs were committed: a log that lacks its quorum is not written again in each round."""
        for one in grown:
            self._written[one.log] = one.leaf.size

    def show(self, grown: Sequence[Grown], cosigned: Cosign, proved: Callable[[str], bytes]) -> list[Grown]:
        """Make the checkpoints of these logs visible, but for those that `cosigned` refuses: they wait for the next
        round. Their leaves are in the visible authority log; `proved` gives the proof of the last leaf of an origin.

        Returns the logs that were shown."""
        notes, shown = [], []
        for one in grown:
            try:
                note = cosigned(one.log, one.leaf.size, self._key.sign(one.log, one.leaf.size, one.leaf.root))
            except Refused as error:  # its policy is not satisfied: this log waits, the others do not
                if one.log not in self._lacking:
                    self._lacking.add(one.log)
                    _log.warning("publication.not_cosigned", stage="record", log=one.log, detail=str(error))
                continue
            self._lacking.discard(one.log)
            notes.append(note)
            shown.append(one)
            self._files.write(self._directory / one.log / LEAF_PROOF, proved(one.leaf.origin))
        for one, note in zip(shown, notes, strict=True):  # renamed in this order
            self._files.write(self._directory / one.log / "checkpoint", note)
        self._files.commit()
        for one in shown:
            self._shown[one.log] = one.leaf.size
            self._written.pop(one.log, None)
        return shown

    def forget_partial(self, grown: Sequence[Grown]) -> None:
        """Remove partial tiles of which the complete one is visible."""
        for one in grown:
            one.tiles.forget_partial()
            self._tiles.pop(one.log, None)

    def _continues(self, log: str, leaf: Leaf, last: Leaf | None, source: LedgerSource) -> bool:
        """Whether the ledger continues what was published. Entries are only ever appended to it, so one comparison with
        the same signed sizes and roots is enough, whatever it found."""
        if log in self._checked:
            return True
        signed = [(last.size, last.root)] if last else []
        if log in self._roots:
            signed.append((self._shown[log], self._roots.pop(log)))
        why = SigningRefusal.PILOT_DIFFERENT if self._different.get(log) == signed else None
        for size, root in signed if why is None else ():
            if size > leaf.size:
                why = SigningRefusal.PILOT_OLDER
            elif (leaf.root if size == leaf.size else source.root_at(size)) != root:
                why, self._different[log] = SigningRefusal.PILOT_DIFFERENT, signed
                break
        if why is None:
            self._checked.add(log)
            self.refused.pop(log, None)
            return True
        self._shown.pop(log, None)  # read again: it counts the next time, too
        if self.refused.get(log) != why:
            self.refused[log] = why
            _log.error(
                "publication.pilot_refused",
                stage="record",
                log=log,
                reason=why,
                published=max(size for size, _ in signed),
                here=leaf.size,
                detail="restore the newest copy of this ledger (runbook, SandboxPublicationRefused)",
            )
        return False

    def _read_shown(self, log: str) -> int:
        """The size of the visible checkpoint; 0 where there is none that is ours, and the log is then published
        again."""
        try:
            seen = self._key.opened(log, (self._directory / log / "checkpoint").read_bytes())
        except (FileNotFoundError, TlogError):
            return 0
        self._roots[log] = seen.root
        return seen.size
