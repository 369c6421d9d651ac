"""What a partition remembers of the file of a model: of each entry that stands, what acts refer to. What the entries
say is in the ledger. Pure.

Everything is bounded. At a bound an entry is refused; none is forgotten. A withdrawn entry makes room.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from monitor.state.acts_once import ActMemory
from monitor.state.marked import MarkedSnapshot

MODELS = 256  # of a partition
MODELS_BYTES = 1024 * 1024  # of the entries of all models of a partition
ENTRIES = 64  # of a model
ENTRIES_BYTES = 16 * 1024  # of a model


class StandingEntry(Struct, array_like=True, frozen=True, gc=False):
    """An entry that was not withdrawn: the `id` of its act, its `kind` (the tag of its content), the `names` that it is
    referred to by, its author and the number of its record."""

    id: str
    kind: str
    names: tuple[str, ...]
    author: str
    standing: int


class ModelFile(Struct, array_like=True, frozen=True, gc=False):
    """`standing` is the number of the last record, `at` when (ms) that was received, `size` the bytes of the entries.
    New fields are appended, with defaults."""

    standing: int = 0
    at: int = 0
    entries: tuple[StandingEntry, ...] = ()
    size: int = 0
    acts: ActMemory = msgspec.field(default_factory=ActMemory)

    def named(self, kind: str, name: str) -> StandingEntry | None:
        """The entry of this kind with this name, or `None`."""
        return next((one for one in self.entries if one.kind == kind and name in one.names), None)

    def entry(self, id_: str) -> StandingEntry | None:
        """The entry of this id, or `None`."""
        return next((one for one in self.entries if one.id == id_), None)


def size_of(entry: StandingEntry) -> int:
    """Bytes of an entry."""
    return len(msgspec.msgpack.encode(entry))


def too_many_models(those: Mapping[str, ModelFile], more: int) -> str:
    """Why no file of another model with `more` bytes is kept, in words; "" if it is."""
    if len(those) >= MODELS:
        return f"there are {len(those)} models in this partition, at most {MODELS} are kept"
    return too_many_bytes(those, more)


def too_many_bytes(those: Mapping[str, ModelFile], more: int) -> str:
    """Why the models of a partition may not have `more` bytes, in words; "" if they may."""
    size = sum(one.size for one in those.values()) + more
    if size <= MODELS_BYTES:
        return ""
    return f"the models of this partition would have {size} bytes of at most {MODELS_BYTES}"


def full(file: ModelFile, more: int) -> str:
    """Why the file takes no further entry of `more` bytes, in words; "" if it does."""
    if len(file.entries) >= ENTRIES:
        return f"{len(file.entries)} entries stand, at most {ENTRIES} do"
    size = file.size + more
    return f"its entries would have {size} bytes of at most {ENTRIES_BYTES}" if size > ENTRIES_BYTES else ""


def model_snapshot(file: ModelFile) -> bytes:
    """The bytes of the file of a model: stored under its key."""
    return _snapshot.encode(file)


def restored_model(raw: bytes) -> ModelFile | None:
    """The file of a snapshot; `None` for one of a pilot or an applicant, and for damaged bytes."""
    return _snapshot.decode(raw)


_snapshot = MarkedSnapshot("model", ModelFile)
