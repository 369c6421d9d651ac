"""Whether a decision can follow the last one in its ledger, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

from monitor.model.records import Decision
from monitor.notary.dense import Standings, named
from monitor.notary.encoding import encode
from monitor.notary.entries import entry_of


class Follows:
    """Follows decisions in the order of their log, from where the ledgers end: `end_of` returns a pilot's standings,
    `None` where it has no ledger. It changes none of them."""

    def __init__(self, end_of: Callable[[str], Standings | None]) -> None:
        self._end_of = end_of
        self._ahead: dict[str, Standings] = {}
        self._ids: set[str] = set()

    def take(self, decision: Decision) -> str:
        """Take the next decision, which its ledger does not hold; returns why it cannot be entered, in words, "" when
        it can."""
        if decision.id in self._ids:  # a repeat
            return ""
        try:
            entry, _ = entry_of(decision, bytes(32))
            encode(entry)
        except ValueError as error:
            return str(error)
        known = self._ahead.get(decision.pilot) or copy(self._end_of(decision.pilot)) or Standings()
        if known.last is not None and decision.standing <= known.last:
            return f"another decision has standing {decision.standing}; the ledger ends at {known.last}"
        if hole := known.hole_before(entry):
            return f"{named(hole)} before it"
        known.take(entry)
        self._ahead[decision.pilot] = known
        self._ids.add(decision.id)
        return ""
