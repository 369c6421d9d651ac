"""The leaves of the authority log, `authority.leaves` in the notary's directory: what was signed about each pilot log.

    header  8 bytes `SBXLEDG` + 0x01 | 2: n | n bytes origin of the authority log, UTF-8 | 4: CRC-32 of all before
    frame   4: length of the leaf | 4: CRC-32 of (8: leaf number from 0 | 4: length) | 32: leaf hash | the leaf

That is the file format of a ledger (`notary/format.py`); `notary/authority_leaf.py` has the format of a leaf.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from pathlib import Path

from monitor.errors import LedgerBroken
from monitor.files.durable import Disk
from monitor.notary.authority_leaf import Leaf, decode_leaf
from monitor.notary.format import Damage, LedgerReader, frame, header
from monitor.publication.log_source import read_range, split_frames
from monitor.tlog.merkle import Frontier, leaf_hash
from monitor.tlog.tiles import WIDTH

NAME = "authority.leaves"
REWRITTEN = 1 << 22  # bytes that are written again at once


class AuthorityLeaves:
    """The open file of leaves. A `LogSource`; `append` returns once the leaves are durable.

    `last` is the last leaf of each pilot log, `index` its number. `roots` are the roots at the sizes asked for, of
    those that the file had when it was opened; `sizes` are the published sizes of the logs asked for. Raises
    LedgerBroken when the file is damaged, OSError.
    """

    def __init__(
        self, directory: Path, origin: str, disk: Disk, *, roots_at: Collection[int] = (), after: dict[str, int]
    ) -> None:
        self.path, self._origin, self._disk = directory / NAME, origin, disk
        self.last: dict[str, Leaf] = {}
        self.index: dict[str, int] = {}
        self.roots: dict[int, bytes] = {}
        self.sizes: dict[str, list[int]] = {}
        self._tree = Frontier()
        self._starts = array("Q")  # offset of every 256th frame
        self._end = 0  # 0: the file does not exist yet
        if self.path.exists():
            self._read(set(roots_at), after)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._tree.size

    @property
    def root(self) -> bytes:
        """The root over all leaves."""
        return self._tree.root()

    def append(self, leaves: Sequence[Leaf]) -> None:
        """Append leaves: one write and one fsync (two for the first ones). Raises OSError with the outcome unknown;
        open the file again then."""
        if not leaves:
            return
        raws = [leaf.encode() for leaf in leaves]
        frames = [frame(self.size + number, raw) for number, raw in enumerate(raws)]
        start = self._end or len(header(self._origin))
        if self._end:
            self._disk.append(self.path, self._end, b"".join(frames))
        else:
            self._disk.replace(self.path, header(self._origin) + b"".join(frames))
        for leaf, raw, framed in zip(leaves, raws, frames, strict=True):
            self._take(leaf, leaf_hash(raw), start)
            start += len(framed)
        self._end = start

    def read(self, start: int, end: int) -> list[bytes]:
        """See `LogSource`."""
        if start == end:
            return []
        first = start // WIDTH
        last = (end + WIDTH - 1) // WIDTH
        begin = self._starts[first]
        stop = self._starts[last] if last < len(self._starts) else self._end
        entries = split_frames(
            self.path, read_range(self.path, begin, stop - begin), min(last * WIDTH, self.size) - first * WIDTH
        )
        return entries[start - first * WIDTH : end - first * WIDTH]

    def _take(self, leaf: Leaf, hashed: bytes, start: int) -> None:
        if self.size % WIDTH == 0:
            self._starts.append(start)
        self.last[leaf.origin], self.index[leaf.origin] = leaf, self.size
        self._tree.push(hashed)

    def _read(self, roots_at: set[int], after: dict[str, int]) -> None:
        newest = max(roots_at, default=0)
        unsigned: int | None = None  # where the leaves behind the newest one begin
        try:
            with self.path.open("rb") as file:
                reader = LedgerReader(self.path, file)
                if reader.subject != self._origin:
                    raise Damage(self.path, -1, 0, f"the leaves of {reader.subject}; the log key is for {self._origin}")
                for item in reader:
                    leaf = decode_leaf(item.entry)
                    self._take(leaf, item.leaf, item.start)
                    if self.size in roots_at:
                        self.roots[self.size] = self.root
                    elif self.size > newest and unsigned is None:
                        unsigned = item.start
                    if leaf.size > after.get(leaf.origin, leaf.size):
                        self.sizes.setdefault(leaf.origin, []).append(leaf.size)
        except Damage as damage:
            raise LedgerBroken(f"{damage}; fix: restore a copy, or fetch it with `ledger restore-authority`") from None
        except ValueError as error:
            raise LedgerBroken(f"{self.path}:{self.size}: {error}") from None
        self._end = reader.end
        if reader.torn:
            self._disk.cut(self.path, self._end)
        for at in () if unsigned is None else range(unsigned, self._end, REWRITTEN):
            # They were never signed, and a failed fsync may have marked their pages clean without writing them.
            self._disk.append(self.path, at, read_range(self.path, at, min(REWRITTEN, self._end - at)))
