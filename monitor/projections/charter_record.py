"""The charters of a pilot that came into force: acts on `control` joined with the decisions they caused. Pure.

A refused admission or amendment caused no decision, and a copy with the same id and another charter has another hash;
neither is listed.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, structs

from monitor.charter.control import Admission, Amendment, ControlBase
from monitor.charter.exit_acts import Graduation
from monitor.charter.spec import Charter, hash_of
from monitor.model.records import Decision, Reason

CAUSES = (Reason.ADMITTED, Reason.AMENDED, Reason.GRADUATED)


class Version(Struct, frozen=True, kw_only=True):
    """A charter in force: the act (`act` its id, `author`, `signed` the id of the key), the time (`at`, ms) and the
    ledger entry (`standing`, `decision`). `hash` is in all later ledger entries of the pilot."""

    version: int
    hash: str
    reason: str
    at: int
    author: str
    signed: str
    act: str
    standing: int
    decision: str
    charter: Charter


def charter_in(act: ControlBase) -> dict[tuple[str, str], Charter]:
    """The charter that an act asks to put in force, by the id of the act and the hash; empty without one."""
    if not isinstance(act, Admission | Amendment | Graduation) or act.charter is None:
        return {}
    charter = structs.replace(act.charter, pilot=act.pilot)
    digest = hash_of(charter)
    return {} if digest is None else {(act.id, digest): charter}


def versions(pilot: str, acts: Iterable[ControlBase], decisions: Iterable[Decision]) -> list[Version]:
    """The charters of a pilot in the order in which they came into force; the last one is in force, or was until the
    pilot left. `acts` and `decisions` may be of any pilots, in any order, with repeats."""
    asked: dict[tuple[str, str], Charter] = {}
    for act in acts:
        if act.pilot == pilot:
            asked |= charter_in(act)
    found: dict[int, Version] = {}
    for decision in decisions:
        act_id = decision.cause.removeprefix("control:")
        known = asked.get((act_id, decision.charter))
        if decision.pilot != pilot or decision.reason not in CAUSES or known is None:
            continue
        found[decision.standing] = Version(
            version=known.version,
            hash=decision.charter,
            reason=decision.reason.value,
            at=decision.at,
            author=decision.author,
            signed=decision.signed,
            act=act_id,
            standing=decision.standing,
            decision=decision.id,
            charter=known,
        )
    return [found[standing] for standing in sorted(found)]
