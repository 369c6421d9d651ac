"""A configuration to found a sandbox with: one authority, an officer, two approvers, an evaluator; standards of the
tiers, negative list and clock table as shipped. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

from monitor.deadlines.rules import ClockTable
from monitor.firms.rules import SHIPPED_RULES, reference_to
from monitor.lifecycle.acts import Role
from monitor.lifecycle.duties import SHIPPED_DUTIES
from monitor.lifecycle.prohibited import EU_PROHIBITIONS
from monitor.lifecycle.sandbox import Person, Sandbox, SandboxAuthority
from monitor.lifecycle.standards import SHIPPED_STANDARDS

FIRST_PEOPLE: dict[str, tuple[Role, ...]] = {
    "officer": (Role.OFFICER,),
    "approver-1": (Role.APPROVER,),
    "approver-2": (Role.APPROVER,),
    "evaluator": (Role.EVALUATOR,),
}
"""Person -> roles."""


def first_sandbox(
    name: str, authority: str, keys: Mapping[str, str], clocks: ClockTable, more: tuple[Person, ...] = ()
) -> Sandbox:
    """The first version of a configuration. `keys` are public keys by person of `FIRST_PEOPLE` (none: open mode);
    `more` people are added. With keys the firms need keys as well."""
    people = tuple(
        Person(person, roles, "" if Role.EVALUATOR in roles else authority, (keys[person],) if person in keys else ())
        for person, roles in FIRST_PEOPLE.items()
    )
    return Sandbox(
        schema="sandbox/1",
        id=name,
        authorities=(SandboxAuthority(authority, "central"),),
        people=(*people, *more),
        tiers=SHIPPED_STANDARDS,
        prohibitions=EU_PROHIBITIONS,
        clocks=clocks,
        firm_keys="required" if keys else UNSET,
        firm_rules=reference_to(SHIPPED_RULES),
        duties=SHIPPED_DUTIES,
        responsibility="computed",
    )
