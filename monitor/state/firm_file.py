"""What a partition remembers of the file of a firm: its class, and what acts refer to. The rest is in the ledger. Pure.

Every partition has the file of every firm: its home decides, and the others step copies of its accepted acts.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from monitor.firms.fold import ANNULLED
from monitor.firms.rules import FirmClass
from monitor.state.acts_once import ActMemory
from monitor.state.marked import MarkedSnapshot

FIRM_FILES = 1_024
ANNULMENTS = ANNULLED  # of a firm


class FirmFile(Struct, array_like=True, frozen=True, gc=False):
    """`standing` is the number of the last act, `at` when (ms) that was received. `firm_class` is the class in force
    ("" without one), `through` (ms) the end of the record that it follows from and `open` the pilots that had
    not left by then. `annulled`: digests of the decisions
    that were annulled, `annulled_by` the people who did. New fields are appended, with defaults."""

    standing: int = 0
    at: int = 0
    firm_class: str = ""
    through: int = 0
    open: int = 0
    annulled: tuple[str, ...] = ()
    annulled_by: tuple[str, ...] = ()
    acts: ActMemory = msgspec.field(default_factory=ActMemory)


class ClassInForce(Struct, frozen=True, array_like=True):
    """What acts on the pilots of a firm depend on: its class in force, and how many of them were open when it was
    set."""

    firm: str
    firm_class: str
    open: int


def class_in(file: FirmFile | None) -> FirmClass:
    """The class in force. A firm that has none yet is one whose record does not tell."""
    return FirmClass(file.firm_class) if file is not None and file.firm_class else FirmClass.NOT_ENOUGH


def firm_snapshot(file: FirmFile) -> bytes:
    """The bytes of the file of a firm: stored under its key."""
    return _snapshot.encode(file)


def restored_firm(raw: bytes) -> FirmFile | None:
    """The file of a snapshot; `None` for one of something else, and for damaged bytes."""
    return _snapshot.decode(raw)


_snapshot = MarkedSnapshot("firm", FirmFile)
