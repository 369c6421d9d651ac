"""Lint: what a well-formed charter may still have wrong is named with its field and its fix, as error or as warning."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from monitor.charter.spec import (
    AssessmentSpec,
    Authority,
    Charter,
    Cycle,
    DetectorSpec,
    Drills,
    Exit,
    ExitCheck,
    ExposureSpec,
    HardRule,
    IndicatorSpec,
    Model,
    Participant,
    Reporter,
    Responses,
    Window,
)
from monitor.compile.lint import alpha_shares, lint
from monitor.compile.problem import Problem
from monitor.model.events import Harm

HALT = DetectorSpec(name="limit_e_process", level="halt")
QUICK = DetectorSpec(name="cusum", level="watch")
# One public key in two base64 forms (the last character has two bits that stand for nothing), and another key.
KEY, TWIN, OTHER = (f"ed25519:{'A' * 42}{end}=" for end in "ABE")
RATE: dict[str, Any] = {"name": "rate", "kind": "incident_rate", "exposure": ExposureSpec(unit="miles")}


def charter(*specs: IndicatorSpec, **changes: Any) -> Charter:
    given: dict[str, Any] = {
        "schema": "sandbox-charter/1",
        "pilot": "p",
        "participant": Participant(id="f"),
        "scenario": "s",
        "tier": "limited",
        "cycle": Cycle(start="2026-01-01", end="2026-12-31"),
        "models": (Model(digest="m"),),
        "authorities": (Authority(id="a", approvers=("x", "y")),),
        "indicators": specs,
    }
    return Charter(**{**given, **changes})


def rate(**changes: Any) -> IndicatorSpec:
    return IndicatorSpec(**{**RATE, "limit": 2.0, "weight": 0.5, "detectors": (HALT,), **changes})


def gauge(**changes: Any) -> IndicatorSpec:
    return IndicatorSpec(**{"name": "gain", "kind": "efficiency_gain", "limit": 0.1, "period": "1mo", **changes})


def handling(**changes: Any) -> IndicatorSpec:
    return IndicatorSpec(
        **{"name": "time", "kind": "complaint_handling_time", "limit": 240.0, "detectors": (QUICK,), **changes}
    )


def promise(**changes: Any) -> IndicatorSpec:
    given = {"name": "kept", "kind": "complaint_over_promise", "limit": 0.1, "detectors": (QUICK,)}
    return IndicatorSpec(**{**given, "params": {"promise": "15d"}, **changes})


def test_a_sound_charter_has_no_findings() -> None:
    """Counts, shares, gauges and silence together."""
    silence = IndicatorSpec(
        name="silence",
        kind="silence",
        params={"every": "30s"},
        detectors=(DetectorSpec(name="silence", level="watch"),),
    )
    limit = gauge(direction="below", detectors=(DetectorSpec(name="gauge_limit", level="watch"),))
    assert lint(charter(rate(), handling(), promise(), limit, silence)) == []


ERRORS: list[tuple[str, Charter, str]] = [
    ("a day that does not exist", charter(cycle=Cycle(start="2026-02-30", end="2026-12-31")), "cycle.start"),
    ("an end before the start", charter(cycle=Cycle(start="2026-02-01", end="2026-01-01")), "cycle.end"),
    ("no model", charter(models=()), "models"),
    ("a model twice", charter(models=(Model(digest="m"), Model(digest="m"))), "models[1].digest"),
    ("weights beyond one", charter(rate(weight=0.6), rate(name="b", weight=0.6)), "indicators"),
    ("two indicators of one name", charter(rate(weight=0.1), rate(weight=0.1)), "indicators[1].name"),
    ("an indicator that is none", charter(rate(kind="incident_rat")), "indicators[0].kind"),
    ("a rate without its unit", charter(rate(exposure=None)), "indicators[0].exposure"),
    ("a share of 30", charter(promise(limit=30.0)), "indicators[0].limit"),
    ("a parameter that is none", charter(promise(params={"promse": "1d"})), "indicators[0].params.promse"),
    ("a parameter left out", charter(promise(params={})), "indicators[0].params.promise"),
    ("a segment twice", charter(rate(segments=("A", "A")), rate(name="all", weight=0.1)), "indicators[0].segments[1]"),
    ("a period of nothing", charter(rate(period="0s")), "indicators[0].period"),
    ("a period of a lifetime", charter(rate(period="1000mo")), "indicators[0].period"),
    ("a span that ends with a line break", charter(rate(period="1h\n")), "indicators[0].period"),
    ("a promise that ends with a line break", charter(promise(params={"promise": "1h\n"})), "indicators[0].params"),
    ("a span of five thousand digits", charter(responses=Responses(lease="9" * 5000 + "s")), "responses.lease"),
    ("a delay of years on seconds", charter(rate(period="1s", reporting_delay="1d")), "indicators[0].reporting_delay"),
    (
        "a promise of years on minutes",
        charter(promise(period="1m", params={"promise": "1000d"})),
        "indicators[0].params.promise",
    ),
    (
        "a delay beyond the calendar",
        charter(rate(period="1mo", reporting_delay="99999999mo")),
        "indicators[0].reporting_delay",
    ),
    (
        "a detector that is none",
        charter(rate(detectors=(DetectorSpec(name="cusm", level="watch"),))),
        "indicators[0].detectors[0].name",
    ),
    (
        "a detector for gauges on a count",
        charter(rate(detectors=(HALT, DetectorSpec(name="gauge_limit", level="watch")))),
        "indicators[0].detectors[1].name",
    ),
    (
        "a halt on a detector that promises nothing",
        charter(rate(detectors=(HALT, DetectorSpec(name="cusum", level="halt")))),
        "indicators[0].detectors[1].level",
    ),
    (
        "a halt on a gauge",
        charter(gauge(detectors=(DetectorSpec(name="gauge_limit", level="halt"),))),
        "indicators[0].detectors[0].level",
    ),
    ("a halt on handling times", charter(handling(weight=0.1, detectors=(HALT,))), "indicators[0].detectors[0].level"),
    ("a halt without a limit", charter(rate(limit=None)), "indicators[0].limit"),
    ("a halt without alpha", charter(rate(weight=0.0)), "indicators[0].weight"),
    (
        "a detector's parameter that is none",
        charter(rate(detectors=(HALT, DetectorSpec(name="cusum", level="watch", params={"arl": 9})))),
        "indicators[0].detectors[1].params.arl",
    ),
    ("a hard rule without a condition", charter(hard_rules=(HardRule(name="x", level="halt"),)), "hard_rules[0]"),
    (
        "a hard rule on models and on harm at once",
        charter(hard_rules=(HardRule(name="x", level="halt", harm=(Harm.DEATH,), unregistered_model=True),)),
        "hard_rules[0].unregistered_model",
    ),
    (
        "two hard rules of one name",
        charter(hard_rules=(HardRule(name="x", level="halt", harm=(Harm.DEATH,)),) * 2),
        "hard_rules[1].name",
    ),
    (
        "tolerance in a high tier",
        charter(rate(), tier="high", responses=Responses(tolerate_first=True)),
        "responses.tolerate_first",
    ),
    ("drills that overtake each other", charter(drills=Drills(every="1m")), "drills.every"),
    (
        "a window over midnight",
        charter(drills=Drills(full_stops=(Window(("mon",), "23:00", "01:00"),))),
        "drills.full_stops[0].end",
    ),
    (
        "a key that is none",
        charter(authorities=(Authority(id="a", approvers=("x", "y"), keys={"x": "abc"}),)),
        "authorities[0].keys.x",
    ),
    (
        "one approver under two spellings",
        charter(authorities=(Authority(id="a", approvers=("anna", "Anna")),)),
        "authorities[0].approvers",
    ),
    (
        "one approver under two Unicode forms",
        charter(authorities=(Authority(id="a", approvers=("z\u00fc", "zu\u0308")),)),
        "authorities[0].approvers",
    ),
    (
        "one key of two people, written in two ways",
        charter(authorities=(Authority(id="a", approvers=("x", "y"), keys={"x": KEY, "y": TWIN}),)),
        "authorities[0].keys.y",
    ),
    (
        "the firm's key in office, written in another way",
        charter(
            participant=Participant("firm", keys=(TWIN,)),
            authorities=(Authority(id="a", approvers=("x", "y"), keys={"x": KEY, "y": OTHER}),),
        ),
        "authorities[0].keys.x",
    ),
    (
        "the firm's key for a reporter, written in another way",
        charter(participant=Participant("firm", keys=(KEY,)), reporters=(Reporter("desk", keys=(OTHER, TWIN)),)),
        "reporters[0].keys[1]",
    ),
    (
        "one key of two reporters",
        charter(
            participant=Participant("firm", keys=(OTHER,)),
            reporters=(Reporter("desk", keys=(KEY,)), Reporter("hospital", keys=(TWIN,))),
        ),
        "reporters[1].keys[0]",
    ),
    (
        "two reporters of one name",
        charter(
            participant=Participant("firm", keys=(OTHER,)),
            reporters=(Reporter("desk", keys=(KEY,)), Reporter("desk", keys=(KEY,))),
        ),
        "reporters[1].id",
    ),
    ("a pilot that looks like another one", charter(pilot="zu\u0308rich"), "pilot"),
    (
        "quiet for a century",
        charter(responses=Responses(unknown_escalates_after="1200mo")),
        "responses.unknown_escalates_after",
    ),
]

WARNINGS: list[tuple[str, Charter, str]] = [
    ("one approver", charter(rate(), authorities=(Authority(id="a", approvers=("x",)),)), "authorities"),
    ("reporters where telemetry is not signed", charter(reporters=(Reporter("desk", keys=(KEY,)),)), "reporters"),
    ("one pilot in five halted wrongly", charter(rate(), alpha=0.2), "alpha"),
    ("a critical pilot that nothing halts", charter(handling(), tier="critical"), "tier"),
    ("segments alone", charter(rate(segments=("A",))), "indicators[0].segments"),
    ("an indicator without a detector", charter(gauge()), "indicators[0].detectors"),
    ("alpha given where none is spent", charter(handling(weight=0.1)), "indicators[0].weight"),
    ("periods of milliseconds", charter(rate(period="10ms")), "indicators[0].period"),
    ("a lease that a crash outlasts", charter(rate(), responses=Responses(lease="30s")), "responses.lease"),
]


@pytest.mark.parametrize(("made", "field"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_an_error_is_found_at_its_field(made: Charter, field: str) -> None:
    """The table's charters cannot run as written, and the one error says where and what to do."""
    (error,) = [p for p in lint(made) if p.severity == "error"]
    assert error.field == field
    assert error.problem
    assert error.fix


