"""What a reader of ledgers may ask for at a desk: heads, entries, checkpoints, proofs, and the result of checks. Values
only, and the protocol of the desk; `monitor/publication/desk.py` answers from files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from monitor.notary.encoding import Entry
from monitor.notary.format import LogName

Outcome = Literal["pass", "FAIL", "not run"]  # as the verifier prints them


class DeskUnavailable(Exception):
    """The files cannot be read now; the message says which and why."""


class HeldLedger(NamedTuple):
    """A ledger file: how many entries it has, and their root (hex)."""

    name: LogName
    file: str
    size: int
    root: str


class HeldEntry(NamedTuple):
    """An entry: its number from 0, its bytes, and what they say; `entry` is `None` for a format that is not known."""

    number: int
    data: bytes
    entry: Entry | None


class SignatureFact(NamedTuple):
    """A signature line of a checkpoint: the name of the key, its id (hex), whether it is that of the log, and when it
    was made (ms), as cosignatures say."""

    name: str
    key_id: str
    of_log: bool
    at: int | None


class CheckpointFact(NamedTuple):
    """A visible checkpoint: `seen` is when its file was written (ms), `stamps` are the names of its time stamps,
    `key` is the public key of the log as `--log-key` takes it."""

    log: str
    origin: str
    size: int
    root: str
    seen: int
    signatures: tuple[SignatureFact, ...]
    stamps: tuple[str, ...]
    key: str
    text: str


class ProofFact(NamedTuple):
    """The proof that the leaf with this hash is entry `number` of a tree of `size` entries with this root; hex."""

    number: int
    size: int
    leaf: str
    hashes: tuple[str, ...]
    root: str


class CheckFact(NamedTuple):
    """The outcome of one check, named as the verifier names it; `words` say what it shows, or why it failed or did not
    run."""

    check: str
    outcome: Outcome
    words: str


class Desk(Protocol):
    """Each call reads a bounded number of bytes. Raises DeskUnavailable where files cannot be read."""

    directory: str
    published: str

    def ledgers(self) -> Sequence[HeldLedger]:
        """Every ledger file, by subject, log and year."""

    def visible(self, name: LogName) -> int | None:
        """How many entries the visible checkpoint of the published log has; `None`: it is not published."""

    def entries(self, name: LogName, first: int, count: int) -> Sequence[HeldEntry]:
        """Up to `count` entries from number `first` on."""

    def find(self, name: LogName, identity: str) -> int | None:
        """The number of the entry with this id; `None` where there is none among those that are searched."""

    def checkpoint(self, name: LogName | None) -> CheckpointFact | None:
        """The visible checkpoint of a published log (`None`: of the authority log); `None` where none is visible."""

    def proof(self, name: LogName, number: int) -> ProofFact | None:
        """The inclusion of an entry in the ledger as it is now; `None` where the ledger is too long to compute it."""

    def verify(self, name: LogName, number: int) -> Sequence[CheckFact]:
        """The checks of one entry, made now."""
