"""What a charter promises about false halts is said with its own numbers, and not for more than is proved."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.charter.spec import Authority, Charter, Cycle, HardRule, IndicatorSpec, Participant
from monitor.charter.spec import alpha_share as share
from monitor.projections.guarantee_words import guarantee, halting_limits


def charter(level: str = "halt", alpha: float = 0.01, **indicator: Any) -> Charter:
    fields = {
        "name": "complaints", "kind": "complaint_rate", "limit": 3, "weight": 1.0, "exposure": {"unit": "decisions"},
        "detectors": [{"name": "limit_e_process", "level": level}],
    }  # fmt: skip
    return Charter(
        schema="sandbox-charter/1",
        pilot="p",
        participant=Participant("firm"),
        scenario="s",
        tier="high",
        cycle=Cycle("2025-01-01", "2026-01-01"),
        models=(),
        authorities=(Authority("a"),),
        indicators=(msgspec.convert(fields | indicator, IndicatorSpec),),
        alpha=alpha,
        hard_rules=(HardRule("death", "halt"), HardRule("serious_injury", "escalate")),
    )


@pytest.mark.parametrize(("alpha", "said"), [(0.01, "1 %"), (0.005, "0.5 %"), (0.1, "10 %")])
def test_the_probability_is_that_of_the_charter(alpha: float, said: str) -> None:
    found = guarantee(charter(alpha=alpha))
    assert found.promise == (
        f"A firm that keeps every limit is ever halted by the statistics with probability at most {said}, however "
        "often you look."
    )
    assert f"Alpha ({said}) is what the statistical tests may spend on false halts" in found.alpha


def test_no_promise_where_no_limit_halts() -> None:
    """A limit that escalates, or one without a share of alpha, halts nothing."""
    for one in (charter("escalate"), charter(weight=0.0)):
        assert halting_limits(one) == []
        assert guarantee(one).promise == "Statistics never halt this pilot: no limit of its charter does."
        assert guarantee(one).alpha == ""


def test_the_conditions_are_those_of_the_charter() -> None:
    """Dispersion and uncertain exposure are named where the charter grants them."""
    plain = " ".join(guarantee(charter()).holds_if)
    assert "variance divided by mean at most 1" in plain
    assert "margin" not in plain
    loose = charter(variance_mean=2.5, exposure={"unit": "decisions", "uncertainty": 0.2})
    said = " ".join(guarantee(loose).holds_if)
    assert "(variance divided by mean: complaints 2.5)" in said
    assert "complaints ±20 %" in said


def test_rules_and_people_are_not_part_of_it() -> None:
    """Only rules that halt are named: another one needs no exception."""
    said = " ".join(guarantee(charter()).not_covered)
    assert "single event: death." in said
    assert "serious injury" not in said
    assert "suspension" in said


def test_the_shares_of_all_runs_are_at_most_alpha() -> None:
    """What the promise rests on: shares of every run of every limit add up to no more than alpha."""
    one = charter(segments=("a", "b", "c"))
    spec = one.indicators[0]
    assert sum(3 * share(one, spec, j) for j in range(1, 5000)) <= one.alpha
