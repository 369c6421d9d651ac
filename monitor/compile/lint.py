"""Lints a well-formed charter: each mistake with its field and the fix. Pure; never raises.

An error means that the charter cannot run as written, or would break a guarantee; a warning, that it runs but probably
not as intended. A pilot is admitted only under a charter without errors.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct

import detectors
from detectors import SPENDS_ALPHA
from detectors.base import Count, Proportion
from monitor.charter import time_zones
from monitor.charter.spec import PUBLIC, Charter, DetectorSpec, HardRule, IndicatorSpec, Responses, alpha_share
from monitor.charter.values import escaped, flaws
from monitor.compile.lint_chain import chain_flaws, chain_warnings
from monitor.compile.lint_changes import change_flaws, trial_flaws
from monitor.compile.lint_exit import exit_flaws
from monitor.compile.lint_rollout import rollout_flaws
from monitor.compile.lint_trends import trend_flaws
from monitor.compile.plan import CompiledIndicator, build_detectors, plan_of
from monitor.compile.state_size import WIDEST, open_periods, parts_of, size_of
from monitor.indicators import INDICATORS, BadSpec
from monitor.lifecycle.basis_names import name_flaws
from monitor.lifecycle.standards import approving
from monitor.model.bounds import CHARTER_BYTES
from monitor.model.labels import alike, tidy
from monitor.model.periods import parse_span
from monitor.model.signing import read_public

MONTH_MS = 28 * 86_400_000  # the shortest
LONGEST_SPAN_MS = 10 * 366 * 86_400_000
LONGEST_BOUNDARY = 200  # characters: a field of an event holds as many
FIRST_YEAR, LAST_YEAR = 2000, 2199  # events before 2000 are rejected, and dates end with the year 9999
OPEN_PERIODS = 1_000  # the most that one stream may keep open: its state is bounded
SESSION_MS = 10_000  # until Kafka notices that a worker has died
RECOVERY_MS = 10_000  # until the next worker has recovered
OUTSIDE_KINDS = ("outside_complaint_rate", "outside_gap")  # of complaints by the public
HALTING = "limit_e_process"  # spends alpha on the indicator's limit

FEW_APPROVERS = "fewer than two approvers are listed, so no halt of this pilot can be lifted"  # without a sandbox
TELLS_FALLS = "e_detector"  # the one detector that watches both directions and tells them apart


class Problem(Struct, frozen=True):
    """One finding: dotted `field` (`indicators[0].limit`), what is wrong, what to do."""

    severity: Literal["error", "warning"]
    field: str
    problem: str
    fix: str


class AlphaShare(Struct, frozen=True):
    """What one stream may spend on false halts before the first restart: `bar` is the e-value that halts, larger than
    1/alpha where part of alpha pays for the uncertainty of a baseline."""

    indicator: str
    segment: str
    alpha: float
    bar: float


def lint(charter: Charter) -> list[Problem]:
    """All problems of `charter`, in the order of the file."""
    found = [_error(*flaw) for flaw in flaws(charter)]
    found += [*_cycle(charter), *_people(charter), *_budget(charter)]
    for index, spec in enumerate(charter.indicators):
        found += _indicator(charter, spec, f"indicators[{index}]")
    found += _twice((spec.name for spec in charter.indicators), "indicators", ".name")
    found += _units(charter)
    found += _one_name_for_two(charter)
    found += [*_hard_rules(charter.hard_rules), *_boundary(charter), *_confidential(charter)]
    found += _spans(charter)
    found += [_error(*flaw) for flaw in exit_flaws(charter)]
    found += [_error(*flaw) for flaw in name_flaws(charter.basis, "basis")]
    found += [_error(*flaw) for flaw in chain_flaws(charter)] + [_warning(*flaw) for flaw in chain_warnings(charter)]
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


def nearest(word: str, known: Iterable[str]) -> str:
    """The fix for an unknown word: the nearest known one, or a list of all."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]}?" if close else f"write one of {', '.join(names)}"


