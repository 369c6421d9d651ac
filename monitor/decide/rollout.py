"""A rollout in steps: the cap on users rises by evidence. Pure.

An officer asks for an evaluation; the outcome is computed (`monitor/assess/rollout.py`). After a success the next step
begins, after a failure the step before it; an inconclusive one changes nothing.
"""

from __future__ import annotations

from msgspec import structs

from monitor.assess.rollout import evaluate_step
from monitor.charter.exit_acts import StepEvaluation
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.errors import ControlRefused
from monitor.model.records import Finding, Reason
from monitor.model.refusals import Refusal
from monitor.state.pilot import PilotState
from monitor.state.rollout import Rollout

REASONS = {
    "success": Reason.STEP_PASSED,
    "failure": Reason.STEP_FAILED,
    "inconclusive": Reason.STEP_INCONCLUSIVE,
}


def evaluate_rollout(context: DecisionContext, act: StepEvaluation) -> tuple[Move, Finding]:
    """Evaluate the step in force, and begin the one that follows. Raises ControlRefused without a rollout."""
    pilot, steps = context.pilot, context.pilot.charter.rollout
    if not steps:
        words = "the charter in force has no rollout; an amendment may add one"
        raise ControlRefused("rollout", Refusal.CONTENT_MISSING, words)
    found = evaluate_step(pilot, context.at)
    following = {"success": min(found.step + 1, len(steps) - 1), "failure": max(found.step - 1, 0)}
    step = following.get(found.outcome, found.step)
    if pilot.review.halts > pilot.rollout.halts:
        step = found.step  # the halt took the step back already
    if found.outcome == "failure" or step != found.step:
        pilot.rollout = _begun(pilot, steps[step].cap, context.at)
    content = {
        "step": f"{found.step + 1} of {len(steps)}",
        "cap": str(steps[step].cap),
        "was": str(steps[found.step].cap),
        "lacks": ", ".join(found.numbers.lacks),
    }
    level = pilot.standing.level
    finding = Finding(rule="rollout", detail=act.reason, content={**content}, assessment=found.numbers)
    return Move("act", level, level, REASONS[found.outcome], False), finding


def _begun(pilot: PilotState, cap: int, at: int) -> Rollout:
    """The step with this cap, begun now."""
    marks = {name: structs.replace(stream.tally) for name, stream in pilot.streams.items() if stream.tally is not None}
    began = pilot.rollout.began + 1
    return Rollout(cap, at, began, pilot.standing.restart, pilot.review.halts, marks)
