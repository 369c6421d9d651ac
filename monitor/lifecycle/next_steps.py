"""The next step of a pilot, and who owes it: for each state that waits for somebody. Pure data.

Of a state with several ways on the usual one is named. Steps of a release depend on what is recorded already; see
`monitor/projections/pilot_status.py`.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.lifecycle.acts import Role
from monitor.lifecycle.life import Lifecycle
from monitor.lifecycle.names import Act, Outcome, Region, State
from monitor.translation import mark


class NextStep(NamedTuple):
    """`who` owes `act`; "" for the monitor, or the service, alone. `what` says it in words."""

    who: str
    act: str
    what: str


STEPS: dict[State, tuple[NextStep, ...]] = {
    State.SUBMITTED: (NextStep(Role.OFFICER, Act.SCREEN, mark("screen the application, or refuse it")),),
    State.SCREENED: (
        NextStep(Role.FIRM, Act.AGREE, mark("sign the charter that was screened")),
        NextStep(Role.OFFICER, Act.AGREE, mark("sign the charter that was screened")),
    ),
    State.AGREED: (
        NextStep(Role.OFFICER, Act.ADMIT, mark("admit the pilot under the charter that both sides signed")),
    ),
    State.REGISTERED: (NextStep("", "", mark("the cycle begins with the first day of the charter's cycle")),),
    State.PAUSED: (NextStep(Role.FIRM, Act.RESUME, mark("resume the pilot")),),
    State.EXITING: (NextStep("", "", mark("the exit takes effect once the service is shown to have stopped")),),
    State.EXITED: (NextStep(Role.OFFICER, Act.ISSUE_REPORT, mark("issue written proof and exit report")),),
    State.TERMINATED: (NextStep(Role.OFFICER, Act.ISSUE_REPORT, mark("issue written proof and exit report")),),
    State.WITHDRAWN: (NextStep(Role.OFFICER, Act.ISSUE_REPORT, mark("issue written proof and exit report")),),
    State.REPORTED: (
        NextStep(Role.FIRM, Act.CONSENT_TO_PUBLISH, mark("consent to the publication of the exit report")),
    ),
    State.CHANGE_PROPOSED: (NextStep(Role.OFFICER, Act.AMEND, mark("amend the charter, or refuse the change")),),
    State.PAUSE_REQUESTED: (NextStep(Role.OFFICER, Act.GRANT, mark("grant the pause, or decline it")),),
    State.CYCLE_REQUESTED: (NextStep(Role.OFFICER, Act.GRANT, mark("grant the cycle, or decline it")),),
    State.ASSESSMENT_DUE: (NextStep(Role.OFFICER, Act.ASSESS, mark("assess the pilot")),),
    State.ASSESSMENT_MISSED: (NextStep(Role.OFFICER, Act.ASSESS, mark("assess the pilot; the assessment is overdue")),),
    State.INCIDENT_HOLD: (NextStep(Role.FIRM, Act.REPORT, mark("report the serious incident; no change before that")),),
    State.EVIDENCE_HELD: (
        NextStep(Role.OFFICER, Act.LIFT_HOLD, mark("lift the evidence hold; no change before that")),
    ),
}
"""State -> who owes what in it. In a state that is not listed nothing is owed."""

_COMMANDS = {Act.REPORT: "report-incident", Act.AMEND: "admit --amend"}


def command_for(act: str) -> str:
    """The subcommand of `sandbox-monitor` for an act.

    >>> command_for(Act.ISSUE_REPORT), command_for(Act.REPORT)
    ('issue-report', 'report-incident')
    """
    return _COMMANDS.get(Act(act)) or act.replace("_", "-")


TO_GRADUATE = NextStep(Role.OFFICER, Act.GRADUATE, mark("graduate the pilot to routine supervision"))


def next_steps(life: Lifecycle) -> tuple[NextStep, ...]:
    """What is owed in each region, the halt left out; in the order of the regions."""
    found: list[NextStep] = []
    for region in Region:
        found += STEPS.get(life.state(region), ())
    if life.pilot in (State.PUBLISHED, State.WITHHELD) and life.outcome is Outcome.SCALE:
        found.append(TO_GRADUATE)
    return tuple(found)
