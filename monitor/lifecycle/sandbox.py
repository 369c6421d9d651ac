"""The configuration of a sandbox: authorities, people with roles and keys, standards of the tiers, negative list, clock
table with its calendars, toolkits in force, rules and duties of firms by class. Versioned; the
subject `sandbox` on the control log holds it. Pure.

Roles of authorities come from here, never from a charter that a firm can send. `sandbox_check.py` validates a
configuration, `sandbox_acts.py` changes it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from monitor.charter.clauses import LegalBasis
from monitor.charter.spec import Tier, ToolkitRef
from monitor.deadlines.rules import ClockTable
from monitor.firms.rules import FirmClass, RulesReference
from monitor.lifecycle.acts import Role
from monitor.lifecycle.duties import ClassDuty, duty_of, with_duty
from monitor.lifecycle.standards import TierStandard as TierStandard
from monitor.model.signing import Trusted
from monitor.model.subjects import SANDBOX

SUBJECT = SANDBOX  # key of its records on the control log
SANDBOX_BYTES = 384 * 1024  # of a configuration, as MessagePack
TOOLKITS = 64  # versions of toolkits that may be in force

Name: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text: TypeAlias = Annotated[str, Meta(max_length=200)]
Sentence: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1000)]
Reference: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]


class SandboxAuthority(Struct, frozen=True, forbid_unknown_fields=True):
    """A competent authority: for which `region` ("" = all) and `sectors` (none = all) it is responsible."""

    id: Name
    level: Literal["central", "provincial", "sectoral"]
    name: Text = ""
    region: Text = ""
    sectors: Annotated[tuple[Text, ...], Meta(max_length=64)] = ()
    contacts: Annotated[tuple[Text, ...], Meta(max_length=8)] = ()


class Accreditation(Struct, frozen=True, forbid_unknown_fields=True):
    """For what a third party is accredited: an evaluator for pilots of these `sectors`, `regions` and `tiers`, a
    publisher for these `toolkits` (ids). A list that is not given allows all."""

    sectors: Annotated[tuple[Text, ...], Meta(max_length=64)] = ()
    regions: Annotated[tuple[Text, ...], Meta(max_length=64)] = ()
    tiers: Annotated[tuple[Tier, ...], Meta(max_length=4)] = ()
    toolkits: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """Who acts: `id` is the author of control records, `keys` public keys (`ed25519:<base64>`) of which one signs them.
    Officers and approvers belong to an `authority`; the others need none. `accredited` limits where an evaluation
    counts, and what a publisher publishes."""

    id: Name
    roles: Annotated[tuple[Role, ...], Meta(min_length=1, max_length=8)]
    authority: Annotated[str, Meta(max_length=64)] = ""
    keys: Annotated[tuple[Text, ...], Meta(max_length=4)] = ()
    name: Text = ""
    contact: Text = ""
    # Of an evaluator or publisher. Left out where it is not given, so that older configurations keep their bytes.
    accredited: Accreditation | UnsetType = UNSET


class Prohibition(Struct, frozen=True, forbid_unknown_fields=True):
    """An item of the negative list: a practice that no pilot may use, where the law says so, its `exceptions`, and
    `terms` that an application on it would contain."""

    id: Name
    title: Reference
    reference: Reference
    practice: Sentence
    exceptions: Annotated[str, Meta(max_length=1000)] = ""
    terms: Annotated[tuple[Annotated[str, Meta(min_length=3, max_length=64)], ...], Meta(max_length=32)] = ()


class Sandbox(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the configuration."""

    schema: Literal["sandbox/1"]
    id: Name
    authorities: Annotated[tuple[SandboxAuthority, ...], Meta(max_length=256)]
    people: Annotated[tuple[Person, ...], Meta(max_length=1024)]
    tiers: Annotated[tuple[TierStandard, ...], Meta(max_length=4)]
    prohibitions: Annotated[tuple[Prohibition, ...], Meta(max_length=128)]
    clocks: ClockTable  # with the calendars that it counts by
    version: Annotated[int, Meta(ge=1, le=1 << 53)] = 1
    name: Text = ""
    # "required": a charter without keys of its firm is refused, as its acts would not be signed. Left out where it is
    # not given, so that older configurations keep their bytes.
    firm_keys: Literal["required"] | UnsetType = UNSET
    # "computed": responsible authorities are computed, and decisions addressed (`monitor/network`). Left out likewise.
    responsibility: Literal["computed"] | UnsetType = UNSET
    # Toolkits in force: charters are written from them. Several versions of one may be in force.
    toolkits: Annotated[tuple[ToolkitRef, ...], Meta(max_length=TOOLKITS)] | UnsetType = UNSET
    # The catalogue of clauses in force, and the legal basis of acts and of the monitor's own rules; decisions then name
    # the clauses that their clock, act or rule cites.
    legal_basis: LegalBasis | UnsetType = UNSET
    # The rules by which firms get their class, and what a class changes in each tier.
    firm_rules: RulesReference | UnsetType = UNSET
    duties: Annotated[tuple[ClassDuty, ...], Meta(max_length=20)] | UnsetType = UNSET

    @property
    def open_mode(self) -> bool:
        """Whether no person has a key, so that no author is proved."""
        return not any(person.keys for person in self.people)

    def standard(self, tier: str) -> TierStandard:
        """The minimum standard of a tier."""
        return next(one for one in self.tiers if one.tier == tier)

    def for_class(self, firm_class: FirmClass) -> Sandbox:
        """The configuration as it is for a firm of this class: the standards of the tiers with its duties."""
        if self.duties is UNSET:
            return self
        duties = self.duties
        tiers = tuple(with_duty(one, duty_of(duties, firm_class, one.tier)) for one in self.tiers)
        return structs.replace(self, tiers=tiers)

    def open_pilots(self, firm_class: FirmClass, tier: str) -> int | None:
        """With how many open pilots of a firm of this class no further one of a tier is screened; `None`: any."""
        duty = None if self.duties is UNSET else duty_of(self.duties, firm_class, tier)
        return None if duty is None else duty.open_pilots

    def person(self, author: str) -> Person | None:
        """The person of this id, or `None`."""
        return next((person for person in self.people if person.id == author), None)


