"""Telemetry without effect in one list: what happened, how often, which field, and the fix."""

from __future__ import annotations

import pytest

from monitor.model.notice import NOT_REJECTED, Notice, Rejection
from monitor.model.records import Finding, Reason, Rejected
from monitor.model.telemetry_problems import FIXES, problems_of
from monitor.projections.problem_fold import ROWS, ProblemFold, problem_lines, problems_in
from monitor.testing.records import decision
from monitor.translation import speaking
from monitor.validate.rejections import RejectionReason


def rejected(offset: int, reason: str = "bad_time", field: str = "time", **more: object) -> Rejected:
    given = {"topic": "t", "partition": 0, "offset": offset, "field": field, "reason": reason, "pilot": "p"} | more
    return Rejected(received=1000 + offset, detail=f"detail of {reason}", **given)  # type: ignore[arg-type]


def test_every_reason_has_a_fix() -> None:
    """A sender is never told what is wrong without what to do."""
    assert set(FIXES) == {reason.value for reason in RejectionReason} | set(NOT_REJECTED)
    assert all(text.endswith(".") for text in FIXES.values())


def test_records_of_one_reason_and_field_are_one_problem_with_their_number() -> None:
    """The newest comes first, with its place; a sum of several reasons is one problem for each."""
    records = [
        rejected(1),
        rejected(2, "wrong_type", "data.amount", count=4),
        rejected(3),
        rejected(4, "rate_limited", "", by_reason={"bad_time": 10, "not_json": 2}),
        rejected(5, pilot="other"),
    ]
    found = problems_in("p", records)
    assert [(one.reason, one.field, one.events, one.place) for one in found] == [
        ("not_json", "", 2, "t/0/4/0"),
        ("bad_time", "", 10, "t/0/4/0"),
        ("bad_time", "time", 2, "t/0/3/0"),
        ("wrong_type", "data.amount", 4, "t/0/2/0"),
    ]


def test_decisions_tell_what_was_accepted_and_counts_nowhere() -> None:
    """With the field and the words of the finding; other decisions are no problem of telemetry."""
    nowhere = Finding(rule="data.unit", detail="data.unit 'miles' counts nowhere; the charter knows 'km'")
    late = Finding(rule="late_dropped", detail="1 event arrived 3 days after the period had closed")
    found = problems_in(
        "p",
        [
            decision(1, "p", reason=Reason.COUNTED_NOWHERE, finding=nowhere),
            decision(2, "p", reason=Reason.LATE_DROPPED, finding=late),
            decision(3, "p", reason=Reason.LIMIT_EXCEEDED),
        ],
    )
    assert [(one.kind, one.field, one.place) for one in found] == [
        ("too_late", "time", "decision 2"),
        ("counts_nowhere", "data.unit", "decision 1"),
    ]
    assert "charter knows 'km'" in found[1].detail


def test_a_fold_is_bounded() -> None:
    """However many kinds of mistakes a firm makes, the newest are kept."""
    fold = ProblemFold()
    for n in range(3 * ROWS):
        fold.take(rejected(n, field=f"data.{n}"))
    rows = fold.rows("p")
    assert (len(rows), rows[0].field) == (ROWS, f"data.{3 * ROWS - 1}")


def test_a_reason_of_a_newer_monitor_is_shown_as_it_is() -> None:
    """An older SDK reads notices of newer monitors."""
    (one,) = problems_of(Notice(rejected={"of_the_future": 3}))
    assert (str(one), one.fix) == ("3 events rejected (of_the_future)", "")


@pytest.mark.parametrize(("language", "fix"), [("en", "Fix: Set the clock"), ("zh", "时钟")])
def test_a_problem_is_one_line_in_the_language_of_its_reader(language: str, fix: str) -> None:
    """Number, field, reason, what is wrong and the fix."""
    newest = (Rejection(1, "time", "time_in_future", "x"),)
    with speaking(language):  # type: ignore[arg-type]
        (line,) = problem_lines(problems_of(Notice(rejected={"time_in_future": 1200}, newest=newest)))
    assert "1,200" in line
    assert "time_in_future" in line
    assert fix in line
    assert "\n" not in line
