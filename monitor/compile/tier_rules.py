"""The tier of a pilot by rule: each rule that applies names the least tier, the reason and its legal reference. Pure.

The rules are data. A deployment may replace them: a rule applies if all of its conditions hold, a condition holds if
one of its words does, and the tier is the highest one of all rules that apply. References are to the EU AI Act
(Regulation (EU) 2024/1689).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from monitor.charter.spec import Charter, Tier
from monitor.lifecycle.standards import TIERS as TIERS
from monitor.model.events import Harm
from monitor.model.labels import alike


class Facts(Struct, frozen=True):
    """What the rules read. `harms` are those that an incident may do; `special_data`: special categories of personal
    data (Art. 9 GDPR); `decides`: whether the system decides about persons without a person who reviews each case."""

    sector: str = ""
    users: int | None = None
    groups: tuple[str, ...] = ()
    harms: tuple[Harm, ...] = ()
    special_data: bool = False
    decides: bool = False


class TierRule(Struct, frozen=True):
    """A rule: `tier` is the least tier where all given conditions hold. `sectors`, `groups` and `harms` hold if one of
    them is among the facts, `users_above` if more may meet the system, or if no cap is stated."""

    name: str
    tier: Tier
    reason: str
    reference: str
    sectors: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    harms: tuple[Harm, ...] = ()
    users_above: int | None = None
    special_data: bool = False
    decides: bool = False


class TierReason(Struct, frozen=True):
    """A rule that applies, with its reason."""

    rule: str
    tier: Tier
    reason: str
    reference: str


class TierByRule(Struct, frozen=True):
    """The least tier, and every rule that applies, the gravest first. `minimal` without one."""

    tier: Tier
    reasons: tuple[TierReason, ...]


ANNEX_III = (
    "biometrics", "critical infrastructure", "education", "employment", "essential services", "finance", "insurance",
    "law enforcement", "migration", "justice", "elections",
)  # fmt: skip
SAFETY = ("transport", "health", "medical devices", "aviation", "energy", "water", "machinery")
VULNERABLE = ("children", "minors", "patients", "asylum seekers", "persons with disabilities", "elderly")

RULES: tuple[TierRule, ...] = (
    TierRule(
        "life-in-safety-component", "critical", "a failure of a safety component may kill", "Art. 6(1), Art. 3(49)(a)",
        sectors=SAFETY, harms=(Harm.DEATH,),
    ),
    TierRule(
        "infrastructure", "critical", "a failure may disrupt critical infrastructure", "Annex III(2), Art. 3(49)(b)",
        harms=(Harm.CRITICAL_INFRASTRUCTURE,),
    ),
    TierRule("safety-component", "high", "the sector is one of product safety", "Art. 6(1), Annex I", sectors=SAFETY),
    TierRule("annex-iii", "high", "the sector is listed as high-risk", "Art. 6(2), Annex III", sectors=ANNEX_III),
    TierRule(
        "serious-harm", "high", "an incident may kill or seriously injure", "Art. 3(49)(a)",
        harms=(Harm.DEATH, Harm.SERIOUS_INJURY),
    ),
    TierRule("rights", "high", "an incident may infringe fundamental rights", "Art. 3(49)(c)",
        harms=(Harm.FUNDAMENTAL_RIGHTS,),
    ),
    TierRule("special-data", "high", "special categories of personal data are processed", "Art. 10(5)",
        special_data=True,
    ),
    TierRule("vulnerable", "high", "vulnerable persons meet the system", "Art. 7(2)(h)", groups=VULNERABLE),
    TierRule("decides", "limited", "the system decides about persons without review", "Art. 14", decides=True),
    TierRule("many", "limited", "more than 10,000 persons, or no stated number, may meet it", "Art. 7(2)(e)",
        users_above=10_000,
    ),
)  # fmt: skip
"""The rules as shipped."""


def facts_of(charter: Charter) -> Facts:
    """What a charter states: the harms are those that its hard rules name. An application states more."""
    harms = {harm for rule in charter.hard_rules for harm in rule.harm}
    return Facts(
        sector=charter.sector,
        users=charter.users.cap,
        groups=charter.users.groups,
        harms=tuple(harm for harm in Harm if harm in harms),
    )


def tier_by_rule(facts: Facts, rules: Sequence[TierRule] = RULES) -> TierByRule:
    """The least tier for these facts, with its reasons.

    >>> found = tier_by_rule(Facts(sector="transport", users=200, harms=(Harm.DEATH,)))
    >>> found.tier, [one.rule for one in found.reasons]
    ('critical', ['life-in-safety-component', 'safety-component', 'serious-harm'])
    """
    applying = [rule for rule in rules if _applies(rule, facts)]
    applying.sort(key=lambda rule: -TIERS.index(rule.tier))  # stable: rules of one tier stay in their order
    reasons = tuple(TierReason(rule.name, rule.tier, rule.reason, rule.reference) for rule in applying)
    return TierByRule(reasons[0].tier if reasons else TIERS[0], reasons)


def _applies(rule: TierRule, facts: Facts) -> bool:
    conditions = []
    if rule.sectors:
        conditions.append(_plain(facts.sector) in set(map(_plain, rule.sectors)))
    if rule.groups:
        conditions.append(not set(map(_plain, rule.groups)).isdisjoint(map(_plain, facts.groups)))
    if rule.harms:
        conditions.append(not set(rule.harms).isdisjoint(facts.harms))
    if rule.users_above is not None:
        conditions.append(facts.users is None or facts.users > rule.users_above)
    if rule.special_data:
        conditions.append(facts.special_data)
    if rule.decides:
        conditions.append(facts.decides)
    return bool(conditions) and all(conditions)


def _plain(word: str) -> str:
    """A word as it is compared: without case, and with blanks for hyphens and underscores."""
    return alike(word.replace("-", " ").replace("_", " "))
