"""A rollout in steps: by which evidence the cap on users rises, falls or stays, and what it means for the service."""

from __future__ import annotations

import random
from typing import Any

from msgspec import structs

from monitor.charter.control import Amendment, Approval, ControlBase, Evaluation, Override, Rectification, Release
from monitor.charter.exit_acts import StepEvaluation, TemplateMaking, Withdrawal
from monitor.charter.spec import ExposureSpec, RolloutStep, Users
from monitor.compile.lint import lint
from monitor.model.records import Decision, Level, Reason
from monitor.state.pilot import PilotState
from monitor.state.rollout import FIRST_STEP, cap_in_force
from monitor.state.snapshots import restore, snapshot
from tests.unit.decide.test_exits import DIGEST, LEAVE, do, last
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench
from tests.unit.engine.test_machine import charter as charter_of

STEPS = (RolloutStep(200), RolloutStep(1_000, "2h"), RolloutStep(5_000))
SPEC = structs.replace(RATE, limit=50, exposure=ExposureSpec(unit="users"))
USERS = Users(cap=5_000)


def bench(steps: tuple[RolloutStep, ...] = STEPS, **changes: Any) -> Bench:
    return Bench(SPEC, **{"rollout": steps, "users": USERS, "exit": LEAVE, **changes})


def run(made: Bench, first: int, hours: int, incidents: int = 0, users: float = 200) -> int:
    """Whole periods from hour `first` on. Returns the hour after them."""
    for hour in range(first, first + hours):
        at = T0 + hour * HOUR + 1000
        made.send(*(made.emitter.incident(at) for _ in range(incidents)), at=at)
        made.send(made.emitter.exposure(at, users, unit="users"), at=at)
    made.time(T0 + (first + hours + 1) * HOUR)
    return first + hours + 1


def step(made: Bench, hour: int) -> Decision:
    """Evaluate the step, and check that a restored snapshot is the same state."""
    out = do(made, StepEvaluation, T0 + hour * HOUR + 1 + len(made.out.decisions), reason="r")
    assert not out.rejected
    assert restore(snapshot(pilot(made)))[0].rollout == pilot(made).rollout
    return out.decisions[-1]


def pilot(made: Bench) -> PilotState:
    return made.machine.pilots["p"]


def cap(made: Bench) -> int | None:
    state = pilot(made)
    return cap_in_force(state.charter, state.rollout, state.review.halts)


def test_a_step_whose_limits_are_shown_to_be_kept_raises_the_cap() -> None:
    """The decision has the step, the caps and the numbers that the outcome was computed from."""
    made = bench()
    assert (cap(made), pilot(made).rollout) == (200, FIRST_STEP)
    hour = run(made, 0, 12)
    decision = step(made, hour)
    assert (decision.reason, cap(made)) == (Reason.STEP_PASSED, 1_000)
    assert decision.finding.content == {"step": "1 of 3", "cap": "1000", "was": "200", "lacks": ""}
    assert decision.finding.assessment.streams[0].complete == 11  # type: ignore[union-attr]


def test_only_what_was_counted_since_the_step_began_counts_for_it() -> None:
    """Good numbers of a step with few users show nothing of the next one."""
    made = bench()
    hour = run(made, 0, 12)
    step(made, hour)
    early = step(made, hour)
    assert early.reason is Reason.STEP_INCONCLUSIVE
    assert early.finding.content["lacks"] == "limit_not_shown, step_too_short"  # type: ignore[index]
    hour = run(made, hour, 12, users=1_000)
    assert step(made, hour).reason is Reason.STEP_PASSED
    assert cap(made) == 5_000


def test_an_inconclusive_step_keeps_the_cap_and_may_be_looked_at_again_at_no_price() -> None:
    """The same evidence gives the same bounds, however often it is looked at."""
    made = bench()
    hour = run(made, 0, 1)
    looks = [step(made, hour) for _ in range(3)]
    assert {look.reason for look in looks} == {Reason.STEP_INCONCLUSIVE}
    assert len({look.finding.assessment.streams[0].high for look in looks}) == 1  # type: ignore[union-attr]
    assert (cap(made), pilot(made).rollout) == (200, FIRST_STEP)


def test_a_limit_that_is_shown_to_be_exceeded_takes_the_cap_back() -> None:
    """By one step, never below the first one, and what follows is counted anew."""
    calm = structs.replace(SPEC, detectors=())
    made = Bench(calm, rollout=STEPS, users=USERS)
    hour = run(made, 0, 12)
    step(made, hour)
    hour = run(made, hour, 12, incidents=100, users=1_000)
    failed = step(made, hour)
    assert (failed.reason, cap(made)) == (Reason.STEP_FAILED, 200)
    assert "limit_exceeded" in failed.finding.content["lacks"]  # type: ignore[index]
    hour = run(made, hour, 12, incidents=20)
    assert (step(made, hour).reason, cap(made)) == (Reason.STEP_FAILED, 200)


def test_a_halt_takes_the_cap_back_at_once() -> None:
    """Also before anybody evaluates the step; the evaluation after the release records it, and takes nothing more."""
    made = bench()
    hour = run(made, 0, 12)
    step(made, hour)
    at = T0 + hour * HOUR
    made.act(Override(id="halt", pilot="p", author="anna", level="halt", reason="r"), at + 2)
    assert cap(made) == 200
    assert do(made, StepEvaluation, at + 3, reason="r").rejected
    for place, act in enumerate(_release()):
        assert not made.act(act, at + 4 + place).rejected
    assert (made.level, cap(made)) == (Level.NORMAL, 200)
    failed = step(made, hour + 1)
    assert (failed.reason, cap(made)) == (Reason.STEP_FAILED, 200)
    hour = run(made, hour + 2, 12)
    assert (step(made, hour).reason, cap(made)) == (Reason.STEP_PASSED, 1_000)


