"""Which authorities are responsible for a pilot: computed from the configuration of the sandbox and the charter. Pure.

The authorities that a charter names have the rights of an authority over its pilot. Those that are *responsible* learn
of it: they are the named ones, and every provincial or sectoral one whose region and sectors cover the charter's. A
central authority is responsible where the charter names it, or where no other one is.

Regions and sectors are compared as labels that differ only in case, in invisible characters or in their Unicode form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import UNSET

from monitor.charter.spec import Charter
from monitor.lifecycle.sandbox import Sandbox, SandboxAuthority
from monitor.model.labels import alike

CENTRAL = "central"
MOST_RESPONSIBLE = 16
"""Authorities that may be responsible for one pilot: each of its decisions names them."""


def covers(authority: SandboxAuthority, region: str, sector: str) -> bool:
    """Whether an authority covers a place: it has no region, or this one, and no sectors, or this one of them.

    >>> covers(SandboxAuthority("a", "provincial", region="NORD"), "nord", "health")
    True
    """
    if authority.region and alike(authority.region) != alike(region):
        return False
    return not authority.sectors or alike(sector) in {alike(one) for one in authority.sectors}


def all_responsible(sandbox: Sandbox, charter: Charter) -> tuple[str, ...]:
    """The ids of all authorities that are responsible for a pilot under `charter`, those that it names first, each part
    sorted by id; empty if there is none."""
    named = {one.id for one in charter.authorities}
    known = sorted(one.id for one in sandbox.authorities if one.id in named)
    place = [one for one in sandbox.authorities if one.id not in named and _covers(one, charter)]
    near = sorted(one.id for one in place if one.level != CENTRAL)
    found = (*known, *near)
    return found or tuple(sorted(one.id for one in place))


def responsible(sandbox: Sandbox, charter: Charter) -> tuple[str, ...]:
    """The first `MOST_RESPONSIBLE` of `all_responsible`. No charter comes into force under which there are more; a
    later change of the configuration may add some."""
    return all_responsible(sandbox, charter)[:MOST_RESPONSIBLE]


def level_above(sandbox: Sandbox, charter: Charter, below: Collection[str]) -> tuple[str, ...]:
    """The central authorities that cover the pilot's place, or all of them if none does, without those in `below`;
    sorted, at most `MOST_RESPONSIBLE`. They learn what the authorities below owe."""
    central = [one for one in sandbox.authorities if one.level == CENTRAL and one.id not in below]
    near = [one for one in central if _covers(one, charter)]
    return tuple(sorted(one.id for one in near or central))[:MOST_RESPONSIBLE]


def network_of(sandbox: Sandbox | None) -> Sandbox | None:
    """The configuration from which responsibility is computed; `None` if there is none, or it does not ask for it."""
    return None if sandbox is None or sandbox.responsibility is UNSET else sandbox


def places(sandbox: Sandbox | None) -> tuple[tuple[str, str, str, tuple[str, ...]], ...] | None:
    """What of a configuration decides who is responsible: equal places, equal answers. `None`: nothing is computed."""
    network = network_of(sandbox)
    if network is None:
        return None
    return tuple(sorted(_place(one) for one in network.authorities))


def changed_ids(before: Iterable[str], after: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ids that were added, and those that are no longer there; sorted."""
    old, new = frozenset(before), frozenset(after)
    return tuple(sorted(new - old)), tuple(sorted(old - new))


def _covers(authority: SandboxAuthority, charter: Charter) -> bool:
    return covers(authority, charter.region, charter.sector)


def _place(one: SandboxAuthority) -> tuple[str, str, str, tuple[str, ...]]:
    return one.id, one.level, alike(one.region), tuple(sorted(alike(sector) for sector in one.sectors))
