"""Exit of a pilot from the sandbox. A halted pilot keeps its command and its alert until its stop is verified.

An exit ends no halt: while one stands and the stop is not verified, `exit_pending` is recorded and nothing else
changes: the command is resent, heartbeats and acknowledgements are tracked, contradictions are found. The pilot exits
(`exited`) with the decision that verifies the stop, or with a release. Pure.
"""

from __future__ import annotations

from monitor.decide.clock_facts import arrow_facts
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move, Transition
from monitor.errors import ControlRefused
from monitor.lifecycle.names import Event, State
from monitor.model.records import Finding, Reason
from monitor.model.refusals import REFUSALS, Refusal
from monitor.state.pilot import PilotState


def leave(pilot: PilotState) -> Transition:
    """Record an exit, effective now or pending. Raises ControlRefused when one is pending already."""
    s = pilot.standing
    check_leave(pilot)
    pilot.leaving = not stopped(pilot)
    pilot.exited = not pilot.leaving
    return s, Move("act", s.level, s.level, Reason.EXITED if pilot.exited else Reason.EXIT_PENDING, False)


def check_leave(pilot: PilotState) -> None:
    """Raises ControlRefused when an exit is pending already."""
    if pilot.leaving:
        raise ControlRefused("pilot", Refusal.EXIT_PENDING, REFUSALS[Refusal.EXIT_PENDING])


def exit_once_stopped(context: DecisionContext) -> None:
    """Complete a pending exit if the stop is now verified, or the halt lifted."""
    pilot = context.pilot
    if pilot.leaving and not pilot.exited and stopped(pilot):
        pilot.leaving, pilot.exited = False, True
        # With a release the act itself leads on.
        arrows = context.advance(Event.STOP_VERIFIED) if pilot.life.pilot is State.EXITING else ()
        level = pilot.standing.level
        context.record(Move("act", level, level, Reason.EXITED, False), Finding(rule="exit"))
        arrow_facts(context, arrows, context.cause)


def stopped(pilot: PilotState) -> bool:
    """Whether no halt stands, or its stop is verified."""
    s = pilot.standing
    return not s.halted or (s.halt_state.kind == "halt" and s.halt_state.state == "verified")
