"""Authority: the roles of authors to a pilot, and conditions that apply to every author. Pure. Which role may do which
act is in the table of acts, `monitor/lifecycle/acts.py`.

Once a sandbox is founded, roles come from its configuration: a charter names which of its authorities are responsible
for a pilot, and creates no officer or approver. While a halt stands, an author has the roles that the version in force
when the halt began gives to author and key, as far as the version in force now gives them too: no change of the
configuration adds anybody who may release it, and a person or key that is removed loses its rights at once.

Without a sandbox, and while a halt stands that began before it was founded, roles follow from the charter *in force*,
never from the charter that an act carries, and from the admitter keys of the deployment. The firm that runs the pilot
has the role `firm` only, even if a charter or a configuration lists its name elsewhere. Signatures are verified
earlier, in `monitor/decide/signatures.py`.

Without admitter keys a deployment is in *open mode*: everybody who may write to `control` may admit a pilot. Where the
charter in force registers no keys either, authors are not proved; the record then has `signed: ""`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from msgspec import UNSET

from monitor.charter import exit_acts, incident_acts, running_acts, shadow_acts, users_acts
from monitor.charter.control import (
    Acceptance,
    Admission,
    Agreement,
    Amendment,
    ApplicationRefusal,
    ApplicationWithdrawal,
    Approval,
    ControlBase,
    Drill,
    Evaluation,
    Override,
    Rectification,
    Release,
    Screening,
    Shelving,
    Submission,
    Withdrawal,
)
from monitor.charter.spec import Charter
from monitor.errors import ControlRefused
from monitor.lifecycle.accreditation import Place, accreditation_words, accredited_for
from monitor.lifecycle.acts import Role as Role
from monitor.lifecycle.acts import refused_by_role, roles_that_may
from monitor.lifecycle.names import Act, Fact
from monitor.lifecycle.sandbox import Sandbox, roles_in
from monitor.lifecycle.sandbox_acts import SandboxState
from monitor.lifecycle.standards import approving
from monitor.lifecycle.tenure import authorities_needed, held, held_since, role_right, roles_since
from monitor.model.labels import alike
from monitor.model.refusals import Refusal
from monitor.model.signing import Proved, Trusted
from monitor.network.responsibility import MOST_RESPONSIBLE, all_responsible, network_of
from monitor.state.pilot import PilotState
from monitor.state.review import Approvals

LISTED = 8  # names in a refusal

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
    Submission: Act.APPLY,
    Screening: Act.SCREEN,
    ApplicationRefusal: Act.REFUSE,
    Agreement: Act.AGREE,
    ApplicationWithdrawal: Act.WITHDRAW_APPLICATION,
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
    exit_acts.Assessing: Act.ASSESS,
    exit_acts.ExitApproval: Act.APPROVE_EXIT,
    exit_acts.TierApproval: Act.APPROVE_TIER,
    exit_acts.Termination: Act.TERMINATE,
    exit_acts.ReportIssue: Act.ISSUE_REPORT,
    exit_acts.Withholding: Act.WITHHOLD,
    exit_acts.PublicationConsent: Act.CONSENT_TO_PUBLISH,
    exit_acts.Graduation: Act.GRADUATE,
    exit_acts.Recall: Act.RECALL,
    users_acts.ComplaintFiling: Act.FILE_COMPLAINT,
    users_acts.ComplaintWithdrawal: Act.WITHDRAW_COMPLAINT,
    users_acts.ComplaintAnswer: Act.ANSWER_COMPLAINT,
    users_acts.RedressStep: Act.REDRESS,
    users_acts.UserDeparture: Act.LEAVE_PILOT,
    shadow_acts.ShadowStart: Act.START_SHADOW,
    shadow_acts.ShadowStop: Act.STOP_SHADOW,
    exit_acts.StepEvaluation: Act.EVALUATE_STEP,
    exit_acts.TemplateMaking: Act.MAKE_TEMPLATE,
}
"""A control record -> its row in the table of acts."""

ROLES_OF_ACT: dict[type[ControlBase], frozenset[Role]] = {
    kind: roles_that_may(act, "charter") for kind, act in ACT_OF.items() if kind is not Admission
}
"""The roles that may do an act where they come from the charter, as the table of acts says. `Admission` has no charter
in force and is checked by `check_admission`."""


APPROVERS = 2  # different people, for a release, an exit with the outcome `scale`, and a lower tier


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


def sandbox_for(state: SandboxState, pilot: PilotState | None) -> Sandbox | None:
    """The configuration that gives roles to a pilot (`None`: one that is not admitted yet). `None`: its charter does,
    as no sandbox is founded, or a halt stands that began before it was."""
    if state.sandbox is None:
        return None
    old_halt = pilot is not None and pilot.standing.halted and pilot.standing.since <= state.tenure.founded
    return None if old_halt else state.sandbox


def roles(state: SandboxState, pilot: PilotState, author: str, by: Proved) -> frozenset[Role]:
    """The roles of an author to a pilot. `state` is `Partition.sandbox`, `by` what the signature proves."""
    sandbox = sandbox_for(state, pilot)
    if sandbox is None:
        return roles_of(pilot.charter, author, by)
    found = roles_in(sandbox, author, by.key, responsible(pilot.charter), pilot.charter.participant.id)
    person = sandbox.person(author)
    if pilot.standing.halted and person is not None and Role.FIRM not in found:
        found &= roles_since(state.tenure, person, by.key, pilot.standing.since)
    return found


def responsible(charter: Charter) -> frozenset[str]:
    """The authorities that are responsible for a pilot under a charter."""
    return frozenset(one.id for one in charter.authorities)


def check_role(charter: Charter, act: ControlBase, found: frozenset[Role], sandbox: Sandbox | None = None) -> None:
    """Raises ControlRefused when the author has no role that may do this act: `found` are the author's roles, given by
    the sandbox, or without one by the charter in force."""
    roles_from: Literal["charter", "sandbox"] = "charter" if sandbox is None else "sandbox"
    person = None if sandbox is None else sandbox.person(act.author)
    facts = own_complaint(act)
    if person is not None and accredited_for(person, place_of(charter)):
        facts |= {Fact.ACCREDITED}
    why = refused_by_role(ACT_OF[type(act)], found, facts, roles_from)
    if why is None:
        return
    if why is Refusal.NOT_ACCREDITED and person is not None:
        words = f"{act.author} is accredited for {accreditation_words(person)}; the pilot is in the sector "
        words += f"{charter.sector or '-'}, the region {charter.region or '-'} and the tier {charter.tier}"
        raise ControlRefused("author", why, words)
    if sandbox is not None:
        raise ControlRefused("author", why, f"{act.author}: {_who_may(act, charter)}")
    if isinstance(act, Approval | exit_acts.ExitApproval | exit_acts.TierApproval):
        raise ControlRefused("author", Refusal.NOT_AN_APPROVER, f"the charter in force names no approver {act.author}")
    raise ControlRefused(
        "author", Refusal.NOT_AN_OFFICER, f"the charter in force does not let {act.author} do this; an officer must"
    )


def place_of(charter: Charter) -> Place:
    """The region, sector and tier of a charter."""
    return Place(charter.region, charter.sector, charter.tier)


def own_complaint(act: ControlBase) -> frozenset[Fact]:
    """`OWN_COMPLAINT` for what a firm may do about a complaint that was made outside: answer it, give or refuse
    redress. It neither reports nor withdraws one, and asks for nothing."""
    mine = isinstance(act, users_acts.ComplaintAnswer) or (
        isinstance(act, users_acts.RedressStep) and act.step != "asked"
    )
    return frozenset({Fact.OWN_COMPLAINT}) if mine else frozenset()


def _who_may(act: ControlBase, charter: Charter) -> str:
    """Who may do an act, as the configuration of the sandbox says."""
    names = " or ".join(sorted(role.value for role in roles_that_may(ACT_OF[type(act)])))
    return f"this needs the role {names} at {', '.join(sorted(responsible(charter)))} in the sandbox's configuration"


def check_charter(sandbox: Sandbox, charter: Charter) -> None:
    """Raises ControlRefused for a charter that names an authority that is not in the sandbox, or whose participant has
    the name or a key of a person there."""
    known = {one.id for one in sandbox.authorities}
    for index, one in enumerate(charter.authorities):
        if one.id not in known:
            words = f"the sandbox has no authority {one.id}; it has {', '.join(sorted(known)[:LISTED])}"
            raise ControlRefused(f"charter.authorities[{index}].id", Refusal.UNKNOWN_AUTHORITY, words)
    if (network := network_of(sandbox)) and len(found := all_responsible(network, charter)) > MOST_RESPONSIBLE:
        words = f"{len(found)} authorities are responsible for its region and sector, of at most {MOST_RESPONSIBLE}: "
        words += f"{', '.join(found[:LISTED])} ...; name fewer, or narrow their regions and sectors"
        raise ControlRefused("charter.authorities", Refusal.BAD_CHARTER, words)
    firm = alike(charter.participant.id)
    if any(alike(person.id) == firm for person in sandbox.people):
        words = f"a person of the sandbox is called {charter.participant.id}; a firm needs another id"
        raise ControlRefused("charter.participant.id", Refusal.BAD_CHARTER, words)
    mine = key_ids(charter.participant.keys)
    if owner := next((person.id for person in sandbox.people if mine & Trusted(person.keys).ids), None):
        words = f"{owner} of the sandbox signs with one of these keys; a firm needs other keys"
        raise ControlRefused("charter.participant.keys", Refusal.BAD_CHARTER, words)


def check_firm_keys(sandbox: Sandbox, charter: Charter, old: Charter | None = None) -> None:
    """Raises ControlRefused for a charter without keys of its firm where the sandbox requires them; for an amendment
    only if the charter in force (`old`) has some, so that a pilot of before can be amended."""
    if sandbox.firm_keys is UNSET or charter.participant.keys or (old is not None and not old.participant.keys):
        return
    words = "the sandbox requires keys of the firm (firm_keys), so that its acts are signed; add the public key"
    raise ControlRefused("charter.participant.keys", Refusal.BELOW_STANDARD, words)


def standing_approvals(state: SandboxState, pilot: PilotState) -> tuple[str, ...]:
    """The approvals of the release of a halt that still count: of people who are approvers of a responsible authority,
    and were when it began."""
    sandbox, since = sandbox_for(state, pilot), pilot.standing.since
    given = pilot.standing.lifting.approvals
    if sandbox is None:
        return given
    names = responsible(pilot.charter)
    people = {person.id: person for person in sandbox.people if Role.APPROVER in person.roles}
    return tuple(
        name
        for name in given
        if name in people
        and people[name].authority in names
        and held(state.tenure, role_right(people[name], Role.APPROVER), since)
    )


def counting(state: SandboxState, pilot: PilotState, given: Approvals) -> tuple[str, ...]:
    """Of those who approved an exit or a lower tier, the ones who are approvers of a responsible authority, and were
    without a break since then."""
    sandbox = sandbox_for(state, pilot)
    if sandbox is None:
        return given.people
    names = responsible(pilot.charter)
    rights = {
        one.id: role_right(one, Role.APPROVER)
        for one in sandbox.people
        if Role.APPROVER in one.roles and one.authority in names
    }
    return tuple(
        name
        for name, at in zip(given.people, given.at, strict=True)
        if name in rights and held_since(state.tenure, rights[name], at)
    )


def approved(state: SandboxState, pilot: PilotState, given: Approvals, at: int) -> bool:
    """Whether two people of as many authorities as the standard of the tier in force asks for approve at `at` (ms)."""
    people = counting(state, pilot, given)
    return len(people) >= APPROVERS and enough_authorities(state, pilot, people, at)


def enough_authorities(state: SandboxState, pilot: PilotState, given: tuple[str, ...], at: int) -> bool:
    """Whether these approvers are of as many authorities as the charter, or the standard of its tier at `at` (ms), asks
    for."""
    needed = needed_authorities(state, pilot, at)
    return needed < 2 or len(authorities_of(state, pilot, given)) >= needed


def needed_authorities(state: SandboxState, pilot: PilotState, at: int) -> int:
    """Of how many authorities approvers must approve: the charter in force says how many, and the standard of its tier
    at `at` (ms) may ask for more; at most as many as it names, as it may be from before its tier had this standard."""
    charter, standard = pilot.charter, 0
    if sandbox_for(state, pilot) is not None:
        standard = authorities_needed(state.tenure, charter.tier, at)
    return min(max(standard, approving(charter)), len(charter.authorities))


def authorities_of(state: SandboxState, pilot: PilotState, approvers: Collection[str]) -> frozenset[str]:
    """The authorities whose approvers these are. One that a charter lists at two authorities is of both: with one of
    either there are two people of two authorities."""
    sandbox = sandbox_for(state, pilot)
    if sandbox is None:
        named = pilot.charter.authorities
        return frozenset(one.id for one in named if not set(one.approvers).isdisjoint(approvers))
    return frozenset(person.authority for name in approvers if (person := sandbox.person(name)))


def check_approvals(state: SandboxState, pilot: PilotState) -> None:
    """Raises ControlRefused unless approvers of as many authorities have approved the release of a halt as the charter,
    or the standard of its tier since the halt began, asks for."""
    since, given = pilot.standing.since, standing_approvals(state, pilot)
    if not enough_authorities(state, pilot, given, since):
        needed, found = needed_authorities(state, pilot, since), authorities_of(state, pilot, given)
        asks = "the charter" if approving(pilot.charter) >= needed else f"tier {pilot.charter.tier}"
        words = f"{asks} needs approvers of {needed} authorities, there are {len(found)}"
        raise ControlRefused("pilot", Refusal.APPROVAL_MISSING, words)


def check_admission(act: Admission, by: Proved, open_mode: bool, sandbox: Sandbox | None = None) -> None:
    """Raises ControlRefused when the firm alone admits its own pilot. In open mode it may; the record shows it. With a
    sandbox an officer of a responsible authority must admit."""
    firm = act.charter.participant
    if sandbox is not None:
        check_charter(sandbox, act.charter)
        check_firm_keys(sandbox, act.charter)
        found = roles_in(sandbox, act.author, by.key, responsible(act.charter), firm.id)
        check_role(act.charter, act, found, sandbox)
        return
    if open_mode or (act.author != firm.id and by.key not in key_ids(firm.keys)):
        return
    raise ControlRefused("author", Refusal.FIRM_ALONE, f"{firm.id} runs this pilot; somebody else must admit it")


def check_rights(old: Charter, new: Charter, sandbox: Sandbox | None = None) -> None:
    """Raises ControlRefused when an amendment changes who may release a halt, or on which results; with a sandbox also
    when it changes the `tier`, as that says how many authorities must approve. Call it only while a halt stands."""
    before, after = rights(old), rights(new)
    if sandbox is not None:
        places = any(person.accredited is not UNSET for person in sandbox.people)
        for field in ("tier", "region", "sector") if places else ("tier",):
            before[field], after[field] = getattr(old, field), getattr(new, field)
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
        "approving_authorities": approving(charter),
    }


def key_ids(keys: tuple[str, ...]) -> frozenset[str]:
    """The ids of public keys; empty when one of them is not a key."""
    try:
        return Trusted(keys).ids
    except ValueError:
        return frozenset()
