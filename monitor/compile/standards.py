"""Minimum standards of each tier, as one table, and the check of a charter against it. Pure.

The table is data: a deployment may hold another one. `STANDARDS` are those that are shipped. `None` and `False` ask for
nothing. Standards that no charter can show (`independent_evaluator`) are for the acts on a pilot.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from monitor.charter.spec import LEVEL_OF_NAME, Charter, Tier
from monitor.compile.lint import HALTING, Problem
from monitor.compile.plan import STRICT
from monitor.compile.power import power_of
from monitor.compile.tier_rules import RULES, TIERS, Facts, facts_of, tier_by_rule
from monitor.model.events import Harm, Severity
from monitor.model.periods import parse_span
from monitor.model.records import Level

MONTH_MS = 28 * 86_400_000  # the shortest


class Standards(Struct, frozen=True, forbid_unknown_fields=True):
    """What a charter of one tier has to state at least.

    `highest_alpha`: the most that the probability of a false halt may be. `permits`: a service stops without a permit,
    and `longest_lease` is the most that one may last. `drill_every`: the longest time between drills;
    `full_stop_window`: when a drill may really stop the service. `scenarios`: evaluations of a halted system are by
    scenarios of the charter; `independent_evaluator`: an evaluation by the firm does not count for a release or an
    exit. `death_halts`: a hard rule halts on a death; `serious_escalates`: one escalates each serious incident.
    `tolerates`: whether the first crossing of a limit may be tolerated.
    """

    highest_alpha: float
    authorities: int = 1
    approvers: int = 2
    permits: bool = False
    longest_lease: str | None = None
    acknowledge_within: str | None = None
    drill_every: str | None = None
    full_stop_window: bool = False
    scenarios: bool = False
    independent_evaluator: bool = False
    signed_acts: bool = False
    signed_telemetry: bool = False
    pseudonyms: bool = False
    halting_limit: bool = False
    serious_escalates: bool = False
    death_halts: bool = False
    unknown_escalates_after: str | None = None
    gap_escalates: bool = False
    power: bool = False
    quiet_for: str | None = None
    tolerates: bool = False


STANDARDS: dict[Tier, Standards] = {
    "minimal": Standards(highest_alpha=0.05, tolerates=True),
    "limited": Standards(highest_alpha=0.05, tolerates=True, halting_limit=True, quiet_for="30d"),
    "high": Standards(
        highest_alpha=0.02, permits=True, longest_lease="5m", acknowledge_within="5m", drill_every="30d",
        scenarios=True, independent_evaluator=True, signed_acts=True, signed_telemetry=True, pseudonyms=True,
        halting_limit=True, serious_escalates=True, unknown_escalates_after="24h", power=True, quiet_for="90d",
    ),
    "critical": Standards(
        highest_alpha=0.01, authorities=2, permits=True, longest_lease="2m", acknowledge_within="60s",
        drill_every="7d", full_stop_window=True, scenarios=True, independent_evaluator=True, signed_acts=True,
        signed_telemetry=True, pseudonyms=True, halting_limit=True, serious_escalates=True, death_halts=True,
        unknown_escalates_after="6h", gap_escalates=True, power=True, quiet_for="90d",
    ),
}  # fmt: skip
"""By tier. Each tier asks for everything that the lighter ones ask for."""


def standard_problems(
    charter: Charter, standards: Standards | None = None, facts: Facts | None = None, tier: Tier | None = None
) -> list[Problem]:
    """What a charter without errors of lint lacks for its tier, each an error with field and fix; and its tier itself,
    where the rules ask for a graver one (`facts` are those of the charter, or of an application).

    `standards` are those of the charter's tier unless given; `tier` is the tier that the authority has fixed, whatever
    the rules say.
    """
    asked = STANDARDS[charter.tier] if standards is None else standards
    found = [*_tier(charter, facts or facts_of(charter), tier)]
    for part in (_people, _statistics, _responses, _rules):
        found += [Problem("error", *one) for one in part(charter, asked)]
    return found


Lacking = tuple[str, str, str]


def _tier(charter: Charter, facts: Facts, fixed: Tier | None) -> Iterator[Problem]:
    if fixed is not None:
        if TIERS.index(charter.tier) < TIERS.index(fixed):
            yield Problem("error", "tier", f"the authority has fixed tier {fixed}", f"write {fixed}")
        return
    by_rule = tier_by_rule(facts, RULES)
    if TIERS.index(charter.tier) < TIERS.index(by_rule.tier):
        why = next(one for one in by_rule.reasons if one.tier == by_rule.tier)
        problem = f"{why.reason} ({why.reference}), so tier {charter.tier} is too light"
        yield Problem("error", "tier", problem, f"write {by_rule.tier}")


def _people(charter: Charter, asked: Standards) -> Iterator[Lacking]:
    tier = charter.tier
    if len({one.id for one in charter.authorities}) < asked.authorities:
        yield "authorities", f"tier {tier} needs {asked.authorities} authorities", "list another one"
    approving = [{*one.approvers} for one in charter.authorities if one.approvers]
    if len(set().union(*approving)) < asked.approvers:
        yield "authorities", f"tier {tier} needs {asked.approvers} different approvers", "list them in `approvers`"
    elif len(approving) < asked.authorities <= len(charter.authorities):
        yield "authorities", f"tier {tier} needs approvers of {asked.authorities} authorities", "list one of each"
    people = {name for one in charter.authorities for name in (*one.approvers, *one.officers)}
    without = sorted(people - {name for one in charter.authorities for name in one.keys})
    if asked.signed_acts and without:
        yield "authorities", f"tier {tier} needs signed acts, and {', '.join(without)} has no key", "add `keys`"
    if asked.signed_telemetry and not charter.participant.keys:
        yield "participant.keys", f"tier {tier} needs signed telemetry", "add the public keys of the firm's services"
    if asked.pseudonyms and charter.identifiers != "pseudonyms":
        yield "identifiers", f"tier {tier} needs ids that name no person", "write identifiers: pseudonyms"
    if asked.scenarios and not charter.evaluation:
        yield "evaluation", f"tier {tier} needs scenarios for the evaluation of a halted system", "add one"


def _statistics(charter: Charter, asked: Standards) -> Iterator[Lacking]:
    tier = charter.tier
    if charter.alpha > asked.highest_alpha:
        fix = f"write {asked.highest_alpha:g} or less"
        yield "alpha", f"{charter.alpha:g} is more than tier {tier} allows for false halts", fix
    halting = [w for spec in charter.indicators for w in spec.detectors if w.name == HALTING and w.level == "halt"]
    if asked.halting_limit and not halting:
        fix = f"add {HALTING} with level halt to an indicator with a limit"
        yield "indicators", f"tier {tier} needs a limit that halts", fix
    if not asked.power:
        return
    for one in power_of(charter):
        if one.asked is None and one.level == "halt":
            yield f"{one.field}.power", f"tier {tier} needs a planned exposure", "add `power: {exposure: ...}`"


def _responses(charter: Charter, asked: Standards) -> Iterator[Lacking]:
    given = charter.responses
    bounds = (
        ("responses.lease", given.lease, asked.longest_lease),
        ("responses.acknowledge_within", given.acknowledge_within, asked.acknowledge_within),
        ("responses.unknown_escalates_after", given.unknown_escalates_after, asked.unknown_escalates_after),
        ("drills.every", charter.drills.every, asked.drill_every),
    )
    for field, text, most in bounds:
        if most is None or (text is not None and _length(text) <= _length(most)):
            continue
        what = "is not given" if text is None else f"{text} is longer than tier {charter.tier} allows"
        yield field, what, f"write {most} or less"
    if asked.quiet_for is not None and _length(charter.exit.quiet_for) < _length(asked.quiet_for):
        what = f"{charter.exit.quiet_for} is shorter than tier {charter.tier} asks for"
        yield "exit.quiet_for", what, f"write {asked.quiet_for} or more"
    if asked.full_stop_window and not charter.drills.full_stops:
        what = f"tier {charter.tier} needs a window in which a drill may stop the service"
        yield "drills.full_stops", what, "add one"
    if asked.gap_escalates and given.sequence_gap != "escalate":
        yield "responses.sequence_gap", f"missing telemetry escalates in tier {charter.tier}", "write escalate"
    if given.tolerate_first and not asked.tolerates:
        yield "responses.tolerate_first", f"no crossing is tolerated in tier {charter.tier}", "remove it"
    if asked.permits and charter.tier not in STRICT:
        yield "tier", f"a service in tier {charter.tier} runs without a permit", f"write {' or '.join(STRICT)}"


def _rules(charter: Charter, asked: Standards) -> Iterator[Lacking]:
    """Hard rules on a death and on serious incidents; one of the latter may be limited to some kinds of harm."""
    rules = [rule for rule in charter.hard_rules if not rule.unregistered_model]
    deaths = [rule for rule in rules if Harm.DEATH in rule.harm or not rule.harm]
    if asked.death_halts and not any(
        rule.level == "halt" and (not rule.severity or Severity.SERIOUS_INCIDENT in rule.severity) for rule in deaths
    ):
        fix = "add {name: death, level: halt, harm: [death]}"
        yield "hard_rules", f"a death halts a pilot of tier {charter.tier}", fix
    if asked.serious_escalates and not any(
        LEVEL_OF_NAME[rule.level] >= Level.ESCALATE and Severity.SERIOUS_INCIDENT in rule.severity for rule in rules
    ):
        fix = "add {name: serious-incident, level: escalate, severity: [serious_incident]}"
        yield "hard_rules", f"a serious incident escalates in tier {charter.tier}", fix


def _length(text: str) -> int:
    span = parse_span(text)
    return span.ms + span.months * MONTH_MS
