"""The clock engine: what it returns, and its bounds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.deadlines.cases import Case, Clock, ClockState
from monitor.deadlines.durations import Duration, Unit
from monitor.deadlines.engine import (
    CASES,
    CASES_OF_FIRM,
    CLOCKS_BYTES,
    COMPLAINTS,
    Change,
    Clocks,
    advance,
    apply,
    held_by,
    next_due,
)
from monitor.deadlines.facts import COUNTED_APART, STARTED_BY_FIRM, Fact, FactKind, IncidentClass, incident_classes
from monitor.deadlines.rules import KINDS_PER_START, RULES_PER_START, OnMiss, Owes, Shorter
from monitor.model.bounds import NAME
from monitor.model.events import LAST_MS, Harm, Severity
from tests.unit.deadlines.histories import DAY, DEATH, INJURY, START, TABLE, after, clock, incident


def test_a_miss_is_addressed_and_carries_its_due_instant() -> None:
    """A miss names who owes, the legal basis and what it does, and is dated at its due instant however late it is
    noticed."""
    clocks = after(incident(START, INJURY))
    due = next_due(clocks)
    assert due is not None
    assert advance(clocks, TABLE, due - 1).changes == ()
    (miss,) = advance(clocks, TABLE, due + 90 * DAY).changes
    assert (miss.change, miss.at, miss.due, miss.rule) == (Change.MISSED, due, due, "incident-report")
    assert (miss.owed_by, miss.on_miss, miss.key) == (Owes.FIRM, OnMiss.ESCALATE, "i-1")
    assert "73(2)" in miss.basis


def test_misses_are_returned_in_the_order_of_time() -> None:
    """One advance over several due instants returns the misses as several advances would."""
    clocks = after(incident(START, INJURY, key="later"), incident(START + DAY, DEATH, key="sooner"))
    assert [c.key for c in advance(clocks, TABLE, START + 90 * DAY).changes] == ["sooner", "later"]


def test_a_reclassification_reports_where_the_due_instant_moved() -> None:
    """A change of the due instant has both, before and after."""
    clocks = after(incident(START, INJURY))
    before = next_due(clocks)
    changes = apply(clocks, TABLE, incident(START + DAY, DEATH)).changes
    assert [(c.change, c.rule, c.was_due) for c in changes] == [(Change.MOVED, "incident-report", before)]
    assert changes[0].due == START - 10 * 3_600_000 + 11 * DAY


def test_a_fact_of_another_case_changes_nothing() -> None:
    """A report of one incident does not meet the clock of another."""
    clocks = after(incident(START, INJURY), Fact(kind=FactKind.INITIAL_REPORT, at=START + 1, key="i-2"))
    assert clock(clocks, "incident-report").running


def test_what_was_done_after_a_miss_is_reported_once() -> None:
    """A duty that is done late leaves the clock missed and is reported."""
    clocks = advance(after(incident(START, INJURY)), TABLE, START + 20 * DAY).clocks
    report = Fact(kind=FactKind.INITIAL_REPORT, at=START + 21 * DAY, key="i-1")
    step = apply(clocks, TABLE, report)
    late = [c for c in step.changes if c.rule == "incident-report"]
    assert [(c.change, c.at) for c in late] == [(Change.DONE_LATE, START + 21 * DAY)]
    again = apply(step.clocks, TABLE, structs.replace(report, at=START + 22 * DAY))
    assert again.changes == ()


def test_a_late_report_without_advance_in_between_is_still_missed() -> None:
    """If time was not advanced before a late fact, the next advance gives the miss and what was done late."""
    clocks = after(incident(START, INJURY), Fact(kind=FactKind.INITIAL_REPORT, at=START + 21 * DAY, key="i-1"))
    changes = [c for c in advance(clocks, TABLE, START + 21 * DAY).changes if c.rule == "incident-report"]
    assert [c.change for c in changes] == [Change.MISSED, Change.DONE_LATE]


def test_an_evidence_hold_forbids_a_change_of_the_model_until_the_authority_was_told() -> None:
    """`held_by` names the incidents that forbid a change, and none after the report."""
    clocks = after(incident(START, INJURY), incident(START, DEATH, key="i-2"))
    assert [case.key for case, _ in held_by(clocks, TABLE, FactKind.MODEL_CHANGED)] == ["i-1", "i-2"]
    clocks = apply(clocks, TABLE, Fact(kind=FactKind.INITIAL_REPORT, at=START + 1, key="i-1")).clocks
    assert [case.key for case, _ in held_by(clocks, TABLE, FactKind.MODEL_CHANGED)] == ["i-2"]
    (broken,) = apply(clocks, TABLE, Fact(kind=FactKind.MODEL_CHANGED, at=START + 2)).changes
    assert (broken.change, broken.key, broken.rule, broken.at) == (Change.MISSED, "i-2", "evidence-hold", START + 2)


def test_a_change_while_no_hold_was_in_force_does_not_count_later() -> None:
    """A change of the model after an officer lifted the duty does not break the hold of a later report."""
    clocks = after(
        incident(START, INJURY),
        Fact(kind=FactKind.RECLASSIFIED, at=START + 1, key="i-1"),
        Fact(kind=FactKind.MODEL_CHANGED, at=START + 2),
        incident(START + 3, INJURY),
    )
    assert clock(clocks, "evidence-hold").running


def test_the_shorter_period_may_run_from_the_classification() -> None:
    """A table may let the ten days run from the report of the death; the shortest still wins."""
    shorter = (Shorter(classes=(DEATH,), within=Duration(10, Unit.DAYS), counts_from="classification"),)
    rules = [structs.replace(r, shorter=shorter) if r.name == "incident-report" else r for r in TABLE.rules]
    table = structs.replace(TABLE, rules=tuple(rules))
    midnight = START - 10 * 3_600_000
    early = after(incident(START, INJURY), incident(START + DAY, DEATH), table=table)
    assert next_due(early) == midnight + 12 * DAY
    late = after(incident(START, INJURY), incident(START + 14 * DAY, DEATH), table=table)
    assert next_due(late) == midnight + 16 * DAY


@pytest.mark.parametrize(
    ("severity", "harm", "classes"),
    [
        (Severity.SERIOUS_INCIDENT, Harm.DEATH, (DEATH,)),
        (Severity.SERIOUS_INCIDENT, Harm.NONE, (IncidentClass.OTHER,)),
        (Severity.SERIOUS_INCIDENT, Harm.CRITICAL_INFRASTRUCTURE, (IncidentClass.CRITICAL_INFRASTRUCTURE,)),
        (Severity.INCIDENT, Harm.DEATH, (DEATH,)),
        (Severity.INCIDENT, Harm.MINOR_INJURY, ()),
        (Severity.NEAR_MISS, Harm.DEATH, ()),
    ],
)
def test_grades_become_classes(severity: Severity, harm: Harm, classes: tuple[IncidentClass, ...]) -> None:
    """A death is serious whatever the firm calls it; what did not happen is not."""
    assert incident_classes(severity, harm) == classes


def test_a_report_received_in_time_and_read_after_the_miss_meets_the_clock() -> None:
    """What the log received before the due instant is in time, also if an outage delayed its reading."""
    clocks = advance(after(incident(START, INJURY)), TABLE, START + 20 * DAY).clocks
    assert clock(clocks, "incident-report").state is ClockState.MISSED
    step = apply(clocks, TABLE, Fact(kind=FactKind.INITIAL_REPORT, at=START + 10 * DAY, key="i-1"))
    assert clock(step.clocks, "incident-report").state is ClockState.MET
    assert (Change.MET, "incident-report") in {(c.change, c.rule) for c in step.changes}


def test_an_authority_may_move_a_date_that_it_set_and_a_firm_may_not() -> None:
    """Of dates that come with a fact, the last one of an authority and the first one of a firm counts."""
    for kind, rule, expected in (
        (FactKind.FINDING, "rectification", START + 9 * DAY),
        (FactKind.COMPLAINT, "complaint", START + 5 * DAY),
    ):
        facts = [Fact(kind=kind, at=START + n, key="k", due=START + days * DAY) for n, days in ((1, 5), (2, 9))]
        assert clock(after(*facts), rule).due == expected
        assert clock(after(*reversed(facts)), rule).due == expected


def test_a_decision_that_is_repeated_moves_nothing() -> None:
    """A class counts from when it was first known, whatever an officer confirms later."""
    shorter = (Shorter(classes=(DEATH,), within=Duration(2, Unit.DAYS), counts_from="classification"),)
    rules = [structs.replace(r, shorter=shorter) if r.name == "incident-report" else r for r in TABLE.rules]
    table = structs.replace(TABLE, rules=tuple(rules))
    first = Fact(kind=FactKind.RECLASSIFIED, at=START + DAY, key="i-1", classes=(DEATH,))
    clocks = after(incident(START, INJURY), first, table=table)
    again = apply(clocks, table, structs.replace(first, at=START + 2 * DAY))
    assert next_due(again.clocks) == next_due(clocks)
    assert again.changes == ()


def test_a_time_of_awareness_belongs_to_one_incident() -> None:
    """A fact that concerns every case states no awareness."""
    clocks = after(incident(START, INJURY), Fact(kind=FactKind.MODEL_CHANGED, at=START + 1, stated=START - 90 * DAY))
    assert next_due(clocks) == next_due(after(incident(START, INJURY)))


# Bounds


def test_open_cases_are_never_displaced_and_a_refusal_is_reported() -> None:
    """A flood of incidents leaves earlier cases and the space of authorities alone, and each refusal is returned."""
    clocks = after(*(incident(START + n, INJURY, key=f"i-{n}") for n in range(CASES_OF_FIRM)))
    step = apply(clocks, TABLE, incident(START + DAY, DEATH, key="more"))
    assert step.clocks.cases == clocks.cases
    assert step.clocks.refused == 1
    assert {c.change for c in step.changes} == {Change.REFUSED}
    assert {c.rule for c in step.changes} == {r.name for r in TABLE.started_by(FactKind.SERIOUS_INCIDENT)}
    full = step.clocks
    for n in range(CASES - CASES_OF_FIRM):
        full = apply(full, TABLE, Fact(kind=FactKind.EXIT, at=START, key=f"e-{n}")).clocks
    assert len(full.cases) == CASES
    assert full.refused == 1


def test_what_asks_for_nothing_is_forgotten_first() -> None:
    """A new case takes the place of the closed one that was touched longest ago."""
    facts = [incident(START + n, INJURY, key=f"i-{n}") for n in range(CASES_OF_FIRM)]
    closed = [Fact(kind=FactKind.COMPLETE_REPORT, at=START + DAY + n, key=f"i-{n}") for n in (3, 7)]
    clocks = after(*facts, *closed, incident(START + 2 * DAY, INJURY, key="new"))
    keys = {case.key for case in clocks.cases.values()}
    assert "i-3" not in keys
    assert {"i-7", "new"} <= keys
    assert clocks.refused == 0


def test_a_statement_without_an_incident_is_forgotten_before_a_closed_case() -> None:
    """What never started a clock gives way before what did, however new it is."""
    facts = [incident(START + n, INJURY, key=f"i-{n}") for n in range(CASES_OF_FIRM - 1)]
    facts.append(Fact(kind=FactKind.COMPLETE_REPORT, at=START + DAY, key="i-0"))
    facts.append(Fact(kind=FactKind.AWARENESS_STATED, at=START + 2 * DAY, key="unknown", stated=START))
    clocks = after(*facts, incident(START + 3 * DAY, INJURY, key="new"))
    keys = {case.key for case in clocks.cases.values()}
    assert "unknown" not in keys
    assert {"i-0", "new"} <= keys


def test_reports_without_a_class_take_no_space() -> None:
    """What is not serious leaves no trace."""
    assert after(incident(START, key="x", stated=START - DAY)) == Clocks()


def test_the_largest_state_is_within_its_bound() -> None:
    """As many cases as fit, each as large as the table allows, take no more than `CLOCKS_BYTES`."""
    latest = LAST_MS
    clocks = tuple(
        Clock("r" * 40, ClockState.RUNNING, latest, latest, latest, latest, True) for _ in range(RULES_PER_START)
    )
    kinds = sorted(FactKind, key=len)[-KINDS_PER_START:]
    longest = max(FactKind, key=len)
    case = Case(
        longest, "k" * NAME, clocks, latest, latest, latest, latest,
        classes=dict.fromkeys(IncidentClass, (latest, latest)),
        ruled=tuple(IncidentClass), ruled_at=latest, marks=dict.fromkeys(kinds, latest), touched=latest,
    )  # fmt: skip
    full = Clocks({f"{longest}/{n:064}": case for n in range(CASES + COMPLAINTS)}, 1 << 40)
    assert len(msgspec.msgpack.encode(full)) <= CLOCKS_BYTES


def test_long_names_and_times_beyond_all_ranges_are_bounded() -> None:
    """Whatever a firm writes, a case keeps to its size and the engine goes on."""
    key = "k" * 200
    clocks = after(incident(START, *IncidentClass, key=key, stated=-(1 << 70)))
    clocks = apply(clocks, TABLE, Fact(kind=FactKind.FINDING, at=START, key=key, due=1 << 70)).clocks
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(clocks), type=Clocks) == clocks
    assert all(len(name) < 100 for name in clocks.cases)
    assert advance(clocks, TABLE, 1 << 62).changes


def test_every_kind_that_a_firm_starts_is_known() -> None:
    """A clock owed by the firm starts with a fact that counts in the share of the firm, or with an act of an
    authority."""
    by_authority = {
        FactKind.FINDING, FactKind.DRILL_SET, FactKind.ASSESSMENT_SET, FactKind.INSPECTION_SET, FactKind.SUSPENSION,
        FactKind.EXIT,
    }  # fmt: skip
    assert {rule.starts for rule in TABLE.rules} <= STARTED_BY_FIRM | by_authority | COUNTED_APART


def test_a_stored_state_stays_readable() -> None:
    """The bytes of this version are pinned: a later version reads them and writes them back unless fields were
    appended."""
    clocks = after(
        incident(START, DEATH, stated=START - DAY),
        Fact(kind=FactKind.RECLASSIFIED, at=START + 1, key="i-1", classes=(INJURY,)),
        Fact(kind=FactKind.INITIAL_REPORT, at=START + 2, key="i-1"),
        Fact(kind=FactKind.FINDING, at=START + 3, key="f-1", due=START + DAY),
    )
    pinned = (Path(__file__).parents[2] / "data" / "deadlines" / "clocks.msgpack.hex").read_text("ascii")
    assert msgspec.msgpack.decode(bytes.fromhex(pinned), type=Clocks) == clocks
    assert msgspec.msgpack.encode(clocks).hex() == pinned.strip()


def test_the_example_of_the_readme_runs() -> None:
    """The code in `monitor/deadlines/README.md` ends with the miss that it announces."""
    text = (Path(__file__).parents[3] / "monitor" / "deadlines" / "README.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    assert [(c.change, c.rule, c.owed_by) for c in names["changes"]] == [(Change.MISSED, "incident-report", Owes.FIRM)]
