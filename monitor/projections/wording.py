"""Sentences for levels, reasons and decisions, with their numbers; board, alerts, command line and reports share
them."""

from __future__ import annotations

from msgspec import UnsetType

from monitor.model.events import Harm, Severity
from monitor.model.records import Decision, Finding, Level, Reason
from monitor.projections.clock_words import clock_words
from monitor.projections.detail_words import founded_words, late_words, rule_words
from monitor.projections.field_words import field_name
from monitor.projections.formats import figure, span, stamp
from monitor.projections.number_words import numbers
from monitor.translation import mark, tr

LEVEL_WORDS: dict[str, str] = {
    "normal": mark("normal"), "watch": mark("watch"), "escalate": mark("escalate"), "halt": mark("halt"),
}  # fmt: skip
"""The levels as people read them, by `Level.word`."""
LEVELS: dict[Level, str] = {
    Level.NORMAL: mark("No finding that requires action."),
    Level.WATCH: mark("A sensitive detector reported something; false alarms are expected. A person checks."),
    Level.ESCALATE: mark("Reported to the authority responsible for this pilot. A person must decide."),
    Level.HALT: mark("The service was commanded to stop. Stands until the authority releases it."),
}

REASONS: dict[Reason, str] = {
    Reason.ADMITTED: mark("Admitted to the sandbox"),
    Reason.AMENDED: mark("Charter amended"),
    Reason.EXITED: mark("Left the sandbox"),
    Reason.EXIT_PENDING: mark("Exit pending; the halt stands until the stop is verified"),
    Reason.LIMIT_EXCEEDED: mark("Charter limit exceeded"),
    Reason.LIMIT_HALF_WAY: mark("Evidence of an exceeded limit is half-way to its threshold"),
    Reason.HARD_RULE: mark("Hard rule of the charter triggered"),
    Reason.CHANGE_DETECTED: mark("Rate has changed"),
    Reason.DRIFT_SUSPECTED: mark("Possible drift"),
    Reason.GAUGE_OUT_OF_RANGE: mark("Value outside the range of the charter"),
    Reason.UNKNOWN_TOO_LONG: mark("State unknown for longer than the charter allows"),
    Reason.SEQUENCE_GAP: mark("Events of a source are missing"),
    Reason.SOURCE_CONFLICT: mark(
        "Two emitters share one source, or one restarted at 1; events with equal numbers differ"
    ),
    Reason.STATE_LOST: mark("Stored state could not be read; admitted again, halted until a release"),
    Reason.TELEMETRY_LOST: mark("Telemetry deleted before the monitor read it; events of this pilot may be lost"),
    Reason.DISPERSION_EXCEEDED: mark("Counts vary more than the charter grants; the limit escalates at most"),
    Reason.BASELINE_UNUSABLE: mark("Periods the baseline was learned from vary more than the charter grants"),
    Reason.STATE_LIMIT: mark("State at its bound; the oldest parts were dropped without evaluation, amend the charter"),
    Reason.LATE_SHARE: mark("Too many events arrive after their period has closed"),
    Reason.EXPOSURE_CAP: mark("Exposure above the cap of the charter"),
    Reason.OUTSIDE_CYCLE: mark("Used outside the trial period of the charter"),
    Reason.UNREGISTERED_MODEL: mark("Model in use that the charter does not name"),
    Reason.CORRECTED: mark("The firm corrected earlier reports"),
    Reason.COUNTED_NOWHERE: mark("Telemetry accepted, but no indicator counts it"),
    Reason.LATE_DROPPED: mark("Telemetry accepted, but too late to count"),
    Reason.MISSING_MODEL: mark("Telemetry names no model; a model that the charter does not name may be in use"),
    Reason.CLEARED: mark("Quiet for as long as the charter requires"),
    Reason.OVERRIDDEN: mark("Level set by an officer"),
    Reason.RECTIFICATION_RECORDED: mark("Corrective action recorded"),
    Reason.EVALUATION_RECORDED: mark("Re-evaluation recorded"),
    Reason.APPROVAL_RECORDED: mark("Release approved by one approver"),
    Reason.RELEASED: mark("Halt released; the firm decides when to resume"),
    Reason.COMMAND_ACKNOWLEDGED: mark("Service acknowledged the command"),
    Reason.HALT_VERIFIED: mark("Service stopped; confirmed by its heartbeats"),
    Reason.HALT_OVERDUE: mark("Halt overdue; not acknowledged or not verified in the time that the charter allows"),
    Reason.HALT_CONTRADICTED: mark("Halt contradicted; the service was active after it had to be stopped"),
    Reason.LIMIT_TOLERATED: mark("Charter limit exceeded for the first time; must be rectified, the next excess halts"),
    Reason.RECTIFICATION_OVERDUE: mark("Tolerated excess of a limit not rectified in time"),
    Reason.SHELVED: mark("Finding shelved by an officer"),
    Reason.UNSHELVED: mark("Shelved finding is active again"),
    Reason.COMMON_CAUSE: mark("Pilots of one vendor together exceed their limits"),
    Reason.LEVEL_ACCEPTED: mark("New rate accepted as normal; the baseline is learned again"),
    Reason.DRILL_BEGUN: mark("Halt drill started"),
    Reason.DRILL_PASSED: mark("Halt drill passed"),
    Reason.DRILL_OVERDUE: mark("Halt drill overdue; the service did not respond in time"),
    Reason.DRILL_ENDED: mark("Halt drill ended; the firm decides when to resume"),
    Reason.LAPSED: mark("No further permits, because the state has been unknown for too long; this is not a halt"),
    Reason.SILENCE: mark("No data for longer than usual"),
    Reason.PARTIAL_DATA: mark("Period closed with data missing"),
    Reason.MONITOR_GAP: mark("Monitor outage"),
    Reason.HEARD_AGAIN: mark("Data resumed; the state is known"),
    Reason.APPLICATION_SUBMITTED: mark("Application received"),
    Reason.APPLICATION_SCREENED: mark("Application screened"),
    Reason.APPLICATION_REFUSED: mark("Application refused"),
    Reason.APPLICATION_WITHDRAWN: mark("Application withdrawn by the firm"),
    Reason.CHARTER_SIGNED: mark("Charter signed by one side"),
    Reason.CHARTER_AGREED: mark("Charter signed by firm and authority"),
    Reason.CYCLE_STARTED: mark("Cycle of the charter started"),
    Reason.BOUNDARY_BREACHED: mark("Data crossed a boundary of the charter"),
    Reason.FOUNDED: mark("Sandbox founded"),
    Reason.CONFIGURATION_PROPOSED: mark("Change of the sandbox proposed; an approver must approve it"),
    Reason.CONFIGURATION_CHANGED: mark("Configuration of the sandbox changed"),
    Reason.PROPOSAL_WITHDRAWN: mark("Proposed change of the sandbox withdrawn"),
    Reason.CHANGE_REGISTERED: mark("Change registered; the charter's plan of changes covers it"),
    Reason.CHANGE_PROPOSED: mark(
        "Change proposed; the plan of changes does not cover it, an officer amends or refuses"
    ),
    Reason.CHANGE_REFUSED: mark("Proposed change refused"),
    Reason.CHANGE_NOT_REGISTERED: mark("Planned model in use, but no change was registered"),
    Reason.PAUSE_REQUESTED: mark("Firm asked for a pause"),
    Reason.PAUSE_GRANTED: mark("Pilot paused; its statistics neither continue nor restart"),
    Reason.RESUMED: mark("Firm ended the pause"),
    Reason.CYCLE_REQUESTED: mark("Firm asked for another cycle"),
    Reason.CYCLE_GRANTED: mark("Another cycle is in force"),
    Reason.REQUEST_DECLINED: mark("Request of the firm declined"),
    Reason.USED_IN_PAUSE: mark("Service used while the pilot is paused"),
    Reason.EXTENDED: mark("Stay extended"),
    Reason.GUIDANCE_ASKED: mark("Firm asked for guidance"),
    Reason.GUIDANCE_GIVEN: mark("Guidance given"),
    Reason.GUIDANCE_FOLLOWED: mark("Firm states that it followed the guidance"),
    Reason.INSPECTED: mark("Inspected"),
    Reason.INSPECTION_FINDING: mark("Inspection found something that must be rectified"),
    Reason.FINDING_OVERDUE: mark("Finding of an inspection not rectified in time"),
    Reason.SUSPENDED: mark("Suspended by an authority"),
    Reason.TREND_RISING: mark("Non-serious incidents rose significantly"),
    Reason.TREND_STEADY: mark("No significant rise of non-serious incidents"),
    Reason.EVIDENCE_HELD: mark("Evidence hold; the system must not change before the authority was told"),
    Reason.HOLD_LIFTED: mark("Evidence hold lifted"),
    Reason.CLOCK_STARTED: mark("Legal deadline runs"),
    Reason.CLOCK_MOVED: mark("Legal deadline moved"),
    Reason.CLOCK_MET: mark("Legal deadline met"),
    Reason.CLOCK_MISSED: mark("Legal deadline missed"),
    Reason.CLOCK_STOPPED: mark("Legal deadline ended without effect"),
    Reason.CLOCK_REFUSED: mark("Too many open legal deadlines; a further one is not tracked"),
    Reason.RESPONSIBILITY_CHANGED: mark("Other authorities are responsible"),
    Reason.NO_AUTHORITY: mark("No authority of the sandbox is responsible"),
    Reason.ASSESSED: mark("Assessed"),
    Reason.ASSESSMENT_DUE: mark("Assessment due"),
    Reason.ASSESSMENT_MISSED: mark("Assessment overdue"),
    Reason.EXIT_APPROVED: mark("Exit approved by one approver"),
    Reason.TIER_APPROVED: mark("Lower tier approved by one approver"),
    Reason.REPORT_ISSUED: mark("Written proof and exit report issued"),
    Reason.PUBLISHED: mark("Exit report may be published"),
    Reason.WITHHELD: mark("Exit report withheld"),
    Reason.GRADUATED: mark("Graduated; under routine supervision"),
    Reason.RECALLED: mark("Recalled from routine supervision"),
    Reason.CLOSED: mark("Routine supervision ended"),
    Reason.EVIDENCE_HOLD: mark("Model changed before the authority was told of a serious incident"),
    Reason.INCIDENT_REPORT_RECEIVED: mark("Report of an incident received"),
    Reason.CHANGE_NOTIFIED: mark("Authority told of a change of the system"),
    Reason.SUSPENSION_NOTIFIED: mark("AI Office told of the suspension"),
    Reason.INCIDENT_RECLASSIFIED: mark("Incident classified by an officer"),
    Reason.COMPLAINT_FILED: mark("Complaints of users received from outside the firm"),
    Reason.COMPLAINT_WITHDRAWN: mark("Complaints of users withdrawn"),
    Reason.COMPLAINT_ANSWERED: mark("Complaints of users answered"),
    Reason.REDRESS_RECORDED: mark("Redress recorded"),
    Reason.USER_LEFT: mark("Users withdrew from the pilot"),
    Reason.SHADOW_STARTED: mark("Shadow charter started; it never acts"),
    Reason.SHADOW_STOPPED: mark("Shadow charter stopped"),
    Reason.SHADOW_ENDED: mark("Shadow charter ended"),
    Reason.STEP_PASSED: mark("Step of the rollout passed; the cap on users rises"),
    Reason.STEP_FAILED: mark("Step of the rollout failed; the cap on users falls by one step"),
    Reason.STEP_INCONCLUSIVE: mark("Step of the rollout inconclusive; the cap on users stays"),
    Reason.TEMPLATE_MADE: mark("Charter made a template for other pilots"),
    Reason.MODEL_ENTRY_ADDED: mark("Entry added to the file of a model"),
    Reason.MODEL_ENTRY_WITHDRAWN: mark("Entry of the file of a model withdrawn"),
    Reason.FIRM_CLASSIFIED: mark("Class of the firm set"),
    Reason.DECISION_ANNULLED: mark("Decision annulled; it counts no longer against the firm"),
}


