"""Lints a well-formed charter: each mistake with its field and the fix. Pure; never raises.

An error means that the charter cannot run as written, or would break a guarantee; a warning, that it runs but probably
not as intended. A pilot is admitted only under a charter without errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from msgspec import Struct

from detectors import SPENDS_ALPHA
from monitor.charter.spec import PUBLIC, Charter, HardRule, alpha_share
from monitor.charter.values import escaped, flaws
from monitor.compile.lint_chain import chain_flaws, chain_warnings
from monitor.compile.lint_changes import change_flaws, trial_flaws
from monitor.compile.lint_exit import exit_flaws
from monitor.compile.lint_indicator import indicator_problems
from monitor.compile.lint_people import people_problems
from monitor.compile.lint_rollout import rollout_flaws
from monitor.compile.lint_spans import span_problems
from monitor.compile.lint_trends import trend_flaws
from monitor.compile.plan import CompiledIndicator, plan_of
from monitor.compile.problem import Problem, error, nearest, twice, warning
from monitor.compile.state_size import open_periods, parts_of, size_of
from monitor.lifecycle.basis_names import name_flaws
from monitor.model.bounds import CHARTER_BYTES
from monitor.model.labels import alike, tidy

LONGEST_BOUNDARY = 200  # characters: a field of an event holds as many
FIRST_YEAR, LAST_YEAR = 2000, 2199  # events before 2000 are rejected, and dates end with the year 9999


class AlphaShare(Struct, frozen=True):
    """What one stream may spend on false halts before the first restart: `bar` is the e-value that halts, larger than
    1/alpha where part of alpha pays for the uncertainty of a baseline."""

    indicator: str
    segment: str
    alpha: float
    bar: float


def lint(charter: Charter) -> list[Problem]:
    """All problems of `charter`, in the order of the file."""
    found = [error(*flaw) for flaw in flaws(charter)]
    found += [*_cycle(charter), *people_problems(charter), *_evaluation(charter), *_budget(charter)]
    for index, spec in enumerate(charter.indicators):
        found += indicator_problems(charter, spec, f"indicators[{index}]")
    found += twice((spec.name for spec in charter.indicators), "indicators", ".name")
    found += _units(charter)
    found += _one_name_for_two(charter)
    found += [*_hard_rules(charter.hard_rules), *_boundary(charter), *_confidential(charter)]
    found += span_problems(charter)
    found += [error(*flaw) for flaw in exit_flaws(charter)]
    found += [error(*flaw) for flaw in name_flaws(charter.basis, "basis")]
    found += [error(*flaw) for flaw in chain_flaws(charter)] + [warning(*flaw) for flaw in chain_warnings(charter)]
    return found if any(problem.severity == "error" for problem in found) else [*found, *_size(charter)]


def alpha_shares(charter: Charter) -> list[AlphaShare]:
    """How alpha is split before the first restart, for every stream under a limit e-process."""
    shares = [
        (spec.name, segment, alpha_share(charter, spec), 1 - spec.baseline.doubt if spec.baseline else 1.0)
        for spec in charter.indicators
        if any(w.name in SPENDS_ALPHA for w in spec.detectors)
        for segment in spec.segments or ("",)
    ]
    return [AlphaShare(name, segment, alpha, 1 / (alpha * part)) for name, segment, alpha, part in shares if alpha > 0]


def _cycle(charter: Charter) -> Iterator[Problem]:
    days: list[date] = []
    for field in ("start", "end"):
        text: str = getattr(charter.cycle, field)
        try:
            days.append(date.fromisoformat(text))
        except ValueError:
            yield error(f"cycle.{field}", f"{text} is not a day of the calendar", "write a date that exists")
            continue
        if not FIRST_YEAR <= days[-1].year <= LAST_YEAR:
            fix = f"write a year from {FIRST_YEAR} to {LAST_YEAR}"
            yield error(f"cycle.{field}", f"{text} is outside the years that telemetry may report", fix)
    if len(days) == 2 and days[1] <= days[0]:
        yield error("cycle.end", "the pilot would end before it starts", "write a later day than cycle.start")


def _one_name_for_two(charter: Charter) -> Iterator[Problem]:
    """Streams are named `indicator/segment`: a slash in either must not give two streams one name."""
    seen: dict[str, int] = {}
    for index, spec in enumerate(charter.indicators):
        for number, segment in enumerate(spec.segments or ("",)):
            other = seen.setdefault(f"{spec.name}/{segment}", index)
            if other != index and charter.indicators[other].name != spec.name:
                field = f"indicators[{index}].segments[{number}]" if spec.segments else f"indicators[{index}].name"
                yield error(
                    field,
                    f"together with its indicator it equals the name of a stream of indicators[{other}]",
                    "write names without a slash",
                )


def _evaluation(charter: Charter) -> Iterator[Problem]:
    for flaw in trial_flaws(charter.evaluation, "evaluation"):
        yield error(*flaw)
    for flaw in (*change_flaws(charter), *trend_flaws(charter), *rollout_flaws(charter)):
        yield error(*flaw)


def _budget(charter: Charter) -> Iterator[Problem]:
    if charter.alpha > 0.05:
        yield warning(
            "alpha",
            f"about 1 in {1 / charter.alpha:.0f} pilots that keep every limit may be halted",
            "write 0.05 or less",
        )
    total = sum(spec.weight for spec in charter.indicators)
    if total > 1 + 1e-9:
        yield error(
            "indicators", f"the weights add up to {total:g}, so more than alpha would be spent", "keep them within 1"
        )
    halts = any(w.level == "halt" for spec in charter.indicators for w in spec.detectors)
    if charter.tier in ("high", "critical") and not halts and not any(r.level == "halt" for r in charter.hard_rules):
        yield warning(
            "tier",
            f"nothing can halt this pilot, although its tier is {charter.tier}",
            "add a hard rule or a limit that halts",
        )


def _hard_rules(rules: tuple[HardRule, ...]) -> Iterator[Problem]:
    yield from twice((rule.name for rule in rules), "hard_rules", ".name")
    for index, rule in enumerate(rules):
        if rule.boundary is True and (rule.severity or rule.harm or rule.unregistered_model):
            yield error(
                f"hard_rules[{index}].boundary",
                "no incident or model is reported with a breach, so the conditions can never hold together",
                "write two rules",
            )
        elif not (rule.severity or rule.harm or rule.unregistered_model or rule.boundary is True):
            yield error(
                f"hard_rules[{index}]", "without a condition every incident would trigger it", "add severity or harm"
            )
        elif rule.unregistered_model and (rule.severity or rule.harm):
            yield error(
                f"hard_rules[{index}].unregistered_model",
                "no incident is reported with a model change, so the conditions can never hold together",
                "write two rules",
            )


def _boundary(charter: Charter) -> Iterator[Problem]:
    """A rule on breaches needs something that can be breached, and what is listed is compared without case."""
    rules = [index for index, rule in enumerate(charter.hard_rules) if rule.boundary is True]
    if not rules:
        return
    if not charter.data_boundary:
        yield error("data_boundary", f"hard_rules[{rules[0]}] is on breaches of it", "list what must not be crossed")
    yield from twice((alike(one) for one in charter.data_boundary), "data_boundary", "")
    for index, one in enumerate(charter.data_boundary):
        if not 0 < len(one) <= LONGEST_BOUNDARY:
            problem = f"has {len(one)} characters, and a report of a breach names it"
            yield error(f"data_boundary[{index}]", problem, f"write 1 to {LONGEST_BOUNDARY}")


def _confidential(charter: Charter) -> Iterator[Problem]:
    """What the public must be able to check stays public."""
    for index, name in enumerate(charter.confidential or ()):
        if name not in Charter.__struct_fields__ or name in PUBLIC:
            fix = nearest(name, set(Charter.__struct_fields__) - PUBLIC)
            yield error(f"confidential[{index}]", f"{name} cannot be kept from the public", fix)


def _size(charter: Charter) -> Iterator[Problem]:
    """A pilot's state is bounded: a charter that could exceed the bound is refused at its largest part."""
    size = size_of(plan_of(charter))
    if size.total <= CHARTER_BYTES:
        return
    grown = f"a pilot's state could grow to {size.total:,} bytes, {CHARTER_BYTES:,} are allowed for what a charter asks"
    largest = max(range(len(size.indicators)), key=size.indicators.__getitem__, default=None)
    if largest is None or size.indicators[largest] < size.charter:
        taken, name = parts_of(charter)[0]
        yield error(name, f"{grown}; {taken:,} of them are this field", "write fewer or shorter entries")
        return
    spec = charter.indicators[largest]
    streams, taken = max(1, len(spec.segments)), size.indicators[largest]
    periods = open_periods(CompiledIndicator(spec))
    field = "segments" if streams > periods else "reporting_delay"
    yield error(
        f"indicators[{largest}].{field}",
        f"{grown}; {taken:,} of them are {streams} segments with up to {periods} open periods each",
        "list fewer segments, or write longer periods or a shorter reporting_delay",
    )


def _units(charter: Charter) -> Iterator[Problem]:
    """Units that differ in spelling only: telemetry in one of them does not count in the other."""
    seen: dict[str, str] = {}
    for index, spec in enumerate(charter.indicators):
        unit = tidy(spec.exposure.unit) if spec.exposure else ""
        other = seen.setdefault(alike(unit), unit)
        if other != unit:
            problem = f"{escaped(unit)!r} and {escaped(other)!r} are two units: labels are case-sensitive"
            yield warning(f"indicators[{index}].exposure.unit", problem, "write one of them")
