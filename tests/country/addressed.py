"""Who must learn of each decision in a ledger, by an independent table: from the script and the entry alone."""

from __future__ import annotations

from collections.abc import Iterator

from tests.country.ledgers import Body, Ledgers
from tests.country.nation import SECTORS
from tests.country.script import Pilot, Script

CENTRAL = "national"
NEXT: dict[str, str] = {
    **dict.fromkeys((
        "application_submitted", "charter_agreed", "change_proposed", "pause_requested", "cycle_requested",
        "guidance_asked", "assessment_due", "assessment_missed", "exited", "no_authority",
    ), "officer"),
    "rectification_recorded": "evaluator", "evaluation_recorded": "approver",
}  # fmt: skip
"""Reason -> the role that owes the next step."""


def responsible(pilot: Pilot) -> set[str]:
    """The authorities that are responsible: the one that acts, and that of the sector, named by the charter or not."""
    return {name for name in (pilot.authority, SECTORS[pilot.sector]) if name}


def addressees(pilot: Pilot, decision: Body) -> set[str]:
    """Who must learn of a decision on this pilot."""
    reason, clock = decision["reason"], decision["finding"].get("clock") or {}
    to = responsible(pilot)
    if reason == "assessment_missed" or (clock.get("owed_by") == "authority" and clock.get("state") == "missed"):
        to = to | {CENTRAL}
    found = {f"firm:{pilot.firm}", *(f"authority:{name}" for name in to)}
    return found | ({f"role:{NEXT[reason]}"} if reason in NEXT else set())


def addressed(script: Script, ledgers: Ledgers) -> tuple[int, list[str]]:
    """How many decisions there are on pilots, and those that are addressed otherwise."""
    wrong = list(_wrong(script, ledgers))
    return sum(len(ledgers.decisions.get(pilot.id, [])) for pilot in script.pilots), wrong


def _wrong(script: Script, ledgers: Ledgers) -> Iterator[str]:
    for pilot in script.pilots:
        for one in ledgers.decisions.get(pilot.id, []):
            found, right = set(one.get("addressed", ())), addressees(pilot, one)
            if found != right:
                yield f"{pilot.id} {one['standing']} {one['reason']}: to {sorted(found)}, by table {sorted(right)}"