# Reasons whose finding names what happened in `rule`.
RULED = (
    Reason.ADMITTED, Reason.AMENDED, Reason.HALT_OVERDUE, Reason.HALT_CONTRADICTED, Reason.SHELVED, Reason.UNSHELVED,
    Reason.DRILL_BEGUN, Reason.DRILL_PASSED, Reason.DRILL_OVERDUE, Reason.DRILL_ENDED, Reason.RELEASED,
    Reason.APPLICATION_SUBMITTED, Reason.APPLICATION_SCREENED, Reason.APPLICATION_REFUSED, Reason.CHARTER_SIGNED,
    Reason.CHARTER_AGREED,
    Reason.INCIDENT_REPORT_RECEIVED, Reason.INCIDENT_RECLASSIFIED,
    Reason.FOUNDED, Reason.CONFIGURATION_CHANGED,
    Reason.MODEL_ENTRY_ADDED, Reason.MODEL_ENTRY_WITHDRAWN, Reason.REDRESS_RECORDED,
)  # fmt: skip
LISTED = 8  # items of a typed field that a sentence names
ENDED = {
    "acknowledge": mark("Halt acknowledged; it is no longer overdue"),
    "heartbeats": mark("Stop confirmed by heartbeats; the halt is no longer overdue or contradicted"),
    "dry_run": mark("Drill passed; the earlier drill is no longer overdue"),
    "full_stop": mark("Drill passed; the earlier drill is no longer overdue"),
    "unknown": mark("State of the pilot known again"),
}
"""What ended a finding without an indicator, by its rule; such a finding does not end by quiet periods."""
SEVERITIES: dict[str, str] = {
    "near_miss": mark("near miss"), "hazard": mark("hazard"), "incident": mark("incident"),
    "serious_incident": mark("serious incident"),
}  # fmt: skip
HARMS: dict[str, str] = {
    "none": mark("none"), "minor_injury": mark("minor injury"), "serious_injury": mark("serious injury"),
    "death": mark("death"), "critical_infrastructure": mark("critical infrastructure"),
    "fundamental_rights": mark("fundamental rights"), "property": mark("property"), "environment": mark("environment"),
}  # fmt: skip
"""Severity and harm of an incident as people read them."""
RULES = (
    mark("acknowledge"), mark("heartbeats"), mark("heartbeat"), mark("serving"), mark("exposure"), mark("traffic"),
    mark("silence"), mark("telemetry"), mark("dry run"), mark("full stop"), mark("release"), mark("admission"),
    mark("amendment"), mark("verify"),
)  # fmt: skip
"""Words that a finding has as its rule and that are shown; names from charters are shown as they are."""
CLOCK = "clock/"  # how the keys of findings about legal deadlines begin
FLAGGED = (Reason.UNKNOWN_TOO_LONG, Reason.LAPSED)  # their detail is the flag that is set, itself a reason


