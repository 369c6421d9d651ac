"""Acts of regulators and firms, by control record: admit, amend, override, rectify, approve, release, withdraw.
Pure."""

from __future__ import annotations

from msgspec import structs

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
from monitor.charter.spec import Charter, IndicatorSpec, charter_hash
from monitor.compile.lint import lint
from monitor.compile.plan import CompiledIndicator, Plan, build_detectors, design_of, plan_of, stream_key
from monitor.decide import authority, ladder
from monitor.decide.context import DecisionContext
from monitor.decide.granted_dispersion import accept_dispersion, clear_amended
from monitor.decide.ladder import Move
from monitor.decide.leave import exit_once_stopped, leave
from monitor.decide.stale_rules import bound_stale_rules
from monitor.decide.tolerate import record_rectification
from monitor.errors import ControlRefused
from monitor.model.periods import parse_span
from monitor.model.records import Finding, Level, Reason
from monitor.model.refusals import Refusal
from monitor.model.signing import Proved
from monitor.state import acts_once
from monitor.state.halt_state import stop_state
from monitor.state.pilot import PilotState, Stream
from monitor.state.standing import Standing


def admit(act: Admission, received: int, by: Proved, open_mode: bool) -> PilotState:
    """A new pilot under its charter; its first periods are those that contain `received` (ms). Raises
    ControlRefused."""
    acts_once.check_time(act, received)
    authority.check_admission(act, by, open_mode)
    plan = plan_for(act.pilot, act.charter)
    standing = Standing(since=received)
    charter = structs.replace(plan.charter, pilot=act.pilot)  # equal, and all but the name is shared
    pilot = PilotState(act.pilot, charter, plan, charter_hash(charter), standing, received, received, drilled=received)
    for indicator in plan.indicators:
        _begin(pilot, indicator, received)
    pilot.acts.by = (act.author, by.key)
    pilot.incidents.whole = True
    return pilot


def apply_act(context: DecisionContext, act: ControlBase) -> None:
    """Apply an act to an admitted pilot. Raises ControlRefused."""
    pilot, s, plan = context.pilot, context.pilot.standing, context.plan
    finding, about = Finding(), ""
    outcome: ladder.Transition
    match act:
        case Amendment(charter=charter):
            if s.halted:
                authority.check_rights(pilot.charter, charter)
            context.plan = _amend(pilot, charter, context.at)
            outcome = s, Move("act", s.level, s.level, Reason.AMENDED, False)
            finding = Finding(rule=f"version {charter.version}")
        case Override(level=level, reason=words):
            outcome = ladder.override(s, Level[level.upper()], context.at)
            finding = Finding(rule="override", detail=words)
        case Shelving(finding=name, reason=words, span=text):
            span = parse_span(text).after(0)
            if not 0 < span <= plan.shelve_ms:
                most = pilot.charter.responses.shelve_at_most
                raise ControlRefused("span", Refusal.TOO_LONG, f"a finding is set aside for at most {most}")
            outcome, about = ladder.shelve(s, name, context.at + span, context.at), name
            finding = Finding(rule=name, detail=words, period_start=context.at, period_end=context.at + span)
        case Acceptance(indicator=name, reason=words, dispersion=dispersion):
            _accept_level(context, name, dispersion is True)
            s = pilot.standing
            outcome = s, Move("act", s.level, s.level, Reason.LEVEL_ACCEPTED, False)
            finding = Finding(
                indicator=name, rule="variance_mean" if dispersion is True else "acceptance", detail=words
            )
        case Drill(full_stop=full):
            begin_drill(context, full, act.author)
            outcome = pilot.standing, None
        case Rectification(finding=found, cause=why, action=action, evidence=evidence):
            outcome = record_rectification(context, found)
            words = f"finding: {found}; cause: {why}; action: {action}; evidence: {evidence}"
            finding = Finding(rule="rectification", detail=words)
        case Evaluation(passed=passed, report=report, results=results):
            tried = _results_text(pilot.charter, passed, results)
            outcome = ladder.record_step(s, Reason.EVALUATION_RECORDED, passed=passed)
            finding = Finding(rule="evaluation", observed=float(passed), expected=1.0, detail=report + tried)
        case Approval(author=author):
            outcome = ladder.record_step(s, Reason.APPROVAL_RECORDED, author)
        case Release(reason=words):
            if words or s.halt_state.state != "verified":
                finding = Finding(rule=f"halt {stop_state(s.halt_state.state)}", detail=words)
            outcome = ladder.release(s, context.at, words)
            restart_statistics(pilot, plan, outcome[0].restart)
        case Withdrawal(reason=words):
            outcome = leave(pilot)
            finding = Finding(rule="exit", detail=words)
        case _:
            raise AssertionError(f"no rule for {type(act).__name__}")
    context.apply(outcome, finding, act.author, key=about)
    if isinstance(act, Amendment):
        bound_stale_rules(context)
        clear_amended(context)
    exit_once_stopped(context)


