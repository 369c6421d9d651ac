"""Which acts and reasons may have a legal basis. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from msgspec import UnsetType

from monitor.charter.clauses import CharterBasis, LegalBasis
from monitor.charter.values import Flaw
from monitor.lifecycle.acts import RULES
from monitor.lifecycle.names import Act
from monitor.model.records import Reason

ACTS = frozenset(act.value for act in Act if RULES[act].on_pilot)
"""Acts on pilots."""
REASONS = frozenset(reason.value for reason in Reason)


def name_flaws(basis: CharterBasis | LegalBasis | UnsetType, field: str) -> Iterator[Flaw]:
    """Acts and reasons that do not exist: what they cite would never be read."""
    if isinstance(basis, UnsetType):
        return
    for part, given, known in (("acts", basis.acts, ACTS), ("reasons", basis.reasons, REASONS)):
        for name in given:
            if name not in known:
                word = "act on pilots" if part == "acts" else "reason"
                yield Flaw(f"{field}.{part}.{name}", f"there is no {word} {name!r}", nearest_name(name, known))


def nearest_name(word: str, known: Iterable[str]) -> str:
    """The fix for an unknown name."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]}?" if close else f"write one of {', '.join(names[:8])} ..."
