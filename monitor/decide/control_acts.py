"""Acts of regulators and firms, by control record: admit, amend, override, rectify, approve, release, withdraw.
Pure."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, structs

from monitor.charter.control import (
    Acceptance,
    Admission,
    Agreement,
    Amendment,
    Approval,
    ControlBase,
    Drill,
    Evaluation,
    Override,
    Rectification,
    Release,
    Shelving,
)
from monitor.charter.exit_acts import Graduation
from monitor.charter.spec import Charter, charter_hash, public_part
from monitor.compile.charter_diff import counted, running
from monitor.compile.lint import lint
from monitor.compile.plan import CompiledIndicator, Plan, build_detectors, design_of, stream_key
from monitor.compile.standards import standard_problems
from monitor.decide import authority, ladder
from monitor.decide.begin import begin as _begin
from monitor.decide.begin import plan_for as plan_for
from monitor.decide.changes import after_amendment, check_change
from monitor.decide.context import DecisionContext
from monitor.decide.exits import EXIT_ACTS, apply_exit_act
from monitor.decide.granted_dispersion import accept_dispersion, clear_amended
from monitor.decide.incident_acts import INCIDENT_ACTS, apply_incident_act
from monitor.decide.ladder import Move
from monitor.decide.leave import exit_once_stopped
from monitor.decide.pauses import forget_ended
from monitor.decide.relearn import relearn
from monitor.decide.running_acts import RUNNING_ACTS, apply_running_act
from monitor.decide.screening import check_responsible
from monitor.decide.shadow_acts import SHADOW_ACTS, apply_shadow_act, check_cost
from monitor.decide.stale_rules import bound_stale_rules
from monitor.decide.tolerate import record_rectification
from monitor.errors import ControlRefused
from monitor.lifecycle.acts import Role, evaluation_counts
from monitor.lifecycle.life import Lifecycle, advance, sign
from monitor.lifecycle.names import Act, Fact
from monitor.lifecycle.sandbox import Sandbox
from monitor.lifecycle.sandbox_acts import SandboxState
from monitor.model.periods import parse_span
from monitor.model.records import Finding, Level, Outputs, Reason
from monitor.model.refusals import Refusal
from monitor.model.signing import Proved
from monitor.state import acts_once
from monitor.state.halt_state import stop_state
from monitor.state.pilot import PilotState
from monitor.state.rollout import cap_in_force
from monitor.state.running import NOTHING_RUNS
from monitor.state.snapshots import restore, snapshot
from monitor.state.standing import Standing
from monitor.state.tally import Tally

Roles: TypeAlias = frozenset[Role]
NO_SANDBOX = SandboxState()
LISTED = 4  # problems in one refusal
DOCUMENT_BYTES = 48 * 1024  # of a charter in a decision; an entry of the ledger has at most 65,535 bytes


def admit(act: Admission, received: int, by: Proved, open_mode: bool, sandbox: Sandbox | None = None) -> PilotState:
    """A new pilot under its charter; its first periods are those that contain `received` (ms). Raises
    ControlRefused."""
    acts_once.check_time(act, received)
    authority.check_admission(act, by, open_mode, sandbox)
    plan = plan_for(act.pilot, act.charter)
    standing = Standing(since=received)
    charter = structs.replace(plan.charter, pilot=act.pilot)  # equal, and all but the name is shared
    pilot = PilotState(act.pilot, charter, plan, charter_hash(charter), standing, received, received, drilled=received)
    for indicator in plan.indicators:
        _begin(pilot, indicator, received)
    pilot.acts.by = (act.author, by.key)
    pilot.incidents.whole = True
    pilot.life = advance(Lifecycle(), Act.ADMIT, {Fact.OPEN_MODE}).life
    return pilot


def apply_act(
    context: DecisionContext, act: ControlBase, sandbox: SandboxState = NO_SANDBOX, roles: Roles = frozenset()
) -> None:
    """Apply an act to an admitted pilot; `roles` are those of its author. Raises ControlRefused."""
    pilot, s, plan = context.pilot, context.pilot.standing, context.plan
    founded = authority.sandbox_for(sandbox, pilot)
    finding, about = Finding(), ""
    outcome: ladder.Transition
    match act:
        case Amendment(charter=charter):
            if s.halted:
                authority.check_rights(pilot.charter, charter, founded)
            if founded is not None:
                authority.check_charter(founded, charter)
                authority.check_firm_keys(founded, charter, pilot.charter)
                if _place(charter) != _place(pilot.charter):
                    check_responsible(charter, founded)
                check_standards(founded, pilot.charter, charter)
                context.document = public_document(charter)
            check_change(pilot, charter)
            old = pilot.charter
            context.plan = _amend(pilot, charter, context.at)
            said = after_amendment(context, old)
            s = pilot.standing
            outcome = s, Move("act", s.level, s.level, Reason.AMENDED, False)
            finding = Finding(rule=f"version {charter.version}", content=said or UNSET)
        case Override(level=level, reason=words):
            outcome = ladder.override(s, Level[level.upper()], context.at)
            finding = Finding(rule="override", detail=words)
        case Shelving(finding=name, reason=words, span=text):
            span = shelf_ms(plan, text)
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
            outcome, said = record_rectification(context, found)
            words = f"finding: {found}; cause: {why}; action: {action}; evidence: {evidence}"
            finding = Finding(rule="rectification", detail=words, content=said or UNSET)
        case Evaluation(passed=passed, report=report, results=results):
            tried = results_text(pilot.charter, passed, results)
            counts = founded is None or evaluation_counts(roles, pilot.charter.tier)
            outcome = ladder.record_step(s, Reason.EVALUATION_RECORDED, passed=passed and counts)
            report += "" if counts else "; an evaluation by the firm does not count in this tier"
            finding = Finding(rule="evaluation", observed=float(passed), expected=1.0, detail=report + tried)
        case Approval(author=author):
            outcome = ladder.record_step(s, Reason.APPROVAL_RECORDED, author)
        case Release(reason=words):
            if words or s.halt_state.state != "verified":
                finding = Finding(rule=f"halt {stop_state(s.halt_state.state)}", detail=words)
            outcome = ladder.release(s, context.at, words)
            authority.check_approvals(sandbox, pilot)
            restart_statistics(pilot, plan, outcome[0].restart, context.at)
        case Agreement(charter=signed):
            firm = act.author == pilot.charter.participant.id
            pilot.life = sign(pilot.life, firm=firm, digest=signed)
            outcome = s, Move("act", s.level, s.level, Reason.CHARTER_SIGNED, False)
            finding = Finding(rule=f"charter {signed}")
        case _ if isinstance(act, EXIT_ACTS):
            if isinstance(act, Graduation) and act.charter is not None:
                plan_for(pilot.id, act.charter)
                context.document = public_document(act.charter)
            outcome, finding = apply_exit_act(context, act, sandbox)
        case _ if isinstance(act, RUNNING_ACTS):
            outcome, finding = apply_running_act(context, act)
        case _ if isinstance(act, INCIDENT_ACTS):
            outcome, finding = apply_incident_act(context, act)
        case _ if isinstance(act, SHADOW_ACTS):
            outcome, finding = apply_shadow_act(context, act, partial(_try_amendment, context, act, sandbox))
        case _:
            raise AssertionError(f"no rule for {type(act).__name__}")
    context.apply(outcome, finding, act.author, key=about)
    if isinstance(act, Amendment):
        bound_stale_rules(context)
        clear_amended(context)
    exit_once_stopped(context)
    if context.pilot.running is not NOTHING_RUNS:
        forget_ended(context)


def _try_amendment(context: DecisionContext, act: ControlBase, sandbox: SandboxState, charter: Charter) -> str:
    """Put a charter in force on a copy of the pilot; returns its hash. Raises ControlRefused where an amendment
    to it would be refused, or where it costs more than the charter in force."""
    copied, _ = restore(snapshot(context.pilot))
    trial = DecisionContext(copied, copied.plan, context.at, context.cause, Outputs(), context.epoch)
    amendment = Amendment(id=act.id, pilot=act.pilot, author=act.author, charter=charter)
    apply_act(trial, amendment, sandbox)
    check_cost(context.plan, copied.plan)
    return copied.hash


def _place(charter: Charter) -> tuple[frozenset[str], str, str]:
    """What decides which authorities are responsible, and which are named."""
    return authority.responsible(charter), charter.region, charter.sector


def public_document(charter: Charter) -> dict[str, Any]:
    """The public part of a charter, for the decision that puts it in force. Raises ControlRefused if it is too large
    for an entry of the ledger."""
    raw = public_part(charter)
    if len(raw) > DOCUMENT_BYTES:
        words = f"its public part has {len(raw)} bytes, an entry of the ledger holds {DOCUMENT_BYTES}; write less"
        raise ControlRefused("charter", Refusal.BAD_CHARTER, words)
    found: dict[str, Any] = msgspec.json.decode(raw)
    return found


def check_standards(sandbox: Sandbox, old: Charter, new: Charter) -> None:
    """Raises ControlRefused where an amended charter misses a minimum standard of its tier, or its tier is below the
    rules, and the charter in force does not lack the same. A charter with errors is refused for these, later."""
    if any(problem.severity == "error" for problem in lint(new)):
        return
    before = {(one.field, one.problem) for one in standard_problems(old, sandbox=sandbox)}
    found = [one for one in standard_problems(new, sandbox=sandbox) if (one.field, one.problem) not in before]
    if found:
        words = " | ".join(f"charter.{one.field}: {one.problem}; {one.fix}" for one in found[:LISTED])
        raise ControlRefused(f"charter.{found[0].field}", Refusal.BELOW_STANDARD, words)


def shelf_ms(plan: Plan, text: str) -> int:
    """For how long (ms) a finding is set aside. Raises ControlRefused for longer than the charter allows."""
    span = parse_span(text).after(0)
    if not 0 < span <= plan.shelve_ms:
        most = plan.charter.responses.shelve_at_most
        raise ControlRefused("span", Refusal.TOO_LONG, f"a finding is set aside for at most {most}")
    return span


def begin_drill(context: DecisionContext, full_stop: bool, author: str = "") -> None:
    """Begin a drill: test the path of a halt. Raises ControlRefused while a halt stands or another drill is open, and
    for a full stop outside the charter's windows."""
    s = context.pilot.standing
    check_drill(s)
    if full_stop and not context.plan.full_stop_allowed(context.at):
        raise ControlRefused(
            "full_stop",
            Refusal.OUTSIDE_WINDOW,
            "the charter names no window for a full stop at this time",
        )
    finding = Finding(rule="full_stop" if full_stop else "dry_run")
    context.record(Move("act", s.level, s.level, Reason.DRILL_BEGUN, False), finding, author)