def size_of(sandbox: Sandbox) -> int:
    """Bytes of a configuration."""
    return len(msgspec.msgpack.encode(sandbox))


def without_contacts(sandbox: Sandbox) -> Sandbox:
    """The configuration without the names and contacts of people and the contacts of authorities. No rule of the
    machine reads them, so every decision is the same."""
    people = tuple(structs.replace(person, name="", contact="") for person in sandbox.people)
    authorities = tuple(structs.replace(one, contacts=()) for one in sandbox.authorities)
    return structs.replace(sandbox, people=people, authorities=authorities)


def roles_in(
    sandbox: Sandbox, author: str, key: str, responsible: Collection[str], participant: str
) -> frozenset[Role]:
    """The roles of an author to one pilot; none for an author who is not proved.

    `key` is the id of the key that signed ("" = none), `responsible` the authorities of the pilot. The participant has
    the role `firm` only, even if the configuration lists its name; its signature is verified with the charter.
    """
    if author == participant:
        return frozenset({Role.FIRM})
    person = sandbox.person(author)
    if person is None or (not sandbox.open_mode and key not in Trusted(person.keys).ids):
        return frozenset()
    if person.authority and person.authority not in responsible:
        return frozenset(person.roles) - {Role.OFFICER, Role.APPROVER}
    return frozenset(person.roles)


def unsigned_firms(sandbox: Sandbox) -> bool:
    """Whether a firm may act without a key although the people of the sandbox have keys."""
    return not sandbox.open_mode and sandbox.firm_keys is UNSET
