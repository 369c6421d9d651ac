"""What of its toolkit a charter has removed, loosened or replaced; what is stricter or added is no deviation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.spec import Charter, ToolkitRef
from monitor.compile.load import read_charter
from monitor.toolkits.deviations import deviations, toolkit_problems
from monitor.toolkits.load import SHIPPED, shipped
from monitor.toolkits.new import new_charter

FINANCE = shipped("consumer_finance")
OWN = FINANCE.ref


def charter(*edits: tuple[str, str]) -> Charter:
    """The template of consumer finance with texts replaced."""
    text = new_charter(FINANCE)
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    reading = read_charter(text)
    assert reading.charter is not None, reading.found
    return reading.charter


def said(*edits: tuple[str, str]) -> list[str]:
    return [str(one) for one in deviations(charter(*edits), FINANCE.charter)]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_new_charter_does_not_deviate(name: str) -> None:
    """Neither from its template nor in any warning."""
    made = read_charter(new_charter(shipped(name))).charter
    assert made is not None
    assert deviations(made, shipped(name).charter) == []
    assert toolkit_problems(made, [shipped(name)]) == []


GAP = "  - name: false-positives-gap"
LOOSER: list[tuple[str, str, str]] = [
    ("tier: high", "tier: limited", "tier: loosened: limited where the toolkit has high"),
    ("identifiers: pseudonyms", "#identifiers: pseudonyms", "identifiers: removed; the toolkit has pseudonyms"),
    ("limit: 0.02", "limit: 0.04", "indicators[0].limit: loosened: 0.04 where the toolkit has 0.02"),
    ("limit: 4\n", "limit: 5\n", "indicators[3].limit: loosened: 5 per 1000 where the toolkit has 4 per 1000"),
    ("limit: 4\n", "baseline: {events: 9, exposure: 900, times: 1}\n",
     "indicators[3].limit: loosened: 10 per 1000 where the toolkit has 4 per 1000"),
    ("unit: users", "unit: visits",
     "indicators[3].exposure.unit: replaced: visits where the toolkit has users"),
    ("segments: [under-25, 25-to-64, over-64]", "segments: [under-25, over-64]",
     "indicators[1].segments: removed; the toolkit has 25-to-64"),
    ("period: 1d", "period: 7d", "indicators[0].period: loosened: 7d where the toolkit has 1d"),
    ("minimum_events: 20", "minimum_events: 90", "indicators[0].minimum_events: loosened: 90 where the toolkit has 20"),
    ("variance_mean: 2", "variance_mean: 9", "indicators[0].variance_mean: loosened: 9 where the toolkit has 2"),
    ("weight: 0.3", "weight: 0.01", "indicators[0].weight: loosened: alpha 6.1e-05 where the toolkit has alpha 0.0018"),
    ("{promise: 15d}", "{promise: 40d}", "indicators[4].params.promise: loosened: 40d where the toolkit has 15d"),
    ("level: halt, params", "level: escalate, params", "detectors[0].level: loosened: escalate where"),
    ("check_dispersion: true, dispersion_prior: 3", "dispersion_prior: 3",
     "detectors[0].params.check_dispersion: loosened: false where the toolkit has true"),
    ("dispersion_prior: 3", "dispersion_prior: 4", "params.dispersion_prior: loosened: 4 where the toolkit has 3"),
    ("at_most: 1.25", "at_most: 2", "params.at_most: loosened: 2 where the toolkit has 1.25"),
    ("      - {name: river_drift, level: watch}\n", "",
     "indicators[3].detectors[river_drift]: removed; the toolkit has watch"),
    ("kind: compliance_cost", "kind: efficiency_gain",
     "indicators[7].kind: replaced: efficiency_gain where the toolkit has compliance_cost"),
    ("harm: [fundamental_rights]", "harm: [death]", "hard_rules[0].harm: loosened: death where the toolkit has fund"),
    ("level: halt\n    clauses", "level: watch\n    clauses", "hard_rules[0].level: loosened: watch where"),
    ("  - {name: serious-incident, level: escalate, severity: [serious_incident], "
     "clauses: [eu-aia-3-49, eu-aia-73-2]}\n", "",
     "hard_rules[serious-incident]: removed; the toolkit has escalate"),
    ("watch_clears_after: 7", "watch_clears_after: 2", "responses.watch_clears_after: loosened: 2 where"),
    ("half_way: escalate", "half_way: watch", "responses.half_way: loosened: watch where the toolkit has escalate"),
    ("lease: 60s", "lease: 5m", "responses.lease: loosened: 5m where the toolkit has 60s"),
    ("every: 7d ", "every: 90d ", "drills.every: loosened: 90d where the toolkit has 7d"),
    ("  every: 7d ", "  #every: 7d ", "drills.every: loosened: nothing where the toolkit has 7d"),
    ("bounds: {false_positive_rate: {most: 0.02}", "bounds: {false_positive_rate: {most: 0.2}",
     "evaluation[0].bounds.false_positive_rate: loosened: at most 0.2 where the toolkit has at most 0.02"),
    (", recall: {least: 0.7}", "", "evaluation[0].bounds.recall: removed; the toolkit has at least 0.7"),
    ("assessment: {every: 90d", "assessment: {every: 180d", "assessment.every: loosened: 180d where"),
    ("quiet_for: 90d", "quiet_for: 30d", "exit.quiet_for: loosened: 30d where the toolkit has 90d"),
    ("{measure: open_rectifications, most: 0}", "{measure: open_rectifications, most: 3}",
     "exit.checks[open_rectifications]: loosened: at most 3 where the toolkit has at most 0"),
    ("sector: finance", "sector: health", "sector: replaced: health where the toolkit has finance"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), LOOSER)
def test_what_is_looser_is_named_with_both_values(old: str, new: str, says: str) -> None:
    """One row for each kind of field: exactly one deviation, at its field."""
    (found,) = said((old, new))
    assert says in found


def test_a_removed_indicator_is_named() -> None:
    """With its kind, and the most that it could cause."""
    text = new_charter(FINANCE)
    gap = text[text.index(GAP) : text.index("  - name: complaints")]
    (found,) = said((gap, ""))
    assert found == "indicators[false-positives-gap]: removed; the toolkit has false_positive_rate, escalate"


def test_a_rule_on_something_else_is_replaced() -> None:
    """What it was on, and what it is on now."""
    assert said(("unregistered_model: true", "boundary: true")) == [
        "hard_rules[2].boundary: replaced: true where the toolkit has false",
        "hard_rules[2].unregistered_model: replaced: false where the toolkit has true",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tier: high", "tier: critical"),
        ("limit: 0.02", "limit: 0.01"),
        ("limit: 4\n", "limit: 0.004\n"),
        ("limit: 0.05\n    direction: below", "limit: 0.06\n    direction: below"),
        ("period: 1d", "period: 12h"),
        ("{promise: 15d}", "{promise: 5d}"),
        ("cap: 20000", "cap: 90000"),
        ("level: watch}\n  - name: silence", "level: escalate}\n  - name: silence"),
        ("    harm: [fundamental_rights]\n", ""),
        ("watch_clears_after: 7", "watch_clears_after: 9"),
        ("quiet_for: 90d", "quiet_for: 180d"),
        ("scenario: Fraud", "scenario: Other fraud"),
        ("power: {exposure: 5000}", "power: {exposure: 50}"),
    ],
)
def test_what_is_stricter_or_not_compared_is_no_deviation(old: str, new: str) -> None:
    """Lower limits, shorter spans, higher levels, other texts, caps and plans; a limit of another scale by `per`."""
    edits = [(old, new)] if new != "limit: 0.004\n" else [(old, new), ("per: 1000\n", "per: 1\n")]
    assert said(*edits) == []


def test_a_least_value_is_looser_when_it_is_lower() -> None:
    """Where the direction is below, less is asked for."""
    assert said(("limit: 0.05\n    direction: below", "limit: 0.01\n    direction: below")) == [
        "indicators[8].limit: loosened: 0.01 where the toolkit has 0.05"
    ]


def problems(own: ToolkitRef, *known: int) -> list[str]:
    """What is said of a charter with this provenance where these versions are known."""
    made = structs.replace(FINANCE.charter, toolkit=own)
    there = [structs.replace(FINANCE, about=structs.replace(FINANCE.about, version=version)) for version in known]
    return [f"{one.severity} {one.field}: {one.problem}" for one in toolkit_problems(made, there)]


def test_the_provenance_is_compared_with_the_toolkits_that_are_known() -> None:
    """Unknown, newer, older, another content of the same version; nothing for the same one, or without provenance."""
    assert problems(OWN, 1) == []
    assert problems(OWN, 1, 2) == ["warning toolkit.version: a newer version 2 of consumer_finance exists"]
    assert problems(OWN, 2) == ["warning toolkit.version: a newer version 2 of consumer_finance exists"]
    assert problems(structs.replace(OWN, version=3), 1) == [
        "warning toolkit.version: only version 1 of consumer_finance is here"
    ]
    (other,) = problems(structs.replace(OWN, digest="0" * 64), 1)
    assert other == f"warning toolkit.digest: version 1 of consumer_finance has the digest {OWN.digest} here"
    (unknown,) = problems(structs.replace(OWN, id="other"), 1)
    assert unknown == "warning toolkit.id: there is no toolkit other here to compare with"
    assert toolkit_problems(FINANCE.charter, [FINANCE]) == []


def test_charter_check_prints_deviations_at_their_lines(tmp_path: Path) -> None:
    """As warnings, which do not fail the check."""
    path = tmp_path / "c.yaml"
    text = new_charter(FINANCE).replace("limit: 0.02", "limit: 0.04")
    path.write_text(text)
    result = CliRunner().invoke(cli, ["charter", "check", str(path)])
    assert result.exit_code == 0
    line = text[: text.index("limit: 0.04")].count("\n") + 1
    words = r"warning: indicators\[0\]\.limit: loosened: 0.04 where the toolkit has 0.02"
    assert re.search(rf"{re.escape(str(path))}:{line}:\d+: {words}", result.stderr)