def level_word(level: Level) -> str:
    """A level in one word, in the language that is spoken."""
    return tr(LEVEL_WORDS[level.word])


def plain(word: str) -> str:
    """A name from a charter with spaces instead of underscores.

    >>> plain("incident_rate")
    'incident rate'
    """
    return word.replace("_", " ").strip()


def sentence(decision: Decision, kind: str = "", below: bool = False) -> str:
    """One sentence without a final full stop: the reason, then the numbers that a person can check.

    `kind` is the indicator's kind of observation (`proportion` prints per cent), `below` whether its limit is a
    minimum.
    """
    finding = decision.finding
    clock = "" if isinstance(finding.clock, UnsetType) else clock_words(finding.clock)
    parts = [
        _rule(decision), numbers(decision, kind, below), clock, _content(finding), _assessed(finding),
        _detail(decision),
    ]  # fmt: skip
    said = _reason(decision)
    for part in (_subject(decision), "; ".join(part for part in parts if part)):
        if part:
            said = tr("{what}: {rest}", what=said, rest=part)
    if finding.provisional:
        said = tr("{sentence} (provisional: the period is still open)", sentence=said)
    return said


def _reason(decision: Decision) -> str:
    finding, reason = decision.finding, decision.reason
    words = REASONS[reason]
    if reason is Reason.CLEARED and not finding.indicator:
        words = ENDED.get(finding.rule, words)
        if decision.finding_key.startswith(CLOCK):
            words = mark("Missed legal deadline is settled")
    if reason is Reason.EVALUATION_RECORDED and finding.observed is not None:
        words = mark("Re-evaluation recorded: passed")
        if finding.observed < 1:
            words = mark("Re-evaluation recorded: not passed")
    if reason is Reason.MONITOR_GAP and finding.period_start is not None and finding.period_end is not None:
        return tr("{reason}, {period}", reason=tr(words), period=span(finding.period_start, finding.period_end))
    return tr(words)


