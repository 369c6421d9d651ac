"""Every level and reason has its words, and numbers are said so that a person can check them."""

from __future__ import annotations

from typing import Any

import pytest

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
            "The evidence of a broken limit is half-way to its threshold: incident rate: "
            "15 counted where at most 6.2 were allowed; evidence 106 against a threshold of 164",
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
            "A limit of the charter is broken: fpr, A: 41.2 % where at most 30 % is allowed; "
            "evidence 403 against a threshold of 148",
        ),
        (
            Reason.LIMIT_EXCEEDED,  # the detector's own sentence tells that it is a share, and the ratio stands beside
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
            "A limit of the charter is broken: fpr: 40 of 100 (40 %) where at most 20 (20 %) are allowed, "
            "2 times that (95 % interval 1.5 to 2.6)",
        ),
        (
            Reason.GAUGE_OUT_OF_RANGE,
            Finding(indicator="efficiency_gain", rule="gauge_limit", observed=0.02, expected=0.1),
            {"below": True},
            "A value lies outside what the charter states: efficiency gain: 0.02 where at least 0.1 is allowed",
        ),
        (
            Reason.DRIFT_SUSPECTED,
            Finding(indicator="complaints", rule="cusum", statistic=6.5, bar=5.0, observed=9.0, expected=4.0),
            {},
            "The numbers may be drifting: complaints: 9 where 4 is usual; statistic 6.5 against a threshold of 5",
        ),
        (
            Reason.HARD_RULE,
            Finding(rule="serious_injury", observed=1.0, expected=0.0, detail="incident, serious_injury, i-7"),
            {},
            "An event happened on which the charter acts at once: rule serious injury; "
            "incident i-7, severity incident, harm serious injury",
        ),
        (Reason.SILENCE, Finding(rule="heartbeat/"), {}, "Nothing has been heard for longer than is usual"),
        (
            Reason.SILENCE,
            Finding(indicator="silence", rule="silence", statistic=12.8, bar=12.8, observed=0.0, expected=12.8),
            {},
            "Nothing has been heard for longer than is usual: silence: about 12.8 events would have come by now",
        ),
        (Reason.CLEARED, LIMIT, {}, "Quiet for as long as the charter asks: incident rate"),
        (
            Reason.CLEARED,
            Finding(rule="acknowledge"),
            {},
            "The service acknowledged: the halt is not overdue any more",
        ),
        (Reason.CLEARED, Finding(rule="sequence"), {}, "Quiet for as long as the charter asks: sequence"),
        (
            Reason.UNKNOWN_TOO_LONG,
            Finding(rule="unknown", detail="silence"),
            {},
            "The state of the pilot has been unknown for too long: nothing has been heard for longer than is usual",
        ),
        (  # a person's own word stays one, whatever else it may mean here
            Reason.OVERRIDDEN,
            Finding(rule="override", detail="silence"),
            {},
            "Set by hand by a regulator: silence",
        ),
    ],
)
def test_a_decision_is_said_with_its_numbers(reason: Reason, finding: Finding, more: dict[str, Any], said: str) -> None:
    """What was seen, what is allowed, the evidence as an e-value beside its bar."""
    assert sentence(decision(1, reason=reason, finding=finding), **more) == said


def test_provisional_evidence_is_called_so() -> None:
    """A decision taken before its period closed says that it was."""
    import msgspec

    finding = msgspec.structs.replace(LIMIT, provisional=True)
    assert sentence(decision(1, finding=finding)).endswith("(before the period has closed)")
