"""The class of a record: which number decides, with exact limits."""

from __future__ import annotations

import pytest
from msgspec import structs

from monitor.firms.classes import Classified, ClassReason, firm_class, ground_words
from monitor.firms.record import YEAR_MS, FirmRecord
from monitor.firms.rules import SHIPPED_RULES, EnoughRecord, FirmClass, FirmRules, Limits, Measure, rule_flaws

HALTS = FirmRules(schema="firm-rules/1", id="halts", version=1, limits={Measure.HALTS: Limits(0.5, 1, 2)})


def record(years: float, **numbers: int) -> FirmRecord:
    given = {"pilots": 4, "observations": 10_000, **numbers}
    return FirmRecord(firm="firm-1", operated_ms=round(years * YEAR_MS), **given)  # type: ignore[arg-type]


def judged(years: float, rules: FirmRules = HALTS, **numbers: int) -> Classified:
    return firm_class(record(years, **numbers), rules)


# Garwood's limits of 0, 1, 3 and 10 events at confidence 0.9: upper 2.995732, 4.743865, 7.753657, 16.962219; lower of
# 10 events 5.425406.
@pytest.mark.parametrize(
    ("years", "halts", "gives", "limit"),
    [
        (6.0, 0, FirmClass.A, 0.5),
        (5.9, 0, FirmClass.B, 1.0),
        (3.0, 0, FirmClass.B, 1.0),
        (2.99, 0, FirmClass.NOT_ENOUGH, 1.0),
        (4.75, 1, FirmClass.B, 1.0),
        (4.74, 1, FirmClass.NOT_ENOUGH, 1.0),
        (15.6, 3, FirmClass.A, 0.5),
        (15.4, 3, FirmClass.B, 1.0),
        (5.4, 10, FirmClass.C, 1.0),
        (5.5, 10, FirmClass.NOT_ENOUGH, 1.0),
        (2.7, 10, FirmClass.D, 2.0),
        (2.72, 10, FirmClass.C, 1.0),
    ],
)
def test_the_class_changes_where_an_exact_limit_meets_the_rule(
    years: float, halts: int, gives: FirmClass, limit: float
) -> None:
    """The class of a rate is decided by Garwood's limits."""
    found = judged(years, halts=halts)
    assert (found.gives, found.deciding[0].limit) == (gives, limit)


def test_few_pilots_do_not_look_perfect() -> None:
    """One pilot without any event gives no class better than `not_enough_record`, however long it runs."""
    found = judged(20, pilots=1)
    assert found.gives is FirmClass.NOT_ENOUGH
    assert [one.reason for one in found.deciding] == [ClassReason.TOO_FEW_PILOTS]


def test_one_early_halt_gives_no_bad_class() -> None:
    """A halt on the first day is taken as one in the least time that the rules ask for."""
    assert judged(1 / 365, halts=1).gives is FirmClass.NOT_ENOUGH
    assert judged(1 / 365, halts=6).gives is FirmClass.D


def test_what_is_against_a_new_firm_is_found_all_the_same() -> None:
    """Too few pilots do not hide a bad record."""
    assert judged(1, pilots=1, halts=12).gives is FirmClass.D


def test_a_truncated_record_gives_no_good_class() -> None:
    """Nothing good follows from a part of a record."""
    found = firm_class(structs.replace(record(20), truncated=True), HALTS)
    assert (found.gives, found.deciding[0].reason) == (FirmClass.NOT_ENOUGH, ClassReason.TRUNCATED)


def test_the_worst_measure_decides_and_is_named() -> None:
    """The class is that of the worst measure, with its number."""
    found = judged(10, SHIPPED_RULES, contradictions=20, halts=5)
    assert found.gives is FirmClass.D
    assert [one.measure for one in found.deciding] == [Measure.CONTRADICTIONS]
    assert "20 in 10 pilot-years" in ground_words(found.deciding[0])
    assert len(found.grounds) == len(SHIPPED_RULES.limits)


def test_a_share_is_judged_by_its_trials() -> None:
    """Late observations are judged as a share of all, by Clopper and Pearson's limits."""
    rules = structs.replace(HALTS, limits={Measure.LATE_SHARE: Limits(0.1, 0.2, 0.3)})
    assert judged(6, rules, observations=97, observations_late=3).gives is FirmClass.A
    assert judged(6, rules, observations=3, observations_late=1).gives is FirmClass.NOT_ENOUGH
    assert judged(6, rules, observations=50, observations_late=50).gives is FirmClass.D


def test_mistakes_in_rules_are_named() -> None:
    """Limits that fall from A to C, and shares above 1, are mistakes with field and fix."""
    wrong = structs.replace(HALTS, limits={Measure.HALTS: Limits(2, 1, 3), Measure.LATE_SHARE: Limits(0.1, 0.2, 2)})
    assert [field for field, _, _ in rule_flaws(wrong)] == ["limits.halts.A", "limits.late_share.C"]
    assert not list(rule_flaws(SHIPPED_RULES))


def test_every_measure_names_a_number_of_the_record() -> None:
    """Measures and record do not drift apart."""
    for measure in Measure:
        assert measure is Measure.LATE_SHARE or measure.value in FirmRecord.__struct_fields__


def test_less_record_is_asked_for_by_the_rules() -> None:
    """How much record is needed is data."""
    rules = structs.replace(HALTS, enough=EnoughRecord(pilots=1))
    assert judged(20, rules, pilots=1).gives is FirmClass.A