def begin_drill(context: DecisionContext, full_stop: bool, author: str = "") -> None:
    """Begin a drill: test the path of a halt. Raises ControlRefused while a halt stands or another drill is open, and
    for a full stop outside the charter's windows."""
    s = context.pilot.standing
    if s.halted:
        raise ControlRefused("pilot", Refusal.HALTED, "a halt stands; nothing can be tried out under it")
    if s.halt_state.kind:
        raise ControlRefused("pilot", Refusal.DRILL_OPEN, "the last drill has not been answered yet")
    if full_stop and not context.plan.full_stop_allowed(context.at):
        raise ControlRefused(
            "full_stop",
            Refusal.OUTSIDE_WINDOW,
            "the charter names no window for a full stop at this time",
        )
    finding = Finding(rule="full_stop" if full_stop else "dry_run")
    context.record(Move("act", s.level, s.level, Reason.DRILL_BEGUN, False), finding, author)


def _results_text(charter: Charter, passed: bool, results: dict[str, dict[str, float]]) -> str:
    """The results on the charter's scenarios as text. Raises ControlRefused for a missing result, or one outside its
    bounds in a passed evaluation."""
    said = []
    for trial in charter.evaluation:
        for measure, bound in sorted(trial.bounds.items()):
            name = f"{trial.name}/{measure}"
            value = results.get(trial.name, {}).get(measure)
            if value is None:
                raise ControlRefused("results", Refusal.SCENARIO_MISSING, f"the charter asks for a result of {name}")
            low, high = bound.least, bound.most
            if passed and ((low is not None and value < low) or (high is not None and value > high)):
                bounds = f"{'' if low is None else f'{low:g}'}..{'' if high is None else f'{high:g}'}"
                raise ControlRefused(
                    "results", Refusal.OUT_OF_BOUNDS, f"{name} is {value:g}, the charter allows {bounds}"
                )
            said.append(f"; {name} {value:g}")
    return "".join(said)


def plan_for(pilot: str, charter: Charter) -> Plan:
    """The compiled charter. Raises ControlRefused when it is of another pilot, or has an error that `charter check`
    reports."""
    if charter.pilot != pilot:
        raise ControlRefused("charter.pilot", Refusal.WRONG_PILOT, f"the charter is for {charter.pilot}")
    for problem in lint(charter):
        if problem.severity == "error":
            raise ControlRefused(f"charter.{problem.field}", Refusal.BAD_CHARTER, f"{problem.problem}; {problem.fix}")
    try:
        return plan_of(charter)
    except (ValueError, KeyError, TypeError) as error:
        raise ControlRefused("charter", Refusal.BAD_CHARTER, str(error)) from error


def _begin(pilot: PilotState, indicator: CompiledIndicator, at: int) -> None:
    first = indicator.grid.index(at)
    for segment in indicator.segments:
        built = build_detectors(pilot.charter, indicator, pilot.standing.restart)
        pilot.streams[stream_key(indicator, segment)] = Stream(
            first, held=built, kinds=pilot.plan.classes[indicator.name]
        )
    if indicator.silence is not None:
        pilot.heard[indicator.name] = at


def restart_statistics(pilot: PilotState, plan: Plan, number: int) -> None:
    """Restart all statistics on the next share of alpha. Open periods stay, but counts that the old statistics may have
    used are no evidence for the new ones."""
    for indicator in plan.indicators:
        for segment in indicator.segments:
            stream = pilot.streams[stream_key(indicator, segment)]
            stream.detectors = build_detectors(pilot.charter, indicator, number)
            stream.seen = ()
            if indicator.provisional:
                for opened in stream.open.values():
                    opened.used = opened.k