def _error(field: str, problem: str, fix: str) -> Problem:
    return Problem("error", field, problem, fix)


def _warning(field: str, problem: str, fix: str) -> Problem:
    return Problem("warning", field, problem, fix)


def _cycle(charter: Charter) -> Iterator[Problem]:
    days: list[date] = []
    for field in ("start", "end"):
        text: str = getattr(charter.cycle, field)
        try:
            days.append(date.fromisoformat(text))
        except ValueError:
            yield _error(f"cycle.{field}", f"{text} is not a day of the calendar", "write a date that exists")
            continue
        if not FIRST_YEAR <= days[-1].year <= LAST_YEAR:
            fix = f"write a year from {FIRST_YEAR} to {LAST_YEAR}"
            yield _error(f"cycle.{field}", f"{text} is outside the years that telemetry may report", fix)
    if len(days) == 2 and days[1] <= days[0]:
        yield _error("cycle.end", "the pilot would end before it starts", "write a later day than cycle.start")


def _one_name_for_two(charter: Charter) -> Iterator[Problem]:
    """Streams are named `indicator/segment`: a slash in either must not give two streams one name."""
    seen: dict[str, int] = {}
    for index, spec in enumerate(charter.indicators):
        for number, segment in enumerate(spec.segments or ("",)):
            other = seen.setdefault(f"{spec.name}/{segment}", index)
            if other != index and charter.indicators[other].name != spec.name:
                field = f"indicators[{index}].segments[{number}]" if spec.segments else f"indicators[{index}].name"
                yield _error(
                    field,
                    f"together with its indicator it equals the name of a stream of indicators[{other}]",
                    "write names without a slash",
                )


def _people(charter: Charter) -> Iterator[Problem]:
    if not charter.models:
        yield _error(
            "models", "no model is registered, so every serving model is unregistered", "list the digest of each model"
        )
    yield from _twice((m.digest for m in charter.models), "models", ".digest")
    yield from _twice((a.id for a in charter.authorities), "authorities", ".id")
    for index, authority in enumerate(charter.authorities):
        for name, text in authority.keys.items():
            try:
                read_public(text)
            except ValueError as error:
                yield _error(f"authorities[{index}].keys.{name}", *str(error).split("; ", 1))
    for number, text in enumerate(charter.participant.keys):
        try:
            read_public(text)
        except ValueError as error:
            yield _error(f"participant.keys[{number}]", *str(error).split("; ", 1))
    yield from _reporters(charter)
    with_keys = {name for authority in charter.authorities for name in authority.keys}
    people = {name for authority in charter.authorities for name in (*authority.approvers, *authority.officers)}
    if with_keys and people - with_keys:
        yield _warning(
            "authorities",
            f"others have keys, so acts of {', '.join(sorted(people - with_keys))} will be refused",
            "add a key for each of them",
        )
    yield from _separate_people(charter)
    yield from _evaluation(charter)
    if approving(charter) > len(charter.authorities):
        what = f"there are {len(charter.authorities)} authorities, so no halt could be released"
        yield _error("approving_authorities", what, "list another authority, or ask for fewer")
    if len({name for authority in charter.authorities for name in authority.approvers}) < 2:
        yield _warning(
            "authorities",
            FEW_APPROVERS,
            "list two different people in `approvers`, or check with --sandbox where its approvers release",
        )


def _reporters(charter: Charter) -> Iterator[Problem]:
    """Each reporter has a separate id and separate keys; reporters are needed only where the firm has keys."""
    firm = set(map(_raw, charter.participant.keys))
    owners: dict[bytes, str] = {}
    yield from _twice((reporter.id for reporter in charter.reporters or ()), "reporters", ".id")
    for index, reporter in enumerate(charter.reporters or ()):
        for number, text in enumerate(reporter.keys):
            at, key = f"reporters[{index}].keys[{number}]", _raw(text)
            try:
                read_public(text)
            except ValueError as error:
                yield _error(at, *str(error).split("; ", 1))
            if key in firm:
                yield _error(at, "the key is one of the firm's keys", "give each reporter a separate key")
            elif owners.setdefault(key, reporter.id) != reporter.id:
                yield _error(at, f"{owners[key]!r} has the same key", "give each reporter a separate key")
    if charter.reporters and not firm:
        yield _warning(
            "reporters",
            "the firm has no key, so anybody may send telemetry, and these keys are not asked for",
            "add participant.keys",
        )


