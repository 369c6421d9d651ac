"""Acts on the configuration of a sandbox: founded once, then changed by proposals that a second person approves. Pure.

A proposal by an officer has no effect until an approver, who is another person, approves exactly its content (its
digest) while the configuration is still the version that it was proposed for. Each approved change makes the next
version. The state holds the version in force and the open proposals; older versions are in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, structs

from monitor.charter.clauses import LegalBasis
from monitor.charter.control import CONTROL_TYPES, Control, ControlBase
from monitor.charter.model_acts import ACTS_ON_MODEL, ModelAct
from monitor.charter.spec import ToolkitRef
from monitor.deadlines.rules import ClockTable
from monitor.errors import ControlRefused
from monitor.firms.rules import RulesReference
from monitor.lifecycle.accreditation import accreditation_words, may_publish
from monitor.lifecycle.acts import Role, refused_by_role
from monitor.lifecycle.duties import ClassDuty
from monitor.lifecycle.firm_acts import ACTS_ON_FIRM, FirmAct
from monitor.lifecycle.names import Act, Fact
from monitor.lifecycle.sandbox import Person, Prohibition, Sandbox, SandboxAuthority, TierStandard
from monitor.lifecycle.sandbox_check import flaws
from monitor.lifecycle.tenure import Tenure, founding_tenure, next_tenure
from monitor.model.canonical import canonical
from monitor.model.events import Id
from monitor.model.records import digest
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.signing import Proved, Trusted

Named = TypeVar("Named", SandboxAuthority, Person, Prohibition)
OPEN_PROPOSALS = 8
TOOLKIT_PROPOSALS = 4  # of them: a publisher leaves some to the officers
PROPOSAL_BYTES = 32 * 1024  # of one change


class PutAuthority(Struct, frozen=True, tag="put_authority"):
    """Add an authority, or replace the one of this id."""

    authority: SandboxAuthority


class RemoveAuthority(Struct, frozen=True, tag="remove_authority"):
    """Remove an authority that no person belongs to."""

    id: Id


class PutPerson(Struct, frozen=True, tag="put_person"):
    """Add a person, or replace the one of this id: roles, authority and keys."""

    person: Person


class RemovePerson(Struct, frozen=True, tag="remove_person"):
    """Remove a person."""

    id: Id


class PutTier(Struct, frozen=True, tag="put_tier"):
    """Replace the standard of a tier."""

    standard: TierStandard


class PutProhibition(Struct, frozen=True, tag="put_prohibition"):
    """Add an item to the negative list, or replace the one of this id."""

    item: Prohibition


class RemoveProhibition(Struct, frozen=True, tag="remove_prohibition"):
    """Remove an item from the negative list."""

    id: Id


class PutClocks(Struct, frozen=True, tag="put_clocks"):
    """Replace the clock table with its calendars."""

    clocks: ClockTable


class PutFirmKeys(Struct, frozen=True, tag="put_firm_keys"):
    """Require keys of each firm that applies, or no longer."""

    required: bool


class PutResponsibility(Struct, frozen=True, tag="put_responsibility"):
    """Compute which authorities are responsible for each pilot and address decisions, or no longer."""

    computed: bool


class PutToolkit(Struct, frozen=True, tag="put_toolkit"):
    """Put a version of a toolkit in force, or replace the digest of this version."""

    toolkit: ToolkitRef


class RemoveToolkit(Struct, frozen=True, tag="remove_toolkit"):
    """A version of a toolkit is no longer in force. Charters that name it stay in force."""

    id: Id
    version: int


class PutLegalBasis(Struct, frozen=True, tag="put_legal_basis"):
    """Put a catalogue of clauses in force, with what acts and the rules of the monitor cite of it."""

    basis: LegalBasis


class RemoveLegalBasis(Struct, frozen=True, tag="remove_legal_basis"):
    """No catalogue is in force any longer."""


class PutFirmRules(Struct, frozen=True, tag="put_firm_rules"):
    """Put rules for classes of firms in force, by reference; `None`: there are none any more. Classes that were set
    stay."""

    rules: RulesReference | None


class PutDuties(Struct, frozen=True, tag="put_duties"):
    """Replace the duties of firms by class and tier; none: a class changes nothing."""

    duties: Annotated[tuple[ClassDuty, ...], Meta(max_length=20)]


OneChange: TypeAlias = (
    PutAuthority
    | RemoveAuthority
    | PutPerson
    | RemovePerson
    | PutTier
    | PutProhibition
    | RemoveProhibition
    | PutClocks
    | PutFirmKeys
    | PutResponsibility
    | PutToolkit
    | RemoveToolkit
    | PutLegalBasis
    | RemoveLegalBasis
    | PutFirmRules
    | PutDuties
)


class SeveralChanges(Struct, frozen=True, tag="several"):
    """Changes that make one version together, in their order."""

    changes: Annotated[tuple[OneChange, ...], Meta(min_length=1, max_length=64)]


Change: TypeAlias = OneChange | SeveralChanges


class SandboxFounding(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.founding"):
    """The first configuration, by an admitter of the deployment."""

    sandbox: Sandbox


class Proposal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.proposal"):
    """An officer proposes a change; `id` names it. A change of toolkits alone may also be proposed by a publisher."""

    change: Change


class ProposalApproval(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.proposal_approval"):
    """An approver puts a proposal in force; `digest` is that of the change (`change_digest`)."""

    proposal: Id
    digest: Annotated[str, Meta(min_length=1, max_length=64)]


class ProposalWithdrawal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.proposal_withdrawal"):
    """An officer withdraws an open proposal, or a publisher its own."""

    proposal: Id


SandboxAct: TypeAlias = SandboxFounding | Proposal | ProposalApproval | ProposalWithdrawal
ACTS_ON_SANDBOX = (SandboxFounding, Proposal, ProposalApproval, ProposalWithdrawal)
AnyAct: TypeAlias = Control | SandboxAct | ModelAct | FirmAct  # what `control` carries
ACT_TYPES: dict[str, type[ControlBase]] = {
    **CONTROL_TYPES,
    **{str(kind.__struct_config__.tag): kind for kind in (*ACTS_ON_SANDBOX, *ACTS_ON_MODEL, *ACTS_ON_FIRM)},
}
"""Type on the wire -> class, of every act."""


class OpenProposal(Struct, array_like=True, frozen=True):
    """A change that is not approved yet: by whom, and for which version of the configuration."""

    author: str
    version: int
    change: Change


class SandboxState(Struct, array_like=True, frozen=True):
    """The configuration in force (`None` = not founded), the open proposals by id, and since when rights are held. New
    fields are appended, with defaults."""

    sandbox: Sandbox | None = None
    open: dict[str, OpenProposal] = {}
    tenure: Tenure = Tenure()


def change_digest(change: Change) -> str:
    """A digest of a change: what its approver has seen."""
    return digest(canonical(msgspec.to_builtins(change, str_keys=True)))


def step(state: SandboxState, act: SandboxAct, by: Proved, *, at: int = 0, open_mode: bool = False) -> SandboxState:
    """The state after an act that is received at `at` (ms). `by` is what its signature proves; `open_mode` says that
    the deployment has no admitter keys, so that everybody may found. Raises ControlRefused; nothing has changed then.
    """
    sandbox = state.sandbox
    if isinstance(act, SandboxFounding):
        return _found(state, act, by, at, open_mode)
    if sandbox is None:
        raise _refused("pilot", Refusal.NOT_FOUNDED)
    if isinstance(act, Proposal):
        _check_role(sandbox, act.author, by, _proposing(act.change), act.change)
        return _propose(state, sandbox, act)
    proposed = state.open.get(act.proposal)
    own = proposed is not None and proposed.author == act.author
    withdraws = _proposing(proposed.change) if proposed is not None and own else Act.CONFIGURE
    _check_role(sandbox, act.author, by, Act.APPROVE_CONFIGURATION if isinstance(act, ProposalApproval) else withdraws)
    if proposed is None:
        raise _refused("proposal", Refusal.UNKNOWN_PROPOSAL)
    rest = {name: one for name, one in state.open.items() if name != act.proposal}
    if isinstance(act, ProposalWithdrawal):
        return structs.replace(state, open=rest)
    if act.author == proposed.author:
        raise _refused("author", Refusal.SAME_PERSON)
    if act.digest != change_digest(proposed.change) or proposed.version != sandbox.version:
        raise _refused("digest", Refusal.PROPOSAL_CHANGED)
    new = _next(sandbox, proposed.change)
    return SandboxState(new, rest, next_tenure(state.tenure, sandbox, new, at))


def configuration_digest(sandbox: Sandbox | None) -> str:
    """A digest of a configuration, "" without one: what a decision on the sandbox names."""
    return "" if sandbox is None else digest(canonical(msgspec.to_builtins(sandbox, str_keys=True)))


def changed(sandbox: Sandbox, change: Change) -> Sandbox:
    """The next version: `sandbox` with a change, not validated."""
    version = sandbox.version + 1
    if isinstance(change, SeveralChanges):
        for one in change.changes:
            sandbox = changed(sandbox, one)
        return structs.replace(sandbox, version=version)
    match change:
        case PutAuthority(authority=body):
            return structs.replace(sandbox, version=version, authorities=_with(sandbox.authorities, body))
        case RemoveAuthority(id=name):
            kept = tuple(one for one in sandbox.authorities if one.id != name)
            return structs.replace(sandbox, version=version, authorities=kept)
        case PutPerson(person=person):
            return structs.replace(sandbox, version=version, people=_with(sandbox.people, person))
        case RemovePerson(id=name):
            people = tuple(one for one in sandbox.people if one.id != name)
            return structs.replace(sandbox, version=version, people=people)
        case PutTier(standard=standard):
            tiers = tuple(standard if one.tier == standard.tier else one for one in sandbox.tiers)
            return structs.replace(sandbox, version=version, tiers=tiers)
        case PutProhibition(item=item):
            return structs.replace(sandbox, version=version, prohibitions=_with(sandbox.prohibitions, item))
        case RemoveProhibition(id=name):
            items = tuple(one for one in sandbox.prohibitions if one.id != name)
            return structs.replace(sandbox, version=version, prohibitions=items)
        case PutClocks(clocks=clocks):
            return structs.replace(sandbox, version=version, clocks=clocks)
        case PutFirmKeys(required=required):
            return structs.replace(sandbox, version=version, firm_keys="required" if required else UNSET)
        case PutResponsibility(computed=computed):
            return structs.replace(sandbox, version=version, responsibility="computed" if computed else UNSET)
        case PutToolkit(toolkit=put):
            others = without_toolkit(sandbox.toolkits or (), put.id, put.version)
            return structs.replace(sandbox, version=version, toolkits=(*others, put))
        case RemoveToolkit(id=name, version=number):
            kept_toolkits = without_toolkit(sandbox.toolkits or (), name, number)
            return structs.replace(sandbox, version=version, toolkits=kept_toolkits or UNSET)
        case PutLegalBasis(basis=basis):
            return structs.replace(sandbox, version=version, legal_basis=basis)
        case RemoveLegalBasis():
            return structs.replace(sandbox, version=version, legal_basis=UNSET)
        case PutFirmRules(rules=rules):
            return structs.replace(sandbox, version=version, firm_rules=UNSET if rules is None else rules)
        case PutDuties(duties=duties):
            return structs.replace(sandbox, version=version, duties=duties or UNSET)


def without_toolkit(toolkits: tuple[ToolkitRef, ...], name: str, version: int) -> tuple[ToolkitRef, ...]:
    """The toolkits without one version of one of them."""
    return tuple(one for one in toolkits if (one.id, one.version) != (name, version))


def _proposing(change: Change) -> Act:
    """The act that a proposal of this change is: a change of nothing but toolkits publishes them."""
    changes = change.changes if isinstance(change, SeveralChanges) else (change,)
    toolkits = all(isinstance(one, PutToolkit | RemoveToolkit) for one in changes)
    return Act.PUBLISH_TOOLKIT if toolkits else Act.CONFIGURE


def _with(those: tuple[Named, ...], one: Named) -> tuple[Named, ...]:
    """`those` with `one` in the place of the one of its id, or at the end."""
    found = [one if other.id == one.id else other for other in those]
    if one not in found:
        found.append(one)
    return tuple(found)


def _found(state: SandboxState, act: SandboxFounding, by: Proved, at: int, open_mode: bool) -> SandboxState:
    if state.sandbox is not None:
        raise _refused("pilot", Refusal.ALREADY_FOUNDED)
    if not (by.admitter or open_mode):
        raise _refused("author", Refusal.NOT_AN_OFFICER)
    if act.sandbox.version != 1:
        raise ControlRefused("sandbox.version", Refusal.BAD_CONFIGURATION, "the first version is 1")
    return SandboxState(_valid(act.sandbox), {}, founding_tenure(act.sandbox, at))


def _propose(state: SandboxState, sandbox: Sandbox, act: Proposal) -> SandboxState:
    if act.id in state.open:
        raise _refused("id", Refusal.REPEATED)
    # A proposal for an earlier version can never be approved.
    current = {name: one for name, one in state.open.items() if one.version == sandbox.version}
    toolkits = sum(_proposing(one.change) is Act.PUBLISH_TOOLKIT for one in current.values())
    full = _proposing(act.change) is Act.PUBLISH_TOOLKIT and toolkits >= TOOLKIT_PROPOSALS
    if full or len(current) >= OPEN_PROPOSALS:
        raise _refused("id", Refusal.TOO_MANY_PROPOSALS)
    if (size := len(msgspec.msgpack.encode(act.change))) > PROPOSAL_BYTES:
        words = f"it has {size} bytes of at most {PROPOSAL_BYTES}; propose it in parts"
        raise ControlRefused("change", Refusal.BAD_CONFIGURATION, words)
    _next(sandbox, act.change)
    return structs.replace(state, open={**current, act.id: OpenProposal(act.author, sandbox.version, act.change)})


def _next(sandbox: Sandbox, change: Change) -> Sandbox:
    """The next version. Where authors are proved they stay so: else everybody could act in the name of those who may
    release a halt."""
    new = _valid(changed(sandbox, change))
    if new.open_mode and not sandbox.open_mode:
        words = "authors are proved by their keys; leave at least the keys of officers and approvers"
        raise ControlRefused("people", Refusal.BAD_CONFIGURATION, words)
    return new


def _valid(sandbox: Sandbox) -> Sandbox:
    for flaw in flaws(sandbox):
        raise ControlRefused(flaw.field, Refusal.BAD_CONFIGURATION, f"{flaw.problem}; {flaw.fix}")
    return sandbox


def _check_role(sandbox: Sandbox, author: str, by: Proved, act: Act, change: Change | None = None) -> None:
    person = sandbox.person(author)
    proved = person is not None and (sandbox.open_mode or by.key in Trusted(person.keys).ids)
    roles: tuple[Role, ...] = person.roles if person is not None and proved else ()
    allowed = person is not None and (change is None or may_publish(person, _toolkits_in(change)))
    why = refused_by_role(act, roles, {Fact.ACCREDITED} if allowed else ())
    if why is Refusal.NOT_ACCREDITED and person is not None:
        raise ControlRefused("author", why, f"{author} is accredited for {accreditation_words(person)}")
    if why is not None:
        raise _refused("author", why)


def _toolkits_in(change: Change) -> Iterator[str]:
    """The ids of the toolkits that a change is about."""
    for one in change.changes if isinstance(change, SeveralChanges) else (change,):
        if isinstance(one, PutToolkit):
            yield one.toolkit.id
        elif isinstance(one, RemoveToolkit):
            yield one.id


def _refused(field: str, why: Refusal) -> ControlRefused:
    return ControlRefused(field, why, REFUSALS[why])
