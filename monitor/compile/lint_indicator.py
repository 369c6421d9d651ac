"""Lints an indicator of a charter with its periods and detectors. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import UNSET

import detectors
from detectors import SPENDS_ALPHA
from detectors.base import Count, Proportion
from monitor.charter.spec import Charter, DetectorSpec, IndicatorSpec
from monitor.compile.plan import CompiledIndicator, build_detectors
from monitor.compile.problem import LONGEST_SPAN_MS, Problem, error, length_of, nearest, twice, twins, warning
from monitor.compile.state_size import WIDEST
from monitor.indicators import INDICATORS, BadSpec

OPEN_PERIODS = 1_000  # the most that one stream may keep open: its state is bounded
OUTSIDE_KINDS = ("outside_complaint_rate", "outside_gap")  # of complaints by the public
HALTING = "limit_e_process"  # spends alpha on the indicator's limit
TELLS_FALLS = "e_detector"  # the one detector that watches both directions and tells them apart


def indicator_problems(charter: Charter, spec: IndicatorSpec, at: str) -> Iterator[Problem]:
    if spec.kind not in INDICATORS:
        yield error(f"{at}.kind", f"there is no indicator {spec.kind!r}", nearest(spec.kind, INDICATORS))
        return
    unread = [f for f in ("period", "reporting_delay") if length_of(getattr(spec, f)) is None]
    for field in unread:
        yield error(f"{at}.{field}", f"{getattr(spec, field)!r} is no span", "write a span such as 1h")
    if unread:
        return
    yield from _periods(spec, at)
    yield from twice(spec.segments, f"{at}.segments", "")
    yield from twins(spec.segments, f"{at}.segments", "")
    try:
        indicator = INDICATORS[spec.kind](spec)
    except BadSpec as wrong:
        yield error(f"{at}.{wrong.field}", wrong.problem, wrong.fix)
        return
    except ValueError as wrong:  # a span in `params` that its pattern lets through
        yield error(f"{at}.params", str(wrong).partition(";")[0], "write a span such as 1h")
        return
    if spec.segments and not any(s.kind == spec.kind and not s.segments for s in charter.indicators):
        yield warning(
            f"{at}.segments",
            "events with a segment that is not listed count nowhere",
            f"add a second {spec.kind} without segments",
        )
    if spec.exposure is not None and spec.exposure.complete == "on_close" and not length_of(spec.reporting_delay):
        yield warning(
            f"{at}.reporting_delay",
            "periods close without delay, and exposure that is not tallied by then is taken to be 0",
            "write a delay within which every tally is received",
        )
    yield from _regrading(spec, at)
    if spec.kind == "efficiency_gain" and spec.limit is not None and spec.limit > 1:
        yield warning(
            f"{at}.limit", f"{spec.limit:g} is a gain of {spec.limit:.0%}", "write a share, such as 0.2 for 20 %"
        )
    if spec.baseline is not None and spec.limit is not None:
        yield error(f"{at}.limit", "there is also a baseline, and an indicator has one limit", "remove one of them")
        return
    if spec.baseline is not None and (indicator.observes is not Count or spec.exposure is None):
        yield error(
            f"{at}.baseline", "only counts over exposure can be compared with a baseline", "write `limit` instead"
        )
        return
    if spec.baseline is not None and spec.weight == 0:
        yield error(f"{at}.weight", "the uncertainty of a baseline is paid for out of alpha", "write a weight above 0")
        return
    if not spec.detectors:
        yield warning(f"{at}.detectors", "no detector reads this indicator", "add a detector")
    spending = [w.name for w in spec.detectors if w.name in SPENDS_ALPHA]
    if spec.weight > 0 and not spending:
        names = " and ".join(SPENDS_ALPHA)
        yield warning(f"{at}.weight", f"only {names} spend alpha, and this indicator has none of them", "set it to 0")
    if len(spending) > 1:
        yield error(
            f"{at}.detectors",
            f"{' and '.join(spending)} would spend the same share of alpha",
            "move one of them to a second indicator with a weight",
        )
    for number, detector_spec in enumerate(spec.detectors):
        yield from _detector(charter, spec, detector_spec, indicator.observes, f"{at}.detectors[{number}]")


def _regrading(spec: IndicatorSpec, at: str) -> Iterator[Problem]:
    """The late window has to cover the time in which an incident may be regraded."""
    within, length = length_of(spec.params.get("regraded_within")), length_of(spec.period)
    if within is None or not length or spec.params.get("by") == "classification":
        return
    delay = length_of(spec.reporting_delay) or 0
    if within <= delay + spec.late_window * length:
        return
    needed = -(-(within - delay) // length)
    more = f"late_window: {needed}" if needed <= WIDEST else "longer periods"
    yield warning(
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
        yield error(f"{at}.name", f"there is no detector {detector_spec.name!r}", nearest(detector_spec.name, known))
        return
    if detector_spec.name == "disparity":
        yield from _compares(spec, observes, at)
        if observes not in (Count, Proportion) or len(spec.segments) < 2 or not spec.weight:
            return
    taken = known[detector_spec.name].observes
    if observes not in taken and detector_spec.name != "disparity":
        others = [name for name, kind in known.items() if observes in kind.observes]
        yield error(
            f"{at}.name",
            f"{detector_spec.name} cannot read a {observes.__name__.lower()}",
            f"write one of {', '.join(others)}",
        )
        return
    if detector_spec.level == "halt" and detector_spec.name not in SPENDS_ALPHA:
        yield error(
            f"{at}.level",
            f"{detector_spec.name} has no declared rate of false halts, so no halt may rest on it",
            f"write escalate, or halt on {HALTING}",
        )
    if detector_spec.fall_level is not UNSET and detector_spec.name != TELLS_FALLS:
        yield error(
            f"{at}.fall_level",
            f"{detector_spec.name} does not tell falls from rises",
            f"remove it, or write it for {TELLS_FALLS}",
        )
    if detector_spec.level == "halt" and spec.kind == "complaint_handling_time":
        yield error(
            f"{at}.level",
            "handling times are rarely exponential, so the rate of false halts would not hold",
            "write escalate, or halt on complaint_over_promise",
        )
    if detector_spec.level == "halt" and spec.kind in OUTSIDE_KINDS:
        yield error(
            f"{at}.level",
            "anybody may complain outside the firm, also a competitor, so no halt may rest on it",
            "write escalate; an officer who has read the complaints may suspend the pilot",
        )
    if detector_spec.name == HALTING and (spec.nominal() is None or spec.weight == 0):
        field = "limit" if spec.nominal() is None else "weight"
        yield error(f"{at[: at.index('.')]}.{field}", f"{HALTING} needs a limit and a weight above 0", f"add `{field}`")
        return
    if not length_of(spec.period):
        return  # already reported; no detector can be built for it
    try:
        build_detectors(charter, CompiledIndicator(msgspec.structs.replace(spec, detectors=(detector_spec,))), 1)
    except TypeError as wrong:
        takes = detectors.parameters_of(detector_spec.name)
        named = re.search(r"argument '(\w+)'", str(wrong))
        field = f"params.{named[1]}" if named else "params"
        problem = (
            f"{detector_spec.name} takes no such parameter"
            if named
            else f"{detector_spec.name} cannot use these values"
        )
        yield error(f"{at}.{field}", problem, f"it takes {', '.join(takes)}" if takes else "remove it")
    except (ValueError, ArithmeticError) as wrong:
        name, _, text = str(wrong).partition(": ")
        problem, _, fix = text.partition("; ")
        field = f"{at}.params.{name}" if name in detector_spec.params else f"{at}.params"
        if spec.baseline is not None and name in spec.baseline.__struct_fields__:
            field = f"{at[: at.index('.')]}.baseline.{name}"
        yield error(field, problem or str(wrong), fix or "change it")


def _compares(spec: IndicatorSpec, observes: type, at: str) -> Iterator[Problem]:
    """A comparison of segments needs at least two, a count over exposure or a proportion, and alpha."""
    indicator = at[: at.index(".")]
    if observes not in (Count, Proportion) or (observes is Count and spec.exposure is None):
        yield error(f"{at}.name", f"the segments of {spec.kind} cannot be compared", "compare counts over exposure")
    elif len(spec.segments) < 2:
        yield error(f"{indicator}.segments", "disparity compares each segment with the others", "list two or more")
    elif not spec.weight:
        yield error(f"{indicator}.weight", "disparity needs a weight above 0", "add `weight`")


def _periods(spec: IndicatorSpec, at: str) -> Iterator[Problem]:
    length = length_of(spec.period) or 0
    if length == 0:
        yield error(f"{at}.period", "a period needs a length above 0", "write a span such as 1h")
        return
    if length > LONGEST_SPAN_MS:
        yield error(f"{at}.period", f"{spec.period} is longer than ten years", "write a shorter span")
    if length < 1_000:
        yield warning(
            f"{at}.period", f"{spec.period} is shorter than the usual difference between clocks", "write 1s or more"
        )
    for field, text in (("reporting_delay", spec.reporting_delay), ("params.promise", spec.params.get("promise"))):
        wait = length_of(text) or 0
        if wait > LONGEST_SPAN_MS:
            yield error(f"{at}.{field}", f"{text} is longer than ten years", "write a shorter span")
        elif wait > OPEN_PERIODS * length:
            yield error(
                f"{at}.{field}",
                f"{text} keeps more than {OPEN_PERIODS} periods of {spec.period} open at once",
                "write a longer period",
            )
