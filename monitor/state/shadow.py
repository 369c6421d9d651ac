"""What is remembered of a shadow charter: of the pilot that has one, and of the run itself. Values only. Pure."""

from __future__ import annotations

from msgspec import Struct

from monitor.model.subjects import SHADOW


class ShadowTerm(Struct, array_like=True, frozen=True, gc=False):
    """The pilot has a shadow charter until `until` (ms): the act that started it (as `short` writes it), the hash of
    the candidate, and that of the charter in force (`live`). The run itself is separate, and nothing of the pilot
    depends on it."""

    id: str
    candidate: str
    live: str
    until: int


def state_name(pilot: str) -> str:
    """The name under which the state of the run of a pilot is stored."""
    return SHADOW + pilot