def _accept_level(context: DecisionContext, name: str, dispersion: bool) -> None:
    """Reset the detectors that learn what is usual, and clear their findings: the new level is accepted. Or accept the
    dispersion. Raises ControlRefused where there is nothing to accept."""
    pilot, plan = context.pilot, context.plan
    try:
        indicator = plan.indicator(name)
    except KeyError:
        raise ControlRefused("indicator", Refusal.UNKNOWN_INDICATOR, f"the charter names no indicator {name}") from None
    if dispersion:
        if not accept_dispersion(context, indicator):
            found = f"no limit of {name} was found to vary more than the charter grants"
            raise ControlRefused("dispersion", Refusal.NOT_ACTIVE, found)
        return
    learnt = [i for i, w in enumerate(indicator.spec.detectors) if indicator.learns(w)]
    if not learnt:
        raise ControlRefused("indicator", Refusal.NOTHING_LEARNT, f"no detector of {name} learns what is usual")
    for segment in indicator.segments:
        stream = pilot.streams[stream_key(indicator, segment)]
        fresh = build_detectors(pilot.charter, indicator, pilot.standing.restart)
        for i in learnt:
            detector_spec = indicator.spec.detectors[i]
            stream.detectors[i] = fresh[i]
            context.clear(
                f"{stream_key(indicator, segment)}/{detector_spec.name}",
                context.finding(indicator, segment, detector_spec),
            )


def _amend(pilot: PilotState, charter: Charter, at: int) -> Plan:
    """Put an amended charter in force, forward only. The threshold of a running e-process never moves: an amendment
    that would move one is refused; a changed limit is allowed."""
    old = pilot.charter
    if charter.version <= old.version:
        raise ControlRefused("charter.version", Refusal.VERSION_MUST_RISE, f"version {old.version} is in force")
    if charter.participant.id != old.participant.id:
        raise ControlRefused(
            "charter.participant.id", Refusal.WRONG_PARTICIPANT, f"{old.participant.id} runs this pilot"
        )
    if charter.alpha != old.alpha:
        raise ControlRefused("charter.alpha", Refusal.RUNNING_BAR, "alpha is fixed at admission")
    new = {spec.name: spec for spec in charter.indicators}
    for spec in old.indicators:
        if spec.name not in new or _running(new[spec.name]) != _running(spec):
            what = (
                "of an indicator that is watched only limit and variance_mean may change; add a new indicator instead"
            )
            raise ControlRefused(f"charter.indicators.{spec.name}", Refusal.RUNNING_BAR, what)
    plan = plan_for(pilot.id, charter)
    if charter.drills.every != old.drills.every:
        pilot.drilled = at
    pilot.charter, pilot.plan, pilot.hash = structs.replace(plan.charter, pilot=pilot.id), plan, charter_hash(charter)
    for indicator in plan.indicators:
        if stream_key(indicator, indicator.segments[0]) not in pilot.streams:
            _begin(pilot, indicator, at)
        elif indicator.spec != old.indicator(indicator.name):
            _change(pilot, indicator)
    return plan


def _running(spec: IndicatorSpec) -> IndicatorSpec:
    """The fields of an indicator that are fixed while it runs: all but its limit (or the baseline in its place) and the
    dispersion that the charter assumes."""
    baseline = spec.baseline and structs.replace(spec.baseline, events=1.0, exposure=1.0, times=1.0)
    return structs.replace(spec, limit=None, variance_mean=1.0, baseline=baseline)


def _change(pilot: PilotState, indicator: CompiledIndicator) -> None:
    """Apply another limit from the next period on: an e-process continues its product, other detectors restart."""
    design = design_of(pilot.charter, indicator, pilot.standing.restart)
    for segment in indicator.segments:
        stream = pilot.streams[stream_key(indicator, segment)]
        fresh = build_detectors(pilot.charter, indicator, pilot.standing.restart)
        for i, detector in enumerate(stream.detectors):
            amend = getattr(detector, "amend", None)
            if amend is not None:
                amend(design)
            else:
                stream.detectors[i] = fresh[i]
