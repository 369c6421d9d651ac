"""Authority: the roles that a charter gives to authors, and conditions that apply to every author. Pure. Which role may
do which act is in the table of acts, `monitor/lifecycle/acts.py`.

Roles follow from the charter *in force*, never from the charter that an act carries, and from the admitter keys of the
deployment. The firm that runs the pilot has the role `firm` only, even if a charter lists its name elsewhere.
Signatures are verified earlier, in `monitor/decide/signatures.py`.

Without admitter keys a deployment is in *open mode*: everybody who may write to `control` may admit a pilot. Where the
charter in force registers no keys either, authors are not proved; the record then has `signed: ""`.
"""

from __future__ import annotations

from typing import Any

from monitor.charter import incident_acts, running_acts
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
from monitor.lifecycle.acts import Role as Role
from monitor.lifecycle.acts import refused_by_role, roles_that_may
from monitor.lifecycle.names import Act
from monitor.model.refusals import Refusal
from monitor.model.signing import Proved, Trusted

ACT_OF: dict[type[ControlBase], Act] = {
    Admission: Act.ADMIT,
    Amendment: Act.AMEND,
    Withdrawal: Act.EXIT,
    Override: Act.OVERRIDE,
    Shelving: Act.SHELVE,
    Acceptance: Act.ACCEPT_LEVEL,
    Drill: Act.DRILL,
    Rectification: Act.RECTIFY,
    Evaluation: Act.EVALUATE,
    Approval: Act.APPROVE,
    Release: Act.RELEASE,
    running_acts.ChangeProposal: Act.PROPOSE_CHANGE,
    running_acts.ChangeRefusal: Act.REFUSE_CHANGE,
    running_acts.PauseRequest: Act.PAUSE,
    running_acts.CycleProposal: Act.PROPOSE_CYCLE,
    running_acts.Grant: Act.GRANT,
    running_acts.Decline: Act.DECLINE,
    running_acts.Resumption: Act.RESUME,
    running_acts.GuidanceRequest: Act.ASK_GUIDANCE,
    running_acts.Guidance: Act.GUIDE,
    running_acts.GuidanceFollowed: Act.FOLLOW_GUIDANCE,
    running_acts.Inspection: Act.INSPECT,
    running_acts.Extension: Act.EXTEND,
    running_acts.Suspension: Act.SUSPEND,
    running_acts.EvidenceHold: Act.HOLD,
    running_acts.HoldLift: Act.LIFT_HOLD,
    incident_acts.IncidentReportAct: Act.REPORT,
    incident_acts.ChangeNotice: Act.NOTIFY_CHANGE,
    incident_acts.SuspensionNotice: Act.NOTIFY_SUSPENSION,
    incident_acts.Reclassification: Act.RECLASSIFY,
}
"""A control record -> its row in the table of acts."""

ROLES_OF_ACT: dict[type[ControlBase], frozenset[Role]] = {
    kind: roles_that_may(act, "charter") for kind, act in ACT_OF.items() if kind is not Admission
}
"""The roles that may do an act where they come from the charter, as the table of acts says. `Admission` has no charter
in force and is checked by `check_admission`."""


def roles_of(charter: Charter, author: str, by: Proved) -> frozenset[Role]:
    """The roles of `author` under the charter in force: `OFFICER` for those listed as officer or approver, and for
    every author but the firm if the charter lists no officer."""
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
    if refused_by_role(ACT_OF[type(act)], roles_of(charter, act.author, by), roles_from="charter") is None:
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
