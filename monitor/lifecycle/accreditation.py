"""Whose evaluation counts where, and who may publish which toolkits: the accreditation of a third party. Pure.

A person without an accreditation is accredited for everything. Sectors and regions are compared without case, invisible
characters and Unicode form, as those of authorities are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import UNSET

from monitor.lifecycle.sandbox import Person
from monitor.model.labels import alike
from monitor.model.records import digest


class Place(NamedTuple):
    """Where a pilot is, and how grave its risk is: the region, sector and tier of its charter."""

    region: str
    sector: str
    tier: str


def accredited_for(person: Person, place: Place) -> bool:
    """Whether the evaluations of a person count for a pilot there. Each list that is given must name it.

    >>> from monitor.lifecycle.sandbox import Accreditation
    >>> limits = Accreditation(sectors=("health",), tiers=("high",))
    >>> accredited_for(Person("e", (), accredited=limits), Place("north", "Health", "high"))
    True
    >>> accredited_for(Person("e", (), accredited=limits), Place("north", "Health", "critical"))
    False
    """
    limits = person.accredited
    if limits is UNSET:
        return True
    if limits.tiers and place.tier not in limits.tiers:
        return False
    return _names(limits.regions, place.region) and _names(limits.sectors, place.sector)


def may_publish(person: Person, toolkits: Iterable[str]) -> bool:
    """Whether a person may publish versions of all these toolkits (ids)."""
    limits = person.accredited
    return limits is UNSET or not limits.toolkits or set(toolkits) <= set(limits.toolkits)


def accreditation_words(person: Person) -> str:
    """For what a person is accredited, in words; "everything" without limits."""
    limits = person.accredited
    if limits is UNSET:
        return "everything"
    parts = (("sectors", limits.sectors), ("regions", limits.regions), ("tiers", limits.tiers))
    said = [f"{name} {', '.join(texts)}" for name, texts in (*parts, ("toolkits", limits.toolkits)) if texts]
    return "; ".join(said) or "everything"


def accreditation_right(person: Person) -> str:
    """Part of the name of the right that an accreditation gives (`monitor/lifecycle/tenure.py`): another one is another
    right. "" without limits."""
    limits = person.accredited
    if limits is UNSET:
        return ""
    return digest("accreditation", *(f"{name}={getattr(limits, name)}" for name in limits.__struct_fields__))


def _names(those: tuple[str, ...], text: str) -> bool:
    return not those or alike(text) in {alike(one) for one in those}
