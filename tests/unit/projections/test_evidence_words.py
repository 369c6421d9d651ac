"""The numbers of a decision, as one sentence that a person can check."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.charter.spec import Authority, Charter, Cycle, IndicatorSpec, Participant
from monitor.model.records import Finding, Reason
from monitor.projections.evidence_words import evidence_sentence, period_words, strength_words
from monitor.testing.records import decision
from monitor.translation import PSEUDO, speaking

LIMIT: dict[str, Any] = {"rule": "limit_e_process", "statistic": 9.0, "bar": 7.4, "alpha": 0.0006}


def spec(kind: str, **more: Any) -> Charter:
    """A charter with one indicator of this kind, named `x`."""
    made = msgspec.convert({"name": "x", "kind": kind, **more}, IndicatorSpec)
    return Charter(
        schema="sandbox-charter/1",
        pilot="p",
        participant=Participant("firm"),
        scenario="s",
        tier="high",
        cycle=Cycle("2023-01-01", "2024-01-01"),
        models=(),
        authorities=(Authority("a"),),
        indicators=(made,),
    )


def finding(**fields: Any) -> Finding:
    return Finding(**{"indicator": "x", **LIMIT, **fields})


@pytest.mark.parametrize(
    ("charter", "reason", "found", "said"),
    [
        (
            spec("false_positive_rate", limit=0.02),
            Reason.LIMIT_EXCEEDED,
            finding(observed=63 / 1323, expected=0.02, events=63.0, exposure=1323.0),
            "4.76 % of 1,323 harmless cases where at most 2 % are allowed",
        ),
        (
            None,
            Reason.LIMIT_EXCEEDED,
            finding(observed=63 / 1323, expected=0.02, events=63.0, exposure=1323.0),
            "4.76 % of 1,323 cases where at most 2 % are allowed",
        ),
        (
            spec("item_share", limit=0.95, direction="below"),
            Reason.LIMIT_EXCEEDED,
            finding(observed=0.9, expected=0.95, events=90.0, exposure=100.0),
            "90 % of 100 items where at least 95 % are required",
        ),
        (
            spec("incident_rate", limit=20, per=1e6, exposure={"unit": "driverless_mile"}),
            Reason.LIMIT_HALF_WAY,
            finding(observed=31.0, expected=10.9, events=31.0, exposure=543_210.0, unit="driverless_mile"),
            "31 incidents in 543,210 driverless miles where at most 10.9 are allowed",
        ),
        (
            None,
            Reason.LIMIT_HALF_WAY,
            finding(observed=31.0, expected=10.9),
            "31 events where at most 10.9 are allowed",
        ),
        (
            spec("complaint_handling_time", limit=240),
            Reason.LIMIT_HALF_WAY,
            finding(observed=8.0, expected=10.4),
            "a mean of 312 h where at most 240 h is allowed",
        ),
        (
            spec("complaint_handling_time", limit=240),
            Reason.LIMIT_HALF_WAY,
            finding(observed=0.0, expected=2.0),
            "none resolved in 480 h of waiting, where a mean of at most 240 h is allowed",
        ),
        (
            spec("compliance_cost", limit=1500, params={"currency": "EUR"}),
            Reason.GAUGE_OUT_OF_RANGE,
            finding(rule="gauge_limit", observed=1e6, expected=1500.0),
            "1,000,000 EUR where at most 1,500 EUR is allowed",
        ),
        (
            spec("efficiency_gain", limit=0.05, direction="below"),
            Reason.GAUGE_OUT_OF_RANGE,
            finding(rule="gauge_limit", observed=-0.9, expected=0.05),
            "-90 % where at least 5 % is required",
        ),
        (
            spec("complaint_rate", exposure={"unit": "decisions"}),
            Reason.DRIFT_SUSPECTED,
            finding(rule="cusum", observed=9.0, expected=4.0, events=9.0, exposure=1000.0, unit="decisions"),
            "9 complaints in 1,000 decisions where about 4 are usual",
        ),
        (
            spec("false_positive_rate", limit=1.25),
            Reason.LIMIT_EXCEEDED,
            finding(rule="disparity", observed=0.4, expected=0.25, events=40.0, exposure=100.0),
            "40 % of 100 harmless cases where the other segments allow at most 25 %",
        ),
        (
            None,
            Reason.SILENCE,
            finding(rule="silence", observed=0.0, expected=12.8),
            "no event where about 12.8 were expected",
        ),
        (
            None,
            Reason.EXPOSURE_CAP,
            Finding(rule="user_cap", observed=120.0, expected=100.0, unit="users"),
            "120 users used where at most 100 are allowed",
        ),
        (
            None,
            Reason.HALT_OVERDUE,
            Finding(rule="acknowledge", observed=75.0, expected=60.0),
            "after 75 s, 60 s allowed",
        ),
        (None, Reason.SEQUENCE_GAP, Finding(rule="sequence", observed=3.0, expected=0.0), "3 events missing"),
        (None, Reason.HARD_RULE, Finding(rule="death", observed=1.0, expected=0.0), None),
        (None, Reason.CLEARED, finding(observed=1.0, expected=2.0), None),
        (None, Reason.ADMITTED, Finding(), None),
    ],
)
def test_what_was_observed_and_what_is_allowed(
    charter: Charter | None, reason: Reason, found: Finding, said: str | None
) -> None:
    """Each kind of indicator is said in its own unit, with how many cases it rests on."""
    assert evidence_sentence(decision(1, reason=reason, finding=found), charter) == said


@pytest.mark.parametrize("reason", Reason)
def test_any_decision_has_a_sentence_or_none(reason: Reason) -> None:
    """No reason trips over the numbers of another, or over none."""
    for found in (Finding(), finding(observed=3.0, expected=2.0, period_start=0, period_end=3_600_000)):
        said = evidence_sentence(decision(1, reason=reason, finding=found))
        assert said is None or said.strip()


def test_the_period_is_named_and_an_open_one_is_called_so() -> None:
    numbers = {"observed": 31.0, "expected": 10.9, "period_start": 1690848000000, "period_end": 1693526400000}
    said = evidence_sentence(decision(1, finding=finding(**numbers)))
    assert said == "31 events where at most 10.9 are allowed (2023-08)"
    said = evidence_sentence(decision(1, finding=finding(**numbers, provisional=True)))
    assert said == "31 events where at most 10.9 are allowed (2023-08, which is still open)"
    assert evidence_sentence(decision(1, finding=finding(**numbers)), period=False) == said.split(" (")[0]


def test_the_strength_of_evidence_is_a_bound_of_ville() -> None:
    """With alpha the share of this threshold and E = threshold at alpha, the probability is alpha x bar / E; rounded so
    that it stays a bound."""
    from math import log

    found = finding(statistic=log(5000.0), bar=log(1000.0), alpha=0.001)
    assert strength_words(found) == (
        "a pilot that keeps this limit ever shows evidence this strong with probability at most 1 in 5,000"
    )
    # A fifth of alpha is left after what the uncertainty of a baseline takes: an e-value of 1,000 bounds 1 in 200.
    found = finding(statistic=log(1000.0), bar=log(1000.0), alpha=0.005)
    assert str(strength_words(found)).endswith("at most 1 in 200")
    assert str(strength_words(finding(statistic=500.0, bar=7.0, alpha=0.001))).endswith("below 1 in 1,000,000")
    assert strength_words(finding(statistic=0.1, bar=7.0, alpha=0.001)) is None  # says nothing
    assert strength_words(finding(rule="cusum", statistic=9.0, bar=7.0)) is None  # nothing is proved
    found = finding(rule="e_detector", statistic=9.0, bar=log(3650.0), alpha=None)
    said = "a rate that did not change reaches this threshold at most once in 3,600 periods on average"
    assert strength_words(found) == said


def test_periods_are_named_as_people_do() -> None:
    assert period_words(0, 7 * 86_400_000) == "1970-01-01 to 1970-01-07"
    assert period_words(82_800_000, 90_000_000) == "1970-01-01 23:00 to 1970-01-02 01:00 UTC"
    assert period_words(1000, 3000) == "1970-01-01 00:00:01 to 00:00:03 UTC"


def test_every_word_of_it_is_translated() -> None:
    """In the pseudo-language nothing but numbers and names stands outside the brackets."""
    found = finding(observed=63 / 1323, expected=0.02, events=63.0, exposure=1323.0)
    with speaking(PSEUDO):
        said = evidence_sentence(decision(1, reason=Reason.LIMIT_EXCEEDED, finding=found))
    assert said == "⟦4.76 % of 1,323 ⟦cases⟧ where at most 2 % are allowed⟧"
