"""The ladder: every row opens with the rule it holds."""

from __future__ import annotations

import pytest

from monitor.charter.spec import Responses
from monitor.decide import ladder
from monitor.errors import ControlRefused
from monitor.model.records import Level, Reason
from monitor.state.standing import Standing

R = Responses(watch_clears_after=2, escalate_clears_after=3)


def up(s: Standing, key: str, level: Level, reason: Reason = Reason.CHANGE_DETECTED, at: int = 1) -> Standing:
    return ladder.raise_finding(s, key, level, reason, at)[0]


def test_the_level_is_the_highest_of_the_active_findings() -> None:
    """Two findings at different levels leave the pilot at the higher one, and the first cause of it is marked."""
    s = up(Standing(), "a", Level.WATCH)
    s, move = ladder.raise_finding(s, "b", Level.ESCALATE, Reason.LIMIT_HALF_WAY, 2)
    assert s.level == Level.ESCALATE
    assert s.first_out == "b"
    assert move is not None
    assert (move.kind, move.was, move.level, move.first_out) == ("level", Level.WATCH, Level.ESCALATE, True)


def test_a_repeated_finding_moves_nothing() -> None:
    """A detector that goes on alarming is one episode, one record."""
    s = up(Standing(), "a", Level.WATCH)
    again, move = ladder.raise_finding(s, "a", Level.WATCH, Reason.CHANGE_DETECTED, 5)
    assert move is None
    assert again.active["a"].since == 1


def test_a_hard_rule_is_recorded_each_time() -> None:
    """Two serious incidents are two records, though the level moves once."""
    s, _ = ladder.raise_finding(Standing(), "rule/x", Level.ESCALATE, Reason.HARD_RULE, 1, "until_lowered")
    _, move = ladder.raise_finding(s, "rule/x", Level.ESCALATE, Reason.HARD_RULE, 2, "until_lowered")
    assert move is not None
    assert move.kind == "finding"


@pytest.mark.parametrize(("level", "needed"), [(Level.WATCH, 2), (Level.ESCALATE, 3)])
def test_a_finding_leaves_after_as_many_quiet_periods_as_the_charter_asks(level: Level, needed: int) -> None:
    """One period fewer leaves it standing; an alarm in between starts the count again."""
    s = up(Standing(), "a", level)
    s, _ = ladder.mark_quiet(s, "a", R, 2)
    s = up(s, "a", level, at=3)
    for _ in range(needed - 1):
        s, move = ladder.mark_quiet(s, "a", R, 4)
        assert s.level == level
    s, move = ladder.mark_quiet(s, "a", R, 5)
    assert s.level == Level.NORMAL
    assert move is not None
    assert move.reason == Reason.CLEARED


def test_a_halt_never_clears_by_itself() -> None:
    """However long its detector is quiet, a halt stands."""
    s = up(Standing(), "a", Level.HALT, Reason.LIMIT_EXCEEDED)
    for at in range(100):
        s, move = ladder.mark_quiet(s, "a", R, at)
        assert move is None
    s, _ = ladder.clear(s, "a", 200)
    assert s.level == Level.HALT


def test_a_hard_rule_stays_until_a_regulator_lowers_it() -> None:
    """Quiet periods do not wear off a serious incident; an override does."""
    s, _ = ladder.raise_finding(Standing(), "rule/x", Level.ESCALATE, Reason.HARD_RULE, 1, "until_lowered")
    for at in range(50):
        s, _ = ladder.mark_quiet(s, "rule/x", R, at)
    assert s.level == Level.ESCALATE
    s, move = ladder.override(s, Level.NORMAL, 60)
    assert s.level == Level.NORMAL
    assert move is not None
    assert move.reason == Reason.OVERRIDDEN


def test_an_override_may_halt_but_never_lift_a_halt() -> None:
    """Lowering a halt by override is refused with the steps that would do it."""
    s, move = ladder.override(Standing(), Level.HALT, 1)
    assert s.halted
    assert move is not None
    assert move.level == Level.HALT
    with pytest.raises(ControlRefused, match="two approvals"):
        ladder.override(s, Level.NORMAL, 2)


def test_the_flag_has_one_record_when_it_comes_and_one_when_it_goes() -> None:
    """Two causes of not knowing raise the flag once; it falls with the last of them."""
    s, first = ladder.raise_flag(Standing(), "a", Reason.SILENCE, 1)
    s, second = ladder.raise_flag(s, "b", Reason.PARTIAL_DATA, 2)
    assert (first is not None, second) == (True, None)
    assert s.flag == Reason.SILENCE
    s, third = ladder.clear_flag(s, "a")
    assert third is None
    assert s.flag == Reason.PARTIAL_DATA
    s, fourth = ladder.clear_flag(s, "b")
    assert fourth is not None
    assert s.flag == ""


