"""The check of a charter against the minimum standard of its tier (`monitor/lifecycle/standards.py`). Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from monitor.charter.spec import LEVEL_OF_NAME, Charter, Tier, ToolkitRef
from monitor.compile.lint_indicator import HALTING
from monitor.compile.plan import STRICT
from monitor.compile.power import asked_power, ratio_words
from monitor.compile.problem import Problem
from monitor.compile.tier_rules import RULES, TIERS, Facts, facts_of, tier_by_rule
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import Sandbox
from monitor.lifecycle.standards import SHIPPED_STANDARDS, TierStandard, approving, span_ms
from monitor.model.events import Harm, Severity
from monitor.model.records import Level

STANDARDS: dict[Tier, TierStandard] = {one.tier: one for one in SHIPPED_STANDARDS}
"""Those that are shipped, by tier."""


def standard_problems(
    charter: Charter,
    standard: TierStandard | None = None,
    facts: Facts | None = None,
    tier: Tier | None = None,
    sandbox: Sandbox | None = None,
) -> list[Problem]:
    """What a charter without errors of lint lacks for its tier, each an error with field and fix; and its tier itself,
    where the rules ask for a graver one (`facts` are those of the charter, or of an application).

    `standard` is that of the charter's tier unless given: of the `sandbox`, or as shipped without one. With a sandbox
    the people are those of its configuration. `tier` is the tier that the authority has fixed, whatever the rules say.
    """
    if standard is None:
        standard = STANDARDS[charter.tier] if sandbox is None else sandbox.standard(charter.tier)
    found = [*_tier(charter, facts or facts_of(charter), tier)]
    people = _people(charter, standard) if sandbox is None else _people_of(sandbox, charter, standard)
    toolkits = () if sandbox is None else sandbox.toolkits or ()
    for part in (people, _content(charter, standard), _statistics(charter, standard), _responses(charter, standard),
                 _rules(charter, standard), _toolkit(charter, standard, toolkits)):  # fmt: skip
        found += [Problem("error", *one) for one in part]
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


def _people(charter: Charter, asked: TierStandard) -> Iterator[Lacking]:
    tier = charter.tier
    if len({one.id for one in charter.authorities}) < asked.authorities:
        yield "authorities", f"tier {tier} needs {asked.authorities} authorities", "list another one"
    listed = [{*one.approvers} for one in charter.authorities if one.approvers]
    if len(set().union(*listed)) < asked.approvers:
        yield "authorities", f"tier {tier} needs {asked.approvers} different approvers", "list them in `approvers`"
    elif len(listed) < approving(charter) <= len(charter.authorities):
        what = f"approving_authorities needs approvers of {approving(charter)} authorities"
        yield "authorities", what, "list one of each"
    elif len(listed) < asked.authorities <= len(charter.authorities):
        yield "authorities", f"tier {tier} needs approvers of {asked.authorities} authorities", "list one of each"
    people = {name for one in charter.authorities for name in (*one.approvers, *one.officers)}
    without = sorted(people - {name for one in charter.authorities for name in one.keys})
    if asked.signed_acts and without:
        yield "authorities", f"tier {tier} needs signed acts, and {', '.join(without)} has no key", "add `keys`"


def _people_of(sandbox: Sandbox, charter: Charter, asked: TierStandard) -> Iterator[Lacking]:
    """The people of the responsible authorities, as the sandbox names them."""
    known = {one.id for one in sandbox.authorities}
    for index, one in enumerate(charter.authorities):
        if one.id not in known:
            there = ", ".join(sorted(known)[:8])
            yield f"authorities[{index}].id", f"the sandbox has no authority {one.id}", f"name one of: {there}"
    named = {one.id for one in charter.authorities}
    tier = charter.tier
    if len(named) < asked.authorities:
        yield "authorities", f"tier {tier} needs {asked.authorities} authorities", "list another one"
        return
    approvers = [one for one in sandbox.people if Role.APPROVER in one.roles and one.authority in named]
    needed = max(asked.authorities, approving(charter))
    if len(approvers) < max(asked.approvers, needed) or len({one.authority for one in approvers}) < needed:
        asks = f"tier {tier}" if needed == asked.authorities else "approving_authorities"
        of = "one authority" if needed == 1 else f"{needed} authorities"
        what = f"{asks} needs {max(asked.approvers, needed)} approvers of {of} in the sandbox"
        have = sorted({one.authority for one in sandbox.people if Role.APPROVER in one.roles and one.authority})
        fix = f"also list one that has approvers: {', '.join(have[:8])}" if have else "give the sandbox approvers"
        yield "authorities", what, fix
    if asked.signed_acts and sandbox.open_mode:
        yield "authorities", f"tier {tier} needs signed acts, and the sandbox has no keys", "give its people keys"


def _content(charter: Charter, asked: TierStandard) -> Iterator[Lacking]:
    tier = charter.tier
    if asked.signed_telemetry and not charter.participant.keys:
        yield "participant.keys", f"tier {tier} needs signed telemetry", "add the public keys of the firm's services"
    if asked.pseudonyms and charter.identifiers != "pseudonyms":
        yield "identifiers", f"tier {tier} needs ids that name no person", "write identifiers: pseudonyms"
    if asked.scenarios and not charter.evaluation:
        yield "evaluation", f"tier {tier} needs scenarios for the evaluation of a halted system", "add one"


def not_in_force(charter: Charter, sandbox: Sandbox) -> list[Problem]:
    """Warnings on the toolkit of a charter: one that is not in force, or of which a newer version is. Without
    `toolkit: required` in the standard of the tier nothing is refused for it."""
    if sandbox.standard(charter.tier).toolkit is not UNSET:
        found = []
    else:
        found = [Problem("warning", *one) for one in _other_toolkit(charter, sandbox.toolkits or ())]
    own = charter.toolkit
    newest = max([one.version for one in sandbox.toolkits or () if own and one.id == own.id], default=0)
    if own and not found and newest > own.version:
        fix = f"write a new version of the charter from version {newest}, or state why not"
        found.append(Problem("warning", "toolkit.version", f"version {newest} of {own.id} is in force", fix))
    return found


def _toolkit(charter: Charter, asked: TierStandard, toolkits: tuple[ToolkitRef, ...]) -> Iterator[Lacking]:
    if asked.toolkit is UNSET:
        return
    if not charter.toolkit:
        names = ", ".join(sorted({one.id for one in toolkits})[:8]) or "none is in force"
        what = f"tier {charter.tier} needs a charter that is written from a toolkit in force"
        yield "toolkit", what, f"start from `sandbox-monitor toolkit new`: {names}"
    yield from _other_toolkit(charter, toolkits)


def _other_toolkit(charter: Charter, toolkits: tuple[ToolkitRef, ...]) -> Iterator[Lacking]:
    own = charter.toolkit
    if not own or own in toolkits:
        return
    versions = sorted(one.version for one in toolkits if one.id == own.id)
    if own.version in versions:
        what = f"version {own.version} of {own.id} in force has another digest"
        yield "toolkit.digest", what, "take the toolkit of the sandbox, or the digest of its folder"
    elif versions:
        there = ", ".join(map(str, versions))
        what = f"version {own.version} of {own.id} is not in force; in force: {there}"
        yield "toolkit.version", what, "take that one"
    else:
        names = ", ".join(sorted({one.id for one in toolkits})[:8]) or "none"
        yield "toolkit.id", f"{own.id} is not a toolkit in force; in force: {names}", "take one of them"


def _statistics(charter: Charter, asked: TierStandard) -> Iterator[Lacking]:
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
    for one in asked_power(charter, (asked.rate_ratio,)):
        if one.level != "halt":
            continue
        if one.asked is None:
            yield f"{one.field}.power", f"tier {tier} needs a planned exposure", "add `power: {exposure: ...}`"
            continue
        seen = [ratio for ratio in (*one.ratios, one.asked) if _excess(ratio.ratio) <= asked.rate_ratio + 1e-9]
        found = max((ratio.found for ratio in seen), default=0.0)
        if found < asked.power:
            what = f"{ratio_words(asked.rate_ratio)} is found with a probability of {found:.0%}, tier {tier} needs"
            yield f"{one.field}.power", f"{what} {asked.power:.0%}", "plan more exposure, or a longer cycle"


def _excess(ratio: float) -> float:
    return ratio if ratio > 1 else 1 / ratio


def _responses(charter: Charter, asked: TierStandard) -> Iterator[Lacking]:
    given = charter.responses
    bounds = (
        ("responses.lease", given.lease, asked.longest_lease),
        ("responses.acknowledge_within", given.acknowledge_within, asked.acknowledge_within),
        ("responses.unknown_escalates_after", given.unknown_escalates_after, asked.unknown_escalates_after),
        ("drills.every", charter.drills.every, asked.drill_every),
    )
    for field, text, most in bounds:
        if most is None or (text is not None and span_ms(text) <= span_ms(most)):
            continue
        what = "is not given" if text is None else f"{text} is longer than tier {charter.tier} allows"
        yield field, what, f"write {most} or less"
    if asked.assess_every is not UNSET and (
        charter.assessment is UNSET or span_ms(charter.assessment.every) > span_ms(asked.assess_every)
    ):
        found = charter.assessment
        what = "is not given" if found is UNSET else f"{found.every} is longer than the firm's class allows"
        yield "assessment.every", what, f"write {asked.assess_every} or less"
    if asked.quiet_for is not None and span_ms(charter.exit.quiet_for) < span_ms(asked.quiet_for):
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


def _rules(charter: Charter, asked: TierStandard) -> Iterator[Lacking]:
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