def _separate_people(charter: Charter) -> Iterator[Problem]:
    """The firm is no officer or approver of the pilot that it runs, under any spelling or key; and people share no
    key."""
    firm, firm_keys = alike(charter.participant.id), set(map(_raw, charter.participant.keys))
    owners: dict[bytes, str] = {}
    people: dict[str, str] = {}
    for index, authority in enumerate(charter.authorities):
        for part in ("approvers", "officers", "keys"):
            for name in getattr(authority, part):
                if alike(name) == firm:
                    yield _error(
                        f"authorities[{index}].{part}",
                        f"{name!r} is the firm that runs this pilot",
                        "name another person",
                    )
        for name in authority.approvers:
            other = people.setdefault(alike(name), name)
            if other != name:
                what = f"{name!r} and {other!r} differ only in case, or in characters that cannot be seen"
                yield _error(f"authorities[{index}].approvers", what, "write one person's name in one way")
        for name, text in authority.keys.items():
            at, key = f"authorities[{index}].keys.{name}", _raw(text)
            if key in firm_keys:
                yield _error(at, "the key is one of the firm's keys", "give each person a separate key")
            elif owners.setdefault(key, name) != name:
                yield _error(at, f"{owners[key]!r} has the same key", "give each person a separate key")


def _raw(key: str) -> bytes:
    """A public key as bytes, as one key can be written in several ways; the text itself where it is no key."""
    try:
        return read_public(key)
    except ValueError:
        return key.strip().encode()


def _evaluation(charter: Charter) -> Iterator[Problem]:
    for flaw in trial_flaws(charter.evaluation, "evaluation"):
        yield _error(*flaw)
    for flaw in (*change_flaws(charter), *trend_flaws(charter), *rollout_flaws(charter)):
        yield _error(*flaw)


def _budget(charter: Charter) -> Iterator[Problem]:
    if charter.alpha > 0.05:
        yield _warning(
            "alpha",
            f"about 1 in {1 / charter.alpha:.0f} pilots that keep every limit may be halted",
            "write 0.05 or less",
        )
    total = sum(spec.weight for spec in charter.indicators)
    if total > 1 + 1e-9:
        yield _error(
            "indicators", f"the weights add up to {total:g}, so more than alpha would be spent", "keep them within 1"
        )
    halts = any(w.level == "halt" for spec in charter.indicators for w in spec.detectors)
    if charter.tier in ("high", "critical") and not halts and not any(r.level == "halt" for r in charter.hard_rules):
        yield _warning(
            "tier",
            f"nothing can halt this pilot, although its tier is {charter.tier}",
            "add a hard rule or a limit that halts",
        )


