"""Every level and reason has its words, and numbers are said so that a person can check them."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.base import Proportion, Score
from detectors.explain import explain
from monitor.model.records import Finding, Level, Reason
from monitor.projections.wording import LEVELS, REASONS, sentence
from monitor.testing.records import decision


def test_every_reason_and_level_has_its_words() -> None:
    """The map is closed: a new reason without words fails here, and no two share theirs."""
    assert set(REASONS) == set(Reason)
    assert set(LEVELS) == set(Level)
    assert len(set(REASONS.values())) == len(REASONS)


@pytest.mark.parametrize("reason", Reason)
def test_any_decision_can_be_said(reason: Reason) -> None:
    """No reason needs numbers to be said, and none trips over them."""
    words = REASONS[reason]
    assert sentence(decision(1, reason=reason, finding=Finding())).startswith(words)
    assert sentence(decision(1, reason=reason)).startswith(words)


LIMIT = Finding(
    indicator="incident_rate", rule="limit_e_process", statistic=4.6636, bar=5.1018, observed=15.0, expected=6.2
)


@pytest.mark.parametrize(
    ("reason", "finding", "more", "said"),
    [
        (
            Reason.LIMIT_HALF_WAY,
            LIMIT,
            {},
            "Evidence of an exceeded limit is half-way to its threshold: incident rate: "
            "15 counted where at most 6.2 were allowed; e-value 106, threshold 164",
        ),
        (
            Reason.LIMIT_EXCEEDED,
            Finding(
                indicator="fpr",
                segment="A",
                rule="limit_e_process",
                statistic=6.0,
                bar=5.0,
                observed=0.412,
                expected=0.3,
            ),
            {"kind": "proportion"},
            "Charter limit exceeded: fpr, A: 41.2 % where at most 30 % is allowed; e-value 403, threshold 148",
        ),
        (
            Reason.LIMIT_EXCEEDED,  # a record of an older version: its explanation shows that it is a proportion
            Finding(
                indicator="fpr",
                rule="limit_e_process",
                observed=0.4,
                expected=0.2,
                ratio=2.0,
                ratio_low=1.5,
                ratio_high=2.6,
                explanation="40 % of 100 where 20 % were allowed, twice as many.",
            ),
            {},
            "Charter limit exceeded: fpr: 40 of 100 (40 %) where at most 20 (20 %) are allowed, "
            "2 times as many (95 % interval 1.5 to 2.6)",
        ),
        (
            Reason.GAUGE_OUT_OF_RANGE,
            Finding(indicator="efficiency_gain", rule="gauge_limit", observed=0.02, expected=0.1),
            {"below": True},
            "Value outside the range of the charter: efficiency gain: 0.02 where at least 0.1 is allowed",
        ),
        (
            Reason.DRIFT_SUSPECTED,
            Finding(indicator="complaints", rule="cusum", statistic=6.5, bar=5.0, observed=9.0, expected=4.0),
            {},
            "Possible drift: complaints: 9 where 4 is usual; statistic 6.5, threshold 5",
        ),
        (
            Reason.HARD_RULE,
            Finding(rule="serious_injury", observed=1.0, expected=0.0, detail="incident, serious_injury, i-7"),
            {},
            "Hard rule of the charter triggered: rule serious injury; "
            "incident i-7, severity incident, harm serious injury",
        ),
        (Reason.SILENCE, Finding(rule="heartbeat/"), {}, "No data for longer than usual"),
        (
            Reason.SILENCE,
            Finding(indicator="silence", rule="silence", statistic=12.8, bar=12.8, observed=0.0, expected=12.8),
            {},
            "No data for longer than usual: silence: about 12.8 events expected by now",
        ),
        (Reason.CLEARED, LIMIT, {}, "Quiet for as long as the charter requires: incident rate"),
        (
            Reason.CLEARED,
            Finding(rule="acknowledge"),
            {},
            "Halt acknowledged; it is no longer overdue",
        ),
        (Reason.CLEARED, Finding(rule="sequence"), {}, "Quiet for as long as the charter requires: sequence"),
        (
            Reason.UNKNOWN_TOO_LONG,
            Finding(rule="unknown", detail="silence"),
            {},
            "State unknown for longer than the charter allows: no data for longer than usual",
        ),
        (  # free text of a person is not a flag
            Reason.OVERRIDDEN,
            Finding(rule="override", detail="silence"),
            {},
            "Level set by an officer: silence",
        ),
    ],
)
def test_a_decision_is_said_with_its_numbers(reason: Reason, finding: Finding, more: dict[str, Any], said: str) -> None:
    """The observed and the allowed value, and the evidence as an e-value with its threshold."""
    assert sentence(decision(1, reason=reason, finding=finding), **more) == said


def test_provisional_evidence_is_called_so() -> None:
    """A decision taken before its period closed says that it was."""
    import msgspec

    finding = msgspec.structs.replace(LIMIT, provisional=True)
    assert sentence(decision(1, finding=finding)).endswith("(provisional: the period is still open)")


def test_the_explanation_of_a_proportion_is_read_as_one() -> None:
    """Without the charter, the explanation that detectors write shows that observed and expected are proportions."""
    observation = Proportion(63.0, 1323.0)
    score = Score(statistic=16.8, threshold=7.4, observed=63 / 1323, expected=0.02)
    finding = Finding(
        indicator="fpr",
        rule="limit_e_process",
        observed=score.observed,
        expected=score.expected,
        explanation=explain(observation, score, "limit_e_process").sentence,
    )
    text = sentence(decision(1, reason=Reason.LIMIT_EXCEEDED, finding=finding))
    assert "63 of 1,323 (4.76 %) where at most 26.5 (2 %) are allowed" in text
