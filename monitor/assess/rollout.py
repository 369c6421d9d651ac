"""The evaluation of one step of a rollout: success, failure, or inconclusive. Pure.

Success: since the step began, the confidence sequence of every stream with a limit keeps that limit, on complete
periods, and nothing grave is open. Failure: a whole interval is beyond its limit, or the pilot was halted. Everything
else is inconclusive, and the rise pauses: the evidence goes on, and may be looked at again at no price, as the
intervals are valid at all times.

Each bound of step number j of share r of alpha errs with a probability of at most alpha x (6/pi^2)^2 / (r^2 j^2), so
P(any step succeeds while the mean rate within it is above a limit) <= alpha over the whole stay. Periods that are open
when a step begins count for that step.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, structs

from monitor.assess.evaluate import lacks_of
from monitor.assess.pack import assess, bounded
from monitor.assess.streams import bound_alpha, counted_streams
from monitor.model.assessment import Assessment, Lack, StreamNumbers
from monitor.model.periods import parse_span
from monitor.model.records import Level
from monitor.state.pilot import PilotState
from monitor.state.rollout import since_mark, step_in_force
from monitor.state.tally import Tally

_BASEL = 6 / 3.141592653589793**2
_FAILURES = (Lack.HALTED, Lack.LIMIT_EXCEEDED)
# Of an exit, and not of a step: what has to be found by when is stated for the whole stay.
_OF_EXITS = (Lack.POWER_NOT_REACHED, Lack.QUIET_TOO_SHORT, Lack.CLOCK_MISSED, Lack.CONDITION_OPEN, Lack.CONDITION_UNMET)


class StepEvaluated(Struct, frozen=True):
    """The step (index), its outcome, and the numbers since it began with what is `lacking`."""

    step: int
    outcome: str  # success, failure, inconclusive
    numbers: Assessment


def evaluate_step(pilot: PilotState, at: int) -> StepEvaluated:
    """Evaluate the step in force at `at` (ms), the timers of the pilot fired up to then. The charter has a rollout."""
    rollout, steps = pilot.rollout, pilot.charter.rollout or ()
    step = step_in_force(pilot.charter, rollout, pilot.review.halts)
    halted = pilot.standing.halted or pilot.review.halts > rollout.halts
    numbers, streams = assess(pilot, at), streams_of_step(pilot)
    grave = sum(active.level >= Level.ESCALATE for active in pilot.standing.active.values())
    found = [lack for lack in lacks_of(numbers, streams, halted, grave) if lack not in _OF_EXITS]
    if parse_span(steps[step].at_least).after(pilot.began if rollout.since is None else rollout.since) > at:
        found.append(Lack.STEP_TOO_SHORT)
    alpha = streams[0].alpha if streams else numbers.alpha
    numbers = structs.replace(numbers, alpha=alpha, lacks=tuple(found), advised=_outcome(found), conditions=())
    return StepEvaluated(step, numbers.advised, bounded(numbers, streams))


def streams_of_step(pilot: PilotState) -> list[StreamNumbers]:
    """The numbers of each stream since the step in force began."""
    rollout, restart = pilot.rollout, pilot.standing.restart
    marks = rollout.marks if rollout.restart == restart else {}  # a restart of the statistics counts anew by itself
    alpha = bound_alpha(pilot.charter, restart) * _BASEL / (rollout.began + 1) ** 2

    def counted(name: str, tally: Tally) -> Tally:
        return since_mark(tally, marks[name]) if name in marks else tally

    return counted_streams(pilot, alpha, counted)


def _outcome(lacks: Sequence[Lack]) -> str:
    if not lacks:
        return "success"
    return "failure" if any(lack in _FAILURES for lack in lacks) else "inconclusive"
