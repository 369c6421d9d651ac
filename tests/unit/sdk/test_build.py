"""Which arguments the SDK rejects, and with which message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from monitor.model.events import CostReported, Event, ExposureTallied, IncidentReported, OutcomesTallied, encode
from monitor.sdk.build import BadEvent, build

GOOD = {"source": "firm/p/1", "pilot": "p", "number": 7, "at": None}
COUNTS = {"tp": 1, "fp": 2, "tn": 3, "fn": 4}

BAD: list[tuple[str, type, dict[str, Any], dict[str, Any], str, str]] = [
    ("a negative count", OutcomesTallied, {}, {**COUNTS, "fp": -1}, "fp", "whole number"),
    ("a count that is no number", OutcomesTallied, {}, {**COUNTS, "tp": "1"}, "tp", "whole number"),
    ("a fraction of a decision", OutcomesTallied, {}, {**COUNTS, "tn": 1.5}, "tn", "whole number"),
    ("an infinite exposure", ExposureTallied, {}, {"unit": "miles", "amount": float("inf")}, "amount", "finite"),
    (
        "an exposure that is not a number",
        ExposureTallied,
        {},
        {"unit": "miles", "amount": float("nan")},
        "amount",
        "finite",
    ),
    ("an exposure without a unit", ExposureTallied, {}, {"unit": "", "amount": 1.0}, "unit", "1 to 200"),
    ("a currency that is none", CostReported, {}, {"amount": 1.0, "currency": "euro"}, "currency", "EUR"),
    ("an unknown grade", IncidentReported, {}, {"incident": "i", "severity": "bad"}, "severity", "near_miss"),
    ("an unknown harm", IncidentReported, {}, {"incident": "i", "severity": "hazard", "harm": "x"}, "harm", "death"),
    ("free text for an id", IncidentReported, {}, {"incident": "x" * 201, "severity": "hazard"}, "incident", "200"),
    ("a number for an id", IncidentReported, {}, {"incident": 5, "severity": "hazard"}, "incident", "1 to 200"),
    ("a time without an offset", OutcomesTallied, {"at": datetime(2026, 1, 1)}, COUNTS, "time", "UTC offset"),
    ("a time that is text", OutcomesTallied, {"at": "2026-01-01"}, COUNTS, "time", "datetime"),
    (
        "a time further ahead than the monitor takes",
        OutcomesTallied,
        {"at": datetime.now(UTC) + timedelta(days=1)},  # the list is made long before the test runs
        COUNTS,
        "time",
        "5 minutes",
    ),
    ("an empty pilot", OutcomesTallied, {"pilot": ""}, COUNTS, "subject", "pilot's id"),
]


@pytest.mark.parametrize(("sentence", "kind", "change", "data", "field", "fix"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_argument_is_refused_by_name_with_the_fix(
    sentence: str, kind: type, change: dict[str, Any], data: dict[str, Any], field: str, fix: str
) -> None:
    """Each wrong argument raises `BadEvent`, which names the field and the fix."""
    with pytest.raises(BadEvent) as caught:
        build(kind, **{**GOOD, **change}, data=data)
    assert caught.value.field == field
    assert fix in caught.value.detail


def test_the_monitor_decodes_what_is_built() -> None:
    """An event is unchanged by encoding and by decoding with the monitor's union; `sequence` is the padded number."""
    event = build(OutcomesTallied, **GOOD, data=COUNTS)
    assert msgspec.json.decode(encode(event), type=Event) == event
    assert event.sequence == "000000000007"
