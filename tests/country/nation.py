"""The simulated country: its authorities, people, firms, makers of models and keys, and the configuration of its
sandbox. The same seed gives the same keys."""

from __future__ import annotations

import functools
import hashlib

from msgspec import structs

from monitor.deadlines.rules import ClockTable
from monitor.deadlines.shipped import example_table
from monitor.lifecycle.acts import Role
from monitor.lifecycle.prohibited import EU_PROHIBITIONS
from monitor.lifecycle.sandbox import Person, Sandbox, SandboxAuthority
from monitor.lifecycle.standards import SHIPPED_STANDARDS
from monitor.model.signing import Signer

DAY_MS = 86_400_000
START = 1_767_225_600_000  # Thursday 1 January 2026, 00:00 UTC
PROVINCES = ("north", "south", "east")
REGIONS = (*PROVINCES, "west")  # the west has no provincial authority: the central one acts there
SECTORS = {"driving": "roads", "finance": "bank", "health": "", "media": ""}  # sector -> its sectoral authority
SUPPLIERS = ("maker-1", "maker-2", "maker-3", "maker-4")
ADMITTER, EVALUATOR, REPORTER = "operator", "laboratory", "hospital"
# Duties for which this country has no act: none files an algorithm or deletes logs.
LEFT_OUT = ("cn-filing", "cn-change", "cn-ending", "log-retention")
AUTHORITIES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "national": ("central", "", ()),
    **{region: ("provincial", region, ()) for region in PROVINCES},
    **{authority: ("sectoral", "", (sector,)) for sector, authority in SECTORS.items() if authority},
}
"""Authority -> level, region and sectors."""


@functools.cache
def key(name: str) -> Signer:
    """The key of a person, firm or reporter."""
    return Signer(hashlib.sha256(f"country/{name}".encode()).digest())


def people() -> tuple[Person, ...]:
    """An officer and two approvers of each authority, and an evaluator."""
    found = [Person(EVALUATOR, (Role.EVALUATOR,), "", (key(EVALUATOR).public,))]
    for authority in AUTHORITIES:
        roles = {"officer": Role.OFFICER, "approver-1": Role.APPROVER, "approver-2": Role.APPROVER}
        for name, role in roles.items():
            person = f"{authority}-{name}"
            found.append(Person(person, (role,), authority, (key(person).public,)))
    return tuple(found)


def clock_table() -> ClockTable:
    """The example table without the duties for which there is no act."""
    table = example_table()
    return structs.replace(table, rules=tuple(rule for rule in table.rules if rule.name not in LEFT_OUT))


def sandbox() -> Sandbox:
    """The configuration with which the sandbox is founded."""
    return Sandbox(
        schema="sandbox/1",
        id="country",
        authorities=tuple(
            SandboxAuthority(name, level, region=region, sectors=sectors)  # type: ignore[arg-type]
            for name, (level, region, sectors) in AUTHORITIES.items()
        ),
        people=people(),
        tiers=SHIPPED_STANDARDS,
        prohibitions=EU_PROHIBITIONS,
        clocks=clock_table(),
        firm_keys="required",
        responsibility="computed",
    )
