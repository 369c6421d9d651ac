"""The evidence hold of a serious incident: from the incident until the authority was told (EU AI Act, Art. 73(6))."""

from __future__ import annotations

from monitor.charter.control import Override, Withdrawal
from monitor.charter.incident_acts import ChangeNotice, IncidentReportAct, Reclassification
from monitor.charter.running_acts import ChangeProposal, EvidenceHold, HoldLift
from monitor.charter.spec import ChangeKind
from monitor.deadlines.facts import IncidentClass
from monitor.lifecycle.names import State
from monitor.model.events import Harm, Severity
from monitor.model.records import Reason
from monitor.model.refusals import Refusal

from .founded import Founded


def hit(world: Founded, incident: str = "i-1", severity: Severity = Severity.SERIOUS_INCIDENT) -> list[Reason]:
    """An incident. Returns what was recorded about evidence holds."""
    out = world.say(world.service.incident(world.at, severity, Harm.PROPERTY, incident))
    assert not out.rejected, out.rejected
    return [one.reason for one in out.decisions if one.finding.rule == "evidence_hold"]


def change(world: Founded) -> list[str]:
    """Propose a change. Returns the reason of its refusal, if it was refused."""
    kind = ChangeKind.SAFEGUARDS
    out = world.put(ChangeProposal(**world.by("firm"), kind=kind, summary="x", subjects=("review",)))
    return [one.detail.partition(":")[0] for one in out.rejected]


def test_a_serious_incident_begins_an_evidence_hold_in_which_no_change_is_registered() -> None:
    """The hold begins with the incident, without an officer, and is on record once."""
    world = Founded()
    assert hit(world, severity=Severity.INCIDENT) == []
    assert hit(world) == [Reason.EVIDENCE_HELD]
    assert hit(world, "i-2") == []
    assert world.pilot.life.hold is State.INCIDENT_HOLD
    assert change(world) == [Refusal.EVIDENCE_HELD]


def test_the_hold_ends_when_the_authority_was_told_of_every_incident() -> None:
    """A report, also an incomplete one, tells the authority; each incident has to be reported."""
    world = Founded()
    hit(world)
    hit(world, "i-2")
    world.put(IncidentReportAct(**world.by("firm"), incident="i-1", report="x"))
    assert world.pilot.life.hold is State.INCIDENT_HOLD
    out = world.put(IncidentReportAct(**world.by("firm"), incident="i-2", report="x"))
    assert out.decisions[-1].reason is Reason.HOLD_LIFTED
    assert world.pilot.life.hold is State.NO_HOLD
    assert change(world) == []


def test_a_notice_of_the_change_and_a_decision_that_it_was_not_serious_end_the_hold_too() -> None:
    """Both tell that nothing has to be kept as it is; if the incident is serious after all, the hold begins again."""
    world = Founded()
    hit(world)
    world.put(ChangeNotice(**world.by("firm"), notice="x"))
    assert world.pilot.life.hold is State.NO_HOLD
    hit(world, "i-2")
    assert world.pilot.life.hold is State.INCIDENT_HOLD
    world.put(Reclassification(**world.by("officer"), incident="i-2", reason="x"))
    assert world.pilot.life.hold is State.NO_HOLD
    classes = (IncidentClass.DEATH,)
    world.put(Reclassification(**world.by("officer"), incident="i-2", reason="x", classes=classes))
    assert world.pilot.life.hold is State.INCIDENT_HOLD


def test_a_hold_of_an_officer_ends_by_an_officer_only() -> None:
    """A report of the firm does not end it; its end is that of the incident's hold as well."""
    world = Founded()
    hit(world)
    world.put(EvidenceHold(**world.by("officer"), reason="x"))
    assert world.pilot.life.hold is State.EVIDENCE_HELD
    world.put(IncidentReportAct(**world.by("firm"), incident="i-1", report="x"))
    assert world.pilot.life.hold is State.EVIDENCE_HELD
    assert change(world) == [Refusal.EVIDENCE_HELD]
    hit(world, "i-2")
    world.put(HoldLift(**world.by("officer"), reason="x"))
    assert world.pilot.life.hold is State.NO_HOLD
    world.say(world.service.model_changed(world.at, "m2"))
    assert "clock/evidence-hold" not in world.pilot.standing.active


def test_a_broken_hold_stands_until_the_authority_was_told() -> None:
    """After a change of the model in the hold a further change is still not registered."""
    world = Founded()
    world.say(world.service.exposure(world.at, 1))
    hit(world)
    world.at += 1000
    world.say(world.service.model_changed(world.at, "m2"))
    assert "clock/evidence-hold" in world.pilot.standing.active
    assert change(world) == [Refusal.EVIDENCE_HELD]
    world.put(IncidentReportAct(**world.by("firm"), incident="i-1", report="x"))
    assert world.pilot.life.hold is State.NO_HOLD


def test_the_hold_goes_on_after_the_stay_and_ends_with_the_report() -> None:
    """An exit does not lift it, and an incident after the exit begins none."""
    world = Founded()
    hit(world)
    world.put(Override(**world.by("officer"), level="normal", reason="x"))
    world.put(Withdrawal(**world.by("officer"), reason="x"))
    assert world.pilot.exited
    assert world.pilot.life.hold is State.INCIDENT_HOLD
    world.put(IncidentReportAct(**world.by("firm"), incident="i-1", report="x"))
    assert world.pilot.life.hold is State.NO_HOLD
