"""Publishes ledgers in rounds: tiles and checkpoints of each pilot log, and of the authority log over them.

    ledgers --> tiles of pilot logs --> leaves of the authority log --> its tiles --> sign --> second place
            --> witnesses --> stamp --> authority checkpoint visible --> pilot checkpoints visible

Each step is durable before the next begins, so a crash at any point leaves tiles without a checkpoint, or a checkpoint
with all its tiles. The authority checkpoint is visible first: a visible pilot checkpoint always has its leaf in a
visible authority log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from monitor.errors import Refused, SigningRefused, TryAgain
from monitor.files.durable import Disk, DurableBatch, RealDisk
from monitor.logs import EventLogger
from monitor.notary.format import LogName
from monitor.notary.store import Head
from monitor.publication.authority_leaves import AuthorityLeaves
from monitor.publication.edge import edge_sizes
from monitor.publication.guard import check_continues, signed_before
from monitor.publication.hooks import Cosigner, NewestCheckpoint, NoCosigner, NoStamper, Stamper
from monitor.publication.log_key import AUTHORITY, LogKey
from monitor.publication.log_tiles import LogTiles, hashes_of
from monitor.publication.outside import Outside
from monitor.publication.pilot_logs import PilotLogs
from monitor.publication.refusals import SigningRefusal
from monitor.publication.second_place import SecondPlace
from monitor.tlog.errors import TlogError
from monitor.tlog.merkle import consistency_proof, inclusion_proof
from monitor.tlog.note import parse_note
from monitor.tlog.proof import TlogProof

_log = EventLogger(__name__)

IN_USE = "second-place.in-use"
"""A file in the notary's directory: a second place was used, so an empty one is not the right one."""


class PublicationSettings(Struct, frozen=True, kw_only=True):
    """Where and how ledgers are published: into `directory`, signed with `key`. Without `second` only the published
    checkpoint protects against a restored disk. `serve_pilot_logs`: see `publication_route`."""

    directory: Path
    key: LogKey
    second: NewestCheckpoint | None = None
    cosigner: Cosigner = NoCosigner()
    stamper: Stamper = NoStamper()
    serve_pilot_logs: bool = False
    outside: Outside = Outside()  # from which `connected` makes cosigner and stamper


class Round(NamedTuple):
    """What a round made visible: `size` leaves of the authority log, `entries` in all pilot logs, `logs` that changed,
    and why pilot logs were left out, by log."""

    size: int
    entries: int
    logs: int
    refused: Mapping[str, SigningRefusal]


