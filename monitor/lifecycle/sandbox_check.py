"""Validation of a sandbox configuration: every mistake with its field, what is wrong, and the fix. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from monitor.charter.values import Flaw
from monitor.deadlines import rules
from monitor.errors import SandboxConfigError
from monitor.lifecycle.acts import Role
from monitor.lifecycle.basis_names import name_flaws
from monitor.lifecycle.duties import duty_flaws
from monitor.lifecycle.sandbox import SANDBOX_BYTES, Person, Sandbox, size_of
from monitor.lifecycle.standards import TIERS, TierStandard, weaker_fields
from monitor.model.signing import read_public

ASSIGNABLE = frozenset(Role) - {Role.FIRM, Role.ADMITTER}
OF_AUTHORITIES = frozenset({Role.OFFICER, Role.APPROVER})
INDEPENDENT = (Role.EVALUATOR, Role.OPERATOR, Role.SUPPLIER)  # none of them is an officer or approver
APPROVERS = 2
KEYS = 256  # of all people together


def sandbox_of(data: Any) -> Sandbox:
    """A configuration from plain values, such as parsed YAML. Raises SandboxConfigError."""
    try:
        sandbox = msgspec.convert(data, Sandbox)
    except msgspec.ValidationError as error:
        raise SandboxConfigError(f"sandbox: {error}") from None
    if found := list(flaws(sandbox)):
        raise SandboxConfigError("\n".join(f"{flaw.field}: {flaw.problem}; {flaw.fix}" for flaw in found))
    return sandbox


def flaws(sandbox: Sandbox) -> Iterator[Flaw]:
    """Every mistake of a configuration, in the order of its fields."""
    yield from _twice("authorities", (authority.id for authority in sandbox.authorities))
    yield from _twice("people", (person.id for person in sandbox.people))
    known = {authority.id for authority in sandbox.authorities}
    for index, person in enumerate(sandbox.people):
        yield from _person(f"people[{index}]", person, known, needs_key=not sandbox.open_mode)
    yield from _enough(sandbox)
    yield from _keys(sandbox)
    yield from _tiers(sandbox.tiers)
    yield from _twice("prohibitions", (item.id for item in sandbox.prohibitions))
    yield from _twice("toolkits", (f"{one.id} version {one.version}" for one in sandbox.toolkits or ()))
    yield from _duties(sandbox)
    for text in rules.flaws(sandbox.clocks):
        field, _, problem = text.partition(": ")
        yield Flaw(f"clocks.{field}", problem, "correct the clock table")
    yield from name_flaws(sandbox.legal_basis, "legal_basis")
    if (size := size_of(sandbox)) > SANDBOX_BYTES:
        yield Flaw("sandbox", f"has {size} bytes of at most {SANDBOX_BYTES}", "remove people or calendars")


def _duties(sandbox: Sandbox) -> Iterator[Flaw]:
    if sandbox.duties is UNSET:
        return
    if sandbox.firm_rules is UNSET:
        yield Flaw("firm_rules", "duties by class need rules for classes", "name them: `sandbox-monitor firm rules`")
    if len({one.tier for one in sandbox.tiers}) == len(TIERS):  # else a flaw by itself
        yield from duty_flaws(sandbox.duties, sandbox.tiers)


def _twice(field: str, names: Iterable[str]) -> Iterator[Flaw]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        first = seen.setdefault(name.casefold(), index)
        if first != index:
            yield Flaw(f"{field}[{index}].id", f"{name} is also {field}[{first}]", "write another id")


def _person(field: str, person: Person, authorities: set[str], *, needs_key: bool) -> Iterator[Flaw]:
    roles = set(person.roles)
    for role in sorted(roles - ASSIGNABLE):
        yield Flaw(f"{field}.roles", f"{role} is not assigned here", f"choose of {', '.join(sorted(ASSIGNABLE))}")
    if person.authority and person.authority not in authorities:
        yield Flaw(f"{field}.authority", f"there is no authority {person.authority}", "add it to authorities")
    if roles & OF_AUTHORITIES and not person.authority:
        yield Flaw(f"{field}.authority", "an officer or approver belongs to an authority", "write its id")
    if person.accredited is not UNSET and not roles & {Role.EVALUATOR, Role.PUBLISHER}:
        yield Flaw(f"{field}.accredited", "the person is neither evaluator nor publisher", "leave it out")
    for role in INDEPENDENT:
        if role in roles and roles & OF_AUTHORITIES:
            yield Flaw(f"{field}.roles", f"an officer or approver is no {role}", "name another person")
    if needs_key and not person.keys and roles - {Role.AUDITOR}:
        yield Flaw(f"{field}.keys", "others have keys, so everybody who acts needs one", "write ed25519:<base64>")
    for place, key in enumerate(person.keys):
        try:
            read_public(key)
        except ValueError as error:
            yield Flaw(f"{field}.keys[{place}]", str(error), "write the public key file's text")


def _enough(sandbox: Sandbox) -> Iterator[Flaw]:
    officers = {person.id for person in sandbox.people if Role.OFFICER in person.roles}
    approvers = {person.id for person in sandbox.people if Role.APPROVER in person.roles}
    if not officers:
        yield Flaw("people", "no person is an officer", "give a person the role officer")
    if len(approvers) < APPROVERS:
        problem = f"a release needs {APPROVERS} approvers, there are {len(approvers)}"
        yield Flaw("people", problem, "give more people the role approver")


def _keys(sandbox: Sandbox) -> Iterator[Flaw]:
    if (keys := sum(len(person.keys) for person in sandbox.people)) > KEYS:
        yield Flaw("people", f"have {keys} keys of at most {KEYS}", "remove keys that are no longer used")
    owner: dict[str | bytes, str] = {}
    for index, person in enumerate(sandbox.people):
        for place, key in enumerate(person.keys):
            first = owner.setdefault(_raw(key), f"people[{index}].keys[{place}]")
            if first != f"people[{index}].keys[{place}]":
                yield Flaw(f"people[{index}].keys[{place}]", f"is also {first}", "make a key for each person")


def _raw(key: str) -> str | bytes:
    """What a public key is compared by: its bytes, as Base64 writes some of them in several ways."""
    try:
        return read_public(key)
    except ValueError:  # a flaw by itself
        return key


def _tiers(tiers: tuple[TierStandard, ...]) -> Iterator[Flaw]:
    if sorted(standard.tier for standard in tiers) != sorted(TIERS):
        yield Flaw("tiers", "each tier has one standard", f"write one for each of {', '.join(TIERS)}")
        return
    for tier, field, lower in weaker_fields(tiers):
        yield Flaw(f"tiers[{tier}].{field}", f"is weaker than that of {lower}", "make it at least as strict")
