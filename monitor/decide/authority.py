"""Authority: which role may do which act, and conditions that apply to every author. Pure.

Roles follow from the charter *in force*, never from the charter that an act carries, and from the admitter keys of the
deployment. The firm that runs the pilot has the role `firm` only, even if a charter lists its name elsewhere.
Signatures are verified earlier, in `monitor/decide/signatures.py`.

Without admitter keys a deployment is in *open mode*: everybody who may write to `control` may admit a pilot. Where the
charter in force registers no keys either, authors are not proved; the record then has `signed: ""`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from monitor.charter.control import (
    Acceptance,
    Admission,
    Amendment,
    Approval,
    ControlBase,
    Drill,
    Evaluation,
    Override,
    Rectification,
    Release,
    Shelving,
    Withdrawal,
)
from monitor.charter.spec import Charter
from monitor.errors import ControlRefused
from monitor.model.refusals import Refusal
from monitor.model.signing import Proved, Trusted


class Role(StrEnum):
    """Who an author is to one pilot."""

    FIRM = "firm"  # the participant of the charter in force
    OFFICER = "officer"  # listed as officer or approver; if the charter lists no officer, every author but the firm
    APPROVER = "approver"  # listed as approver
    ADMITTER = "admitter"  # signed with an admitter key of the deployment


ROLES_OF_ACT: dict[type[ControlBase], frozenset[Role]] = {
    Amendment: frozenset({Role.OFFICER, Role.ADMITTER}),
    Withdrawal: frozenset({Role.OFFICER, Role.ADMITTER}),
    Override: frozenset({Role.OFFICER}),
    Shelving: frozenset({Role.OFFICER}),
    Acceptance: frozenset({Role.OFFICER}),
    Drill: frozenset({Role.OFFICER}),
    Rectification: frozenset({Role.OFFICER, Role.FIRM}),
    Evaluation: frozenset({Role.OFFICER, Role.FIRM}),
    Approval: frozenset({Role.APPROVER}),
    Release: frozenset({Role.OFFICER}),
}
"""Act -> the roles that may do it. `Admission` has no charter in force and is checked by `check_admission`."""


def roles_of(charter: Charter, author: str, by: Proved) -> frozenset[Role]:
    """The roles of `author` under the charter in force."""
    if author == charter.participant.id:
        return frozenset({Role.FIRM})
    approvers = {name for authority in charter.authorities for name in authority.approvers}
    officers = {name for authority in charter.authorities for name in authority.officers}
    found = {Role.ADMITTER} if by.admitter else set()
    if author in approvers:
        found |= {Role.APPROVER, Role.OFFICER}
    if author in officers or not officers:
        found.add(Role.OFFICER)
    return frozenset(found)


def check_role(charter: Charter, act: ControlBase, by: Proved) -> None:
    """Raises ControlRefused when the author has no role that may do this act under the charter in force."""
    if roles_of(charter, act.author, by) & ROLES_OF_ACT[type(act)]:
        return
    if isinstance(act, Approval):
        raise ControlRefused("author", Refusal.NOT_AN_APPROVER, f"the charter in force names no approver {act.author}")
    raise ControlRefused(
        "author", Refusal.NOT_AN_OFFICER, f"the charter in force does not let {act.author} do this; an officer must"
    )


def check_admission(act: Admission, by: Proved, open_mode: bool) -> None:
    """Raises ControlRefused when the firm alone admits its own pilot. In open mode it may; the record shows it."""
    firm = act.charter.participant
    if open_mode or (act.author != firm.id and by.key not in key_ids(firm.keys)):
        return
    raise ControlRefused("author", Refusal.FIRM_ALONE, f"{firm.id} runs this pilot; somebody else must admit it")


def check_rights(old: Charter, new: Charter) -> None:
    """Raises ControlRefused when an amendment changes who may release a halt, or on which results. Call it only while a
    halt stands."""
    before, after = rights(old), rights(new)
    for field, value in before.items():
        if after[field] != value:
            raise ControlRefused(f"charter.{field}", Refusal.HALT_STANDS, "release the halt first, then amend this")


def rights(charter: Charter) -> dict[str, Any]:
    """The fields of a charter that decide who may release a halt, and on which results."""
    return {
        "authorities": [
            (a.id, sorted(a.approvers), sorted(a.officers), sorted(a.keys.items())) for a in charter.authorities
        ],
        "participant.keys": sorted(charter.participant.keys),
        "evaluation": charter.evaluation,
    }


def key_ids(keys: tuple[str, ...]) -> frozenset[str]:
    """The ids of public keys; empty when one of them is not a key."""
    try:
        return Trusted(keys).ids
    except ValueError:
        return frozenset()
