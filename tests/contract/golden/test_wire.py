"""Every record on the wire keeps its bytes: tags, field names, their order and their defaults."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from . import names
from .filler import as_json, full, least
from .pins import pinned

RECORDS: dict[str, type] = {
    **names.EVENT_TYPES,
    **names.CONTROL_TYPES,
    **{str(kind.__struct_config__.tag): kind for kind in names.ACTS_ON_MODEL},
    **{f"content {kind.__struct_config__.tag}": kind for kind in get_args(names.ModelContent)},
    "decision": names.Decision,
    "command": names.Command,
    "permit": names.Permit,
    "evidence": names.Evidence,
    "closed": names.Closed,
    "rejected": names.Rejected,
    "claim": names.Claim,
    "control": names.ControlRead,
    "time": names.TimeRead,
    "skipped": names.Skipped,
    "position": names.Position,
}


def written() -> dict[str, Any]:
    """What each kind of record looks like, whole and with nothing but what it must have."""
    found = {}
    for name, kind in RECORDS.items():
        found[name] = {"full": as_json(full(kind)), "least": as_json(least(kind))}
    return found


def test_every_record_on_the_wire_keeps_its_bytes() -> None:
    """A record is written with the same tag, the same fields in the same order and the same defaults as ever."""
    pinned("wire", "A record on the wire never changes its bytes.", written())


@pytest.mark.parametrize("name", RECORDS)
def test_what_was_written_is_read_and_written_again_to_the_same_bytes(name: str) -> None:
    """A record of an older version is read by its field names, and gives its own bytes again."""
    kind = RECORDS[name]
    for raw in (msgspec.json.encode(full(kind)), msgspec.json.encode(least(kind))):
        assert msgspec.json.encode(msgspec.json.decode(raw, type=kind)) == raw
