"""Plain words for levels and reasons, and one sentence that says a decision with its numbers; pages and alerts share them."""

from __future__ import annotations

import re

from monitor.model.events import Harm, Severity
from monitor.model.records import Decision, Finding, Level, Reason
from monitor.projections.formats import e_value, figure, is_evidence, span, stamp

LEVELS: dict[Level, str] = {
    Level.NORMAL: "In range. Nothing that the charter asks to act on.",
    Level.WATCH: "A quick detector noticed something. Noisy on purpose; a person looks.",
    Level.ESCALATE: "Brought before the authority responsible for this pilot.",
    Level.HALT: "The service was told to stop. Stays until the authority releases it.",
}

REASONS: dict[Reason, str] = {
    Reason.ADMITTED: "Admitted to the sandbox",
    Reason.AMENDED: "The charter was amended, from here on",
    Reason.EXITED: "The pilot has left the sandbox",
    Reason.EXIT_PENDING: "The pilot is to leave the sandbox; the halt stands until the stop is verified",
    Reason.LIMIT_EXCEEDED: "A limit of the charter is broken",
    Reason.LIMIT_HALF_WAY: "The evidence of a broken limit is half-way to its threshold",
    Reason.HARD_RULE: "An event happened on which the charter acts at once",
    Reason.CHANGE_DETECTED: "The rate has changed from what it was",
    Reason.DRIFT_SUSPECTED: "The numbers may be drifting",
    Reason.GAUGE_OUT_OF_RANGE: "A value lies outside what the charter states",
    Reason.UNKNOWN_TOO_LONG: "The state of the pilot has been unknown for too long",
    Reason.SEQUENCE_GAP: "Events of a source are missing",
    Reason.SOURCE_CONFLICT: "Two emitters share one source, or one restarted at 1: different events under one number",
    Reason.TELEMETRY_LOST: "Telemetry was deleted before the monitor had read it; events of this pilot may be among it",
    Reason.STATE_LIMIT: "More periods are open than can be kept, and the oldest were dropped unjudged; amend the charter",
    Reason.LATE_SHARE: "Too much telemetry comes after its period has closed",
    Reason.EXPOSURE_CAP: "The pilot is used more than the charter allows",
    Reason.OUTSIDE_CYCLE: "The pilot is used outside the time that the charter grants",
    Reason.UNREGISTERED_MODEL: "A model is serving that the charter does not name",
    Reason.CORRECTED: "The firm corrected what it had tallied",
    Reason.COUNTED_NOWHERE: "Telemetry is accepted and counts nowhere",
    Reason.MISSING_MODEL: "Telemetry names no model, so a model may be serving that the charter does not name",
    Reason.CLEARED: "Quiet for as long as the charter asks",
    Reason.OVERRIDDEN: "Set by hand by a regulator",
    Reason.RECTIFICATION_RECORDED: "A corrective action was put on record",
    Reason.EVALUATION_RECORDED: "A re-evaluation was put on record",
    Reason.APPROVAL_RECORDED: "An approver agreed to lifting the halt",
    Reason.RELEASED: "The halt was lifted; resuming is the firm's own act",
    Reason.COMMAND_ACKNOWLEDGED: "The service acknowledged the command",
    Reason.HALT_VERIFIED: "The service stands still: its own heartbeats bear out that it stopped",
    Reason.HALT_OVERDUE: "A halt is not obeyed in time, or the service went dark before that could be verified",
    Reason.HALT_CONTRADICTED: "A halted service goes on: what was reported is of a time after its stop",
    Reason.LIMIT_TOLERATED: "A limit of the charter is broken for the first time; it must be rectified, the next time halts",
    Reason.RECTIFICATION_OVERDUE: "A broken limit that was tolerated was not rectified in time",
    Reason.SHELVED: "A finding was set aside for a while by a regulator",
    Reason.UNSHELVED: "A finding that was set aside counts again",
    Reason.COMMON_CAUSE: "Pilots of one vendor together exceed what their limits allow",
    Reason.LEVEL_ACCEPTED: "A new level was accepted; what is usual is learnt anew",
    Reason.DRILL_BEGUN: "A halt is tried out",
    Reason.DRILL_PASSED: "The service answered a drill as it must",
    Reason.DRILL_OVERDUE: "The service did not answer a drill in time",
    Reason.DRILL_ENDED: "The drill is over; resuming is the firm's own act",
    Reason.LAPSED: "No more permits are given, as the state has been unknown for too long; this is no halt",
    Reason.SILENCE: "Nothing has been heard for longer than is usual",
    Reason.PARTIAL_DATA: "A period closed with data missing",
    Reason.MONITOR_GAP: "The monitor itself was away",
    Reason.HEARD_AGAIN: "Heard again; the state is known",
}


