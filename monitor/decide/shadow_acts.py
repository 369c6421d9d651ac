"""Acts that start and stop a shadow charter, and its end. They are recorded like every act; of the pilot nothing else
changes. What the shadow charter itself computes is in `monitor/engine/shadows.py`, and never comes back here. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, get_args

from monitor.charter.shadow_acts import ShadowAct, ShadowStart, ShadowStop
from monitor.charter.spec import Charter, hash_of
from monitor.compile.plan import Plan
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move, Transition
from monitor.errors import ControlRefused
from monitor.model.bounds import short
from monitor.model.events import instant, millis
from monitor.model.periods import parse_span
from monitor.model.records import Content, Finding, Reason
from monitor.model.refusals import REFUSALS, Refusal
from monitor.state.shadow import ShadowTerm

SHADOW_ACTS = get_args(ShadowAct)
DAY_MS = 86_400_000
Amend: TypeAlias = Callable[[Charter], str]  # tries an amendment on a copy; returns the hash of what is then in force
LONGEST_MS = 366 * DAY_MS
SHORTEST_MS = 1_000  # between two summaries
SUMMARIES = 10_000  # of one run
FREE_UPDATES = 10_000  # of detectors a day: about a second


def apply_shadow_act(context: DecisionContext, act: ShadowAct, amend: Amend) -> tuple[Transition, Finding]:
    """Apply an act. `amend` raises ControlRefused where the amendment would be refused. Returns what to record. Raises
    ControlRefused."""
    if isinstance(act, ShadowStart):
        finding = _start(context, act, amend)
        reason = Reason.SHADOW_STARTED
    else:
        finding = _stop(context, act)
        reason = Reason.SHADOW_STOPPED
    standing = context.pilot.standing
    return (standing, Move("act", standing.level, standing.level, reason, False)), finding


def _start(context: DecisionContext, act: ShadowStart, amend: Amend) -> Finding:
    pilot, until = context.pilot, millis(act.until)
    if pilot.shadow is not None:
        raise ControlRefused("pilot", Refusal.SHADOW_RUNS, REFUSALS[Refusal.SHADOW_RUNS])
    _check_times(context.at, until, parse_span(act.every).after(0))
    same = hash_of(act.charter) == pilot.hash
    candidate = pilot.hash if same else amend(act.charter)
    pilot.shadow = ShadowTerm(short(act.id), candidate, pilot.hash, until)
    content: Content = {
        "candidate": candidate,
        "version": float(act.charter.version),
        "until": instant(until).isoformat(),
        "every": act.every,
    }
    return Finding(rule="shadow", detail=act.reason, content=content)


def _check_times(at: int, until: int, every: int) -> None:
    if not at < until <= at + LONGEST_MS:
        words = "a shadow charter ends after now, and at most 366 days later"
        raise ControlRefused("until", Refusal.CONTENT_MISSING, words)
    if every < SHORTEST_MS or (until - at) // every > SUMMARIES:
        words = f"summaries are at least 1 s apart, and there are at most {SUMMARIES}; give a longer interval"
        raise ControlRefused("every", Refusal.CONTENT_MISSING, words)


def check_cost(live: Plan, candidate: Plan) -> None:
    """Raises ControlRefused for a shadow charter that would cost more than the charter in force: its detectors are
    updated more often, and more often than `FREE_UPDATES` a day."""
    most, wanted = max(updates(live), FREE_UPDATES), updates(candidate)
    if wanted > most:
        words = (
            f"its detectors would be updated {wanted:,.0f} times a day, at most {most:,.0f} are possible; use longer "
            "periods, fewer segments or fewer detectors"
        )
        raise ControlRefused("charter.indicators", Refusal.SHADOW_TOO_COSTLY, words)


def updates(plan: Plan) -> float:
    """How often detectors are updated a day."""
    return sum(len(w.segments) * max(1, len(w.spec.detectors)) * DAY_MS / w.length for w in plan.closes)


def _stop(context: DecisionContext, act: ShadowStop) -> Finding:
    pilot = context.pilot
    if pilot.shadow is None:
        raise ControlRefused("pilot", Refusal.NO_SHADOW, REFUSALS[Refusal.NO_SHADOW])
    found, pilot.shadow = pilot.shadow, None
    return Finding(rule="shadow", detail=act.reason, content={"candidate": found.candidate})


def end_shadow(context: DecisionContext, why: str) -> None:
    """The shadow charter of the pilot ends by itself: `why` is `time`, `amended` or `exited`."""
    found, context.pilot.shadow = context.pilot.shadow, None
    if found is None:
        return
    level = context.pilot.standing.level
    finding = Finding(rule=why, content={"candidate": found.candidate})
    context.record(Move("act", level, level, Reason.SHADOW_ENDED, False), finding)
