"""The numbers of a decision in words: observed and allowed, the interval, the evidence with its threshold. Pure."""

from __future__ import annotations

import re

from monitor.model.records import Decision, Finding, Reason
from monitor.projections.formats import e_value, figure, is_evidence
from monitor.translation import mark, tr

TIMED = (
    Reason.COMMAND_ACKNOWLEDGED, Reason.HALT_VERIFIED, Reason.HALT_OVERDUE, Reason.DRILL_PASSED, Reason.DRILL_OVERDUE,
)  # fmt: skip
"""Reasons whose number is a time in seconds since the command."""
SINGLE: dict[Reason, str] = {
    Reason.SEQUENCE_GAP: mark("{n} events missing"),
    Reason.OUTSIDE_CYCLE: mark("exposure {n}"),
    Reason.HALT_CONTRADICTED: mark("{n} after the stop"),
    Reason.SOURCE_CONFLICT: mark("number {n}"),
    Reason.TELEMETRY_LOST: mark("{n} records of its partition"),
    Reason.RECTIFICATION_OVERDUE: mark("open for {n} s"),
    Reason.USED_IN_PAUSE: mark("used {n}"),
    Reason.COMPLAINT_FILED: mark("{n} new"),
    Reason.COMPLAINT_WITHDRAWN: mark("{n} withdrawn"),
    Reason.COMPLAINT_ANSWERED: mark("{n} answered"),
    Reason.REDRESS_RECORDED: mark("of {n} complaints"),
    Reason.USER_LEFT: mark("{n} users"),
}
"""Reasons with a single number, and what it counts."""
USUAL = (Reason.CHANGE_DETECTED, Reason.DRIFT_SUSPECTED, Reason.TREND_RISING, Reason.TREND_STEADY)
"""Reasons whose expected value is what was usual before, not what is allowed."""
_PROPORTION = re.compile(r"[\d,.]+ of ([\d,.]+) \([^)]+ %\) |[^ ]+ % of ([\d,.]+) where ")
"""How the explanation of a proportion begins: `63 of 1,323 (4.76 %) ...`; in older records `4.76 % of 1,323 where
...`."""


def numbers(decision: Decision, kind: str = "", below: bool = False) -> str:
    """The observed and the allowed value, and the evidence with its threshold; empty for a decision without numbers.

    A cleared finding has no numbers, and silence only an expected count. Evidence of e-processes and e-detectors is
    printed as an e-value, never as its logarithm. `kind` and `below` as in `wording.sentence`.
    """
    finding, reason = decision.finding, decision.reason
    if reason is Reason.CLEARED:
        return ""
    if reason is Reason.SILENCE:
        return "" if finding.expected is None else tr("about {n} events expected by now", n=figure(finding.expected))
    if reason in TIMED or reason in SINGLE:
        return _single(finding, reason)
    if reason is Reason.STATE_LIMIT and finding.observed is not None and finding.expected is not None:
        names = {"n": figure(finding.observed), "most": figure(finding.expected)}
        if finding.rule == "rules":
            return tr("{n} findings of removed rules, at most {most} kept", **names)
        return tr("{n} periods open, at most {most} kept", **names)
    parts = []
    if finding.observed is not None and finding.expected is not None and has_comparison(decision.reason):
        parts.append(_with_interval(_compared(decision, finding.observed, finding.expected, kind, below), finding))
    if finding.statistic is not None and finding.bar is not None:
        if is_evidence(finding.rule):
            names = {"value": e_value(finding.statistic), "threshold": e_value(finding.bar)}
            parts.append(tr("e-value {value}, threshold {threshold}", **names))
        else:
            names = {"value": figure(finding.statistic), "threshold": figure(finding.bar)}
            parts.append(tr("statistic {value}, threshold {threshold}", **names))
    return "; ".join(parts)


def budget_words(finding: Finding) -> list[str]:
    """The alpha that the threshold of a finding may spend, and that of all thresholds of the pilot so far."""
    said = []
    if finding.alpha is not None:
        said.append(tr("this threshold may spend alpha {alpha}", alpha=figure(finding.alpha)))
    if finding.alpha_spent is not None:
        said.append(tr("all thresholds so far may spend {alpha}", alpha=figure(finding.alpha_spent)))
    return said


def is_share(finding: Finding, known: bool = False) -> bool:
    """Whether the numbers of a finding are shares: `known` from the charter, or read off its explanation."""
    observed, expected = finding.observed or 0.0, finding.expected or 0.0
    return max(observed, expected) <= 1 and (known or _PROPORTION.match(finding.explanation) is not None)