# Reasons whose rule says what happened, and those whose number is a time in seconds since the command.
RULED = (
    Reason.ADMITTED, Reason.AMENDED, Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED, Reason.SHELVED, Reason.UNSHELVED,
    Reason.DRILL_BEGUN, Reason.DRILL_PASSED, Reason.DRILL_OVERDUE, Reason.DRILL_ENDED, Reason.RELEASED,
)  # fmt: skip
TIMED = (
    Reason.COMMAND_ACKNOWLEDGED, Reason.HALT_VERIFIED, Reason.HALT_OVERDUE, Reason.DRILL_PASSED, Reason.DRILL_OVERDUE,
)  # fmt: skip
SINGLE = {
    Reason.SEQUENCE_GAP: "{} events missing",
    Reason.OUTSIDE_CYCLE: "an exposure of {}",
    Reason.HALT_CONTRADICTED: "{} after the stop",
    Reason.SOURCE_CONFLICT: "number {}",
    Reason.TELEMETRY_LOST: "{} records of its partition",
    Reason.RECTIFICATION_OVERDUE: "open for {} s",
}
"""Reasons with one number of their own, and how it is said."""
ENDED = {
    "acknowledge": "The service acknowledged: the halt is not overdue any more",
    "heartbeats": "The heartbeats show the stop: the halt is neither overdue nor contradicted any more",
    "dry_run": "The drill was passed, so a former one is not overdue any more",
    "full_stop": "The drill was passed, so a former one is not overdue any more",
    "unknown": "The state of the pilot is known again",
}
"""What ended a finding that is about no indicator, by its rule: nothing was quiet for a while."""
FLAGGED = (Reason.UNKNOWN_TOO_LONG, Reason.LAPSED)  # their detail is the flag that stands, itself a reason


def plain(word: str) -> str:
    """A name from a charter as a person would write it.

    >>> plain("incident_rate")
    'incident rate'
    """
    return word.replace("_", " ").strip()


def sentence(decision: Decision, kind: str = "", below: bool = False) -> str:
    """One sentence, without a full stop at its end: the reason, then the numbers that a person can check.

    `kind` is the indicator's kind of observation (`proportion` prints shares in per cent), `below` whether its limit is a least.
    """
    finding, reason = decision.finding, decision.reason
    words = REASONS[reason]
    if reason is Reason.CLEARED and not finding.indicator:
        words = ENDED.get(finding.rule, words)
    if reason is Reason.EVALUATION_RECORDED and finding.observed is not None:
        words += ": passed" if finding.observed >= 1 else ": not passed"
    if reason is Reason.MONITOR_GAP and finding.period_start is not None and finding.period_end is not None:
        words += f", {span(finding.period_start, finding.period_end)}"
    parts = [_rule(decision), numbers(decision, kind, below), _detail(decision)]
    text = "; ".join(part for part in parts if part)
    said = ": ".join(part for part in (words, _subject(decision), text) if part)
    if finding.provisional:
        said += " (before the period has closed)"
    return said


def _subject(decision: Decision) -> str:
    """The indicator, and its segment, that a decision is about. A flag names them in its rule,
    `indicator/segment...`."""
    finding = decision.finding
    indicator, segment = finding.indicator, finding.segment
    if not indicator and decision.kind == "flag" and "/" in finding.rule:
        indicator, _, segment = finding.rule.removesuffix("/partial").partition("/")
    return plain(indicator) + (f", {segment}" if segment and indicator else "")


def _rule(decision: Decision) -> str:
    """What of a decision stands in its rule, in words; empty where the reason has said it."""
    rule, reason = decision.finding.rule, decision.reason
    if not rule:
        return ""
    if reason is Reason.HARD_RULE:
        return f"rule {plain(rule)}"
    if reason in (Reason.SHELVED, Reason.UNSHELVED):  # as one writes it to `shelve`
        end = decision.finding.period_end
        return rule + (f", until {stamp(end)}" if reason is Reason.SHELVED and end is not None else "")
    if reason in RULED:
        return plain(rule)
    return plain(rule) if reason is Reason.CLEARED and not decision.finding.indicator and rule not in ENDED else ""


def _detail(decision: Decision) -> str:
    detail, reason = decision.finding.detail, decision.reason
    if reason is Reason.HARD_RULE:
        said = incident(decision)
        return f"incident {said[0]}, severity {plain(said[1])}, harm {plain(said[2])}" if said else detail
    if reason in FLAGGED and detail in set(Reason):  # else somebody's own word
        return REASONS[Reason(detail)].lower()
    if reason is Reason.COMMAND_ACKNOWLEDGED and detail:
        return f"decision {detail}"
    return f"at {detail}" if reason is Reason.OUTSIDE_CYCLE and detail else detail


def incident(decision: Decision) -> tuple[str, str, str] | None:
    """(id, severity, harm) of the incident on which a hard rule acted; `None` for any other decision."""
    parts = decision.finding.detail.split(", ", 2)
    known = decision.reason is Reason.HARD_RULE and len(parts) == 3
    return (parts[2], parts[0], parts[1]) if known and parts[0] in set(Severity) and parts[1] in set(Harm) else None


