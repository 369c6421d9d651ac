"""The table of arrows: from which state which act or event leads where, what is recorded, which clocks it moves, and
what the statistics do. Pure data; `monitor/lifecycle/life.py` applies it.

A pilot has a state in each region (`Region`), so that a halt and an exit, or a change and an assessment, can be open
together. An arrow that stays in its state is an act that is allowed there and moves nothing. Of several arrows of one
trigger from one state the first applies whose conditions hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from msgspec import Struct

from monitor.deadlines.facts import FactKind
from monitor.lifecycle.names import ORDER, REGION_OF, Act, Event, Fact, Region, State, Statistics, Trigger

S, A, E, F, X = State, Act, Event, Fact, Statistics

LIVE = (S.REGISTERED, S.RUNNING, S.PAUSED, S.EXITING, S.TRACKED)  # watched, and under command
ENDED = (S.EXITED, S.TERMINATED, S.WITHDRAWN, S.REPORTED, S.PUBLISHED, S.WITHHELD, S.CLOSED, S.RECALLED)
APPLIED = (S.SUBMITTED, S.SCREENED, S.AGREED)
NEVER_ADMITTED = (S.REFUSED, S.APPLICATION_WITHDRAWN)
HALTS = (S.HALTED, S.SUSPENDED)
AMENDED = (F.BOTH_SIGNATURES, F.SAME_CHARTER, F.TIER_APPROVED)


class Arrow(Struct, frozen=True, kw_only=True):
    """One arrow.

    It applies where its region is in `source`, each region named in `during` is in one of the states given there, all
    facts of `when` hold and none of `unless`. It is then refused until all facts of `needs` hold. `record` names the
    entry in the ledger; `clocks` the facts that clocks receive (`monitor/deadlines/facts.py`).
    """

    source: State
    trigger: Trigger
    target: State
    record: str
    during: frozenset[State] = frozenset()
    when: frozenset[Fact] = frozenset()
    unless: frozenset[Fact] = frozenset()
    needs: tuple[Fact, ...] = ()
    clocks: tuple[FactKind, ...] = ()
    statistics: Statistics = Statistics.CONTINUE

    @property
    def region(self) -> Region:
        """The region that it moves."""
        return REGION_OF[self.source]

    @property
    def stays(self) -> bool:
        """Whether it leaves the state as it is."""
        return self.source is self.target


def _arrow(
    sources: State | tuple[State, ...], trigger: Trigger, target: State | None, record: str, **more: Any
) -> Iterator[Arrow]:
    """One arrow from each source; to itself without a `target`. A single word stands for a tuple of one."""
    statistics = more.pop("statistics", Statistics.CONTINUE)
    fields: dict[str, Any] = {
        name: frozenset(_all(value)) if name in _SETS else _all(value) for name, value in more.items()
    }
    fields["clocks"] = tuple(FactKind(kind) for kind in fields.get("clocks", ()))
    for source in _all(sources):
        to = source if target is None else target
        yield Arrow(source=source, trigger=trigger, target=to, record=record, statistics=statistics, **fields)


_SETS = ("during", "when", "unless")


def _all(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _entry() -> Iterator[Iterable[Arrow]]:
    yield _arrow(S.DRAFT, A.APPLY, S.SUBMITTED, "application_submitted", clocks="application", statistics=X.NONE)
    yield _arrow(
        S.SUBMITTED, A.SCREEN, S.SCREENED, "application_screened",
        needs=(F.SCREENING_PASSED, F.POWER_SUFFICIENT), statistics=X.NONE,
    )  # fmt: skip
    yield _arrow(APPLIED, A.REFUSE, S.REFUSED, "application_refused", clocks="application_decided", statistics=X.NONE)
    yield _arrow(
        APPLIED, A.WITHDRAW_APPLICATION, S.APPLICATION_WITHDRAWN, "application_withdrawn",
        clocks="application_withdrawn", statistics=X.NONE,
    )  # fmt: skip
    yield _arrow(S.SCREENED, A.AGREE, S.AGREED, "charter_agreed", when=F.BOTH_SIGNATURES, statistics=X.NONE)
    yield _arrow(S.SCREENED, A.AGREE, S.SCREENED, "charter_signed", unless=F.BOTH_SIGNATURES, statistics=X.NONE)
    yield _arrow(LIVE, A.AGREE, None, "charter_signed")  # of an amendment
    yield _arrow(
        S.AGREED, A.ADMIT, S.REGISTERED, "admitted",
        needs=(F.BOTH_SIGNATURES, F.SAME_CHARTER), clocks="application_decided", statistics=X.BEGIN,
    )  # fmt: skip
    yield _arrow(S.DRAFT, A.ADMIT, S.RUNNING, "admitted", when=F.OPEN_MODE, statistics=X.BEGIN)
    yield _arrow(S.REGISTERED, E.CYCLE_STARTED, S.RUNNING, "cycle_started")


def _running() -> Iterator[Iterable[Arrow]]:
    free, runs = (S.RUNNING, S.NOT_HALTED), (S.RUNNING, S.PAUSED)
    yield _arrow(S.NO_REQUEST, A.PAUSE, S.PAUSE_REQUESTED, "pause_requested", during=free)
    yield _arrow(
        S.NO_REQUEST, A.PROPOSE_CYCLE, S.CYCLE_REQUESTED, "cycle_requested",
        during=(S.REGISTERED, *runs, S.NOT_HALTED),
    )  # fmt: skip
    yield _arrow(S.PAUSE_REQUESTED, A.GRANT, S.NO_REQUEST, "pause_granted", during=free, statistics=X.HOLD)
    yield _arrow(S.CYCLE_REQUESTED, A.GRANT, S.NO_REQUEST, "cycle_granted", during=(S.REGISTERED, *runs, S.NOT_HALTED))
    yield _arrow(
        S.RUNNING, A.GRANT, S.PAUSED, "pause_granted", during=(S.PAUSE_REQUESTED, S.NOT_HALTED), statistics=X.HOLD
    )
    yield _arrow((S.PAUSE_REQUESTED, S.CYCLE_REQUESTED), A.DECLINE, S.NO_REQUEST, "request_declined", during=LIVE)
    yield _arrow(S.PAUSED, A.RESUME, S.RUNNING, "resumed", during=S.NOT_HALTED)
    yield _arrow(runs, A.EXTEND, None, "extended", during=S.NOT_HALTED)
    yield _arrow(runs, A.EVALUATE_STEP, None, "step_evaluated", during=S.NOT_HALTED)
    planned: dict[str, Any] = {"during": (*runs, S.NOT_HALTED, S.NO_HOLD)}
    yield _arrow(
        S.NO_CHANGE, A.PROPOSE_CHANGE, S.NO_CHANGE, "change_registered",
        when=F.INSIDE_PLAN, clocks="service_changed", **planned,
    )  # fmt: skip
    yield _arrow(S.NO_CHANGE, A.PROPOSE_CHANGE, S.CHANGE_PROPOSED, "change_proposed", unless=F.INSIDE_PLAN, **planned)
    yield _arrow(S.CHANGE_PROPOSED, A.REFUSE_CHANGE, S.NO_CHANGE, "change_refused", during=LIVE)
    yield _arrow(
        S.CHANGE_PROPOSED, A.AMEND, S.NO_CHANGE, "amended", during=LIVE,
        needs=AMENDED, clocks="service_changed", statistics=X.REBASELINE,
    )  # fmt: skip
    yield _arrow(S.NO_CHANGE, A.AMEND, S.NO_CHANGE, "amended", during=LIVE, needs=AMENDED)
    yield _arrow(S.NOT_DUE, E.ASSESSMENT_FELL_DUE, S.ASSESSMENT_DUE, "assessment_due", during=(*runs, S.TRACKED),
                 clocks="assessment_set")  # fmt: skip
    yield _arrow(S.ASSESSMENT_DUE, E.ASSESSMENT_OVERDUE, S.ASSESSMENT_MISSED, "assessment_missed", during=LIVE)
    yield _arrow(
        (S.NOT_DUE, S.ASSESSMENT_DUE, S.ASSESSMENT_MISSED), A.ASSESS, S.NOT_DUE, "assessment_done", during=LIVE,
        clocks="assessment_done",
    )  # fmt: skip
    holds, known = (S.EVIDENCE_HELD, S.INCIDENT_HOLD), (*LIVE, *ENDED)
    yield _arrow(S.NO_HOLD, E.SERIOUS_INCIDENT, S.INCIDENT_HOLD, "evidence_held", during=LIVE,
                 clocks="serious_incident")  # fmt: skip
    yield _arrow(holds, E.SERIOUS_INCIDENT, None, "incident_recorded", during=LIVE, clocks="serious_incident")
    yield _arrow(S.INCIDENT_HOLD, E.AUTHORITY_TOLD, S.NO_HOLD, "hold_lifted", during=known)
    yield _arrow((S.NO_HOLD, S.INCIDENT_HOLD), A.HOLD, S.EVIDENCE_HELD, "evidence_held", during=known)
    yield _arrow(holds, A.LIFT_HOLD, S.NO_HOLD, "hold_lifted", during=known, clocks="change_notice")


def _halts() -> Iterator[Iterable[Arrow]]:
    steps: dict[str, Any] = {"during": LIVE}
    yield _arrow(S.NOT_HALTED, E.HALT_DECIDED, S.HALTED, "halted", **steps)
    yield _arrow(HALTS, E.HALT_DECIDED, None, "halt_ground_added", during=(*LIVE, S.RECALLED))
    yield _arrow(HALTS, E.STOP_VERIFIED, None, "halt_verified", during=(*LIVE, S.RECALLED))
    yield _arrow((S.NOT_HALTED, S.HALTED), A.SUSPEND, S.SUSPENDED, "suspended", clocks="suspension", **steps)
    yield _arrow(S.NOT_HALTED, A.RECALL, S.HALTED, "recalled", during=S.TRACKED)
    yield _arrow(HALTS, A.EVALUATE, None, "evaluation_recorded", **steps)
    yield _arrow(HALTS, A.APPROVE, None, "approval_recorded", needs=(F.RECTIFIED, F.EVALUATED), **steps)
    proved = (F.RECTIFIED, F.EVALUATED, F.RELEASE_APPROVED)
    yield _arrow(S.HALTED, A.RELEASE, S.NOT_HALTED, "released", needs=proved, statistics=X.NEXT_SHARE, **steps)
    yield _arrow(
        S.SUSPENDED, A.RELEASE, S.NOT_HALTED, "released",
        needs=proved, clocks="suspension_lifted", statistics=X.NEXT_SHARE, **steps,
    )  # fmt: skip


def _exits() -> Iterator[Iterable[Arrow]]:
    runs, ends = (S.RUNNING, S.PAUSED), (F.SCALES, F.ENDS_TERMINATED, F.ENDS_WITHDRAWN)
    yield _arrow(
        runs, A.EXIT, S.EXITED, "exited", when=F.SCALES, during=S.NOT_HALTED,
        needs=(F.LIMITS_KEPT, F.POWER_REACHED, F.EXIT_APPROVED), clocks="exit", statistics=X.STOP,
    )  # fmt: skip
    kinds: tuple[tuple[Act, State, tuple[Fact, ...], tuple[Fact, ...]], ...] = (
        (A.EXIT, S.EXITED, (), ends),
        (A.EXIT, S.WITHDRAWN, (F.ENDS_WITHDRAWN,), ()),
        (A.EXIT, S.TERMINATED, (F.ENDS_TERMINATED,), ()),
        (A.TERMINATE, S.TERMINATED, (), ()),
    )
    sources = (S.REGISTERED, *runs)
    for act, target, when, unless in kinds:
        leaving: dict[str, Any] = {"clocks": ("exit", "pilot_ended"), "statistics": X.STOP}
        yield _arrow(sources, act, target, "exited", when=when, unless=unless, during=S.NOT_HALTED, **leaving)
        stopped = (*when, F.STOP_VERIFIED)
        yield _arrow(sources, act, target, "exited", when=stopped, unless=unless, during=HALTS, **leaving)
        unstopped = (*unless, F.STOP_VERIFIED)
        yield _arrow(sources, act, S.EXITING, "exit_pending", when=when, unless=unstopped, during=HALTS)
    for trigger in (E.STOP_VERIFIED, A.RELEASE):
        needs = (F.RECTIFIED, F.EVALUATED, F.RELEASE_APPROVED) if trigger is A.RELEASE else ()
        for target, when, unless in (
            (S.TERMINATED, (F.ENDS_TERMINATED,), ()),
            (S.WITHDRAWN, (F.ENDS_WITHDRAWN,), ()),
            (S.EXITED, (), (F.ENDS_TERMINATED, F.ENDS_WITHDRAWN)),
        ):
            yield _arrow(
                S.EXITING, trigger, target, "exited", during=HALTS, when=when, unless=unless, needs=needs,
                clocks=("exit", "pilot_ended"), statistics=X.STOP,
            )  # fmt: skip
    yield _arrow((S.EXITED, S.TERMINATED, S.WITHDRAWN), A.ISSUE_REPORT, S.REPORTED, "exit_report_issued",
                 clocks="exit_report", statistics=X.NONE)  # fmt: skip
    yield _arrow((S.REPORTED, S.WITHHELD), A.CONSENT_TO_PUBLISH, S.PUBLISHED, "published", statistics=X.NONE)
    yield _arrow(S.REPORTED, A.WITHHOLD, S.WITHHELD, "withheld", statistics=X.NONE)
    yield _arrow(
        (S.PUBLISHED, S.WITHHELD), A.GRADUATE, S.TRACKED, "graduated",
        during=S.NOT_HALTED, needs=F.SCALES, statistics=X.NEXT_SHARE,
    )  # fmt: skip
    yield _arrow(S.TRACKED, E.TRACKING_ENDED, S.CLOSED, "closed", during=S.NOT_HALTED, statistics=X.STOP)
    yield _arrow(S.TRACKED, A.RECALL, S.RECALLED, "recalled", statistics=X.STOP)


def _without_move() -> Iterator[Iterable[Arrow]]:
    began = (*LIVE, *ENDED)
    for act, record in ((A.OVERRIDE, "overridden"), (A.ACCEPT_LEVEL, "level_accepted")):
        yield _arrow(LIVE, act, None, record)
    yield _arrow((S.REGISTERED, S.RUNNING, S.PAUSED, S.TRACKED), A.DRILL, None, "drill_begun", during=S.NOT_HALTED)
    yield _arrow(LIVE, A.RECTIFY, None, "rectification_recorded", clocks="rectified")
    yield _arrow((S.REGISTERED, S.RUNNING, S.PAUSED, S.TRACKED), A.SHELVE, None, "shelved", during=S.NOT_HALTED)
    yield _arrow((S.REGISTERED, S.RUNNING, S.PAUSED, S.TRACKED), A.START_SHADOW, None, "shadow_started",
                 during=S.NOT_HALTED)  # fmt: skip
    yield _arrow(LIVE, A.STOP_SHADOW, None, "shadow_stopped")
    yield _arrow(LIVE, A.INSPECT, None, "inspected", clocks="inspection_done")
    yield _arrow(LIVE, A.ASK_GUIDANCE, None, "guidance_asked")
    yield _arrow(LIVE, A.GUIDE, None, "guidance_given")
    yield _arrow(LIVE, A.FOLLOW_GUIDANCE, None, "guidance_followed")
    yield _arrow((S.NO_CHANGE, S.CHANGE_PROPOSED), A.AGREE, None, "charter_signed", during=LIVE)
    yield _arrow((*APPLIED, *NEVER_ADMITTED, *began), A.APPEAL, None, "appealed")
    yield _arrow((S.RUNNING, S.PAUSED), A.APPROVE_EXIT, None, "exit_approved", during=S.NOT_HALTED)
    yield _arrow((S.REGISTERED, S.RUNNING, S.PAUSED), A.APPROVE_TIER, None, "tier_approved", during=S.NOT_HALTED)
    yield _arrow(began, A.RECLASSIFY, None, "incident_reclassified", clocks="reclassified")
    yield _arrow(began, A.REPORT, None, "incident_report_received", clocks=("initial_report", "complete_report"))
    yield _arrow(began, A.NOTIFY_CHANGE, None, "change_notified", clocks="change_notice")
    yield _arrow(began, A.NOTIFY_SUSPENSION, None, "suspension_notified", clocks="ai_office_told")
    yield _arrow(began, A.FILE_COMPLAINT, None, "complaint_filed", clocks="user_complaint")
    yield _arrow(
        began, A.WITHDRAW_COMPLAINT, None, "complaint_withdrawn",
        clocks=("user_complaint_withdrawn", "redress_withdrawn"),
    )  # fmt: skip
    yield _arrow(began, A.ANSWER_COMPLAINT, None, "complaint_answered", clocks="user_complaint_answered")
    yield _arrow(began, A.REDRESS, None, "redress_recorded", clocks=("redress_asked", "redress_decided"))
    yield _arrow(began, A.LEAVE_PILOT, None, "user_left")
    yield _arrow((*ENDED, S.TRACKED), A.MAKE_TEMPLATE, None, "template_made", statistics=X.NONE)


ARROWS: tuple[Arrow, ...] = tuple(
    arrow for part in (_entry, _running, _halts, _exits, _without_move) for arrows in part() for arrow in arrows
)
"""All arrows, in the order in which they are tried."""


class Candidate(NamedTuple):
    """An arrow, with the states that it needs: for each region its name, the states, and the first of them."""

    arrow: Arrow
    needed: tuple[tuple[str, frozenset[State], State], ...]


def _candidate(arrow: Arrow) -> Candidate:
    states: dict[Region, list[State]] = {}
    for state in sorted((arrow.source, *arrow.during), key=ORDER.__getitem__):
        states.setdefault(REGION_OF[state], []).append(state)
    return Candidate(arrow, tuple((r.value, frozenset(states[r]), states[r][0]) for r in Region if r in states))


def _by_trigger() -> dict[Trigger, tuple[Candidate, ...]]:
    found: dict[Trigger, list[Candidate]] = {}
    for arrow in ARROWS:
        found.setdefault(arrow.trigger, []).append(_candidate(arrow))
    return {trigger: tuple(arrows) for trigger, arrows in found.items()}


BY_TRIGGER: dict[Trigger, tuple[Candidate, ...]] = _by_trigger()
"""Act or event -> its arrows, in order. An act that is not listed is not about a pilot."""


def _after_exit(trigger: Trigger) -> bool:
    return any(states.intersection(ENDED) for one in BY_TRIGGER[trigger] for _, states, _ in one.needed)


AFTER_EXIT: frozenset[Trigger] = frozenset(filter(_after_exit, BY_TRIGGER))
"""What is possible in some state after the end of a stay."""