class Publisher:
    """Publishes the ledgers in `ledgers`, the directory of a notary, up to their `heads`. One thread at a time.

    After an exception the next round opens the files again. `disk` and `files` are the seams for fault injection.
    """

    def __init__(
        self,
        ledgers: Path,
        heads: Callable[[], Mapping[LogName, Head]],
        settings: PublicationSettings,
        *,
        disk: Disk | None = None,
        files: DurableBatch | None = None,
    ) -> None:
        self._ledgers, self._heads, self._settings = ledgers, heads, settings
        self._disk, self._files = disk or RealDisk(), files or DurableBatch(settings.directory)
        self._tiles = LogTiles(settings.directory / AUTHORITY, self._files)
        self._pilots = PilotLogs(ledgers, settings.directory, settings.key, self._files)
        self._leaves: AuthorityLeaves | None = None
        self._visible = 0  # leaves of the visible authority checkpoint
        self._reopened = True  # the sizes of earlier checkpoints are not known
        self._written = 0  # leaves whose tiles are durable; more than visible ones where a quorum is missing
        second, in_use = settings.second, ledgers / IN_USE
        self._second = None if second is None else SecondPlace(second, settings.key.authority, in_use, self._disk)

    def close(self) -> None:
        """End what runs in the background for this publication."""
        self._settings.stamper.close()
        self._settings.cosigner.close()

    def round(self) -> Round:
        """Publish what was entered since the last round. Returns when it is visible and durable.

        Raises SigningRefused when the authority log must not sign; TryAgain when the second place is unavailable;
        Refused when a policy of witnesses is not satisfied; LedgerBroken, OSError. Nothing new is visible then, unless
        the error came with the pilot checkpoints, which the next round writes. Calling it again is always safe.
        """
        try:
            leaves = self._leaves or self._open()
            grown = list(self._pilots.grow(self._heads(), leaves))
            self._files.commit()
            self._pilots.durable(grown)
            leaves.append([one.leaf for one in grown if leaves.last.get(one.leaf.origin) != one.leaf])
            if leaves.size > self._visible:
                self._publish_authority(leaves)
            shown = self._pilots.show(grown, self._cosigned, self._leaf_prover(leaves)) if grown else []
            self._tiles.forget_partial()
            self._pilots.forget_partial(shown)
        except BaseException as error:
            if isinstance(error, SigningRefused) or not isinstance(error, TryAgain | Refused):
                self._leaves = None  # what is on the disk is not known
            raise
        return Round(self._visible, self._pilots.entries, len(shown), dict(self._pilots.refused))

    def _open(self) -> AuthorityLeaves:
        """Read the leaves and compare them with what was signed."""
        settings = self._settings
        elsewhere, published = signed_before(settings.key, settings.directory, settings.second, self._ledgers / IN_USE)
        sizes = [found.checkpoint.size for found in (elsewhere, published) if found]
        self._pilots.reopen(self._heads())
        leaves = AuthorityLeaves(
            self._ledgers, settings.key.authority, self._disk, roots_at=sizes, after=self._pilots.shown_by_origin()
        )
        check_continues(elsewhere, leaves.size, leaves.roots)
        check_continues(published, leaves.size, leaves.roots)
        if self._second is not None:
            self._second.opened(elsewhere.note if elsewhere else None)
        self._visible = self._written = published.checkpoint.size if published else 0
        self._leaves, self._reopened = leaves, True
        _log.info("publication.opened", stage="record", leaves=leaves.size, visible=self._visible)
        return leaves

    def _publish_authority(self, leaves: AuthorityLeaves) -> None:
        settings, size, root = self._settings, leaves.size, leaves.root
        if size > self._written:
            self._tiles.grow(leaves, self._written, size, root, edge_sizes(size) if self._reopened else ())
            self._files.commit()
            self._written, self._reopened = size, False
        note = settings.key.sign(AUTHORITY, size, root)
        if self._second is not None:
            self._second.store(note)
        note = self._cosigned(AUTHORITY, size, note)
        for name, data in settings.stamper.stamp(settings.key.authority, note).items():
            self._files.write(settings.directory / AUTHORITY / "stamp" / str(size) / name, data)
        self._files.commit()  # stamps before the checkpoint that they belong to
        self._files.write(settings.directory / AUTHORITY / "checkpoint", note)
        self._files.commit()
        self._visible = size

    def _leaf_prover(self, leaves: AuthorityLeaves) -> Callable[[str], bytes]:
        """Proves the last leaf of an origin against the visible authority checkpoint."""
        directory = self._settings.directory / AUTHORITY
        note = parse_note((directory / "checkpoint").read_bytes())
        hashes = hashes_of(directory, self._visible)

        def proof(origin: str) -> bytes:
            index = leaves.index[origin]
            return TlogProof(index, tuple(inclusion_proof(hashes, index, self._visible)), note).data

        return proof

    def _cosigned(self, log: str, size: int, note: bytes) -> bytes:
        """The note with the cosignatures that could be had."""
        hashes = hashes_of(self._settings.directory / log, size)

        def consistency(old: int) -> list[bytes]:
            if not 0 <= old <= size:
                raise ValueError(f"the checkpoint has {size} entries, not {old}")
            return consistency_proof(hashes, old, size) if 0 < old < size else []

        lines = self._settings.cosigner.cosign(self._settings.key.origin_of(log), note, consistency)
        own = parse_note(note)
        for line in lines:
            try:
                added = parse_note(own.data + line)
            except TlogError as error:
                _log.error("publication.bad_cosignature", stage="record", log=log, detail=str(error))
                continue
            own = own.adding(added.signatures) if added.text == own.text else own
        return own.data
