"""Plain words for levels and reasons, and one sentence that says a decision with its numbers; pages and alerts share them."""

from __future__ import annotations

from monitor.console.picture import is_evidence
from monitor.console.scales import e_value, figure, span
from monitor.model import Decision, Level, Reason

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
    Reason.LIMIT_HALF_WAY: "The evidence of a broken limit is half-way to its bar",
    Reason.HARD_RULE: "An event happened on which the charter acts at once",
    Reason.CHANGE_DETECTED: "The rate has changed from what it was",
    Reason.DRIFT_SUSPECTED: "The numbers may be drifting",
    Reason.GAUGE_OUT_OF_RANGE: "A value lies outside what the charter states",
    Reason.UNKNOWN_TOO_LONG: "The state of the pilot has been unknown for too long",
    Reason.SEQUENCE_GAP: "Events of a source are missing",
    Reason.LATE_SHARE: "Too much telemetry comes after its period has closed",
    Reason.EXPOSURE_CAP: "The pilot is used more than the charter allows",
    Reason.OUTSIDE_CYCLE: "The pilot is used outside the time that the charter grants",
    Reason.UNREGISTERED_MODEL: "A model is serving that the charter does not name",
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
    Reason.HARD_RULE, Reason.AMENDED, Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED, Reason.SHELVED, Reason.UNSHELVED,
    Reason.DRILL_BEGUN, Reason.DRILL_PASSED, Reason.DRILL_OVERDUE,
)  # fmt: skip
TIMED = (
    Reason.COMMAND_ACKNOWLEDGED, Reason.HALT_VERIFIED, Reason.HALT_OVERDUE, Reason.DRILL_PASSED, Reason.DRILL_OVERDUE,
)  # fmt: skip

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
    finding = decision.finding
    words = REASONS[decision.reason]
    if decision.reason is Reason.EVALUATION_RECORDED and finding.observed is not None:
        words += ": passed" if finding.observed >= 1 else ": not passed"
    if decision.reason is Reason.MONITOR_GAP and finding.period_start is not None and finding.period_end is not None:
        words += f", {span(finding.period_start, finding.period_end)}"
    subject = plain(finding.indicator) + (f", {finding.segment}" if finding.segment and finding.indicator else "")
    parts = [numbers(decision, kind, below)]
    if decision.reason in RULED and finding.rule:
        key = decision.reason in (Reason.SHELVED, Reason.UNSHELVED)  # as one writes it to `shelve`
        parts.insert(0, finding.rule if key else plain(finding.rule))
    if finding.detail:
        flag = decision.reason in FLAGGED and finding.detail in set(Reason)  # else somebody's own word
        parts.append(REASONS[Reason(finding.detail)].lower() if flag else finding.detail)
    text = "; ".join(part for part in parts if part)
    said = ": ".join(part for part in (words, subject, text) if part)
    if finding.provisional:
        said += " (before the period has closed)"
    return said


def numbers(decision: Decision, kind: str = "", below: bool = False) -> str:
    """What was seen, what is allowed, and the evidence against its bar; empty where a decision rests on no number.

    A finding that cleared has nothing to show, and of silence only the expected says anything. Evidence of e-processes and e-detectors is printed as the e-value itself, never as its logarithm.
    """
    finding = decision.finding
    if decision.reason is Reason.CLEARED:
        return ""
    if decision.reason is Reason.SILENCE:
        return "" if finding.expected is None else f"about {figure(finding.expected)} events would have come by now"
    if decision.reason in TIMED:
        if finding.observed is None:
            return ""
        allowed = "" if finding.expected is None else f", {figure(finding.expected)} s allowed"
        return f"after {figure(finding.observed)} s{allowed}"
    parts = []
    if finding.observed is not None and finding.expected is not None and _counts(decision):
        share = kind == "proportion" or (not kind and " % of " in finding.explanation.partition(" where ")[0])
        share = share and max(finding.observed, finding.expected) <= 1
        seen, allowed = (_percent(x) if share else figure(x) for x in (finding.observed, finding.expected))
        least = f"at {'least' if below else 'most'} {allowed}"
        if decision.reason in (Reason.CHANGE_DETECTED, Reason.DRIFT_SUSPECTED):
            parts.append(f"{seen} where {allowed} is usual")
        elif share or kind == "gauge" or decision.reason is Reason.GAUGE_OUT_OF_RANGE:
            parts.append(f"{seen} where {least} is allowed")
        else:
            parts.append(f"{seen} counted where {least} {'was' if finding.expected == 1 else 'were'} allowed")
        if finding.ratio is not None and finding.ratio_low is not None and finding.ratio_high is not None:
            low, high = figure(finding.ratio_low), figure(finding.ratio_high)
            parts[-1] += f", {figure(finding.ratio)} times that (95 % interval {low} to {high})"
    if finding.statistic is not None and finding.bar is not None:
        if is_evidence(finding.rule):
            parts.append(f"evidence {e_value(finding.statistic)} against a bar of {e_value(finding.bar)}")
        else:
            parts.append(f"statistic {figure(finding.statistic)} against a bar of {figure(finding.bar)}")
    return "; ".join(parts)


def _counts(decision: Decision) -> bool:
    return decision.reason not in (Reason.HARD_RULE, Reason.EVALUATION_RECORDED, Reason.SEQUENCE_GAP)


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
