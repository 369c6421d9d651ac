"""A pilot in its life: its state in each region, and how an act or event moves it. Pure.

`advance` applies the table of arrows. What is not in the table is refused with what is missing: a state that is not
reached yet, one that is passed, or a fact (`NEEDED_STATE`, `NEEDED_FACT`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from msgspec import Struct, structs

from monitor.errors import ControlRefused
from monitor.lifecycle.arrows import BY_TRIGGER, ENDED, NEVER_ADMITTED, Arrow, Candidate
from monitor.lifecycle.names import INITIAL, ORDER, REGION_OF, Act, Fact, Outcome, Region, State, Trigger
from monitor.model.refusals import REFUSALS, Refusal

NEEDED_STATE: dict[State, Refusal] = {
    State.DRAFT: Refusal.STEP_PASSED,
    State.SUBMITTED: Refusal.APPLICATION_MISSING,
    State.SCREENED: Refusal.SCREENING_MISSING,
    State.REFUSED: Refusal.APPLICATION_MISSING,
    State.APPLICATION_WITHDRAWN: Refusal.APPLICATION_MISSING,
    State.AGREED: Refusal.SIGNATURES_MISSING,
    State.REGISTERED: Refusal.ADMISSION_MISSING,
    State.RUNNING: Refusal.NOT_RUNNING,
    State.PAUSED: Refusal.NOT_PAUSED,
    State.EXITING: Refusal.EXIT_MISSING,
    State.EXITED: Refusal.EXIT_MISSING,
    State.TERMINATED: Refusal.EXIT_MISSING,
    State.WITHDRAWN: Refusal.EXIT_MISSING,
    State.REPORTED: Refusal.REPORT_MISSING,
    State.PUBLISHED: Refusal.PUBLICATION_UNDECIDED,
    State.WITHHELD: Refusal.PUBLICATION_UNDECIDED,
    State.TRACKED: Refusal.GRADUATION_MISSING,
    State.CLOSED: Refusal.EXIT_MISSING,
    State.RECALLED: Refusal.EXIT_MISSING,
    State.NOT_HALTED: Refusal.HALTED,
    State.HALTED: Refusal.NOT_HALTED,
    State.SUSPENDED: Refusal.NOT_SUSPENDED,
    State.NO_CHANGE: Refusal.CHANGE_OPEN,
    State.CHANGE_PROPOSED: Refusal.NO_CHANGE_PROPOSED,
    State.NO_REQUEST: Refusal.REQUEST_OPEN,
    State.PAUSE_REQUESTED: Refusal.NOTHING_REQUESTED,
    State.CYCLE_REQUESTED: Refusal.NOTHING_REQUESTED,
    State.NOT_DUE: Refusal.ASSESSMENT_OPEN,
    State.ASSESSMENT_DUE: Refusal.ASSESSMENT_NOT_DUE,
    State.ASSESSMENT_MISSED: Refusal.ASSESSMENT_NOT_DUE,
    State.NO_HOLD: Refusal.EVIDENCE_HELD,
    State.EVIDENCE_HELD: Refusal.NO_EVIDENCE_HOLD,
    State.INCIDENT_HOLD: Refusal.NO_EVIDENCE_HOLD,
}
"""A state that a trigger needs -> why it is refused in another."""

NEEDED_FACT: dict[Fact, Refusal] = {
    Fact.OPEN_MODE: Refusal.APPLICATION_MISSING,
    Fact.SCREENING_PASSED: Refusal.SCREENING_FAILED,
    Fact.POWER_SUFFICIENT: Refusal.POWER_TOO_LOW,
    Fact.SAME_CHARTER: Refusal.OTHER_CHARTER,
    Fact.INSIDE_PLAN: Refusal.OUTSIDE_PLAN,
    Fact.RECTIFIED: Refusal.RECTIFICATION_MISSING,
    Fact.EVALUATED: Refusal.EVALUATION_MISSING,
    Fact.RELEASE_APPROVED: Refusal.APPROVAL_MISSING,
    Fact.EXIT_APPROVED: Refusal.APPROVAL_MISSING,
    Fact.TIER_APPROVED: Refusal.TIER_NOT_APPROVED,
    Fact.STOP_VERIFIED: Refusal.STOP_NOT_VERIFIED,
    Fact.LIMITS_KEPT: Refusal.LIMITS_NOT_KEPT,
    Fact.POWER_REACHED: Refusal.POWER_NOT_REACHED,
    Fact.OWN_COMPLAINT: Refusal.NOT_ITS_OWN,
    Fact.OWN_MODEL: Refusal.NOT_ITS_OWN,
    Fact.OWN_ENTRY: Refusal.NOT_ITS_OWN,
    Fact.ACCREDITED: Refusal.NOT_ACCREDITED,
    Fact.BOTH_SIGNATURES: Refusal.SIGNATURES_MISSING,
    Fact.SCALES: Refusal.NOT_SCALED,
    Fact.ENDS_TERMINATED: Refusal.EXIT_MISSING,
    Fact.ENDS_WITHDRAWN: Refusal.EXIT_MISSING,
}
"""A fact that an arrow needs -> why it is refused without it."""

NEXT_STEP: dict[State, Refusal] = {
    State.DRAFT: Refusal.APPLICATION_MISSING,
    State.SUBMITTED: Refusal.SCREENING_MISSING,
    State.SCREENED: Refusal.SIGNATURES_MISSING,
    State.AGREED: Refusal.ADMISSION_MISSING,
    State.EXITED: Refusal.REPORT_MISSING,
    State.TERMINATED: Refusal.REPORT_MISSING,
    State.WITHDRAWN: Refusal.REPORT_MISSING,
}
"""A state -> which step is missing first for everything that is possible only later."""


class Lifecycle(Struct, array_like=True, frozen=True, gc=False):
    """The state of a pilot in each region, in the order of `Region`; the `outcome` of its exit, also while it is
    pending; the charter hashes that the firm and the authority `signed` last ("" = none). New fields are appended, with
    defaults."""

    pilot: State = State.DRAFT
    halt: State = State.NOT_HALTED
    change: State = State.NO_CHANGE
    request: State = State.NO_REQUEST
    assessment: State = State.NOT_DUE
    hold: State = State.NO_HOLD
    outcome: Outcome | None = None
    signed_by_firm: str = ""
    signed_by_authority: str = ""

    def state(self, region: Region) -> State:
        """The state in this region."""
        state: State = getattr(self, region.value)
        return state

    @property
    def states(self) -> frozenset[State]:
        """The states of all regions."""
        return frozenset((self.pilot, self.halt, self.change, self.request, self.assessment, self.hold))

    @property
    def halted(self) -> bool:
        """Whether a halt or a suspension stands."""
        return self.halt is not State.NOT_HALTED


ADMITTED_BEFORE = Lifecycle(pilot=State.RUNNING)
"""A pilot of a snapshot without a life: it was admitted before there were states, or without an application."""

_BEFORE = {
    (False, False, False): ADMITTED_BEFORE,
    (True, False, False): structs.replace(ADMITTED_BEFORE, halt=State.HALTED),
    (True, True, False): Lifecycle(pilot=State.EXITING, halt=State.HALTED),
    (False, False, True): Lifecycle(pilot=State.EXITED),
    (True, False, True): Lifecycle(pilot=State.EXITED, halt=State.HALTED),
}


def life_of(halted: bool, leaving: bool, exited: bool) -> Lifecycle:
    """The life of a pilot of whose life nothing else is known: admitted without an application, and since then at most
    halted, leaving or exited. Snapshots leave such a life out."""
    return _BEFORE[halted, leaving and halted and not exited, exited]


def state_words(life: Lifecycle) -> str:
    """The states of a life as words: that of the pilot, then those of other regions that are not their first, then the
    outcome of its exit.

    >>> state_words(Lifecycle(State.EXITING, State.HALTED, outcome=Outcome.STOP))
    'exiting halted outcome=stop'
    """
    others = [life.state(region) for region in Region if region is not Region.PILOT]
    words = [life.pilot, *(state for state in others if state is not INITIAL[REGION_OF[state]])]
    return " ".join(words) + (f" outcome={life.outcome}" if life.outcome else "")


def life_from_words(text: str) -> Lifecycle:
    """The life that `state_words` describes; without the signatures, which it leaves out. Words that are not known (of
    a later version) are passed over."""
    life = Lifecycle()
    for word in text.split():
        if word.startswith("outcome=") and word.removeprefix("outcome=") in _OUTCOMES:
            life = structs.replace(life, outcome=Outcome(word.removeprefix("outcome=")))
        elif word in _STATES:
            life = structs.replace(life, **{REGION_OF[State(word)].value: State(word)})
    return life


_STATES, _OUTCOMES = frozenset(state.value for state in State), frozenset(one.value for one in Outcome)


class Advance(NamedTuple):
    """The next state, and the arrows that led there, in the order of `Region`."""

    life: Lifecycle
    arrows: tuple[Arrow, ...]


def sign(life: Lifecycle, *, firm: bool, digest: str) -> Lifecycle:
    """Record a signature on the charter with this hash, by the firm or by an authority."""
    return structs.replace(life, signed_by_firm=digest) if firm else structs.replace(life, signed_by_authority=digest)


def advance(life: Lifecycle, trigger: Trigger, facts: Collection[Fact] = (), outcome: Outcome | None = None) -> Advance:
    """The next state after `trigger`. `facts` are those that the caller knows to hold, `outcome` that of an exit.
    Raises ControlRefused that names what is missing; nothing has changed then. Raises KeyError for an act that is not
    about a pilot."""
    known = _facts(life, facts, outcome)
    taken = _taken(life, trigger, known)
    if not taken:
        raise _refused(life, trigger, known)
    for arrow in taken:
        for fact in arrow.needs:
            if fact not in known:
                raise ControlRefused("pilot", NEEDED_FACT[fact], REFUSALS[NEEDED_FACT[fact]])
    moved = structs.replace(life, **{arrow.region.value: arrow.target for arrow in taken})
    if trigger in (Act.ADMIT, Act.AMEND):  # the signatures have had their effect
        moved = structs.replace(moved, signed_by_firm="", signed_by_authority="")
    if moved.pilot is not life.pilot and trigger in (Act.EXIT, Act.TERMINATE):
        moved = structs.replace(moved, outcome=Outcome.TERMINATED if trigger is Act.TERMINATE else outcome)
    if moved.pilot in ENDED and life.pilot not in ENDED:  # what is open ends with the stay; halt and hold do not
        open_ = {r.value: INITIAL[r] for r in (Region.CHANGE, Region.REQUEST, Region.ASSESSMENT)}
        moved = structs.replace(moved, **open_)
    return Advance(moved, taken)


def refusal(
    life: Lifecycle, trigger: Trigger, facts: Collection[Fact] = (), outcome: Outcome | None = None
) -> Refusal | None:
    """Why `advance` would refuse, or `None`."""
    try:
        advance(life, trigger, facts, outcome)
    except ControlRefused as refused:
        return Refusal(refused.reason)
    return None


def _facts(life: Lifecycle, facts: Collection[Fact], outcome: Outcome | None) -> frozenset[Fact]:
    """`facts`, and those that the state or the outcome says."""
    known = set(facts)
    signed = life.signed_by_firm
    if Fact.OPEN_MODE in known:
        known |= {Fact.BOTH_SIGNATURES, Fact.SAME_CHARTER}
    if signed and signed == life.signed_by_authority:
        known.add(Fact.BOTH_SIGNATURES)
    ends = outcome or life.outcome
    if ends is Outcome.SCALE:
        known.add(Fact.SCALES)
    if ends is Outcome.TERMINATED:
        known.add(Fact.ENDS_TERMINATED)
    if ends is Outcome.WITHDRAWN:
        known.add(Fact.ENDS_WITHDRAWN)
    return frozenset(known)


def _taken(life: Lifecycle, trigger: Trigger, known: frozenset[Fact]) -> tuple[Arrow, ...]:
    """The first arrow of each region that applies."""
    found: dict[Region, Arrow] = {}
    for candidate in BY_TRIGGER[trigger]:
        arrow = candidate.arrow
        if _chosen(arrow, known) and not _absent(life, candidate):
            found.setdefault(arrow.region, arrow)
    return tuple(found[region] for region in Region if region in found)


def _chosen(arrow: Arrow, known: frozenset[Fact]) -> bool:
    return arrow.when <= known and not arrow.unless & known


def _absent(life: Lifecycle, candidate: Candidate) -> list[State]:
    """For each region in which the pilot is not where the arrow needs it, the first of the states that it needs; the
    region PILOT first."""
    return [first for region, states, first in candidate.needed if getattr(life, region) not in states]


def _refused(life: Lifecycle, trigger: Trigger, known: frozenset[Fact]) -> ControlRefused:
    """What is missing for the arrow that is nearest."""
    candidates = [c for c in BY_TRIGGER[trigger] if _chosen(c.arrow, known)] or BY_TRIGGER[trigger]
    nearest = min(candidates, key=lambda candidate: len(_absent(life, candidate)))
    absent = _absent(life, nearest)
    if not absent:  # only facts decide between its arrows
        why = NEEDED_FACT[min(nearest.arrow.when - known)]
        return ControlRefused("pilot", why, REFUSALS[why])
    why = NEEDED_STATE[absent[0]]
    if REGION_OF[absent[0]] is Region.PILOT:
        why = _passed(life, candidates) or why
    words = f"{trigger.value} is not possible in {state_words(life).replace(' ', ', ')}: {REFUSALS[why]}"
    return ControlRefused("pilot", why, words)


def _passed(life: Lifecycle, candidates: Collection[Candidate]) -> Refusal | None:
    """Which step is missing, or why the pilot cannot reach a state any more in which one of these arrows applies;
    `None` where the state that is needed says more."""
    needed = {s for c in candidates for region, states, _ in c.needed if region == Region.PILOT for s in states}
    places = [ORDER[state] for state in needed]
    if life.pilot in NEVER_ADMITTED:
        return Refusal.APPLICATION_CLOSED
    if ORDER[life.pilot] < min(places):
        return NEXT_STEP.get(life.pilot)
    if life.pilot in ENDED and not needed.intersection(ENDED):
        return Refusal.AFTER_EXIT
    if life.pilot is State.EXITING and life.pilot not in needed:
        return Refusal.EXIT_PENDING
    if ORDER[life.pilot] < max(places):
        return None
    return Refusal.AFTER_EXIT if life.pilot in ENDED else Refusal.STEP_PASSED
