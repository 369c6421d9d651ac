"""The halts that stand, from decisions: for a client that asks before it sends a change of the configuration. Pure.

A charter that came into force before there was a sandbox is not in the decisions, and one may keep its authorities
confidential. Then each authority of the sandbox in turn is taken for the responsible one, under the strictest tier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import UNSET, Struct

from monitor.model.records import Decision, Level
from monitor.model.standing_halt import StandingHalt
from monitor.model.subjects import is_pilot
from monitor.projections.open_commands import left_after

STRICTEST = "critical"


class _Known(Struct):
    standing: int = -1
    level: Level = Level.NORMAL
    since: int = 0
    exited: bool = False
    tier: str = STRICTEST
    authorities: tuple[str, ...] = ()
    approving: int = 1
    region: str = ""
    sector: str = ""


class HaltsFold:
    """Takes decisions, those of one pilot in their order; repeats change nothing."""

    def __init__(self) -> None:
        self._pilots: dict[str, _Known] = {}

    def add(self, decision: Decision) -> None:
        """Take a decision."""
        if not is_pilot(decision.pilot):
            return
        known = self._pilots.setdefault(decision.pilot, _Known())
        if decision.standing <= known.standing:
            return
        known.standing, known.level = decision.standing, decision.level
        known.exited = left_after(known.exited, decision)
        if decision.level is not decision.was:
            known.since = decision.at
        if decision.document is not UNSET:
            known.tier = str(decision.document.get("tier", STRICTEST))
            named = decision.document.get("authorities", ())
            known.approving = int(decision.document.get("approving_authorities", 1))
            known.region = str(decision.document.get("region", ""))
            known.sector = str(decision.document.get("sector", ""))
            known.authorities = tuple(str(one["id"]) for one in named)

    def standing(self, authorities: Iterable[str]) -> Iterator[StandingHalt]:
        """The halts that stand, by pilot; `authorities` are those of the sandbox."""
        for pilot, known in sorted(self._pilots.items()):
            if known.level is not Level.HALT or known.exited:
                continue
            if known.authorities:
                rest = known.approving, known.region, known.sector
                yield StandingHalt(pilot, known.since, known.tier, known.authorities, *rest)
            else:
                yield from (StandingHalt(pilot, known.since, known.tier, (one,)) for one in authorities)