def _indicator(charter: Charter, spec: IndicatorSpec, at: str) -> Iterator[Problem]:
    if spec.kind not in INDICATORS:
        yield _error(f"{at}.kind", f"there is no indicator {spec.kind!r}", nearest(spec.kind, INDICATORS))
        return
    unread = [f for f in ("period", "reporting_delay") if _length(getattr(spec, f)) is None]
    for field in unread:
        yield _error(f"{at}.{field}", f"{getattr(spec, field)!r} is no span", "write a span such as 1h")
    if unread:
        return
    yield from _periods(spec, at)
    yield from _twice(spec.segments, f"{at}.segments", "")
    yield from _twins(spec.segments, f"{at}.segments", "")
    try:
        indicator = INDICATORS[spec.kind](spec)
    except BadSpec as error:
        yield _error(f"{at}.{error.field}", error.problem, error.fix)
        return
    except ValueError as error:  # a span in `params` that its pattern lets through
        yield _error(f"{at}.params", str(error).partition(";")[0], "write a span such as 1h")
        return
    if spec.segments and not any(s.kind == spec.kind and not s.segments for s in charter.indicators):
        yield _warning(
            f"{at}.segments",
            "events with a segment that is not listed count nowhere",
            f"add a second {spec.kind} without segments",
        )
    if spec.exposure is not None and spec.exposure.complete == "on_close" and not _length(spec.reporting_delay):
        yield _warning(
            f"{at}.reporting_delay",
            "periods close without delay, and exposure that is not tallied by then is taken to be 0",
            "write a delay within which every tally is received",
        )
    yield from _regrading(spec, at)
    if spec.kind == "efficiency_gain" and spec.limit is not None and spec.limit > 1:
        yield _warning(
            f"{at}.limit", f"{spec.limit:g} is a gain of {spec.limit:.0%}", "write a share, such as 0.2 for 20 %"
        )
    if spec.baseline is not None and spec.limit is not None:
        yield _error(f"{at}.limit", "there is also a baseline, and an indicator has one limit", "remove one of them")
        return
    if spec.baseline is not None and (indicator.observes is not Count or spec.exposure is None):
        yield _error(
            f"{at}.baseline", "only counts over exposure can be compared with a baseline", "write `limit` instead"
        )
        return
    if spec.baseline is not None and spec.weight == 0:
        yield _error(f"{at}.weight", "the uncertainty of a baseline is paid for out of alpha", "write a weight above 0")
        return
    if not spec.detectors:
        yield _warning(f"{at}.detectors", "no detector reads this indicator", "add a detector")
    spending = [w.name for w in spec.detectors if w.name in SPENDS_ALPHA]
    if spec.weight > 0 and not spending:
        names = " and ".join(SPENDS_ALPHA)
        yield _warning(f"{at}.weight", f"only {names} spend alpha, and this indicator has none of them", "set it to 0")
    if len(spending) > 1:
        yield _error(
            f"{at}.detectors",
            f"{' and '.join(spending)} would spend the same share of alpha",
            "move one of them to a second indicator with a weight",
        )
    for number, detector_spec in enumerate(spec.detectors):
        yield from _detector(charter, spec, detector_spec, indicator.observes, f"{at}.detectors[{number}]")


