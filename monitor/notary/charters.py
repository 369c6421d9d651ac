"""Which charters decisions put in force, and the charter that each one replaces.

A charter is named by the act that brought it (its id on `control`) and its hash: a refused act puts none in force, and
of two acts with one id only that with the hash counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from monitor.charter.spec import Charter
from monitor.model.records import Decision
from monitor.notary.charter_entries import charter_entries
from monitor.notary.commitment import Plaintext
from monitor.notary.encoding import Entry, EntryType
from monitor.projections.charter_record import CAUSES

CharterKey: TypeAlias = tuple[str, str]
"""Id of the act, and SHA-256 of the canonical charter in hex."""
Charters: TypeAlias = Mapping[CharterKey, Charter]
_REASONS = tuple(f'"reason":"{reason.value}"'.encode() for reason in CAUSES)
_ACT = "control:"


def charter_of(decision: Decision) -> CharterKey | None:
    """The charter that a decision puts in force, `None` where it puts none."""
    if decision.reason not in CAUSES or not decision.cause.startswith(_ACT):
        return None
    return decision.cause.removeprefix(_ACT), decision.charter


def charter_of_entry(entry: Entry) -> CharterKey | None:
    """The same of the entry of a decision."""
    if entry.type is not EntryType.ACT or not any(reason in entry.body for reason in _REASONS):
        return None
    record = entry.record()
    if record.get("reason") not in CAUSES or not str(record.get("cause")).startswith(_ACT):
        return None
    return str(record["cause"]).removeprefix(_ACT), str(record.get("charter"))


class ChartersInForce:
    """Follows decisions in order. `known` returns the charter of a pilot that its ledger had last, `None` without
    one."""

    def __init__(self, known: Callable[[str], CharterKey | None]) -> None:
        self._known = known
        self._since: dict[str, CharterKey] = {}

    def take(self, decision: Decision) -> tuple[CharterKey, CharterKey | None] | None:
        """The charter that a decision puts in force, and the one before it."""
        key = charter_of(decision)
        if key is None:
            return None
        before = self._since.get(decision.pilot) or self._known(decision.pilot)
        self._since[decision.pilot] = key
        return key, before if before != key else None


def wanted(decisions: Iterable[Decision], known: Callable[[str], CharterKey | None]) -> set[CharterKey]:
    """The charters that the entries of these decisions are made from."""
    in_force = ChartersInForce(known)
    found = [in_force.take(decision) for decision in decisions]
    return {key for pair in found if pair is not None for key in pair if key is not None}


def entries_of(
    decision: Decision, pair: tuple[CharterKey, CharterKey | None], charters: Charters, key: bytes
) -> tuple[list[Entry], list[Plaintext]] | None:
    """The entries of a charter that came into force; `None` where the charter is not known. See `charter_entries`."""
    charter = charters.get(pair[0])
    if charter is None:
        return None
    before = None if pair[1] is None else charters.get(pair[1])
    return charter_entries(decision, charter, before, key)
