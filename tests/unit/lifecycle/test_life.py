"""The states of a pilot: each arrow of its life, and what is missing where there is none."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from monitor.errors import ControlRefused
from monitor.lifecycle.arrows import ARROWS, LIVE
from monitor.lifecycle.diagram import diagram, page, rewritten
from monitor.lifecycle.life import ADMITTED_BEFORE, NEEDED_FACT, NEEDED_STATE, Lifecycle, advance, refusal, sign
from monitor.lifecycle.names import INITIAL, REGION_OF, Act, Event, Fact, Outcome, Region, State, Statistics, Trigger
from monitor.model.records import Reason
from monitor.model.refusals import Refusal

README = Path(__file__).parents[3] / "monitor" / "lifecycle" / "README.md"
RELEASE = (Fact.RECTIFIED, Fact.EVALUATED, Fact.RELEASE_APPROVED)
SCALE = (Fact.LIMITS_KEPT, Fact.POWER_REACHED, Fact.EXIT_APPROVED)
RUNNING = Lifecycle(State.RUNNING)


def walk(life: Lifecycle, *steps: tuple[Trigger, tuple[Fact, ...]], outcome: Outcome | None = None) -> Lifecycle:
    for trigger, facts in steps:
        life = advance(life, trigger, facts, outcome).life
    return life


def test_the_page_shows_the_table() -> None:
    """Diagrams and tables of the README are those of the arrows (`make generate` writes them)."""
    text = README.read_text()
    assert rewritten(text) == text
    assert page() in text


def test_a_diagram_has_every_arrow_that_moves() -> None:
    """And no other."""
    for region in Region:
        lines = set(diagram(region).splitlines())
        moves = {f"    {a.source.value} --> {a.target.value}" for a in ARROWS if a.region is region and not a.stays}
        assert {line.partition(":")[0] for line in lines if "[*]" not in line and "-->" in line} == moves
        assert f"    [*] --> {INITIAL[region].value}" in lines


def test_the_words_are_complete() -> None:
    """Every state and fact says what is missing without it; an arrow stays in its region."""
    assert set(NEEDED_STATE) == set(State)
    assert set(NEEDED_FACT) == set(Fact)
    assert all(REGION_OF[a.source] is REGION_OF[a.target] for a in ARROWS)
    assert all(fact in NEEDED_FACT for a in ARROWS for fact in a.needs)


def test_a_record_that_exists_keeps_its_word() -> None:
    """Arrows of acts that the machine knows today record the reason that it records."""
    known = {
        "admitted", "amended", "exited", "exit_pending", "overridden", "shelved", "level_accepted", "drill_begun",
        "rectification_recorded", "evaluation_recorded", "approval_recorded", "released", "halt_verified",
    }  # fmt: skip
    assert known <= {a.record for a in ARROWS} & {reason.value for reason in Reason}


def test_from_application_to_closing() -> None:
    """The longest life without a halt: every step on one path."""
    life = walk(
        Lifecycle(),
        (Act.APPLY, ()),
        (Act.SCREEN, (Fact.SCREENING_PASSED, Fact.POWER_SUFFICIENT)),
    )
    life = walk(sign(life, firm=True, digest="h"), (Act.AGREE, ()))
    assert life.pilot is State.SCREENED
    life = walk(sign(life, firm=False, digest="h"), (Act.AGREE, ()), (Act.ADMIT, (Fact.SAME_CHARTER,)))
    life = walk(life, (Event.CYCLE_STARTED, ()), (Act.PAUSE, ()), (Act.GRANT, ()), (Act.RESUME, ()), (Act.EXTEND, ()))
    assert life.pilot is State.RUNNING
    life = walk(life, (Act.EXIT, SCALE), outcome=Outcome.SCALE)
    life = walk(life, (Act.ISSUE_REPORT, ()), (Act.CONSENT_TO_PUBLISH, ()), (Act.GRADUATE, ()))
    life = walk(life, (Event.TRACKING_ENDED, ()))
    assert (life.pilot, life.outcome) == (State.CLOSED, Outcome.SCALE)


@pytest.mark.parametrize(
    ("life", "trigger", "facts", "why"),
    [
        (Lifecycle(), Act.SCREEN, (), Refusal.APPLICATION_MISSING),
        (Lifecycle(), Act.ADMIT, (), Refusal.APPLICATION_MISSING),
        (Lifecycle(State.SUBMITTED), Act.ADMIT, (), Refusal.SCREENING_MISSING),
        (Lifecycle(State.SUBMITTED), Act.SCREEN, (), Refusal.SCREENING_FAILED),
        (Lifecycle(State.SUBMITTED), Act.SCREEN, (Fact.SCREENING_PASSED,), Refusal.POWER_TOO_LOW),
        (Lifecycle(State.SCREENED), Act.ADMIT, (), Refusal.SIGNATURES_MISSING),
        (Lifecycle(State.AGREED), Act.ADMIT, (), Refusal.SIGNATURES_MISSING),
        (
            Lifecycle(State.AGREED, signed_by_firm="h", signed_by_authority="h"),
            Act.ADMIT,
            (),
            Refusal.OTHER_CHARTER,
        ),
        (Lifecycle(State.AGREED), Act.PAUSE, (), Refusal.ADMISSION_MISSING),
        (Lifecycle(State.REGISTERED), Act.PAUSE, (), Refusal.NOT_RUNNING),
        (RUNNING, Act.APPLY, (), Refusal.STEP_PASSED),
        (RUNNING, Act.RESUME, (), Refusal.NOT_PAUSED),
        (RUNNING, Act.GRANT, (), Refusal.NOTHING_REQUESTED),
        (RUNNING, Act.REFUSE_CHANGE, (), Refusal.NO_CHANGE_PROPOSED),
        (RUNNING, Act.LIFT_HOLD, (), Refusal.NO_EVIDENCE_HOLD),
        (RUNNING, Act.RELEASE, RELEASE, Refusal.NOT_HALTED),
        (RUNNING, Act.AMEND, (), Refusal.SIGNATURES_MISSING),
        (RUNNING, Act.ISSUE_REPORT, (), Refusal.EXIT_MISSING),
        (Lifecycle(State.RUNNING, hold=State.EVIDENCE_HELD), Act.PROPOSE_CHANGE, (), Refusal.EVIDENCE_HELD),
        (Lifecycle(State.RUNNING, change=State.CHANGE_PROPOSED), Act.PROPOSE_CHANGE, (), Refusal.CHANGE_OPEN),
        (Lifecycle(State.RUNNING, State.HALTED), Act.DRILL, (), Refusal.HALTED),
        (Lifecycle(State.PAUSED, State.HALTED), Act.RESUME, (), Refusal.HALTED),
        (Lifecycle(State.RUNNING, State.HALTED), Act.RELEASE, (), Refusal.RECTIFICATION_MISSING),
        (Lifecycle(State.RUNNING, State.HALTED), Act.RELEASE, RELEASE[:1], Refusal.EVALUATION_MISSING),
        (Lifecycle(State.RUNNING, State.HALTED), Act.RELEASE, RELEASE[:2], Refusal.APPROVAL_MISSING),
        (Lifecycle(State.EXITING, State.HALTED), Act.EXIT, (), Refusal.EXIT_PENDING),
        (Lifecycle(State.EXITED), Act.OVERRIDE, (), Refusal.AFTER_EXIT),
        (Lifecycle(State.EXITED), Act.WITHHOLD, (), Refusal.REPORT_MISSING),
        (Lifecycle(State.REPORTED), Act.GRADUATE, (), Refusal.PUBLICATION_UNDECIDED),
        (Lifecycle(State.PUBLISHED), Act.GRADUATE, (), Refusal.NOT_SCALED),
        (Lifecycle(State.REFUSED), Act.SCREEN, (), Refusal.APPLICATION_CLOSED),
        (Lifecycle(State.RECALLED, State.HALTED), Act.RELEASE, RELEASE, Refusal.AFTER_EXIT),
    ],
)
def test_what_is_missing_is_named(life: Lifecycle, trigger: Trigger, facts: tuple[Fact, ...], why: Refusal) -> None:
    """An act that is not possible is refused with the first thing that is missing, and changes nothing."""
    assert refusal(life, trigger, facts) is why
    with pytest.raises(ControlRefused, match=why.value):
        advance(life, trigger, facts)


@pytest.mark.parametrize(
    ("absent", "why"),
    [
        (Fact.LIMITS_KEPT, Refusal.LIMITS_NOT_KEPT),
        (Fact.POWER_REACHED, Refusal.POWER_NOT_REACHED),
        (Fact.EXIT_APPROVED, Refusal.APPROVAL_MISSING),
    ],
)
def test_scale_needs_all_of_its_evidence(absent: Fact, why: Refusal) -> None:
    """Without limits kept, power reached or two approvals an exit `scale` is refused; under a halt with all of them."""
    assert refusal(RUNNING, Act.EXIT, [f for f in SCALE if f is not absent], Outcome.SCALE) is why
    assert refusal(RUNNING, Act.EXIT, SCALE, Outcome.SCALE) is None
    assert refusal(Lifecycle(State.RUNNING, State.HALTED), Act.EXIT, SCALE, Outcome.SCALE) is Refusal.HALTED


@pytest.mark.parametrize(
    ("act", "outcome", "end"),
    [
        (Act.EXIT, Outcome.STOP, State.EXITED),
        (Act.EXIT, Outcome.WITHDRAWN, State.WITHDRAWN),
        (Act.EXIT, Outcome.TERMINATED, State.TERMINATED),
        (Act.TERMINATE, None, State.TERMINATED),
    ],
)
def test_the_exit_of_a_halted_pilot_waits_for_its_stop(act: Act, outcome: Outcome | None, end: State) -> None:
    """It ends where the exit said, once the stop is verified or the halt released; the former leaves the halt."""
    halted = Lifecycle(State.RUNNING, State.HALTED)
    leaving = advance(halted, act, (), outcome).life
    assert (leaving.pilot, leaving.halt) == (State.EXITING, State.HALTED)
    left = advance(leaving, Event.STOP_VERIFIED).life
    assert (left.pilot, left.halt) == (end, State.HALTED)
    released = advance(leaving, Act.RELEASE, RELEASE).life
    assert (released.pilot, released.halt) == (end, State.NOT_HALTED)
    assert advance(halted, act, (Fact.STOP_VERIFIED,), outcome).life == left
    assert refusal(leaving, Act.RELEASE) is Refusal.RECTIFICATION_MISSING


def test_a_recall_halts() -> None:
    """The service of a recalled pilot must stop, and its stop is verified."""
    recalled = advance(Lifecycle(State.TRACKED), Act.RECALL).life
    assert (recalled.pilot, recalled.halt) == (State.RECALLED, State.HALTED)
    assert refusal(recalled, Event.STOP_VERIFIED) is None


def test_a_release_spends_the_next_share_and_a_pause_spends_nothing() -> None:
    """What the statistics do is part of the arrow."""
    release = advance(Lifecycle(State.RUNNING, State.HALTED), Act.RELEASE, RELEASE)
    assert [a.statistics for a in release.arrows] == [Statistics.NEXT_SHARE]
    pause = advance(Lifecycle(State.RUNNING, request=State.PAUSE_REQUESTED), Act.GRANT)
    assert {a.statistics for a in pause.arrows} == {Statistics.HOLD}
    amended = advance(Lifecycle(State.RUNNING, change=State.CHANGE_PROPOSED), Act.AMEND,
                      (Fact.OPEN_MODE, Fact.TIER_APPROVED))  # fmt: skip
    assert [a.statistics for a in amended.arrows] == [Statistics.REBASELINE]
    inside = advance(RUNNING, Act.PROPOSE_CHANGE, (Fact.INSIDE_PLAN,))
    assert [(a.record, a.statistics) for a in inside.arrows] == [("change_registered", Statistics.CONTINUE)]


def test_a_state_is_small_and_old_ones_are_read() -> None:
    """Below 200 bytes without signatures; a shorter array of an older version is read with the defaults."""
    raw = msgspec.msgpack.encode(ADMITTED_BEFORE)
    assert len(raw) < 200
    assert msgspec.msgpack.decode(raw, type=Lifecycle) == ADMITTED_BEFORE
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(["running"]), type=Lifecycle) == ADMITTED_BEFORE


def test_every_live_state_is_under_command() -> None:
    """A halt can be decided in each, and released."""
    for state in LIVE:
        halted = advance(Lifecycle(state), Event.HALT_DECIDED).life
        assert advance(halted, Act.RELEASE, RELEASE).life.halt is State.NOT_HALTED