def halted() -> Standing:
    return up(Standing(), "a", Level.HALT, Reason.LIMIT_EXCEEDED)


def test_release_says_which_step_is_missing() -> None:
    """Rectification, evaluation, two approvals: each is named while it is missing, and only all of them lift the
    halt."""
    s = halted()
    with pytest.raises(ControlRefused, match="rectification_missing"):
        ladder.release(s, 1, "seen on site")
    s, _ = ladder.record_step(s, Reason.RECTIFICATION_RECORDED)
    with pytest.raises(ControlRefused, match="evaluation_missing"):
        ladder.release(s, 1, "seen on site")
    s, _ = ladder.record_step(s, Reason.EVALUATION_RECORDED, passed=False)
    with pytest.raises(ControlRefused, match="evaluation_missing"):
        ladder.release(s, 1, "seen on site")
    s, _ = ladder.record_step(s, Reason.EVALUATION_RECORDED)
    s, _ = ladder.record_step(s, Reason.APPROVAL_RECORDED, "anna")
    with pytest.raises(ControlRefused, match="1 more approver"):
        ladder.release(s, 1, "seen on site")
    with pytest.raises(ControlRefused, match="different people"):
        ladder.record_step(s, Reason.APPROVAL_RECORDED, "anna")
    s, _ = ladder.record_step(s, Reason.APPROVAL_RECORDED, "ben")
    s, move = ladder.release(s, 9, "seen on site")
    assert (s.level, s.halted, s.restart) == (Level.NORMAL, False, 2)
    assert move is not None
    assert move.reason == Reason.RELEASED


def test_steps_of_one_halt_do_not_lift_the_next() -> None:
    """A second halt needs its own rectification."""
    s = halted()
    for reason, who in (
        (Reason.RECTIFICATION_RECORDED, ""),
        (Reason.EVALUATION_RECORDED, ""),
        (Reason.APPROVAL_RECORDED, "anna"),
        (Reason.APPROVAL_RECORDED, "ben"),
    ):
        s, _ = ladder.record_step(s, reason, who)
    s, _ = ladder.release(s, 2, "seen on site")
    s = up(s, "a", Level.HALT, Reason.LIMIT_EXCEEDED, 3)
    with pytest.raises(ControlRefused, match="rectification_missing"):
        ladder.release(s, 4, "seen on site")


def test_a_second_event_of_the_same_rule_needs_its_own_steps() -> None:
    """A death after the approvals is a new ground: what was rectified and approved for the first does not lift it."""
    s = approved("rule/death", Reason.HARD_RULE)
    s, _ = ladder.raise_finding(s, "rule/death", Level.HALT, Reason.HARD_RULE, 9, "until_lowered")
    with pytest.raises(ControlRefused, match="rectification"):
        ladder.release(s, 10, "seen")


def test_a_release_has_seen_what_it_ends() -> None:
    """A hard rule that escalates while a halt stands would end with it: the steps stay, the release must have seen
    it."""
    s = approved("rule/death", Reason.HARD_RULE)
    s, move = ladder.raise_finding(s, "rule/injury", Level.ESCALATE, Reason.HARD_RULE, 9, "until_lowered")
    assert move is not None
    assert s.lifting.last == s.counter + 1
    ladder.release(s, 10, "seen")


def approved(key: str, reason: Reason) -> Standing:
    """Halted by a hard rule, with all steps towards a release on record."""
    s, _ = ladder.raise_finding(Standing(), key, Level.HALT, reason, 1, "until_lowered")
    steps = ((Reason.RECTIFICATION_RECORDED, ""), (Reason.EVALUATION_RECORDED, ""))
    for step, author in (*steps, (Reason.APPROVAL_RECORDED, "anna"), (Reason.APPROVAL_RECORDED, "ben")):
        s, _ = ladder.record_step(s, step, author)
    return s


def test_approvals_beyond_those_needed_take_no_memory() -> None:
    """A charter may name thousands of approvers: each approval is on record, and the state holds the first ones."""
    s = approved("rule/death", Reason.HARD_RULE)
    for n in range(100):
        s, move = ladder.record_step(s, Reason.APPROVAL_RECORDED, f"approver-{n}")
        assert move is not None
    assert len(s.lifting.approvals) == ladder.APPROVALS
    ladder.release(s, 10, "seen")


def test_nothing_can_be_rectified_without_a_halt() -> None:
    """Steps towards a release are refused while nothing is halted."""
    with pytest.raises(ControlRefused, match="not_halted"):
        ladder.record_step(Standing(), Reason.RECTIFICATION_RECORDED)
