"""Acts: what regulators and firms do by control record - admit, amend, override, rectify, approve, release, leave."""

from __future__ import annotations

from msgspec import structs

from monitor import decide
from monitor.case import Case
from monitor.charter import Charter, IndicatorSpec, charter_hash
from monitor.charter_lint import lint
from monitor.control import (
    Admission,
    Amendment,
    Approval,
    ControlBase,
    Evaluation,
    Override,
    Rectification,
    Release,
    Withdrawal,
)
from monitor.decide import Move
from monitor.errors import ControlRefused
from monitor.model import Finding, Level, Reason
from monitor.plan import Plan, Watch, build_detectors, design_of
from monitor.state import Pilot, Stream, key

REMEMBERED = 64  # ids of control records kept per pilot, to make repeats harmless


def admit(act: Admission, received: int) -> tuple[Pilot, Plan]:
    """A new pilot under its charter, its first periods those that hold `received` (ms). Raises ControlRefused."""
    plan = plan_for(act.pilot, act.charter)
    standing = decide.Standing(since=received)
    pilot = Pilot(act.pilot, act.charter, charter_hash(act.charter), standing, received, received)
    for watch in plan.watches:
        _begin(pilot, watch, received)
    pilot.controls.append(act.id)
    return pilot, plan


def apply(case: Case, act: ControlBase) -> Plan:
    """Let an act on an admitted pilot take effect; returns the plan in force afterwards. Raises ControlRefused."""
    pilot, s, plan = case.pilot, case.pilot.standing, case.plan
    finding = Finding()
    outcome: decide.Outcome
    match act:
        case Amendment(charter=charter):
            plan = _amend(pilot, charter, case.at)
            outcome = s, Move("act", s.level, s.level, Reason.AMENDED, False)
            finding = Finding(rule=f"version {charter.version}")
        case Override(level=level, reason=words):
            outcome = decide.overridden(s, Level[level.upper()], case.at)
            finding = Finding(rule="override", detail=words)
        case Rectification(finding=found, cause=why, action=action, evidence=evidence):
            outcome = decide.recorded(s, Reason.RECTIFICATION_RECORDED)
            words = f"finding: {found}; cause: {why}; action: {action}; evidence: {evidence}"
            finding = Finding(rule="rectification", detail=words)
        case Evaluation(passed=passed, report=report):
            outcome = decide.recorded(s, Reason.EVALUATION_RECORDED, passed=passed)
            finding = Finding(rule="evaluation", observed=float(passed), expected=1.0, detail=report)
        case Approval(author=author):
            if not decide.may_approve(pilot.charter, author):
                raise ControlRefused("author", "not_an_approver", f"the charter names no approver {author}")
            outcome = decide.recorded(s, Reason.APPROVAL_RECORDED, author)
        case Release():
            outcome = decide.released(s, case.at)
            _restart(pilot, plan, outcome[0].restart)
        case Withdrawal(reason=words):
            pilot.exited = True
            outcome = s, Move("act", s.level, s.level, Reason.EXITED, False)
            finding = Finding(rule="exit", detail=words)
        case _:
            raise AssertionError(f"no rule for {type(act).__name__}")
    pilot.controls = [*pilot.controls, act.id][-REMEMBERED:]
    case.plan = plan
    case.take(outcome, finding, act.author)
    return plan


def plan_for(pilot: str, charter: Charter) -> Plan:
    """A charter made ready to run. Raises ControlRefused when it is not this pilot's or does not hold together."""
    if charter.pilot != pilot:
        raise ControlRefused("charter.pilot", "wrong_pilot", f"the charter is for {charter.pilot}")
    for problem in lint(charter):
        if problem.severity == "error":
            raise ControlRefused(f"charter.{problem.field}", "bad_charter", f"{problem.problem}; {problem.fix}")
    try:
        return Plan(charter)
    except (ValueError, KeyError, TypeError) as error:
        raise ControlRefused("charter", "bad_charter", str(error)) from error


def _begin(pilot: Pilot, watch: Watch, at: int) -> None:
    first = watch.grid.index(at)
    for segment in watch.segments:
        built = build_detectors(pilot.charter, watch, pilot.standing.restart)
        pilot.streams[key(watch, segment)] = Stream(first, detectors=built)
    if watch.gap is not None:
        pilot.heard[watch.name] = at


def _restart(pilot: Pilot, plan: Plan, restart: int) -> None:
    """Statistics start again on the next share of alpha; open periods stay."""
    for watch in plan.watches:
        for segment in watch.segments:
            stream = pilot.streams[key(watch, segment)]
            stream.detectors = build_detectors(pilot.charter, watch, restart)
            stream.seen = []


def _amend(pilot: Pilot, charter: Charter, at: int) -> Plan:
    """Forward only. A running bar never moves: an amendment that would move one is refused, a changed limit is not."""
    old = pilot.charter
    if charter.version <= old.version:
        raise ControlRefused("charter.version", "version_must_rise", f"version {old.version} is in force")
    if charter.participant.id != old.participant.id:
        raise ControlRefused("charter.participant.id", "wrong_participant", f"{old.participant.id} runs this pilot")
    if charter.alpha != old.alpha:
        raise ControlRefused("charter.alpha", "running_bar", "alpha is fixed at admission")
    new = {spec.name: spec for spec in charter.indicators}
    for spec in old.indicators:
        if spec.name not in new or _running(new[spec.name]) != _running(spec):
            what = (
                "of an indicator that is watched only limit and variance_mean may change; add a new indicator instead"
            )
            raise ControlRefused(f"charter.indicators.{spec.name}", "running_bar", what)
    plan = plan_for(pilot.id, charter)
    pilot.charter, pilot.hash = charter, charter_hash(charter)
    for watch in plan.watches:
        if key(watch, watch.segments[0]) not in pilot.streams:
            _begin(pilot, watch, at)
        elif watch.spec != old.indicator(watch.name):
            _change(pilot, watch)
    return plan


def _running(spec: IndicatorSpec) -> IndicatorSpec:
    """What of an indicator is fixed while it is watched: all but its limit and the dispersion it is granted."""
    return structs.replace(spec, limit=None, variance_mean=1.0)


def _change(pilot: Pilot, watch: Watch) -> None:
    """Another limit from the next period on: an e-process goes on in the same product, other detectors begin anew."""
    design = design_of(pilot.charter, watch, pilot.standing.restart)
    for segment in watch.segments:
        stream = pilot.streams[key(watch, segment)]
        fresh = build_detectors(pilot.charter, watch, pilot.standing.restart)
        for i, detector in enumerate(stream.detectors):
            amend = getattr(detector, "amend", None)
            if amend is not None:
                amend(design)
            else:
                stream.detectors[i] = fresh[i]