def _regrading(spec: IndicatorSpec, at: str) -> Iterator[Problem]:
    """The late window has to cover the time in which an incident may be regraded."""
    within, length = _length(spec.params.get("regraded_within")), _length(spec.period)
    if within is None or not length or spec.params.get("by") == "classification":
        return
    delay = _length(spec.reporting_delay) or 0
    if within <= delay + spec.late_window * length:
        return
    needed = -(-(within - delay) // length)
    more = f"late_window: {needed}" if needed <= WIDEST else "longer periods"
    yield _warning(
        f"{at}.late_window",
        f"an incident that is regraded {spec.params['regraded_within']} after it occurred is too late to count: "
        f"late events count for {spec.late_window} closed periods of {spec.period}",
        f"write `by: classification` in params, or {more}",
    )


def _detector(
    charter: Charter, spec: IndicatorSpec, detector_spec: DetectorSpec, observes: type, at: str
) -> Iterator[Problem]:
    known = detectors.DETECTORS
    if detector_spec.name not in known:
        yield _error(f"{at}.name", f"there is no detector {detector_spec.name!r}", nearest(detector_spec.name, known))
        return
    if detector_spec.name == "disparity":
        yield from _compares(spec, observes, at)
        if observes not in (Count, Proportion) or len(spec.segments) < 2 or not spec.weight:
            return
    taken = known[detector_spec.name].observes
    if observes not in taken and detector_spec.name != "disparity":
        others = [name for name, kind in known.items() if observes in kind.observes]
        yield _error(
            f"{at}.name",
            f"{detector_spec.name} cannot read a {observes.__name__.lower()}",
            f"write one of {', '.join(others)}",
        )
        return
    if detector_spec.level == "halt" and detector_spec.name not in SPENDS_ALPHA:
        yield _error(
            f"{at}.level",
            f"{detector_spec.name} has no declared rate of false halts, so no halt may rest on it",
            f"write escalate, or halt on {HALTING}",
        )
    if detector_spec.fall_level is not UNSET and detector_spec.name != TELLS_FALLS:
        yield _error(
            f"{at}.fall_level",
            f"{detector_spec.name} does not tell falls from rises",
            f"remove it, or write it for {TELLS_FALLS}",
        )
    if detector_spec.level == "halt" and spec.kind == "complaint_handling_time":
        yield _error(
            f"{at}.level",
            "handling times are rarely exponential, so the rate of false halts would not hold",
            "write escalate, or halt on complaint_over_promise",
        )
    if detector_spec.level == "halt" and spec.kind in OUTSIDE_KINDS:
        yield _error(
            f"{at}.level",
            "anybody may complain outside the firm, also a competitor, so no halt may rest on it",
            "write escalate; an officer who has read the complaints may suspend the pilot",
        )
    if detector_spec.name == HALTING and (spec.nominal() is None or spec.weight == 0):
        field = "limit" if spec.nominal() is None else "weight"
        yield _error(
            f"{at[: at.index('.')]}.{field}", f"{HALTING} needs a limit and a weight above 0", f"add `{field}`"
        )
        return
    if not _length(spec.period):
        return  # already reported; no detector can be built for it
    try:
        build_detectors(charter, CompiledIndicator(msgspec.structs.replace(spec, detectors=(detector_spec,))), 1)
    except TypeError as error:
        takes = detectors.parameters_of(detector_spec.name)
        named = re.search(r"argument '(\w+)'", str(error))
        field = f"params.{named[1]}" if named else "params"
        problem = (
            f"{detector_spec.name} takes no such parameter"
            if named
            else f"{detector_spec.name} cannot use these values"
        )
        yield _error(f"{at}.{field}", problem, f"it takes {', '.join(takes)}" if takes else "remove it")
    except (ValueError, ArithmeticError) as error:
        name, _, text = str(error).partition(": ")
        problem, _, fix = text.partition("; ")
        field = f"{at}.params.{name}" if name in detector_spec.params else f"{at}.params"
        if spec.baseline is not None and name in spec.baseline.__struct_fields__:
            field = f"{at[: at.index('.')]}.baseline.{name}"
        yield _error(field, problem or str(error), fix or "change it")


def _compares(spec: IndicatorSpec, observes: type, at: str) -> Iterator[Problem]:
    """A comparison of segments needs at least two, a count over exposure or a proportion, and alpha."""
    indicator = at[: at.index(".")]
    if observes not in (Count, Proportion) or (observes is Count and spec.exposure is None):
        yield _error(f"{at}.name", f"the segments of {spec.kind} cannot be compared", "compare counts over exposure")
    elif len(spec.segments) < 2:
        yield _error(f"{indicator}.segments", "disparity compares each segment with the others", "list two or more")
    elif not spec.weight:
        yield _error(f"{indicator}.weight", "disparity needs a weight above 0", "add `weight`")


def _periods(spec: IndicatorSpec, at: str) -> Iterator[Problem]:
    length = _length(spec.period) or 0
    if length == 0:
        yield _error(f"{at}.period", "a period needs a length above 0", "write a span such as 1h")
        return
    if length > LONGEST_SPAN_MS:
        yield _error(f"{at}.period", f"{spec.period} is longer than ten years", "write a shorter span")
    if length < 1_000:
        yield _warning(
            f"{at}.period", f"{spec.period} is shorter than the usual difference between clocks", "write 1s or more"
        )
    for field, text in (("reporting_delay", spec.reporting_delay), ("params.promise", spec.params.get("promise"))):
        wait = _length(text) or 0
        if wait > LONGEST_SPAN_MS:
            yield _error(f"{at}.{field}", f"{text} is longer than ten years", "write a shorter span")
        elif wait > OPEN_PERIODS * length:
            yield _error(
                f"{at}.{field}",
                f"{text} keeps more than {OPEN_PERIODS} periods of {spec.period} open at once",
                "write a longer period",
            )


def _hard_rules(rules: tuple[HardRule, ...]) -> Iterator[Problem]:
    yield from _twice((rule.name for rule in rules), "hard_rules", ".name")
    for index, rule in enumerate(rules):
        if rule.boundary is True and (rule.severity or rule.harm or rule.unregistered_model):
            yield _error(
                f"hard_rules[{index}].boundary",
                "no incident or model is reported with a breach, so the conditions can never hold together",
                "write two rules",
            )
        elif not (rule.severity or rule.harm or rule.unregistered_model or rule.boundary is True):
            yield _error(
                f"hard_rules[{index}]", "without a condition every incident would trigger it", "add severity or harm"
            )
        elif rule.unregistered_model and (rule.severity or rule.harm):
            yield _error(
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
        yield _error("data_boundary", f"hard_rules[{rules[0]}] is on breaches of it", "list what must not be crossed")
    yield from _twice((alike(one) for one in charter.data_boundary), "data_boundary", "")
    for index, one in enumerate(charter.data_boundary):
        if not 0 < len(one) <= LONGEST_BOUNDARY:
            problem = f"has {len(one)} characters, and a report of a breach names it"
            yield _error(f"data_boundary[{index}]", problem, f"write 1 to {LONGEST_BOUNDARY}")


def _confidential(charter: Charter) -> Iterator[Problem]:
    """What the public must be able to check stays public."""
    for index, name in enumerate(charter.confidential or ()):
        if name not in Charter.__struct_fields__ or name in PUBLIC:
            fix = nearest(name, set(Charter.__struct_fields__) - PUBLIC)
            yield _error(f"confidential[{index}]", f"{name} cannot be kept from the public", fix)


def _size(charter: Charter) -> Iterator[Problem]:
    """A pilot's state is bounded: a charter that could exceed the bound is refused at its largest part."""
    size = size_of(plan_of(charter))
    if size.total <= CHARTER_BYTES:
        return
    grown = f"a pilot's state could grow to {size.total:,} bytes, {CHARTER_BYTES:,} are allowed for what a charter asks"
    largest = max(range(len(size.indicators)), key=size.indicators.__getitem__, default=None)
    if largest is None or size.indicators[largest] < size.charter:
        taken, name = parts_of(charter)[0]
        yield _error(name, f"{grown}; {taken:,} of them are this field", "write fewer or shorter entries")
        return
    spec = charter.indicators[largest]
    streams, taken = max(1, len(spec.segments)), size.indicators[largest]
    periods = open_periods(CompiledIndicator(spec))
    field = "segments" if streams > periods else "reporting_delay"
    yield _error(
        f"indicators[{largest}].{field}",
        f"{grown}; {taken:,} of them are {streams} segments with up to {periods} open periods each",
        "list fewer segments, or write longer periods or a shorter reporting_delay",
    )


def _spans(charter: Charter) -> Iterator[Problem]:
    fields = {
        "responses.unknown_escalates_after": charter.responses.unknown_escalates_after,
        "responses.acknowledge_within": charter.responses.acknowledge_within,
        "responses.lease": charter.responses.lease,
        "responses.shelve_at_most": charter.responses.shelve_at_most,
        "responses.rectify_within": charter.responses.rectify_within,
        "exit.quiet_for": charter.exit.quiet_for,
    }
    if charter.exit.tracked_for is not UNSET:
        fields["exit.tracked_for"] = charter.exit.tracked_for
    if charter.assessment is not UNSET:
        fields |= {"assessment.every": charter.assessment.every, "assessment.within": charter.assessment.within}
    if charter.drills.every is not None:
        fields["drills.every"] = charter.drills.every
    for field, text in fields.items():
        length = _length(text)
        if length is None:
            yield _error(field, f"{text!r} is no span", "write a span such as 1h")
        elif length > LONGEST_SPAN_MS:
            yield _error(field, f"{text} is longer than ten years", "write a shorter span")
    if _length(charter.responses.rectify_within) == 0:
        yield _error(
            "responses.rectify_within", "a tolerated crossing would halt at once", "write a span above 0, such as 30d"
        )
    every = _length(charter.drills.every)
    if every is not None and every < 2 * (_length(charter.responses.acknowledge_within) or 0) + 1:
        yield _error(
            "drills.every",
            f"a drill every {charter.drills.every} would begin before the previous one ends",
            "write more than twice responses.acknowledge_within",
        )
    if charter.drills.zone and charter.drills.zone not in time_zones.names():
        yield _error(
            "drills.zone", f"there is no time zone {charter.drills.zone!r}", time_zones.near(charter.drills.zone)
        )
    for index, window in enumerate(charter.drills.full_stops):
        if window.end <= window.start:
            yield _error(
                f"drills.full_stops[{index}].end",
                "the window would end before it starts",
                "write a later time; a window over midnight is two",
            )
    if charter.responses.tolerate_first and charter.tier not in ("minimal", "limited"):
        yield _error(
            "responses.tolerate_first",
            f"the first crossing of a limit is never tolerated in tier {charter.tier}",
            "remove it; only minimal and limited may have it",
        )
    if charter.responses.rectify_within != Responses().rectify_within and not charter.responses.tolerate_first:
        yield _warning(
            "responses.rectify_within",
            "no crossing is tolerated, so there is nothing to rectify",
            "add tolerate_first: true, or remove it",
        )
    least = 2 * (SESSION_MS + RECOVERY_MS)
    lease = _length(charter.responses.lease)
    if lease is not None and lease < least:
        yield _warning(
            "responses.lease",
            f"{charter.responses.lease} is so short that the crash of one worker may stop the service",
            f"write {least // 1000}s or more: twice the session time-out plus recovery",
        )


def _length(text: Any) -> int | None:
    """The least length of a span in milliseconds (months differ); `None` for text that is no span."""
    try:
        span = parse_span(text)
    except (ValueError, TypeError):
        return None
    return span.ms + span.months * MONTH_MS


def _units(charter: Charter) -> Iterator[Problem]:
    """Units that differ in spelling only: telemetry in one of them does not count in the other."""
    seen: dict[str, str] = {}
    for index, spec in enumerate(charter.indicators):
        unit = tidy(spec.exposure.unit) if spec.exposure else ""
        other = seen.setdefault(alike(unit), unit)
        if other != unit:
            problem = f"{escaped(unit)!r} and {escaped(other)!r} are two units: labels are case-sensitive"
            yield _warning(f"indicators[{index}].exposure.unit", problem, "write one of them")


def _twins(names: Iterable[str], at: str, suffix: str) -> Iterator[Problem]:
    """Labels that equal an earlier one after normalisation (the later one never counts), or differ from it in case
    only."""
    seen: dict[str, tuple[str, str]] = {}
    for index, name in enumerate(names):
        before = seen.setdefault(alike(name), (name, tidy(name)))
        if before[0] == name:
            continue
        field = f"{at}[{index}]{suffix}"
        if before[1] == tidy(name):
            yield _error(field, f"{escaped(name)!r} is {escaped(before[0])!r} in another Unicode form", "write it once")
        else:
            problem = f"{escaped(name)!r} differs from {escaped(before[0])!r} in case only"
            yield _warning(field, problem, "write names that cannot be confused")


def _twice(names: Iterable[str], at: str, suffix: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield _error(f"{at}[{index}]{suffix}", f"{name!r} is listed twice", "write each once")
        seen.add(name)