@pytest.mark.parametrize(("made", "field"), [row[1:] for row in WARNINGS], ids=[row[0] for row in WARNINGS])
def test_a_warning_is_found_at_its_field(made: Charter, field: str) -> None:
    """The table's charters run, but probably not as meant."""
    found = lint(made)
    assert [(p.severity, p.field) for p in found] == [("warning", field)]
    assert found[0].fix


def test_a_misspelt_name_gets_the_nearest_known_one() -> None:
    """Of many words the one that was meant; of none near, all of them."""
    (near,) = lint(charter(rate(kind="incident_rat")))
    assert near == Problem(
        "error", "indicators[0].kind", "there is no indicator 'incident_rat'", "did you mean incident_rate?"
    )
    (far,) = lint(charter(rate(kind="zzz")))
    assert "complaint_rate, compliance_cost" in far.fix


def test_the_alpha_table_splits_the_charters_alpha_over_its_streams() -> None:
    """alpha x weight / segments x 6 / pi^2 before the first restart, and the threshold is its inverse."""
    made = charter(rate(segments=("A", "B"), weight=0.4), rate(name="all", weight=0.6), handling(), alpha=0.02)
    table = alpha_shares(made)
    assert [(s.indicator, s.segment) for s in table] == [("rate", "A"), ("rate", "B"), ("all", "")]
    basel = 6 / 3.141592653589793**2
    assert [s.alpha for s in table] == pytest.approx([0.004 * basel, 0.004 * basel, 0.012 * basel])
    assert table[2].bar == pytest.approx(1 / (0.012 * basel))


