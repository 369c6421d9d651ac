"""Acts on a pilot that runs: changes, pauses, cycles, guidance, inspections, extension, suspension, evidence hold.

Typed fields are recorded in the clear, texts of people only as commitments (`monitor/notary/entries.py`).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, field

from monitor.charter.act_base import ControlBase, Date, Instant, Number, Words
from monitor.charter.spec import ChangeKind
from monitor.model.events import Id, Name

SUBJECTS, RESULTS, FINDINGS = 16, 16, 16  # at most, in one act
Subjects: TypeAlias = Annotated[tuple[Id, ...], Meta(max_length=SUBJECTS)]
Results: TypeAlias = Annotated[
    dict[Id, Annotated[dict[Id, Number], Meta(max_length=RESULTS)]], Meta(max_length=RESULTS)
]
CharterHash: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class ChangeProposal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.change_proposal"):
    """The firm registers a change of the system. `kind` says what changes: `model` is the digest that comes into use
    (model versions), `subjects` the ids of what changes (all other kinds). If the charter's plan of changes covers it,
    it is registered; `modification` names the item of the plan (else the first that covers it is taken) and `results`
    (scenario -> measure -> value) show that its protocol was kept. Outside the plan it is proposed: an officer amends
    the charter or refuses the change. `charter` is the hash of the amended charter that the firm agrees to."""

    kind: ChangeKind
    summary: Words
    modification: Name = ""
    model: Name = ""
    subjects: Subjects = ()
    results: Results = field(default_factory=dict)
    charter: CharterHash | None = None


class ChangeRefusal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.change_refusal"):
    """An officer refuses the change that is proposed."""

    reason: Words


class PauseRequest(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.pause"):
    """The firm asks to pause the pilot. It runs until an officer grants it."""

    reason: Words


class CycleProposal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.cycle_proposal"):
    """The firm asks for another cycle of use, from `start` to `end` (both included), in place of the charter's. An
    officer grants it."""

    start: Date
    end: Date
    reason: Words


class Grant(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.grant"):
    """An officer grants what the firm asked for: a pause begins, or the proposed cycle is in force."""

    reason: Annotated[str, Meta(max_length=2000)] = ""


class Decline(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.decline"):
    """An officer declines what the firm asked for."""

    reason: Words


class Resumption(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.resume"):
    """The firm ends the pause of its pilot. (After a halt the service resumes by a release and the firm's own
    command.)"""


class GuidanceRequest(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.guidance_request"):
    """The firm asks the authority for guidance; the id of this act names the question. `provision` is what it is about
    (an article, a clause)."""

    question: Words
    provision: Name = ""


class Guidance(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.guidance"):
    """An officer gives guidance; the id of this act names it. `about` is the question that it answers; empty without
    one."""

    answer: Words
    about: Name = ""
    provision: Name = ""


class GuidanceFollowed(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.guidance_followed"):
    """The firm states that it followed guidance (`about`), and where that can be seen."""

    about: Id
    evidence: Words


class InspectionFinding(Struct, frozen=True):
    """What an inspection found wrong: `name` (unique in its inspection), what, and when it must be rectified."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    words: Words
    due: Instant


class Inspection(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.inspection"):
    """An officer inspects the pilot: `scope` are ids of what was looked at, `seen` is what was seen, `findings` what
    must be rectified and by when, `closed` the keys of earlier findings of inspections that were seen to be
    rectified (`inspection/<id>/<name>`)."""

    scope: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=SUBJECTS)]
    seen: Words
    findings: Annotated[tuple[InspectionFinding, ...], Meta(max_length=FINDINGS)] = ()
    closed: Annotated[tuple[Annotated[str, Meta(max_length=300)], ...], Meta(max_length=FINDINGS)] = ()


class Extension(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.extension"):
    """An officer extends the stay: the cycle ends with `end`."""

    end: Date
    reason: Words


class Suspension(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.suspension"):
    """An authority suspends the pilot, a legal act (EU AI Act Art. 57(11)): the service is commanded to stop, as by a
    halt. `basis` is the provision."""

    basis: Id
    reason: Words


class EvidenceHold(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.hold"):
    """An officer holds the system as evidence: no change of it is registered, and another model in use is a finding."""

    reason: Words


class HoldLift(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.hold_lift"):
    """An officer lifts the evidence hold: the authority was told what changes (EU AI Act Art. 73(6))."""

    reason: Words


RunningAct: TypeAlias = (
    ChangeProposal
    | ChangeRefusal
    | PauseRequest
    | CycleProposal
    | Grant
    | Decline
    | Resumption
    | GuidanceRequest
    | Guidance
    | GuidanceFollowed
    | Inspection
    | Extension
    | Suspension
    | EvidenceHold
    | HoldLift
)
