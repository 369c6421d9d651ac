"""A charter as a plan, and the beginning of an indicator: what admission, amendment and graduation share. Pure."""

from __future__ import annotations

from monitor.charter.spec import Charter
from monitor.compile.lint import lint
from monitor.compile.plan import CompiledIndicator, Plan, build_detectors, plan_of, stream_key
from monitor.errors import ControlRefused
from monitor.model.refusals import Refusal
from monitor.state.pilot import PilotState, Stream


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


def begin(pilot: PilotState, indicator: CompiledIndicator, at: int) -> None:
    """Begin an indicator at `at` (ms), on the share of alpha in force: its first periods are those that contain it."""
    first = indicator.grid.index(at)
    for segment in indicator.segments:
        built = build_detectors(pilot.charter, indicator, pilot.standing.restart)
        pilot.streams[stream_key(indicator, segment)] = Stream(
            first, held=built, kinds=pilot.plan.classes[indicator.name]
        )
    if indicator.silence is not None:
        pilot.heard[indicator.name] = at
