"""Tier by rule, and the minimum standards of a tier: what a charter lacks is an error with its field and its fix."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET, structs

from monitor.charter.spec import (
    Authority,
    Bound,
    Charter,
    Cycle,
    DetectorSpec,
    Drills,
    Exit,
    ExposureSpec,
    HardRule,
    IndicatorSpec,
    Model,
    Participant,
    PowerSpec,
    Responses,
    Tier,
    Trial,
    Users,
    Window,
)
from monitor.compile.lint import lint
from monitor.compile.load import read_charter
from monitor.compile.plan import STRICT
from monitor.compile.standards import STANDARDS, standard_problems
from monitor.compile.tier_rules import RULES, TIERS, Facts, TierRule, facts_of, tier_by_rule
from monitor.deadlines.shipped import example_table
from monitor.lifecycle.acts import Role
from monitor.lifecycle.first import first_sandbox
from monitor.lifecycle.sandbox import Person, SandboxAuthority
from monitor.lifecycle.standards import SHIPPED_STANDARDS, TierStandard, weaker_fields
from monitor.model.events import Harm, Severity
from monitor.model.signing import Signer
from monitor.toolkits.load import SHIPPED, shipped

KEYS = [Signer(bytes([n]) * 32).public for n in range(1, 6)]
SERIOUS, DEATH = (Severity.SERIOUS_INCIDENT,), (Harm.DEATH,)
RATE = IndicatorSpec(
    name="harms", kind="incident_rate", limit=1.0, per=100, period="1w", weight=1.0,
    exposure=ExposureSpec(unit="rides"), power=PowerSpec(exposure=1000),
    detectors=(DetectorSpec("limit_e_process", "halt"),),
)  # fmt: skip
GOOD = Charter(
    schema="sandbox-charter/1",
    pilot="p",
    participant=Participant(id="f", keys=(KEYS[0],)),
    scenario="s",
    tier="critical",
    sector="transport",
    cycle=Cycle(start="2026-01-05", end="2026-12-31"),
    models=(Model(digest="m"),),
    authorities=(
        Authority(id="a", approvers=("x",), officers=("o",), keys={"x": KEYS[1], "o": KEYS[2]}),
        Authority(id="b", approvers=("y",), keys={"y": KEYS[3]}),
    ),
    indicators=(RATE,),
    users=Users(cap=200),
    hard_rules=(
        HardRule("death", "halt", harm=DEATH),
        HardRule("serious", "escalate", severity=SERIOUS),
    ),
    responses=Responses(unknown_escalates_after="6h", sequence_gap="escalate"),
    drills=Drills(every="7d", full_stops=(Window(days=("tue",), start="02:00", end="04:00"),)),
    evaluation=(Trial("rain", {"collisions": Bound(most=0)}),),
    exit=Exit(quiet_for="90d"),
    identifiers="pseudonyms",
)


def lacking(made: Charter, **asked: Any) -> list[str]:
    return [problem.field for problem in standard_problems(made, **asked)]


def test_a_charter_that_keeps_the_standards_of_its_tier_lacks_nothing() -> None:
    """The gravest tier, and so with the same content each lighter one that the rules do not forbid."""
    assert lint(GOOD) == []
    assert standard_problems(GOOD) == []
    for tier in TIERS:
        assert standard_problems(structs.replace(GOOD, tier=tier), tier=tier) == []


def responses(**changes: Any) -> dict[str, Any]:
    return {"responses": structs.replace(GOOD.responses, **changes)}


def drills(**changes: Any) -> dict[str, Any]:
    return {"drills": structs.replace(GOOD.drills, **changes)}


FIRST, SECOND = GOOD.authorities
BOTH, MILD = structs.replace(FIRST, approvers=("x", "o")), DetectorSpec("limit_e_process", "escalate")
CASES: list[tuple[str, dict[str, Any], str]] = [
    ("highest_alpha", {"alpha": 0.011}, "alpha"),
    ("authorities", {"authorities": (BOTH,)}, "authorities"),
    ("authorities", {"authorities": (BOTH, structs.replace(SECOND, approvers=(), keys={}))}, "authorities"),
    ("approvers", {"authorities": (FIRST, structs.replace(SECOND, approvers=("x",), keys={}))}, "authorities"),
    ("longest_lease", responses(lease="3m"), "responses.lease"),
    ("acknowledge_within", responses(acknowledge_within="61s"), "responses.acknowledge_within"),
    ("unknown_escalates_after", responses(unknown_escalates_after="7h"), "responses.unknown_escalates_after"),
    ("gap_escalates", responses(sequence_gap="watch"), "responses.sequence_gap"),
    ("tolerates", responses(tolerate_first=True), "responses.tolerate_first"),
    ("drill_every", drills(every=None), "drills.every"),
    ("drill_every", drills(every="8d"), "drills.every"),
    ("full_stop_window", drills(full_stops=()), "drills.full_stops"),
    ("scenarios", {"evaluation": ()}, "evaluation"),
    ("signed_acts", {"authorities": (structs.replace(FIRST, keys={"x": KEYS[1]}), SECOND)}, "authorities"),
    ("signed_telemetry", {"participant": Participant(id="f")}, "participant.keys"),
    ("pseudonyms", {"identifiers": UNSET}, "identifiers"),
    ("halting_limit", {"indicators": (structs.replace(RATE, detectors=(MILD,)),)}, "indicators"),
    ("power", {"indicators": (structs.replace(RATE, power=UNSET),)}, "indicators[0].power"),
    ("power", {"indicators": (structs.replace(RATE, power=PowerSpec(exposure=20)),)}, "indicators[0].power"),
    ("rate_ratio", {"indicators": (structs.replace(RATE, power=PowerSpec(exposure=25, ratio=3.0)),)},
     "indicators[0].power"),
    ("death_halts", {"hard_rules": GOOD.hard_rules[1:]}, "hard_rules"),
    ("death_halts", {"hard_rules": (HardRule("death", "escalate", harm=DEATH), GOOD.hard_rules[1])}, "hard_rules"),
    ("serious_escalates", {"hard_rules": GOOD.hard_rules[:1]}, "hard_rules"),
    ("quiet_for", {"exit": Exit(quiet_for="30d")}, "exit.quiet_for"),
]  # fmt: skip


@pytest.mark.parametrize(("standard", "changes", "field"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_each_standard_is_checked(standard: str, changes: dict[str, Any], field: str) -> None:
    """What a charter lacks is one error with its field and a fix; without the standard it is none."""
    made = structs.replace(GOOD, **changes)
    [problem] = standard_problems(made, tier="critical")
    assert (problem.severity, problem.field) == ("error", field)
    assert problem.problem
    assert problem.fix
    asks_nothing = TierStandard(tier="critical", highest_alpha=1.0, authorities=0, approvers=0, tolerates=True)
    assert standard_problems(made, asks_nothing, tier="critical") == []


def test_every_standard_that_a_charter_can_show_has_a_case() -> None:
    """A field of the table that nothing checks would be a promise that nothing keeps."""
    assert set(TierStandard.__struct_fields__) - {case[0] for case in CASES} == {
        "tier", "independent_evaluator", "permits", "toolkit", "assess_every",  # tests/unit/toolkits, tests/unit/firms
    }  # fmt: skip


def test_permits_are_asked_for_in_the_tiers_that_enforce_them() -> None:
    """The tiers whose service stops without a permit are those whose standards say so; another table is told."""
    assert tuple(tier for tier in TIERS if STANDARDS[tier].permits) == STRICT
    asked = TierStandard(tier="limited", highest_alpha=1.0, permits=True, tolerates=True)
    assert lacking(structs.replace(GOOD, tier="limited"), standard=asked, tier="limited") == ["tier"]


def test_a_graver_tier_asks_for_no_less() -> None:
    """Along the tiers no standard becomes lighter."""
    assert list(weaker_fields(SHIPPED_STANDARDS)) == []
    strict = SHIPPED_STANDARDS[3]
    for field, value in (
        ("highest_alpha", 0.03), ("authorities", 0), ("longest_lease", "6m"), ("drill_every", None),
        ("quiet_for", "80d"), ("pseudonyms", False), ("power", 0.7), ("rate_ratio", 3.0), ("tolerates", True),
    ):  # fmt: skip
        weak = structs.replace(strict, **{field: value})
        found = list(weaker_fields((*SHIPPED_STANDARDS[:3], weak)))
        assert found == [("critical", field, "high")]


PEOPLE = first_sandbox("city", "a", {}, example_table())


def test_with_a_sandbox_the_people_are_those_of_its_configuration() -> None:
    """Those of the charter count for nothing: an authority must be there, with approvers, and with keys where acts are
    to be signed."""
    people = tuple(
        Person(name, roles, authority, (Signer(bytes([number]) * 32).public,))
        for number, (name, roles, authority) in enumerate(
            (("o", (Role.OFFICER,), "a"), ("x", (Role.APPROVER,), "a"), ("y", (Role.APPROVER,), "b")), 20
        )
    )
    both = (SandboxAuthority("a", "central"), SandboxAuthority("b", "sectoral"))
    sandbox = structs.replace(PEOPLE, authorities=both, people=people)
    bare = structs.replace(GOOD, authorities=(Authority("a"), Authority("b")))
    assert standard_problems(bare, sandbox=sandbox) == []
    assert lacking(GOOD, sandbox=structs.replace(sandbox, people=people[:2])) == ["authorities"]
    without = structs.replace(sandbox, people=people[:2])
    [(_, fix)] = [(one.field, one.fix) for one in standard_problems(GOOD, sandbox=without)]
    assert fix == "also list one that has approvers: a"
    unsigned = tuple(structs.replace(person, keys=()) for person in people)
    assert lacking(GOOD, sandbox=structs.replace(sandbox, people=unsigned)) == ["authorities"]
    assert lacking(GOOD, sandbox=PEOPLE) == ["authorities[1].id", "authorities", "authorities"]
    lax = tuple(structs.replace(one, highest_alpha=0.2) for one in sandbox.tiers)
    greedy = structs.replace(bare, alpha=0.1)
    assert lacking(greedy, sandbox=sandbox) == ["alpha"]
    assert lacking(greedy, sandbox=structs.replace(sandbox, tiers=lax)) == []


FACTS: list[tuple[Facts, Tier, str]] = [
    (Facts(users=100), "minimal", ""),
    (Facts(users=20_000), "limited", "many"),
    (Facts(), "limited", "many"),
    (Facts(users=100, decides=True), "limited", "decides"),
    (Facts(users=100, sector="Finance"), "high", "annex-iii"),
    (Facts(users=100, sector="law_enforcement"), "high", "annex-iii"),
    (Facts(users=100, sector="health"), "high", "safety-component"),
    (Facts(users=100, sector="health", harms=DEATH), "critical", "life-in-safety-component"),
    (Facts(users=100, sector="retail", harms=DEATH), "high", "serious-harm"),
    (Facts(users=100, harms=(Harm.FUNDAMENTAL_RIGHTS,)), "high", "rights"),
    (Facts(users=100, harms=(Harm.CRITICAL_INFRASTRUCTURE,)), "critical", "infrastructure"),
    (Facts(users=100, groups=("Children",)), "high", "vulnerable"),
    (Facts(users=100, special_data=True), "high", "special-data"),
]


@pytest.mark.parametrize(("facts", "tier", "rule"), FACTS, ids=[f"{tier}-{rule}" for _, tier, rule in FACTS])
def test_the_tier_follows_from_the_facts(facts: Facts, tier: Tier, rule: str) -> None:
    """The highest tier of all rules that apply, whose reason comes first and names its legal reference."""
    found = tier_by_rule(facts)
    assert found.tier == tier
    assert [one.rule for one in found.reasons][:1] == ([rule] if rule else [])
    assert all(one.reason and one.reference for one in found.reasons)


def test_every_shipped_rule_has_a_case() -> None:
    """Each rule decides at least one case of the table above."""
    assert {rule.name for rule in RULES} == {rule for _, _, rule in FACTS if rule}


def test_all_conditions_of_a_rule_have_to_hold() -> None:
    """A rule with several conditions needs each of them; one without any never applies."""
    both = TierRule("both", "critical", "r", "ref", sectors=("health",), users_above=10)
    assert tier_by_rule(Facts(sector="health", users=11), [both]).tier == "critical"
    assert tier_by_rule(Facts(sector="health", users=10), [both]).tier == "minimal"
    assert tier_by_rule(Facts(sector="retail", users=11), [both]).tier == "minimal"
    assert tier_by_rule(Facts(), [TierRule("none", "critical", "r", "ref")]).tier == "minimal"


def test_a_tier_below_the_rules_is_an_error_unless_the_authority_has_fixed_it() -> None:
    """The error gives the reason with its reference; a tier that the authority fixed decides instead, both ways."""
    light = structs.replace(GOOD, tier="high")
    [problem] = standard_problems(light)
    assert (problem.field, problem.fix) == ("tier", "write critical")
    assert "may kill (Art. 6(1), Art. 3(49)(a))" in problem.problem
    assert standard_problems(light, tier="high") == []
    assert lacking(structs.replace(light, sector="", users=Users(cap=5)), tier="critical") == ["tier"]


@pytest.mark.parametrize("template", SHIPPED)
def test_the_templates_are_of_the_tier_that_the_rules_ask_for(template: str) -> None:
    """What a template lacks until it is filled in are keys, and a second authority where its tier needs two."""
    text = shipped(template).charter_text
    made = read_charter(text).charter
    assert made is not None
    assert tier_by_rule(facts_of(made)).tier == made.tier
    assert set(lacking(made)) <= {"authorities", "participant.keys"}
