"""A change of the configuration of the sandbox as text, for the record and for those who approve it. Pure."""

from __future__ import annotations

from msgspec import UNSET

from monitor.lifecycle.accreditation import accreditation_words
from monitor.lifecycle.sandbox_acts import (
    Change,
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
    RemoveLegalBasis,
    RemoveToolkit,
    SeveralChanges,
    change_digest,
)
from monitor.model.signing import Trusted


def change_words(change: Change) -> str:
    """A change as text for the record: what is put or removed, with roles and the ids of keys; at most 500
    characters."""
    return f"content {change_digest(change)}: {_words(change)}"[:500]


def _words(change: Change) -> str:
    kind = str(type(change).__struct_config__.tag).replace("_", " ")
    match change:
        case SeveralChanges(changes=changes):
            return " + ".join(_words(one) for one in changes)
        case PutAuthority(authority=authority):
            words = f"{authority.id}, {authority.level}" + (f", {authority.region}" if authority.region else "")
        case PutPerson(person=person):
            keys = ", ".join(sorted(Trusted(person.keys).ids)) or "none"
            words = f"{person.id}: {', '.join(person.roles)}" + (f" of {person.authority}" if person.authority else "")
            words += f"; keys {keys}"
            words += "" if person.accredited is UNSET else f"; accredited for {accreditation_words(person)}"
        case PutTier(standard=standard):
            words = standard.tier
        case PutProhibition(item=item):
            words = f"{item.id}, {item.title}"
        case PutClocks(clocks=clocks):
            words = f"{len(clocks.rules)} rules"
        case PutFirmKeys(required=required):
            words = "required" if required else "not required"
        case PutResponsibility(computed=computed):
            words = "computed" if computed else "not computed"
        case PutToolkit(toolkit=put):
            words = f"{put.id} version {put.version}, digest {put.digest}"
        case RemoveToolkit(id=name, version=version):
            words = f"{name} version {version}"
        case PutLegalBasis(basis=basis):
            words = f"{basis.id} version {basis.version}, digest {basis.digest}"
        case RemoveLegalBasis():
            words = ""
        case PutFirmRules(rules=rules):
            words = "none" if rules is None else f"{rules.id} version {rules.version}, digest {rules.digest}"
        case PutDuties(duties=duties):
            words = f"{len(duties)} of classes and tiers"
        case _:
            words = change.id
    return f"{kind} {words}".rstrip()
