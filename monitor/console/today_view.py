"""What waits for whom, oldest first: halts that are not confirmed, steps of releases, deadlines, applications,
requests, findings. Pure.

Computed from the views of the board at each request; what follows from the decisions of a pilot alone is kept until its
next decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from monitor.console.fleet_view import FleetView
from monitor.console.pilot_view import PilotView
from monitor.lifecycle.acts import Role
from monitor.lifecycle.names import State
from monitor.lifecycle.next_steps import STEPS, NextStep
from monitor.model.clock_record import ClockRecord, ClockState, Owes
from monitor.model.periods import parse_span
from monitor.model.records import Decision, Level, Reason
from monitor.projections.pilot_status import PilotStatus, pilot_status
from monitor.projections.user_complaints import answer_due

PAGE = 50
SOON_MS = 14 * 86_400_000  # a deadline is listed when it is due in less
_OWES = {Owes.FIRM: Role.FIRM, Owes.AUTHORITY: Role.OFFICER, Owes.SUPPLIER: Role.SUPPLIER}
_RELEASE = (Reason.RECTIFICATION_RECORDED, Reason.EVALUATION_RECORDED, Reason.APPROVAL_RECORDED, Reason.HALT_VERIFIED)
_STEP = (Reason.STEP_PASSED, Reason.STEP_FAILED, Reason.STEP_INCONCLUSIVE)


class Kind(StrEnum):
    """What waits."""

    COMMAND = "command"  # a halt, release or drill that is not confirmed; `state` says how far it is
    STEP = "step"  # of the life of a pilot, or of a release
    DEADLINE = "deadline"
    FINDING = "finding"  # at escalate and not shelved
    UNKNOWN = "unknown"  # the state of a pilot
    GUIDANCE = "guidance"
    ROLLOUT = "rollout"  # a step that may be evaluated
    COMPLAINTS = "complaints"  # of users, that were not answered


class Waiting(Struct, frozen=True, kw_only=True):
    """One thing that waits for `who` (a role; "" for the service and the monitor), since when (ms), and until when it
    is due, `None` without a date. The fields after `due` are those of its kind."""

    kind: Kind
    view: PilotView
    who: str
    since: int
    due: int | None = None
    state: str = ""  # COMMAND: of the command; FINDING and UNKNOWN: the reason
    step: NextStep | None = None
    clock: ClockRecord | None = None
    place: int = 0  # ROLLOUT: of the step, from 1; COMPLAINTS: how many

    @property
    def front(self) -> bool:
        """Whether a service did not obey a halt."""
        return self.kind is Kind.COMMAND and self.state in ("contradicted", "overdue")


class TodayQuery(Struct, frozen=True):
    """What is asked for: an authority, a firm (ids), a role; "" for all; the number of the page."""

    authority: str = ""
    firm: str = ""
    who: str = ""
    page: int = 1


class TodayView(Struct, frozen=True):
    """Halts that were not obeyed, then a page of everything else, oldest first; how much waits for each role, whatever
    the role asked for; the number of missed deadlines."""

    front: tuple[Waiting, ...]
    rest: tuple[Waiting, ...]
    total: int
    page: int
    pages: int
    roles: dict[str, int]
    missed: int


def today_view(board: FleetView, now: int, query: TodayQuery | None = None) -> TodayView:
    """What waits at `now` (ms)."""
    query = query or TodayQuery()
    views = list(_in_scope(board.pilots.values(), query))
    found = [*waiting(views, now), *(one for view in views for one in _complaints(board, view))]
    roles = Counter(one.who for one in found)
    missed = sum(one.clock is not None and one.clock.state is ClockState.MISSED for one in found)
    found = sorted((one for one in found if query.who in ("", one.who)), key=_oldest)
    rest = [one for one in found if not one.front]
    pages = max(1, -(-len(rest) // PAGE))
    page = min(max(1, query.page), pages)
    return TodayView(
        front=tuple(one for one in found if one.front)[:PAGE],
        rest=tuple(rest[(page - 1) * PAGE : page * PAGE]),
        total=len(rest),
        page=page,
        pages=pages,
        roles=dict(roles),
        missed=missed,
    )


def today_data(view: TodayView) -> dict[str, object]:
    """The page as plain data; times in ms."""

    def row(one: Waiting) -> dict[str, object]:
        return {
            "kind": one.kind.value,
            "who": one.who or None,
            "pilot": one.view.pilot,
            "participant": one.view.participant,
            "authorities": list(one.view.responsible),
            "since": one.since,
            "due": one.due,
            "state": one.state or None,
            "act": one.step.act if one.step is not None else None,
            "rule": one.clock.rule if one.clock is not None else None,
            "number": one.place or None,
        }

    return {
        "not_obeyed": [row(one) for one in view.front],
        "waiting": [row(one) for one in view.rest],
        "total": view.total,
        "page": view.page,
        "pages": view.pages,
        "roles": view.roles,
        "deadlines_missed": view.missed,
    }


def waiting(views: Iterable[PilotView], now: int) -> Iterator[Waiting]:
    """Everything that waits about these pilots, in no order."""
    for view in views:
        yield from _deadlines(view, now)
        if view.exited and not view.states:
            continue
        if _owes_steps(view):
            yield from _steps(view)
            yield from _findings(view)
        if not view.exited:
            yield from _commands(view)
            yield from _unknown(view)
            yield from _guidance(view)
            yield from _rollout(view, now)


def _owes_steps(view: PilotView) -> bool:
    """Whether its state or level can ask for a step; of most pilots neither does."""
    return view.level >= Level.ESCALATE or view.states not in ("", State.RUNNING.value)


def status_of(view: PilotView) -> PilotStatus | None:
    """Where a pilot stands by the decisions on the board; kept until the next one. `None` without decisions."""
    if view.status is None or view.status.standing != view.standing:
        view.status = pilot_status(view.decisions, whole=False, newest=False)
    return view.status


def _in_scope(views: Iterable[PilotView], query: TodayQuery) -> Iterator[PilotView]:
    for view in views:
        if query.authority and not view.concerns(query.authority):
            continue
        if query.firm in ("", view.participant):
            yield view


def _oldest(one: Waiting) -> tuple[int, str, str]:
    return one.since, one.view.pilot, one.kind


def _commands(view: PilotView) -> Iterator[Waiting]:
    command = view.command
    if command is None or not command.open:
        return
    obeyed = command.state not in ("contradicted", "overdue")
    since = command.at if obeyed else _last_at(view.decisions, (Reason.HALT_CONTRADICTED, Reason.HALT_OVERDUE))
    who = Role.FIRM if obeyed else Role.OFFICER
    yield Waiting(kind=Kind.COMMAND, view=view, who=who, since=since or command.at, state=command.state)


_STATE_OF = {step: state for state, steps in STEPS.items() for step in steps}


def _steps(view: PilotView) -> Iterator[Waiting]:
    for step in view.items.steps():
        if not step.who:
            continue
        state = _STATE_OF.get(step)
        since = _release_since(view) if state is None else _entered(view.decisions, state)
        yield Waiting(kind=Kind.STEP, view=view, who=step.who, since=since, step=step)


def _release_since(view: PilotView) -> int:
    """When the release came to the step that is next."""
    since = view.since or 0
    return max((d.at for d in view.decisions if d.reason in _RELEASE and d.at >= since), default=since)


def _entered(decisions: Sequence[Decision], state: State) -> int:
    """When a pilot came to a state in which it is."""
    at = decisions[-1].at if decisions else 0
    for decision in reversed(decisions):
        if not isinstance(decision.states, str) or state.value not in decision.states.split():
            break
        at = decision.at
    return at


def _deadlines(view: PilotView, now: int) -> Iterator[Waiting]:
    for record in view.clocks.asking.values():
        if record.due is None:
            continue
        missed = record.state is ClockState.MISSED
        if missed or record.due - now < SOON_MS:
            since = record.due if missed else record.at
            who = _OWES[record.owed_by]
            yield Waiting(kind=Kind.DEADLINE, view=view, who=who, since=since, due=record.due, clock=record)


def _findings(view: PilotView) -> Iterator[Waiting]:
    for one in view.items.findings.values():
        if one.level == Level.ESCALATE.word:
            yield Waiting(kind=Kind.FINDING, view=view, who=Role.OFFICER, since=one.since, state=one.reason)


def _unknown(view: PilotView) -> Iterator[Waiting]:
    if view.unknown and not view.applicant:
        since = view.unknown_since or 0
        yield Waiting(kind=Kind.UNKNOWN, view=view, who=Role.FIRM, since=since, state=view.unknown)


def _guidance(view: PilotView) -> Iterator[Waiting]:
    asked = view.guidance
    if asked is not None and asked.reason is Reason.GUIDANCE_ASKED:
        yield Waiting(kind=Kind.GUIDANCE, view=view, who=Role.OFFICER, since=asked.at)


def _complaints(board: FleetView, view: PilotView) -> Iterator[Waiting]:
    """Complaints of users that wait for an answer, by the report that brought them."""
    for report in board.complaints.of(view.pilot):
        due = answer_due(view.plan, report.filed)
        number = len(report.ids)
        yield Waiting(
            kind=Kind.COMPLAINTS, view=view, who=Role.FIRM, since=report.filed, due=due, place=number
        )  # fmt: skip


def _rollout(view: PilotView, now: int) -> Iterator[Waiting]:
    """The step of a rollout that has lasted as long as it must, and was not evaluated since."""
    steps = view.plan.rollout if view.plan is not None else None
    if not steps or view.level is Level.HALT or view.life.pilot is not State.RUNNING:
        return
    place, since = rollout_step(view)
    if place + 1 >= len(steps):
        return
    may = parse_span(steps[place].at_least).after(since)
    if may <= now:
        yield Waiting(kind=Kind.ROLLOUT, view=view, who=Role.EVALUATOR, since=may, place=place + 1)


def rollout_step(view: PilotView) -> tuple[int, int]:
    """The step of a rollout in force, from 0, and when it began (ms), by the decisions on the board."""
    place, since = 0, view.decisions[0].at if view.decisions else 0
    for one in view.decisions:
        if one.reason in (Reason.ADMITTED, *_STEP):
            since = one.at
        if one.reason is Reason.STEP_PASSED:
            place += 1
        elif one.reason is Reason.STEP_FAILED:
            place = max(0, place - 1)
    return place, since


def _last(decisions: Sequence[Decision], reasons: Sequence[Reason]) -> Decision | None:
    return next((one for one in reversed(decisions) if one.reason in reasons), None)


def _last_at(decisions: Sequence[Decision], reasons: Sequence[Reason]) -> int | None:
    found = _last(decisions, reasons)
    return None if found is None else found.at
