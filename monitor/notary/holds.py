"""Legal hold: while a pilot is held as evidence, nothing of its record is erased or deleted.

A hold is set by the act of an officer (`sandbox-monitor hold`) or by a serious incident, and lifted by an act; each is
a decision in the ledger, so the ledger itself says what is held. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from monitor.notary.encoding import Entry

HELD, LIFTED = "evidence_held", "hold_lifted"
"""Reasons of the decisions, and the state of a pilot that is held."""


class Hold(NamedTuple):
    """The entry since which a pilot is held: its number (from 0), id and time (ms)."""

    pilot: str
    number: int
    id: str
    at: int


def hold_of(entries: Iterable[Entry]) -> Hold | None:
    """The hold in force at the end of these entries, `None` without one. `entries` are those of the log `decisions` of
    a pilot from its beginning."""
    hold: Hold | None = None
    for number, entry in enumerate(entries):
        if not entry.type.numbered:
            continue
        record = entry.record()
        # A decision names the states of the pilot where they changed; older ones have the reason alone.
        words = record.get("states")
        said = HELD in words.split() if isinstance(words, str) else _by_reason(record.get("reason"))
        if said is False:
            hold = None
        elif said and hold is None:
            hold = Hold(entry.pilot, number, entry.id, entry.at)
    return hold


def _by_reason(reason: object) -> bool | None:
    return True if reason == HELD else False if reason == LIFTED else None
