"""Duties by class and tier: what they may change, and that a better class never has graver ones."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec import structs

from monitor.charter.spec import AssessmentSpec, Tier
from monitor.compile.standards import standard_problems
from monitor.firms.rules import FirmClass
from monitor.lifecycle.duties import SHIPPED_DUTIES, ClassDuty, duty_flaws, duty_of, with_duty
from monitor.lifecycle.sandbox_check import flaws
from monitor.lifecycle.standards import SHIPPED_STANDARDS, TierStandard
from tests.unit.compile.test_standards import GOOD
from tests.unit.lifecycle.founded import SANDBOX

MAY_CHANGE = {"drill_every", "assess_every"}


@pytest.mark.parametrize("firm_class", FirmClass)
def test_a_class_changes_drills_and_assessments_alone(firm_class: FirmClass) -> None:
    """No class changes alpha, limits, hard rules, deadlines, permits, signatures or who decides; whatever the
    configuration says."""
    for standard in SHIPPED_STANDARDS:
        made = with_duty(standard, duty_of(SHIPPED_DUTIES, firm_class, standard.tier))
        odd = ClassDuty(firm_class=firm_class, tier=standard.tier, drill_every="1d", assess_every="1d", open_pilots=1)
        for found in (made, with_duty(standard, odd)):
            changed = {f for f in TierStandard.__struct_fields__ if getattr(found, f) != getattr(standard, f)}
            assert changed <= MAY_CHANGE
    assert set(ClassDuty.__struct_fields__) == {"firm_class", "tier", "open_pilots", *MAY_CHANGE}
    other = SANDBOX.for_class(firm_class)
    assert {f for f in SANDBOX.__struct_fields__ if getattr(other, f) != getattr(SANDBOX, f)} <= {"tiers"}


def test_the_shipped_duties_are_sound() -> None:
    """One for each class and tier; a configuration with them has no flaw."""
    assert {(one.firm_class, one.tier) for one in SHIPPED_DUTIES} == {
        (one, tier) for one in FirmClass for tier in get_args(Tier)
    }
    assert not list(flaws(SANDBOX))


@pytest.mark.parametrize("field", ["drill_every", "assess_every", "open_pilots"])
@pytest.mark.parametrize("worse", [FirmClass.B, FirmClass.C, FirmClass.D])
def test_a_worse_class_with_lighter_duties_is_a_mistake(field: str, worse: FirmClass) -> None:
    """In every tier and field."""
    light = {"drill_every": "1000d", "assess_every": "1000d", "open_pilots": 10_000}[field]
    grave = {"drill_every": "1d", "assess_every": "1d", "open_pilots": 1}[field]
    for tier in get_args(Tier):
        others = [
            structs.replace(one, **{field: light if one.firm_class is worse else grave})
            for one in SHIPPED_DUTIES
            if one.tier == tier
        ]
        found = [f"{flaw.field}: {flaw.problem}" for flaw in duty_flaws(others, SHIPPED_STANDARDS)]
        assert any(text.startswith(f"duties[{tier}]: {field} is lighter for class {worse.value}") for text in found)


def test_a_duty_twice_and_duties_without_rules_are_mistakes() -> None:
    """Each is named with field and fix."""
    twice = structs.replace(SANDBOX, duties=(*SHIPPED_DUTIES[:19], SHIPPED_DUTIES[18]))
    assert any("is there twice" in flaw.problem for flaw in flaws(twice))
    bare = structs.replace(SANDBOX, firm_rules=GOOD.toolkit)
    assert [flaw.field for flaw in flaws(bare)] == ["firm_rules"]


@pytest.mark.parametrize(("every", "lacks"), [(None, True), ("91d", True), ("90d", False)])
def test_a_charter_states_the_assessments_that_are_asked_for(every: str | None, lacks: bool) -> None:
    """Where a standard asks for assessments, a charter without them, or with rarer ones, lacks it."""
    asked = structs.replace(SHIPPED_STANDARDS[3], assess_every="90d")
    charter = GOOD if every is None else structs.replace(GOOD, assessment=AssessmentSpec(every))
    fields = [one.field for one in standard_problems(charter, standard=asked)]
    assert fields == (["assessment.every"] if lacks else [])
