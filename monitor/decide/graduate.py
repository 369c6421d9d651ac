"""Graduation to routine supervision: the same stream stays watched under the same or a thinner charter, for months.
Pure.

Statistics begin again on the next share of alpha, so that what is watched longer spends no more than alpha in total.
"""

from __future__ import annotations

from msgspec import UNSET, structs

from monitor.charter.exit_acts import Graduation
from monitor.charter.spec import Charter, charter_hash
from monitor.decide.begin import begin, plan_for
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.errors import ControlRefused
from monitor.model.periods import parse_span
from monitor.model.records import Finding, Level, Reason
from monitor.model.refusals import Refusal
from monitor.state.review import NO_STAY
from monitor.state.standing import Standing

MAY_CHANGE = ("version", "indicators", "hard_rules", "drills", "assessment", "exit", "cycle", "models")


def graduate(context: DecisionContext, act: Graduation) -> tuple[Move, Finding]:
    """Begin the routine supervision. Raises ControlRefused without a length, or for a charter that is not thinner."""
    pilot, at, old = context.pilot, context.at, context.pilot.standing
    span = pilot.charter.exit.tracked_for if act.months is None else f"{act.months}mo"
    if span is UNSET:
        raise ControlRefused("months", Refusal.CONTENT_MISSING, "the charter has no exit.tracked_for; state the months")
    if act.charter is not None:
        check_thinner(pilot.charter, act.charter)
        plan = plan_for(pilot.id, act.charter)
        pilot.charter = structs.replace(plan.charter, pilot=pilot.id)
        pilot.plan = context.plan = plan
        pilot.hash = charter_hash(pilot.charter)
    until = parse_span(span).after(at)
    pilot.exited = pilot.leaving = False
    pilot.standing = Standing(
        since=at, counter=old.counter, restart=old.restart + 1, command=old.command, ordered=old.ordered,
        halt_state=old.halt_state, retransmission=old.retransmission, lifted=old.lifted,
    )  # fmt: skip
    pilot.streams, pilot.heard = {}, {}  # sources stay: what they sent in between is missing, and is said to be
    pilot.drilled, pilot.outage = at, None
    pilot.running = structs.replace(pilot.running, cycle=(pilot.cycle[0], until), asked=None, pauses=())
    pilot.review = structs.replace(pilot.review, tracked_until=until, assessed=at, fell_due=None, approvals=())
    pilot.stay = NO_STAY
    pilot.rollout = structs.replace(pilot.rollout, marks={})
    for indicator in pilot.plan.indicators:
        begin(pilot, indicator, at)
    content = {"months": span.removesuffix("mo"), "version": str(pilot.charter.version)}
    finding = Finding(rule="tracking", period_start=at, period_end=until, content={**content})
    return Move("act", old.level, Level.NORMAL, Reason.GRADUATED, False), finding


def check_thinner(old: Charter, new: Charter) -> None:
    """Raises ControlRefused unless `new` asks for nothing that `old` does not: it may drop indicators, hard rules and
    drills, and its version is higher."""
    if new.version <= old.version:
        raise ControlRefused("charter.version", Refusal.VERSION_MUST_RISE, f"version {old.version} is in force")
    for field in old.__struct_fields__:
        if field not in MAY_CHANGE and getattr(old, field) != getattr(new, field):
            words = "routine supervision may drop indicators, hard rules and drills; amend anything else before"
            raise ControlRefused(f"charter.{field}", Refusal.NOT_THINNER, words)
    for field in ("indicators", "hard_rules", "models"):
        known = dict.fromkeys(map(repr, getattr(old, field)), True)
        for one in getattr(new, field):
            if repr(one) not in known:
                name = getattr(one, "name", "") or getattr(one, "digest", "")
                words = "it is not in the charter in force, or differs from it"
                raise ControlRefused(f"charter.{field}.{name}", Refusal.NOT_THINNER, words)
