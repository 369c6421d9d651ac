"""The life of a pilot in words: its states, the roles that act, and what is owed in a state. Pure."""

from __future__ import annotations

from monitor.lifecycle.acts import Role
from monitor.lifecycle.life import Lifecycle
from monitor.lifecycle.names import INITIAL, REGION_OF, Outcome, Region, State
from monitor.lifecycle.next_steps import NextStep
from monitor.translation import mark, tr

STATES: dict[State, str] = {
    State.DRAFT: mark("no application"),
    State.SUBMITTED: mark("application received"),
    State.SCREENED: mark("application screened"),
    State.REFUSED: mark("application refused"),
    State.APPLICATION_WITHDRAWN: mark("application withdrawn"),
    State.AGREED: mark("charter signed by both sides"),
    State.REGISTERED: mark("admitted, cycle not begun"),
    State.RUNNING: mark("running"),
    State.PAUSED: mark("paused"),
    State.EXITING: mark("exit pending"),
    State.EXITED: mark("left the sandbox"),
    State.TERMINATED: mark("terminated"),
    State.WITHDRAWN: mark("withdrawn by the firm"),
    State.REPORTED: mark("exit report issued"),
    State.PUBLISHED: mark("exit report published"),
    State.WITHHELD: mark("exit report withheld"),
    State.TRACKED: mark("routine supervision"),
    State.CLOSED: mark("closed"),
    State.RECALLED: mark("recalled"),
    State.NOT_HALTED: mark("not halted"),
    State.HALTED: mark("halted"),
    State.SUSPENDED: mark("suspended"),
    State.NO_CHANGE: mark("no open change"),
    State.CHANGE_PROPOSED: mark("change proposed"),
    State.NO_REQUEST: mark("no open request"),
    State.PAUSE_REQUESTED: mark("pause requested"),
    State.CYCLE_REQUESTED: mark("further cycle requested"),
    State.NOT_DUE: mark("no assessment due"),
    State.ASSESSMENT_DUE: mark("assessment due"),
    State.ASSESSMENT_MISSED: mark("assessment overdue"),
    State.NO_HOLD: mark("no evidence hold"),
    State.EVIDENCE_HELD: mark("evidence held"),
    State.INCIDENT_HOLD: mark("evidence held after a serious incident"),
}
ROLES: dict[Role, str] = {
    Role.FIRM: mark("the firm"),
    Role.OFFICER: mark("an officer"),
    Role.APPROVER: mark("an approver"),
    Role.EVALUATOR: mark("an evaluator"),
    Role.SUPPLIER: mark("the supplier"),
    Role.PUBLISHER: mark("a publisher"),
    Role.PUBLIC_CHANNEL: mark("the public channel"),
    Role.AUDITOR: mark("an auditor"),
    Role.OPERATOR: mark("the operator of the monitor"),
    Role.ADMITTER: mark("the admitter"),
}
OUTCOMES: dict[Outcome, str] = {
    Outcome.SCALE: mark("scale up"),
    Outcome.EXTEND: mark("extend"),
    Outcome.REMEDIATE: mark("remediate"),
    Outcome.STOP: mark("stop"),
    Outcome.INSUFFICIENT_EVIDENCE: mark("not enough evidence"),
    Outcome.TERMINATED: mark("terminated by the authority"),
    Outcome.WITHDRAWN: mark("withdrawn by the firm"),
}
WITHOUT_ROLE = mark("the monitor and the service alone")


def state_name(state: State) -> str:
    """A state in the language that is spoken.

    >>> state_name(State.CHANGE_PROPOSED)
    'change proposed'
    """
    return tr(STATES[state])


def role_name(role: str) -> str:
    """Who owes something, by role; "" is for the monitor, or the service, alone.

    >>> role_name(Role.FIRM), role_name("")
    ('the firm', 'the monitor and the service alone')
    """
    return tr(ROLES[Role(role)] if role else WITHOUT_ROLE)


def life_words(life: Lifecycle) -> str:
    """The state of the pilot, then those of other regions that are not their first, then the outcome of its exit.

    >>> life_words(Lifecycle(State.EXITING, State.HALTED, outcome=Outcome.STOP))
    'exit pending; halted; outcome: stop'
    """
    others = [life.state(region) for region in Region if region is not Region.PILOT]
    words = [state_name(one) for one in (life.pilot, *(s for s in others if s is not INITIAL[REGION_OF[s]]))]
    if life.outcome:
        words.append(tr("outcome: {outcome}", outcome=tr(OUTCOMES[life.outcome])))
    return "; ".join(words)


def step_words(step: NextStep) -> str:
    """Who owes what.

    >>> step_words(NextStep(Role.OFFICER, "assess", "assess the pilot"))
    'an officer: assess the pilot'
    """
    what = tr(step.what)
    return tr("{who}: {what}", who=role_name(step.who), what=what) if step.who else what
