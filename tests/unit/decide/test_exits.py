"""Assessments and exits: what each act records, who may do it, and what follows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET, structs

from monitor.charter.control import (
    Approval,
    ControlBase,
    Evaluation,
    Override,
    Rectification,
    Release,
    Withdrawal,
)
from monitor.charter.exit_acts import (
    Assessing,
    ExitApproval,
    Graduation,
    PublicationConsent,
    Recall,
    ReportIssue,
    Termination,
    Withholding,
)
from monitor.charter.running_acts import Grant, PauseRequest, Resumption
from monitor.charter.spec import AssessmentSpec, Exit, PowerSpec, canonical_charter
from monitor.lifecycle.names import Outcome, State
from monitor.model.assessment import Assessment
from monitor.model.records import Decision, Level, Outputs, Reason
from monitor.notary.entries import entry_of
from monitor.projections.open_commands import left_after
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import HOUR, RATE, SILENCE, T0, Bench
from tests.unit.engine.test_machine import charter as charter_of

DAY = 24 * HOUR
SPEC = structs.replace(RATE, power=PowerSpec(exposure=1000))
LEAVE = Exit(conditions=("users were told",), quiet_for="1h", tracked_for="2mo")
DIGEST = "ab" * 32


def bench(hours: int = 60, incidents: int = 0, **changes: Any) -> Bench:
    """A pilot that ran so many hours with so many incidents in each; a limit of five."""
    made = Bench(SPEC, **{"exit": LEAVE, **changes})
    for hour in range(hours):
        made.hour(hour, incidents=incidents)
    made.time(T0 + hours * HOUR)
    return made


def do(made: Bench, kind: type[ControlBase], at: int, author: str = "anna", **fields: Any) -> Outputs:
    name = f"{kind.__name__}-{author}-{at}-{fields.get('outcome', '')}"
    return made.act(kind(id=name, pilot="p", author=author, **fields), at)


def life(made: Bench) -> State:
    return made.machine.pilots["p"].life.pilot


def last(made: Bench, reason: Reason) -> Decision:
    return next(d for d in reversed(made.out.decisions) if d.reason is reason)


def refused(out: Outputs) -> list[str]:
    return [one.detail.split(" ", 1)[0].rstrip(":") for one in out.rejected]


def approve(made: Bench, at: int) -> None:
    for author in ("anna", "ben"):
        assert not do(made, ExitApproval, at, author).rejected


END = T0 + 60 * HOUR


def test_a_pilot_with_evidence_two_approvals_and_answered_conditions_exits_with_scale() -> None:
    """The computed numbers stand in the decision, and in its entry of the ledger in the clear."""
    made = bench()
    approve(made, END)
    assert not do(made, Withdrawal, END + 1, outcome="scale", reason="it works", met=(1,)).rejected
    assert life(made) is State.EXITED
    assert made.machine.pilots["p"].life.outcome is Outcome.SCALE
    decision = last(made, Reason.EXITED)
    numbers = decision.finding.assessment
    assert isinstance(numbers, Assessment)
    assert (numbers.lacks, numbers.advised) == ((), "scale")
    entry, texts = entry_of(decision, bytes(32))
    assert entry.record()["finding"]["assessment"] == msgspec.json.decode(msgspec.json.encode(numbers))
    assert entry.record()["finding"]["content"] == {"outcome": "scale", "advised": "scale"}
    assert {text.text for text in texts} == {"anna", "it works"}


def test_a_pause_does_not_count_as_quiet_time() -> None:
    """Neither one that is open nor one that ended; only time since the pilot was last loud is left out."""
    made, day = bench(hours=2), T0 + 2 * HOUR
    made.act(Override(id="loud", pilot="p", author="anna", level="escalate", reason="r"), day)
    made.act(Override(id="calm", pilot="p", author="anna", level="normal", reason="r"), day)
    assert not do(made, PauseRequest, day + HOUR, "firm", reason="r").rejected
    assert not do(made, Grant, day + HOUR).rejected
    assert quiet(made, day + 11 * HOUR) == HOUR
    assert not do(made, Resumption, day + 21 * HOUR, "firm").rejected
    assert quiet(made, day + 22 * HOUR) == 2 * HOUR
    pilot = restore(snapshot(made.machine.pilots["p"]))[0]
    assert pilot.quiet_for(day + 22 * HOUR) == 2 * HOUR
    made.act(Override(id="loud-2", pilot="p", author="anna", level="escalate", reason="r"), day + 22 * HOUR)
    made.act(Override(id="calm-2", pilot="p", author="anna", level="normal", reason="r"), day + 23 * HOUR)
    assert quiet(made, day + 24 * HOUR) == HOUR


def quiet(made: Bench, at: int) -> int:
    """The quiet time that an assessment computes."""
    do(made, Assessing, at, outcome="continue", reason="r")
    numbers = last(made, Reason.ASSESSED).finding.assessment
    assert isinstance(numbers, Assessment)
    return numbers.quiet


def test_scale_is_refused_with_what_is_missing() -> None:
    """In the order of the table: limits, power, approvals; then the conditions. Nothing has changed afterwards."""
    early = bench(hours=1)
    assert refused(do(early, Withdrawal, T0 + HOUR, outcome="scale", reason="r")) == ["limits_not_kept"]
    made = bench()
    assert refused(do(made, Withdrawal, END, outcome="scale", reason="r", met=(1,))) == ["approval_missing"]
    approve(made, END)
    assert refused(do(made, Withdrawal, END + 1, outcome="scale", reason="r")) == ["exit_conditions_unmet"]
    assert refused(do(made, Withdrawal, END + 2, outcome="scale", reason="r", unmet=(1,))) == ["exit_conditions_unmet"]
    assert refused(do(made, Withdrawal, END + 3, outcome="scale", reason="r", met=(2,))) == ["unknown_reference"]
    assert refused(do(made, Withdrawal, END + 4, outcome="scale", reason="r", met=(1,), unmet=(1,))) == [
        "content_missing"
    ]
    assert life(made) is State.RUNNING
    assert Reason.EXITED not in made.reasons()


def test_each_approver_counts_once_and_only_approvers_count() -> None:
    """Two different people; never the firm."""
    made = bench()
    assert not do(made, ExitApproval, END, "anna").rejected
    assert refused(do(made, ExitApproval, END + 1, "anna")) == ["same_approver"]
    assert refused(do(made, ExitApproval, END + 2, "firm")) == ["not_an_approver"]
    assert refused(do(made, ExitApproval, END + 3, "carl")) == ["not_an_approver"]
    assert refused(do(made, Withdrawal, END + 4, outcome="scale", reason="r", met=(1,))) == ["approval_missing"]


def test_a_halt_voids_approvals_of_an_exit() -> None:
    """What was approved is no longer what exits."""
    made = bench()
    approve(made, END)
    do(made, Override, END + 1, level="halt", reason="r")
    do(made, Rectification, END + 2, finding="f", cause="c", action="a", evidence="e")
    do(made, Evaluation, END + 3, passed=True, report="r")
    for author in ("anna", "ben"):
        do(made, Approval, END + 4, author)
    assert not do(made, Release, END + 5, reason="not verified").rejected
    assert made.machine.pilots["p"].review.halts == 1
    for hour in range(60, 130):
        made.hour(hour)
    made.time(T0 + 130 * HOUR)
    at = T0 + 130 * HOUR
    assert refused(do(made, Withdrawal, at, outcome="scale", reason="r", met=(1,))) == ["approval_missing"]
    approve(made, at + 1)
    found = do(made, Withdrawal, at + 2, outcome="scale", reason="r", met=(1,))
    assert not found.rejected
    numbers = last(made, Reason.EXITED).finding.assessment
    assert isinstance(numbers, Assessment)
    assert numbers.halts == 1
    assert numbers.restart == 2
    assert numbers.streams[0].complete < 130
    assert numbers.streams[0].since > END


@pytest.mark.parametrize("outcome", ["extend", "remediate", "stop", "insufficient_evidence", "withdrawn"])
def test_every_other_outcome_is_the_officers_and_carries_the_numbers(outcome: str) -> None:
    """It needs no approval; the advised outcome stands next to it."""
    made = bench(hours=2)
    assert not do(made, Withdrawal, T0 + 2 * HOUR, outcome=outcome, reason="r").rejected
    assert life(made) is (State.WITHDRAWN if outcome == "withdrawn" else State.EXITED)
    assert last(made, Reason.EXITED).finding.content == {"outcome": outcome, "advised": "insufficient_evidence"}
    assert refused(do(made, Withdrawal, T0 + 3 * HOUR, outcome=outcome, reason="r")) == ["after_exit"]


def test_an_exit_without_an_outcome_is_as_before() -> None:
    """No numbers, and the same decision."""
    made = bench(hours=2)
    do(made, Withdrawal, T0 + 2 * HOUR, reason="trial over")
    finding = last(made, Reason.EXITED).finding
    assert (finding.rule, finding.detail, finding.content, finding.assessment) == ("exit", "trial over", UNSET, UNSET)


def test_an_exit_or_termination_of_a_halted_pilot_ends_neither_command_nor_halt() -> None:
    """It waits for the verified stop."""
    for kind, fields, end in (
        (Withdrawal, {"outcome": "stop", "reason": "r"}, State.EXITED),
        (Termination, {"basis": "art-57-11", "reason": "r"}, State.TERMINATED),
    ):
        made = bench(hours=1, incidents=100)
        assert made.level is Level.HALT
        assert not do(made, kind, T0 + HOUR, **fields).rejected
        pilot = made.machine.pilots["p"]
        assert (life(made), pilot.leaving, pilot.exited) == (State.EXITING, True, False)
        assert pilot.standing.command
        assert pilot.standing.retransmission is not None
        assert Reason.EXITED not in made.reasons()
        assert pilot.life.outcome is (Outcome.TERMINATED if end is State.TERMINATED else Outcome.STOP)


def test_an_assessment_records_the_numbers_and_its_outcome() -> None:
    """Also under a halt; only an officer may, and the next one is due an interval later."""
    made = bench(hours=3)
    assert refused(do(made, Assessing, T0 + 3 * HOUR, "firm", outcome="continue", reason="r")) == ["not_an_officer"]
    assert not do(made, Assessing, T0 + 3 * HOUR, outcome="adjust", reason="raise the cap").rejected
    finding = last(made, Reason.ASSESSED).finding
    assert finding.content == {"outcome": "adjust", "advised": "insufficient_evidence"}
    assert isinstance(finding.assessment, Assessment)
    assert finding.assessment.streams[0].exposure == 2000.0
    assert life(made) is State.RUNNING


def test_an_assessment_falls_due_and_is_overdue_by_the_charter() -> None:
    """By timers; an assessment ends the finding, and the interval begins again."""
    made = Bench(SPEC, SILENCE, assessment=AssessmentSpec("10d", "2d"), exit=LEAVE)
    made.time(T0 + 10 * DAY + 1)
    assert last(made, Reason.ASSESSMENT_DUE).at == T0 + 10 * DAY
    made.time(T0 + 12 * DAY + 1)
    missed = last(made, Reason.ASSESSMENT_MISSED)
    assert missed.at == T0 + 12 * DAY
    assert "assessment" in made.machine.pilots["p"].standing.active
    do(made, Assessing, T0 + 13 * DAY, outcome="continue", reason="r")
    assert "assessment" not in made.machine.pilots["p"].standing.active
    made.time(T0 + 23 * DAY + 1)
    assert [d.at for d in made.out.decisions if d.reason is Reason.ASSESSMENT_DUE] == [T0 + 10 * DAY, T0 + 23 * DAY]


def exited() -> Bench:
    made = bench()
    approve(made, END)
    do(made, Withdrawal, END + 1, outcome="scale", reason="r", met=(1,))
    return made


def test_after_the_exit_come_report_publication_and_graduation() -> None:
    """In this order, and nothing else."""
    made = exited()
    assert refused(do(made, Graduation, END + 2)) == ["report_missing"]
    assert refused(do(made, PublicationConsent, END + 3, "firm")) == ["report_missing"]
    assert not do(made, ReportIssue, END + 4, report=DIGEST, proof=DIGEST).rejected
    assert last(made, Reason.REPORT_ISSUED).finding.content == {"report": DIGEST, "proof": DIGEST}
    assert refused(do(made, PublicationConsent, END + 5, "anna")) == ["not_an_officer"]
    assert not do(made, Withholding, END + 6, reason="trade secrets").rejected
    assert not do(made, PublicationConsent, END + 7, "firm").rejected
    assert life(made) is State.PUBLISHED
    assert not do(made, Graduation, END + 8).rejected
    assert life(made) is State.TRACKED
    left = False
    for decision in made.out.decisions:
        left = left_after(left, decision)
        so_far = made.reasons()[: decision.standing]
        assert left is (Reason.EXITED in so_far and Reason.GRADUATED not in so_far)


def graduated(**fields: Any) -> Bench:
    made = exited()
    do(made, ReportIssue, END + 2, report=DIGEST, proof=DIGEST)
    do(made, PublicationConsent, END + 3, "firm")
    assert not do(made, Graduation, END + 4, **fields).rejected
    return made


def test_a_graduated_pilot_is_watched_on_the_next_share_of_alpha() -> None:
    """Under the same charter, without a gap, and it can halt."""
    made = graduated()
    pilot = made.machine.pilots["p"]
    assert (pilot.exited, pilot.standing.restart) == (False, 2)
    assert last(made, Reason.GRADUATED).finding.period_end == pilot.review.tracked_until
    made.hour(61)
    made.hour(62, incidents=100)
    assert made.level is Level.HALT
    assert "sequence" not in pilot.standing.active
    assert last(made, Reason.LIMIT_EXCEEDED).restart == 2


def test_a_thinner_charter_may_drop_and_never_add() -> None:
    """Indicators, hard rules and drills; everything else stays."""
    made = exited()
    do(made, ReportIssue, END + 2, report=DIGEST, proof=DIGEST)
    do(made, PublicationConsent, END + 3, "firm")
    old = made.machine.pilots["p"].charter
    more = structs.replace(old, version=2, indicators=(*old.indicators, SILENCE))
    looser = structs.replace(old, version=2, indicators=(structs.replace(SPEC, limit=50),))
    other = structs.replace(old, version=2, tier="minimal")
    for number, charter in enumerate((more, looser, other)):
        assert refused(do(made, Graduation, END + 4 + number, charter=charter)) == ["not_thinner"]
    assert refused(do(made, Graduation, END + 8, charter=old)) == ["version_must_rise"]
    thin = structs.replace(old, version=2, hard_rules=())
    assert not do(made, Graduation, END + 9, charter=thin).rejected
    assert made.machine.pilots["p"].charter == thin


def test_routine_supervision_ends_by_itself_and_not_under_a_halt() -> None:
    """After the months; a halt that stands is released first."""
    made = graduated(months=1)
    until = made.machine.pilots["p"].review.tracked_until
    assert until is not None
    made.time(until + 1)
    assert life(made) is State.CLOSED
    assert made.machine.pilots["p"].exited
    halted = graduated(months=1)
    halted.hour(62, incidents=100)
    halted.time(until + DAY)
    assert life(halted) is State.TRACKED


def test_a_recall_halts_and_the_pilot_leaves_once_it_stopped() -> None:
    """A further ground in between changes nothing."""
    made = graduated()
    made.hour(61)
    assert not do(made, Recall, T0 + 62 * HOUR, reason="r").rejected
    pilot = made.machine.pilots["p"]
    assert (life(made), made.level, pilot.leaving, pilot.exited) == (State.RECALLED, Level.HALT, True, False)
    assert made.out.commands[-1].action == "halt"
    made.hour(63, incidents=100)
    assert life(made) is State.RECALLED
    assert not pilot.exited


def test_a_recall_of_a_pilot_that_is_stopped_already_lets_it_leave_at_once() -> None:
    """With the decision that says so, which ends its alerts."""
    made = graduated()
    made.hour(62, incidents=100)
    at = T0 + 63 * HOUR
    made.time(at)
    command = made.out.commands[-1]
    made.send(made.emitter.acknowledged(at, command.id, command.standing), at=at + 1000)
    for second in range(2, 6):
        made.send(made.emitter.heartbeat(at + second * 1000, False), at=at + second * 1000)
    assert made.machine.pilots["p"].standing.halt_state.state == "verified"
    assert not do(made, Recall, at + 10_000, reason="r").rejected
    pilot = made.machine.pilots["p"]
    assert (life(made), pilot.leaving, pilot.exited, made.level) == (State.RECALLED, False, True, Level.HALT)
    assert made.reasons()[-2:] == [Reason.RECALLED, Reason.EXITED]


def test_what_is_remembered_survives_a_snapshot() -> None:
    """Bit by bit."""
    for made in (bench(), exited(), graduated()):
        pilot = made.machine.pilots["p"]
        again, _ = restore(snapshot(pilot))
        assert snapshot(again) == snapshot(pilot)
        assert again.review == pilot.review
        assert [s.tally for s in again.streams.values()] == [s.tally for s in pilot.streams.values()]


def test_a_charter_without_exit_fields_keeps_its_hash() -> None:
    """Fields that came later are left out of the canonical form where they are not given."""
    text = canonical_charter(charter_of())
    assert b"checks" not in text
    assert b"assessment" not in text
    assert b"tracked_for" not in text