def trials_of(finding: Finding) -> float | None:
    """The number of trials of a proportion: from the finding, or from its explanation in records of older versions."""
    if finding.exposure is not None:
        return finding.exposure
    match = _PROPORTION.match(finding.explanation)
    return None if match is None else float((match[1] or match[2]).replace(",", ""))


def has_comparison(reason: Reason) -> bool:
    """Whether `observed` and `expected` of a finding with this reason are an observation and its limit."""
    return reason not in (
        Reason.HARD_RULE,
        Reason.EVALUATION_RECORDED,
        Reason.SEQUENCE_GAP,
        Reason.SOURCE_CONFLICT,
        Reason.TELEMETRY_LOST,
        Reason.STATE_LOST,
        Reason.DISPERSION_EXCEEDED,
        Reason.BASELINE_UNUSABLE,
    )


def _single(finding: Finding, reason: Reason) -> str:
    if finding.observed is None:
        return ""
    if reason in SINGLE:
        return tr(SINGLE[reason], n=figure(finding.observed))
    if finding.expected is None:
        return tr("after {seconds} s", seconds=figure(finding.observed))
    names = {"seconds": figure(finding.observed), "allowed": figure(finding.expected)}
    return tr("after {seconds} s, {allowed} s allowed", **names)


def _with_interval(compared: str, finding: Finding) -> str:
    if finding.ratio is None or finding.ratio_low is None or finding.ratio_high is None:
        return compared
    return tr(
        "{comparison}, {ratio} times as many (95 % interval {low} to {high})",
        comparison=compared, ratio=figure(finding.ratio), low=figure(finding.ratio_low),
        high=figure(finding.ratio_high),
    )  # fmt: skip


def _compared(decision: Decision, observed: float, expected: float, kind: str, below: bool) -> str:
    """The observed value and the allowed or usual one: `63 of 1,323 (4.76 %) where at most 26.5 (2 %) are allowed`."""
    finding, reason = decision.finding, decision.reason
    share = (kind == "proportion" or not kind) and is_share(finding, kind == "proportion")
    trials = trials_of(finding) if share else None
    if trials is not None:
        count = figure(_whole(observed * trials))
        seen = tr("{k} of {n} ({share})", k=count, n=figure(trials), share=_percent(observed))
        allowed = f"{figure(expected * trials)} ({_percent(expected)})"
    else:
        seen, allowed = (_percent(x) if share else figure(x) for x in (observed, expected))
        if not share and finding.exposure is not None:
            exposure = f"{figure(finding.exposure)} {_unit(finding)}".rstrip()
            seen = tr("{k} in {exposure}", k=seen, exposure=exposure)
    names = {"seen": seen, "allowed": allowed}
    if reason in USUAL:
        return tr("{seen} where {allowed} is usual", **names)
    if reason is Reason.EXPOSURE_CAP:
        names["seen"] = f"{seen} {_unit(finding)}".rstrip()
        return _side(below, _USED, names)
    if trials is not None:
        return _side(below, _ARE, names)
    if share or kind == "gauge" or reason is Reason.GAUGE_OUT_OF_RANGE:
        return _side(below, _IS, names)
    if finding.exposure is None:
        return _side(below, _COUNTED_ONE if expected == 1 else _COUNTED, names)
    return _side(below, _WAS if expected == 1 else _WERE, names)


def _side(below: bool, messages: tuple[str, str], names: dict[str, str]) -> str:
    return tr(messages[below], **names)


def _unit(finding: Finding) -> str:
    return finding.unit.replace("_", " ").strip()


def _whole(count: float) -> float:
    """A count without the rounding error of its proportion."""
    return round(count) if abs(count - round(count)) < 1e-6 * max(1.0, count) else count


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


# Of each pair the first is for a maximum, the second for a minimum.
_USED = (
    mark("{seen} used where at most {allowed} are allowed"),
    mark("{seen} used where at least {allowed} are allowed"),
)
_ARE = mark("{seen} where at most {allowed} are allowed"), mark("{seen} where at least {allowed} are allowed")
_IS = mark("{seen} where at most {allowed} is allowed"), mark("{seen} where at least {allowed} is allowed")
_WAS = mark("{seen} where at most {allowed} was allowed"), mark("{seen} where at least {allowed} was allowed")
_WERE = mark("{seen} where at most {allowed} were allowed"), mark("{seen} where at least {allowed} were allowed")
_COUNTED = (
    mark("{seen} counted where at most {allowed} were allowed"),
    mark("{seen} counted where at least {allowed} were allowed"),
)
_COUNTED_ONE = (
    mark("{seen} counted where at most {allowed} was allowed"),
    mark("{seen} counted where at least {allowed} was allowed"),
)
