"""How a charter deviates from the template of its toolkit: what was removed, loosened or replaced. Pure.

A deviation is no mistake: limits and groups of a template are to be changed. It is what an officer looks at first. What
is only stricter, or was added, is none. Texts, people, dates, caps and planned exposures are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET

from monitor.charter.spec import LEVEL_OF_NAME, Bound, Charter, HardRule, IndicatorSpec, Trial
from monitor.compile.problem import Problem
from monitor.lifecycle.standards import TIERS
from monitor.model.records import Level
from monitor.toolkits.compared import Deviation, Kind, Looser, compare, higher, longer, lower, shorter, shown
from monitor.toolkits.of_indicators import indicator_deviations
from monitor.toolkits.spec import LoadedToolkit


def _fewer_levels(old: str, new: str) -> bool:
    return LEVEL_OF_NAME[new] < LEVEL_OF_NAME[old]


RESPONSES: dict[str, Looser] = {
    "watch_clears_after": lower,
    "escalate_clears_after": lower,
    "half_way": _fewer_levels,
    "unknown_escalates_after": longer,
    "sequence_gap": _fewer_levels,
    "acknowledge_within": longer,
    "lease": longer,
    "tolerate_first": higher,
    "shelve_at_most": longer,
    "rectify_within": longer,
}


def deviations(charter: Charter, template: Charter) -> list[Deviation]:
    """What the charter has no longer, or less strictly, than the template, in the order of the schema."""
    found: list[Deviation] = []
    if TIERS.index(charter.tier) < TIERS.index(template.tier):
        found.append(Deviation(Kind.LOOSENED, "tier", template.tier, charter.tier))
    if charter.sector != template.sector:
        found.append(Deviation(Kind.REPLACED, "sector", template.sector, charter.sector))
    if template.data_boundary and not charter.data_boundary:
        found.append(Deviation(Kind.REMOVED, "data_boundary", "; ".join(template.data_boundary)))
    if template.identifiers and not charter.identifiers:
        found.append(Deviation(Kind.REMOVED, "identifiers", str(template.identifiers)))
    found += _indicators(charter, template)
    found += _rules(charter, template)
    found += compare(RESPONSES, template.responses, charter.responses, "responses.")
    found += compare({"every": longer}, template.drills, charter.drills, "drills.")
    found += _evaluation(charter, template)
    if template.assessment and not charter.assessment:
        found.append(Deviation(Kind.REMOVED, "assessment", template.assessment.every))
    elif template.assessment and charter.assessment:
        found += compare({"every": longer, "within": longer}, template.assessment, charter.assessment, "assessment.")
    found += _exit(charter, template)
    return found


def toolkit_problems(charter: Charter, known: Sequence[LoadedToolkit]) -> list[Problem]:
    """Warnings on the provenance of a charter: a toolkit that is not known, another content or a newer version of it,
    and each deviation from its template. A charter without provenance has none."""
    own = charter.toolkit
    if own is UNSET:
        return []
    versions = {toolkit.about.version: toolkit for toolkit in known if toolkit.about.id == own.id}
    if not versions:
        fix = "give the folder of the toolkit with --toolkit"
        return [Problem("warning", "toolkit.id", f"there is no toolkit {own.id} here to compare with", fix)]
    newest = max(versions)
    toolkit = versions.get(own.version, versions[newest])
    found: list[Problem] = []
    if newest > own.version:
        fix = f"compare with `sandbox-monitor toolkit new {own.id}`"
        found.append(Problem("warning", "toolkit.version", f"a newer version {newest} of {own.id} exists", fix))
    elif newest < own.version:
        fix = "give the folder of that version with --toolkit"
        found.append(Problem("warning", "toolkit.version", f"only version {newest} of {own.id} is here", fix))
    if own.version == toolkit.about.version and own.digest != toolkit.digest:
        problem = f"version {own.version} of {own.id} has the digest {toolkit.digest} here"
        found.append(Problem("warning", "toolkit.digest", problem, "find out which of the two was published"))
    fix = "state the reason in the application, or restore it"
    differs = deviations(charter, toolkit.charter)
    return [*found, *(Problem("warning", one.field, one.words(), fix) for one in differs)]


def _indicators(charter: Charter, template: Charter) -> Iterator[Deviation]:
    own = {spec.name: index for index, spec in enumerate(charter.indicators)}
    for spec in template.indicators:
        if spec.name not in own:
            yield Deviation(Kind.REMOVED, f"indicators[{spec.name}]", _on(spec))
            continue
        index = own[spec.name]
        yield from indicator_deviations(charter, charter.indicators[index], template, spec, f"indicators[{index}]")


def _on(spec: IndicatorSpec) -> str:
    levels = [LEVEL_OF_NAME[detector.level] for detector in spec.detectors]
    return f"{spec.kind}, {max(levels, default=Level.NORMAL).word}"


def _rules(charter: Charter, template: Charter) -> Iterator[Deviation]:
    own = {rule.name: index for index, rule in enumerate(charter.hard_rules)}
    for rule in template.hard_rules:
        if rule.name not in own:
            yield Deviation(Kind.REMOVED, f"hard_rules[{rule.name}]", rule.level)
            continue
        at, mine = f"hard_rules[{own[rule.name]}]", charter.hard_rules[own[rule.name]]
        if _fewer_levels(rule.level, mine.level):
            yield Deviation(Kind.LOOSENED, f"{at}.level", rule.level, mine.level)
        yield from _narrowed(rule, mine, at)


def _narrowed(rule: HardRule, mine: HardRule, at: str) -> Iterator[Deviation]:
    """Conditions that let fewer events through; none lets all of them through."""
    for name in ("severity", "harm"):
        was, now = getattr(rule, name), getattr(mine, name)
        if now and (not was or set(was) - set(now)):
            yield Deviation(Kind.LOOSENED, f"{at}.{name}", ", ".join(was) or "any", ", ".join(now))
    if (rule.boundary or False) != (mine.boundary or False):
        yield Deviation(Kind.REPLACED, f"{at}.boundary", shown(rule.boundary or False), shown(mine.boundary or False))
    if rule.unregistered_model != mine.unregistered_model:
        yield Deviation(
            Kind.REPLACED, f"{at}.unregistered_model", shown(rule.unregistered_model), shown(mine.unregistered_model)
        )


def _evaluation(charter: Charter, template: Charter) -> Iterator[Deviation]:
    own = {trial.name: index for index, trial in enumerate(charter.evaluation)}
    for trial in template.evaluation:
        if trial.name not in own:
            yield Deviation(Kind.REMOVED, f"evaluation[{trial.name}]", ", ".join(trial.bounds))
        else:
            yield from _trial(trial, charter.evaluation[own[trial.name]], f"evaluation[{own[trial.name]}].bounds")


def _trial(trial: Trial, mine: Trial, at: str) -> Iterator[Deviation]:
    for measure, bound in trial.bounds.items():
        given = mine.bounds.get(measure)
        if given is None:
            yield Deviation(Kind.REMOVED, f"{at}.{measure}", _bound(bound))
        elif _wider(bound, given):
            yield Deviation(Kind.LOOSENED, f"{at}.{measure}", _bound(bound), _bound(given))


def _wider(old: Bound, new: Bound) -> bool:
    above = old.most is not None and (new.most is None or new.most > old.most)
    return above or (old.least is not None and (new.least is None or new.least < old.least))


def _bound(bound: Bound) -> str:
    ends = (("at least", bound.least), ("at most", bound.most))
    return ", ".join(f"{words} {end:g}" for words, end in ends if end is not None)


def _exit(charter: Charter, template: Charter) -> Iterator[Deviation]:
    yield from compare({"quiet_for": shorter, "tracked_for": shorter}, template.exit, charter.exit, "exit.")
    if len(charter.exit.conditions) < len(template.exit.conditions):
        yield Deviation(
            Kind.REMOVED, "exit.conditions", "; ".join(template.exit.conditions), "; ".join(charter.exit.conditions)
        )
    own = {(check.measure, check.indicator): check for check in charter.exit.checks or ()}
    for check in template.exit.checks or ():
        given = own.get((check.measure, check.indicator))
        name = f"exit.checks[{check.measure}]"
        old = Bound(check.least, check.most)
        if given is None:
            yield Deviation(Kind.REMOVED, name, _bound(old))
        elif _wider(old, new := Bound(given.least, given.most)):
            yield Deviation(Kind.LOOSENED, name, _bound(old), _bound(new))