def numbers(decision: Decision, kind: str = "", below: bool = False) -> str:
    """What was seen, what is allowed, and the evidence against its threshold; empty where a decision rests on no
    number.

    A finding that cleared has nothing to show, and of silence only the expected says anything. Evidence of e-processes
    and e-detectors is printed as the e-value itself, never as its logarithm.
    """
    finding, reason = decision.finding, decision.reason
    if reason is Reason.CLEARED:
        return ""
    if reason is Reason.SILENCE:
        return "" if finding.expected is None else f"about {figure(finding.expected)} events would have come by now"
    if reason in TIMED:
        if finding.observed is None:
            return ""
        allowed = "" if finding.expected is None else f", {figure(finding.expected)} s allowed"
        return f"after {figure(finding.observed)} s{allowed}"
    if reason in SINGLE:
        return "" if finding.observed is None else SINGLE[reason].format(figure(finding.observed))
    if reason is Reason.STATE_LIMIT and finding.observed is not None and finding.expected is not None:
        return f"{figure(finding.observed)} open, at most {figure(finding.expected)} are kept"
    parts = []
    if finding.observed is not None and finding.expected is not None and _counts(decision):
        parts.append(_compared(decision, finding.observed, finding.expected, kind, below))
        if finding.ratio is not None and finding.ratio_low is not None and finding.ratio_high is not None:
            low, high = figure(finding.ratio_low), figure(finding.ratio_high)
            parts[-1] += f", {figure(finding.ratio)} times that (95 % interval {low} to {high})"
    if finding.statistic is not None and finding.bar is not None:
        if is_evidence(finding.rule):
            parts.append(f"evidence {e_value(finding.statistic)} against a threshold of {e_value(finding.bar)}")
        else:
            parts.append(f"statistic {figure(finding.statistic)} against a threshold of {figure(finding.bar)}")
    return "; ".join(parts)


def budget_words(finding: Finding) -> list[str]:
    """What the threshold of a finding may spend of the pilot's alpha, and what all thresholds up to now may spend."""
    said = []
    if finding.alpha is not None:
        said.append(f"this threshold may spend alpha {figure(finding.alpha)}")
    if finding.alpha_spent is not None:
        said.append(f"all thresholds up to now may spend {figure(finding.alpha_spent)}")
    return said


def _compared(decision: Decision, observed: float, expected: float, kind: str, below: bool) -> str:
    """What was seen next to what is allowed or usual: `63 of 1,323 (4.76 %) where at most 26.5 (2 %) are allowed`."""
    finding, reason = decision.finding, decision.reason
    share = kind == "proportion" or (not kind and " % of " in finding.explanation.partition(" where ")[0])
    share = share and max(observed, expected) <= 1
    usual = reason in (Reason.CHANGE_DETECTED, Reason.DRIFT_SUSPECTED)
    trials = _trials(finding) if share else None
    if trials is not None:
        seen = f"{figure(_whole(observed * trials))} of {figure(trials)} ({_percent(observed)})"
        allowed = f"{figure(expected * trials)} ({_percent(expected)})"
    else:
        seen, allowed = (_percent(x) if share else figure(x) for x in (observed, expected))
        if not share and finding.exposure is not None:
            seen += f" in {figure(finding.exposure)} {plain(finding.unit)}".rstrip()
    if usual:
        return f"{seen} where {allowed} is usual"
    least = f"at {'least' if below else 'most'} {allowed}"
    if reason is Reason.EXPOSURE_CAP:
        return f"{seen} {plain(finding.unit)} used".replace("  ", " ") + f" where {least} are allowed"
    if trials is not None:
        return f"{seen} where {least} are allowed"
    if share or kind == "gauge" or reason is Reason.GAUGE_OUT_OF_RANGE:
        return f"{seen} where {least} is allowed"
    counted = "" if finding.exposure is not None else " counted"
    return f"{seen}{counted} where {least} {'was' if expected == 1 else 'were'} allowed"


def _trials(finding: Finding) -> float | None:
    """How many trials a share is of: from the finding, or, in records that older versions wrote, from its
    explanation."""
    if finding.exposure is not None:
        return finding.exposure
    told = re.match(r"[\d.]+ % of ([\d,.]+) where ", finding.explanation)
    return None if told is None else float(told[1].replace(",", ""))


def _whole(count: float) -> float:
    """A count without what rounding of a share added to it."""
    return round(count) if abs(count - round(count)) < 1e-6 * max(1.0, count) else count


def _counts(decision: Decision) -> bool:
    return decision.reason not in (
        Reason.HARD_RULE,
        Reason.EVALUATION_RECORDED,
        Reason.SEQUENCE_GAP,
        Reason.SOURCE_CONFLICT,
        Reason.TELEMETRY_LOST,
    )


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