def check_drill(s: Standing) -> None:
    """Raises ControlRefused while a halt stands or another drill is open."""
    if s.halted:
        raise ControlRefused("pilot", Refusal.HALTED, "a halt stands; nothing can be tried out under it")
    if s.halt_state.kind:
        raise ControlRefused("pilot", Refusal.DRILL_OPEN, "the last drill has not been answered yet")


def results_text(charter: Charter, passed: bool, results: dict[str, dict[str, float]]) -> str:
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


def restart_statistics(pilot: PilotState, plan: Plan, number: int, at: int) -> None:
    """Restart all statistics at `at` (ms) on the next share of alpha. Open periods stay, but counts that the old
    statistics may have used are no evidence for the new ones, and totals begin with the next period."""
    for indicator in plan.indicators:
        for segment in indicator.segments:
            stream = pilot.streams[stream_key(indicator, segment)]
            stream.detectors = build_detectors(pilot.charter, indicator, number)
            stream.tally = Tally(max(stream.next, indicator.grid.index(at) + 1))
            stream.seen = ()
            if indicator.provisional:
                for opened in stream.open.values():
                    opened.used = opened.k


def _accept_level(context: DecisionContext, name: str, dispersion: bool) -> None:
    """Reset the detectors that learn what is usual, and clear their findings: the new level is accepted. Or accept the
    dispersion. Raises ControlRefused where there is nothing to accept."""
    try:
        indicator = context.plan.indicator(name)
    except KeyError:
        raise ControlRefused("indicator", Refusal.UNKNOWN_INDICATOR, f"the charter names no indicator {name}") from None
    if dispersion:
        if not accept_dispersion(context, indicator):
            found = f"no limit of {name} was found to vary more than the charter grants"
            raise ControlRefused("dispersion", Refusal.NOT_ACTIVE, found)
        return
    if not relearn(context, indicator):
        raise ControlRefused("indicator", Refusal.NOTHING_LEARNT, f"no detector of {name} learns what is usual")


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
        if spec.name not in new or running(new[spec.name]) != running(spec):
            what = (
                "of an indicator that is watched only limit and variance_mean may change; add a new indicator instead"
            )
            raise ControlRefused(f"charter.indicators.{spec.name}", Refusal.RUNNING_BAR, what)
    _check_cap(pilot, charter)
    plan = plan_for(pilot.id, charter)
    if charter.drills.every != old.drills.every:
        pilot.drilled = at
    pilot.charter, pilot.plan, pilot.hash = structs.replace(plan.charter, pilot=pilot.id), plan, charter_hash(charter)
    for indicator in plan.indicators:
        if stream_key(indicator, indicator.segments[0]) not in pilot.streams:
            _begin(pilot, indicator, at)
        elif counted(indicator.spec) != counted(old.indicator(indicator.name)):
            _change(pilot, indicator)
    return plan


def _check_cap(pilot: PilotState, charter: Charter) -> None:
    """Raises ControlRefused for other steps of a rollout that allow more users now: only evidence raises the cap. An
    amendment may remove the rollout."""
    if not pilot.charter.rollout or not charter.rollout:
        return
    was, now = (cap_in_force(one, pilot.rollout, pilot.review.halts) for one in (pilot.charter, charter))
    if was is not None and now is not None and now > was:
        words = f"the step in force allows {was} users, the new steps {now}; begin them with a cap of at most {was}"
        raise ControlRefused("charter.rollout", Refusal.RUNNING_BAR, words)


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