def _assessed(finding: Finding) -> str:
    """The computed numbers of an assessment or an exit, in short."""
    numbers = finding.assessment
    if isinstance(numbers, UnsetType):
        return ""
    limited = [row for row in numbers.streams if row.limit is not None]
    kept = sum(row.keeps is True for row in limited)
    powers = [row for row in limited if row.power is not None and row.asked is not None]
    reached = sum((row.power or 0.0) >= (row.asked or 0.0) for row in powers)
    return tr(
        "{kept} of {limits} limits shown to be kept, power reached for {reached} of {indicators} indicators, "
        "lacking for scale: {lacks}",
        kept=kept,
        limits=len(limited),
        reached=reached,
        indicators=len(powers),
        lacks=", ".join(plain(lack) for lack in numbers.lacks) or tr("nothing"),
    )


def _content(finding: Finding) -> str:
    """The typed fields of an act: `kind model version, model m2`; not the record of a firm and its rules."""
    fields = sorted((finding.content or {}).items())
    return ", ".join(
        f"{field_name(name)} {_value(value)}" for name, value in fields if not name.startswith(("record/", "rules/"))
    )


def _value(value: str | float | tuple[str, ...]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float | int):
        return figure(value)
    more = len(value) - LISTED
    return tr(" and ").join(value if more <= 0 else (*value[:LISTED], tr("{n} more", n=more)))


