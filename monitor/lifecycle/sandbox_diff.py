"""The changes that lead from one configuration of a sandbox to another. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from msgspec import UnsetType

from monitor.lifecycle.sandbox import Person, Prohibition, Sandbox, SandboxAuthority
from monitor.lifecycle.sandbox_acts import (
    Change,
    OneChange,
    PutAuthority,
    PutClocks,
    PutDuties,
    PutFirmKeys,
    PutFirmRules,
    PutLegalBasis,
    PutPerson,
    PutProhibition,
    PutResponsibility,
    PutTier,
    PutToolkit,
    RemoveAuthority,
    RemoveLegalBasis,
    RemovePerson,
    RemoveProhibition,
    RemoveToolkit,
    SeveralChanges,
)

Named = TypeVar("Named", SandboxAuthority, Person, Prohibition)


def change_between(old: Sandbox, new: Sandbox) -> Change | None:
    """One change that turns `old` into `new`, as far as changes can (ids, names and the order of items cannot be
    changed); `None` when nothing differs."""
    found = tuple(_changes(old, new))
    if not found:
        return None
    return found[0] if len(found) == 1 else SeveralChanges(found)


def _changes(old: Sandbox, new: Sandbox) -> Iterator[OneChange]:
    # New authorities come before their people, removed ones after them.
    yield from _put(old.authorities, new.authorities, PutAuthority)
    yield from _put(old.people, new.people, PutPerson)
    yield from _removed(old.people, new.people, RemovePerson)
    yield from _removed(old.authorities, new.authorities, RemoveAuthority)
    yield from (PutTier(one) for one in new.tiers if one not in old.tiers)
    yield from _put(old.prohibitions, new.prohibitions, PutProhibition)
    yield from _removed(old.prohibitions, new.prohibitions, RemoveProhibition)
    if old.clocks != new.clocks:
        yield PutClocks(new.clocks)
    if old.firm_keys != new.firm_keys:
        yield PutFirmKeys(new.firm_keys == "required")
    if old.firm_rules != new.firm_rules:
        yield PutFirmRules(new.firm_rules or None)
    if old.duties != new.duties:
        yield PutDuties(new.duties or ())
    if old.responsibility != new.responsibility:
        yield PutResponsibility(new.responsibility == "computed")
    before, after = old.toolkits or (), new.toolkits or ()
    yield from (PutToolkit(one) for one in after if one not in before)
    named = {(one.id, one.version) for one in after}
    yield from (RemoveToolkit(one.id, one.version) for one in before if (one.id, one.version) not in named)
    if old.legal_basis != new.legal_basis:
        yield RemoveLegalBasis() if isinstance(new.legal_basis, UnsetType) else PutLegalBasis(new.legal_basis)


def _put(old: Sequence[Named], new: Sequence[Named], change: Callable[[Named], OneChange]) -> Iterator[OneChange]:
    yield from (change(one) for one in new if one not in old)


def _removed(old: Sequence[Named], new: Sequence[Named], change: Callable[[str], OneChange]) -> Iterator[OneChange]:
    kept = {one.id for one in new}
    yield from (change(one.id) for one in old if one.id not in kept)