def _release() -> list[ControlBase]:
    by: dict[str, Any] = {"pilot": "p", "author": "anna"}
    return [
        Rectification(id="r1", finding="override", cause="c", action="a", evidence="e", **by),
        Evaluation(id="r2", passed=True, report="r", **by),
        Approval(id="r3", **by),
        Approval(id="r4", pilot="p", author="ben"),
        Release(id="r5", reason="r", **by),
    ]


def test_more_users_than_the_step_allows_escalate() -> None:
    """With the cap in force, not that of the charter; by the fast and the slow path."""
    for fast_path in (True, False):
        made = bench()
        made.machine.fast_path = fast_path
        run(made, 0, 1)
        assert made.level is Level.NORMAL
        run(made, 2, 1, users=201)
        assert (made.level, last(made, Reason.EXPOSURE_CAP).finding.expected) == (Level.ESCALATE, 200.0)
        raised = bench()
        raised.machine.fast_path = fast_path
        hour = run(raised, 0, 12)
        step(raised, hour)
        run(raised, hour, 1, users=1_000)
        assert Reason.EXPOSURE_CAP not in raised.reasons()


def test_an_amendment_of_the_steps_never_raises_the_cap() -> None:
    """The step in force is the last one whose cap is not above the one that was reached."""
    made = bench()
    hour = run(made, 0, 12)
    step(made, hour)
    wider = (RolloutStep(500), RolloutStep(2_000), RolloutStep(5_000))
    changed = charter_of(SPEC, version=2, rollout=wider, users=USERS, exit=LEAVE)
    assert not made.act(Amendment(id="am", pilot="p", author="anna", charter=changed), T0 + hour * HOUR).rejected
    assert cap(made) == 500


def test_an_amendment_whose_steps_allow_more_users_is_refused() -> None:
    """In the first step, below the first of the new steps, and after a halt took the cap back; fewer users are fine."""
    first, later = bench(), bench()
    step(later, run(later, 0, 12))
    halted = bench()
    hour = run(halted, 0, 12)
    step(halted, hour)
    halted.act(Override(id="halt", pilot="p", author="anna", level="halt", reason="r"), T0 + hour * HOUR + 2)
    for made, steps in (
        (first, (201, 5_000)),
        (later, (1_001, 5_000)),
        (halted, (200, 400, 1_000, 5_000)),
    ):
        was = cap(made)
        rises = tuple(map(RolloutStep, steps))
        changed = charter_of(SPEC, version=2, rollout=rises, users=USERS, exit=LEAVE)
        out = made.act(Amendment(id="am", pilot="p", author="anna", charter=changed), T0 + 30 * HOUR)
        assert [one.field for one in out.rejected] == ["charter.rollout"]
        assert cap(made) == was
        changed = structs.replace(changed, rollout=(RolloutStep(100), RolloutStep(5_000)))
        assert not made.act(Amendment(id="am2", pilot="p", author="anna", charter=changed), T0 + 31 * HOUR).rejected
        assert cap(made) == 100


def test_a_charter_without_a_rollout_has_no_step() -> None:
    """The refusal says what is missing."""
    made = Bench(SPEC)
    out = do(made, StepEvaluation, T0 + 1, reason="r")
    assert [one.field for one in out.rejected] == ["rollout"]


def test_a_template_is_made_of_a_pilot_that_has_ended() -> None:
    """Its record names template, charter and version."""
    made = Bench(SPEC, exit=LEAVE)
    assert do(made, TemplateMaking, T0 + 1, template="scribe", reason="r").rejected
    assert not do(made, Withdrawal, T0 + 2, reason="r", outcome="stop", met=(1,)).rejected
    assert not do(made, TemplateMaking, T0 + 3, template="scribe", reason="r").rejected
    content = last(made, Reason.TEMPLATE_MADE).finding.content
    assert content == {"template": "scribe", "charter": pilot(made).hash, "version": "1"}
    assert len(pilot(made).hash) == len(DIGEST)


def test_a_rollout_rises_to_the_cap_of_the_charter() -> None:
    """Each mistake is named with its field."""

    def fields(steps: tuple[RolloutStep, ...], **changes: Any) -> list[str]:
        found = lint(charter_of(SPEC, **{"rollout": steps, "users": USERS, **changes}))
        return [one.field for one in found if one.field.startswith("rollout")]

    assert fields(STEPS) == []
    assert fields(STEPS[:1]) == ["rollout", "rollout[0].cap"]
    assert fields((RolloutStep(200), RolloutStep(200), RolloutStep(5_000))) == ["rollout[1].cap"]
    assert fields(STEPS, users=Users()) == ["rollout[2].cap"]


def test_a_pilot_above_its_limit_rises_with_a_probability_of_at_most_alpha() -> None:
    """At the limit itself, evaluated after each period, over all steps; here with an alpha of .2 so that few runs show
    it: at most .2 + 4 standard errors of 60 runs."""
    draw, risen, runs = random.Random(11), 0, 60
    calm = structs.replace(SPEC, detectors=())
    for _ in range(runs):
        made = Bench(calm, rollout=(RolloutStep(200), RolloutStep(5_000)), users=USERS, alpha=0.2)
        for hour in range(0, 60, 2):
            run(made, hour, 1, incidents=sum(draw.random() < 0.01 for _ in range(1_000)))
            step(made, hour + 2)
        risen += cap(made) != 200
    assert risen / runs <= 0.2 + 4 * (0.2 * 0.8 / runs) ** 0.5
