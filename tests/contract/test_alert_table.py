"""Every reason and every legal deadline has its place in the table of alerts: nothing grave can be left out unseen."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
import yaml
from msgspec import UNSET, structs

from monitor.deadlines import engine
from monitor.deadlines.engine import ClockChange, Clocks
from monitor.deadlines.facts import Fact, FactKind, IncidentClass
from monitor.deadlines.rules import ClockRule
from monitor.deadlines.shipped import example_table
from monitor.decide.clock_facts import clock_finding
from monitor.model.records import Decision, Finding, Level, Reason
from monitor.projections.alert_table import (
    BY_RULE,
    COMPLAINTS,
    ESCALATED,
    HALTED,
    NO_PERSON,
    OF_LEVEL,
    OF_USERS,
    PUSHED,
    alert_of,
)  # fmt: skip
from monitor.projections.alerts import Alert, PilotAlerts, after_decision
from monitor.testing.records import decision, halted

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yaml"
TABLE = example_table()
START, DAY_MS = 1_767_225_600_000, 86_400_000
TABLES = (PUSHED, OF_LEVEL, BY_RULE, NO_PERSON)


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.value)
def test_every_reason_is_in_exactly_one_table(reason: Reason) -> None:
    """A reason is pushed, moves the level, is followed by a rule, or says why it needs no notification."""
    found = [table for table in TABLES if reason in table]
    assert len(found) == 1
    assert all(found[0][reason])


def test_what_a_rule_follows_has_that_rule() -> None:
    """The names in the table are alerts of the shipped rules."""
    rules = yaml.load(RULES.read_text(), yaml.CSafeLoader)
    names = {rule.get("alert") for group in rules["groups"] for rule in group["rules"]}
    assert set(BY_RULE.values()) <= names
    assert {HALTED, ESCALATED, COMPLAINTS} <= names


def standing(*decisions: Decision) -> list[Alert]:
    state = PilotAlerts()
    for one in decisions:
        state = after_decision(state, one)
    return list(state.alerts())


@pytest.mark.parametrize("reason", sorted(PUSHED), ids=lambda reason: reason.value)
def test_a_pushed_reason_reaches_a_person_although_the_level_does_not_change(reason: Reason) -> None:
    """On a pilot that is escalated already, each has a new alert; it stands until what the table names ends it."""
    first = halted(level=Level.ESCALATE, reason=Reason.LIMIT_HALF_WAY, finding=Finding())
    again = halted(
        2, kind="finding", level=Level.ESCALATE, was=Level.ESCALATE, reason=reason, finding=Finding(rule="r"),
        finding_key="key", finding_level=Level.ESCALATE,
    )  # fmt: skip
    new = [alert for alert in standing(first, again) if alert.name != ESCALATED]
    assert [alert.name for alert in new] == [PUSHED[reason].alert]
    assert new[0].severity in ("critical", "warning")
    over = halted(
        3, kind="finding", level=Level.ESCALATE, was=Level.ESCALATE, reason=Reason.CLEARED, finding=Finding(),
        finding_key="key",
    )  # fmt: skip
    assert [alert.name for alert in standing(first, again, over)] == [ESCALATED]


def test_an_evidence_hold_is_an_alert_until_it_is_lifted() -> None:
    """It is no finding of the ladder: neither a lowered level nor a release ends it."""
    held = halted(1, kind="finding", level=Level.NORMAL, was=Level.NORMAL, reason=Reason.EVIDENCE_HELD)
    lowered = structs.replace(held, standing=2, reason=Reason.OVERRIDDEN, kind="act")
    lifted = structs.replace(held, standing=3, reason=Reason.HOLD_LIFTED)
    assert [alert.name for alert in standing(held, lowered)] == ["SandboxEvidenceHeld"]
    assert standing(held, lowered, lifted) == []


def test_a_finding_across_pilots_stands_for_seven_days_after_the_last_one() -> None:
    """A finding of the second stage has no act that ends it; the next one prolongs its alert."""
    finding = Finding(indicator="incidents", rule="pooled_e_detector")
    first = decision(1, "vendor:v", level=Level.WATCH, reason=Reason.COMMON_CAUSE, at=START, finding=finding)
    [alert] = standing(first)
    assert (alert.name, alert.severity, alert.until) == ("SandboxCommonCause", "warning", START + 7 * DAY_MS)
    [longer] = standing(first, structs.replace(first, standing=2, at=START + DAY_MS))
    assert (longer.identity, longer.until) == (alert.identity, START + 8 * DAY_MS)
    late = structs.replace(first, standing=2, at=START + 8 * DAY_MS, cause="another")
    [other] = standing(first, late)
    assert other.identity != alert.identity


def records(changes: tuple[ClockChange, ...] | list[ClockChange], number: count[int]) -> list[Decision]:
    """The decisions of these changes, as the machine records those that move no level."""
    found = []
    for change in changes:
        reason, finding = clock_finding(change, TABLE) or (None, None)
        assert reason is not None
        assert finding is not None
        found.append(decision(next(number), reason=reason, finding=finding, level=Level.NORMAL, at=change.at))
    return found


@pytest.mark.parametrize("rule", TABLE.rules, ids=lambda rule: rule.name)
def test_every_legal_deadline_of_the_table_has_an_alert_when_it_is_missed(rule: ClockRule) -> None:
    """Of firm and of authority, also where the table only records it: a miss is an alert until the duty is done. A
    deadline without a period cannot be missed, and a duty to keep something as it is is missed by what breaks it."""
    number, key = count(1), "k"
    start = Fact(
        kind=rule.starts, at=START, key=key, due=START + DAY_MS if rule.due_given else None,
        classes=(IncidentClass.SERIOUS_INJURY,) if rule.starts is FactKind.SERIOUS_INCIDENT else (),
    )  # fmt: skip
    clocks, changes = engine.apply(Clocks(), TABLE, start)
    seen = records(changes, number)
    if rule.keeps:
        breaks = Fact(kind=rule.broken_by[0], at=START + 1, key=key)
        clocks, changes = engine.apply(clocks, TABLE, breaks)
    else:
        clocks, changes = engine.advance(clocks, TABLE, START + 400 * DAY_MS)
    missed = [change for change in changes if change.rule == rule.name]
    if not rule.keeps and rule.within is None and not rule.due_given:
        assert missed == [], "a deadline without a period has no miss; SandboxClockDueSoon has none either"
        return
    seen += records(missed, number)
    reason = Reason.EVIDENCE_HOLD if FactKind.MODEL_CHANGED in rule.broken_by else Reason.CLOCK_MISSED
    [alert] = standing(*seen)
    assert alert.name == alert_of(reason, rule.starts)
    assert (alert.name == COMPLAINTS) is (rule.starts in OF_USERS)
    assert alert.severity == "warning"
    clock = seen[-1].finding.clock
    assert clock is not UNSET
    assert clock.owed_by is rule.owed_by
    if not rule.keeps:
        clocks, changes = engine.apply(clocks, TABLE, Fact(kind=rule.met_by[-1], at=START + 401 * DAY_MS, key=key))
        seen += records([change for change in changes if change.rule == rule.name], number)
        assert standing(*seen) == []


def test_overdue_answers_to_users_are_one_alert_until_the_last_one_is_given() -> None:
    """Fifty overdue answers are one message, not fifty."""
    number, seen, clocks = count(1), [], Clocks()
    for n in range(5):
        fact = Fact(kind=FactKind.USER_COMPLAINT, at=START + n, key=f"c-{n}", due=START + DAY_MS + n)
        clocks, changes = engine.apply(clocks, TABLE, fact)
        seen += records(changes, number)
    clocks, changes = engine.advance(clocks, TABLE, START + 2 * DAY_MS)
    seen += records(changes, number)
    for n in range(5):
        assert [alert.name for alert in standing(*seen)] == [COMPLAINTS]
        answer = Fact(kind=FactKind.USER_COMPLAINT_ANSWERED, at=START + 3 * DAY_MS, key=f"c-{n}")
        clocks, changes = engine.apply(clocks, TABLE, answer)
        seen += records(changes, number)
    assert standing(*seen) == []