def test_the_late_window_covers_the_time_of_regrading() -> None:
    """An incident that is regraded later than the window reaches is too late to count: the fix is a wider window while
    there can be one, else counting by classification."""
    serious: dict[str, Any] = {"severity": "serious_incident", "regraded_within": "30d"}
    found = lint(charter(rate(period="1d", reporting_delay="2d", params=serious)))
    assert [(p.severity, p.field) for p in found] == [("warning", "indicators[0].late_window")]
    assert "late_window: 28" in found[0].fix
    assert not lint(charter(rate(period="1d", reporting_delay="2d", late_window=28, params=serious)))
    assert not lint(charter(rate(period="1d", params={**serious, "by": "classification"})))
    assert "longer periods" in lint(charter(rate(period="1h", params=serious)))[0].fix


@pytest.mark.parametrize(
    ("check", "field"),
    [
        (ExitCheck("rate"), "exit.checks[0]"),
        (ExitCheck("rate", least=2.0, most=1.0), "exit.checks[0]"),
        (ExitCheck("quiet_days", least=30.0, indicator="rate"), "exit.checks[0].indicator"),
        (ExitCheck("power", least=0.9, indicator="stranger"), "exit.checks[0].indicator"),
    ],
    ids=["no bound", "bounds exchanged", "of the pilot", "unknown indicator"],
)
def test_a_check_of_an_exit_names_something_that_can_be_checked(check: ExitCheck, field: str) -> None:
    """A check that nothing can pass, or that is of nothing, is an error."""
    made = structs.replace(charter(rate()), exit=Exit(checks=(check,)))
    assert [(p.severity, p.field) for p in lint(made)] == [("error", field)]
    good = structs.replace(charter(rate()), exit=Exit(checks=(ExitCheck("power", least=0.9, indicator="rate"),)))
    assert not lint(good)


def test_an_assessment_is_not_due_all_the_time() -> None:
    """Its timer would never stop."""
    made = structs.replace(charter(rate()), assessment=AssessmentSpec("0d"))
    assert [(p.severity, p.field) for p in lint(made)] == [("error", "assessment.every")]