def _subject(decision: Decision) -> str:
    """The indicator and segment of a decision. A flag names them in its rule, `indicator/segment...`."""
    finding = decision.finding
    indicator, segment = finding.indicator, finding.segment
    if not indicator and decision.kind == "flag" and "/" in finding.rule:
        indicator, _, segment = finding.rule.removesuffix("/partial").partition("/")
    return plain(indicator) + (f", {segment}" if segment and indicator else "")


def _rule(decision: Decision) -> str:
    """The rule of a decision in words; empty where the reason says it."""
    rule, reason = decision.finding.rule, decision.reason
    if not rule:
        return ""
    if reason is Reason.HARD_RULE:
        return tr("rule {rule}", rule=plain(rule))
    if reason in (Reason.SHELVED, Reason.UNSHELVED):  # the key that `shelve` takes
        end = decision.finding.period_end
        if reason is Reason.SHELVED and end is not None:
            return tr("{rule}, until {time}", rule=rule, time=stamp(end))
        return rule
    if reason in RULED:
        return rule_words(tr(plain(rule)))
    return tr(plain(rule)) if reason is Reason.CLEARED and not decision.finding.indicator and rule not in ENDED else ""


def _detail(decision: Decision) -> str:
    detail, reason = decision.finding.detail, decision.reason
    if reason is Reason.HARD_RULE:
        said = incident(decision)
        if said is None:
            return detail
        names = {"incident": said[0], "severity": tr(SEVERITIES[said[1]]), "harm": tr(HARMS[said[2]])}
        return tr("incident {incident}, severity {severity}, harm {harm}", **names)
    if reason in FLAGGED and detail in set(Reason):  # else free text of a person
        text = tr(REASONS[Reason(detail)])
        return text[0].lower() + text[1:]
    if reason is Reason.LATE_DROPPED:
        return late_words(detail)
    if reason is Reason.FOUNDED:
        return founded_words(detail)
    if reason is Reason.COMMAND_ACKNOWLEDGED and detail:
        return tr("decision {decision}", decision=detail)
    return tr("at {time}", time=detail) if reason is Reason.OUTSIDE_CYCLE and detail else detail


def incident(decision: Decision) -> tuple[str, str, str] | None:
    """(id, severity, harm) of the incident on which a hard rule acted; `None` for any other decision."""
    parts = decision.finding.detail.split(", ", 2)
    known = decision.reason is Reason.HARD_RULE and len(parts) == 3
    return (parts[2], parts[0], parts[1]) if known and parts[0] in set(Severity) and parts[1] in set(Harm) else None
