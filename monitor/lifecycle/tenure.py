"""Since when each right of a sandbox configuration is held: who could act when a halt began, and still can. Pure.

A right is `(person, role, authority)` or `(person, key)`. While a halt stands, an author has the roles that the version
in force when it began gives to author and key, as far as the version in force now gives them too. To know that, no
older version is kept: a right holds from `founded` on, unless `changed` has other periods of it. Of rights that are no
longer held, the last `ENDED_KEPT` are remembered; one that was forgotten begins anew if it is given again, so
forgetting only takes rights away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct, structs

from monitor.lifecycle.accreditation import accreditation_right
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import Person, Sandbox
from monitor.model.signing import Trusted

ENDED_KEPT = 256
PERIODS_KEPT = 8  # of one right
NEEDED_KEPT = 16  # values of one tier
Period: TypeAlias = tuple[int, int | None]  # from (ms), exclusive; until (ms), `None`: held now


class Tenure(Struct, array_like=True, frozen=True):
    """`founded` (ms), the periods of rights that `changed` since then, and for each tier how many authorities had to
    approve a release since when."""

    founded: int = 0
    changed: dict[str, tuple[Period, ...]] = {}
    needed: dict[str, tuple[tuple[int, int], ...]] = {}  # tier -> (since, authorities), oldest first


def role_right(person: Person, role: Role) -> str:
    """The name of the right that a person has by a role; of an evaluator also by the accreditation."""
    limits = accreditation_right(person) if role is Role.EVALUATOR else ""
    return f"{person.id}:{role.value}:{person.authority}" + (f":{limits}" if limits else "")


def key_right(person: Person, key: str) -> str:
    """The name of the right that a person has by a key, given by its id."""
    return f"{person.id}:key:{key}"


def founding_tenure(sandbox: Sandbox, at: int) -> Tenure:
    """Tenure of the first configuration, in force from `at` (ms)."""
    return Tenure(at, {}, {one.tier: ((at, one.authorities),) for one in sandbox.tiers})


def next_tenure(tenure: Tenure, old: Sandbox, new: Sandbox, at: int) -> Tenure:
    """Tenure after `new` replaced `old` at `at` (ms)."""
    changed = dict(tenure.changed)
    before, after = _rights(old), _rights(new)
    for right in sorted(before - after):
        *earlier, (since, _) = changed.get(right, ((tenure.founded, None),))
        changed[right] = (*earlier, (since, at))[-PERIODS_KEPT:]
    for right in sorted(after - before):
        changed[right] = (*changed.get(right, ()), (at, None))[-PERIODS_KEPT:]
    ended = sorted((periods[-1][1], right) for right, periods in changed.items() if periods[-1][1] is not None)
    for _, right in ended[:-ENDED_KEPT]:
        del changed[right]
    return structs.replace(tenure, changed=changed, needed=_needed(tenure.needed, new, at))


def held(tenure: Tenure, right: str, at: int) -> bool:
    """Whether a right that is held now was held at `at` (ms) too."""
    periods = tenure.changed.get(right, ((tenure.founded, None),))
    return any(since < at and (until is None or at <= until) for since, until in periods)


def held_since(tenure: Tenure, right: str, at: int) -> bool:
    """Whether a right that is held now was held at `at` (ms), and without a break from then on."""
    since, until = tenure.changed.get(right, ((tenure.founded, None),))[-1]
    return since < at and until is None


def roles_since(tenure: Tenure, person: Person, key: str, at: int) -> frozenset[Role]:
    """The roles of a person that were held at `at` (ms) too, with the key (its id, "" = none) that signs now."""
    if person.keys and not held(tenure, key_right(person, key), at):
        return frozenset()
    return frozenset(role for role in person.roles if held(tenure, role_right(person, role), at))


def authorities_needed(tenure: Tenure, tier: str, since: int) -> int:
    """How many authorities must approve the release of a halt that began at `since` (ms): the most that the standard of
    its tier asked for at any time from then on."""
    values = tenure.needed.get(tier, ())
    later = [number for at, number in values if at >= since]
    return max([*[number for at, number in values if at < since][-1:], *later], default=1)


def known_keys(sandbox: Sandbox | None, tenure: Tenure) -> frozenset[str]:
    """The ids of the keys of all people, and of those that are remembered as removed."""
    if sandbox is None:
        return frozenset()
    now = frozenset(key for person in sandbox.people for key in Trusted(person.keys).ids)
    return now | {right.rpartition(":")[2] for right in tenure.changed if right.split(":")[1] == "key"}


def _rights(sandbox: Sandbox) -> set[str]:
    found: set[str] = set()
    for person in sandbox.people:
        found.update(role_right(person, role) for role in person.roles)
        found.update(key_right(person, key) for key in Trusted(person.keys).ids)
    return found


def _needed(
    known: Mapping[str, tuple[tuple[int, int], ...]], new: Sandbox, at: int
) -> dict[str, tuple[tuple[int, int], ...]]:
    found = dict(known)
    for one in new.tiers:
        values = found.get(one.tier, ())
        if not values or values[-1][1] != one.authorities:
            values = (*values, (at, one.authorities))
        if len(values) > NEEDED_KEPT:  # the two oldest become one, as strict as the stricter of them
            (first, a), (_, b), *rest = values
            values = ((first, max(a, b)), *rest)
        found[one.tier] = values
    return found
