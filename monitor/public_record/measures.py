"""The measures of an annual report, in one table: title, definition, dimensions, unit; and the sections that list them.

The separate program `recompute_annual.py` computes each of them again. A measure without a unit counts entries.
"""

from __future__ import annotations

MEASURES: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    # set-up
    "sandbox.configurations": (
        "Configurations put in force", "decisions `sandbox_founded` and `configuration_changed`", ("decision",), ""),
    "pilots.in_year": (
        "Pilots in the sandbox during the year",
        "pilots that were in the sandbox, or under routine supervision, at the beginning of the year, or admitted in "
        "it; each by its last admission before the end of the year", (), ""),
    "pilots.state": (
        "Pilots by state at the end of the year",
        "of pilots in the sandbox during the year: the state after the last decision of the year or before",
        ("state",), ""),
    "pilots.halted": (
        "Pilots under a halt or a suspension at the end of the year",
        "of pilots in the sandbox during the year: `halted` or `suspended` then",
        ("state",), ""),
    "pilots.tier": ("Pilots by tier", "of pilots in the sandbox during the year: by the public part of the charter "
                    "last in force; `withheld` where the charter lists the field as confidential", ("tier",), ""),
    "pilots.sector": ("Pilots by sector", "as pilots by tier", ("sector",), ""),
    "pilots.region": ("Pilots by region", "as pilots by tier", ("region",), ""),
    "pilots.authority": (
        "Pilots by authority",
        "of pilots in the sandbox during the year: by each authority responsible, so a pilot may count several times",
        ("authority",), ""),
    "pilots.firm": (
        "Pilots by firm", "of pilots in the sandbox during the year: by the id of the participant", ("firm",), ""),
    "firms.class": (
        "Firms by class at the end of the year",
        "by the last decision `firm_classified` of the year or before in the file of each firm",
        ("class",), ""),
    # applications
    "applications": (
        "Steps of applications", "decisions by reason: submitted, screened, agreed, admitted, refused, withdrawn",
        ("step",), ""),
    "applications.days.median": (
        "Time to a decision on an application, median",
        "days from `application_submitted` to the admission or refusal in the year", (), "days"),
    "applications.days.largest": (
        "Time to a decision on an application, longest", "as the median, the longest of them", (), "days"),
    "applications.clock": (
        "Deadlines for a decision on an application (three months)",
        "changes of deadlines that an application started: met, or missed, in the year", ("change",), ""),
    # halts
    "halts.begun": ("Halts", "decisions that raise the level to a halt", (), ""),
    "halts.reason": ("Halts by reason", "decisions that raise the level to a halt, by their reason", ("reason",), ""),
    "halts.ground": (
        "Halts by ground", "decisions that raise the level to a halt, by indicator or, without one, rule",
        ("indicator or rule",), ""),
    "halts.by": ("Halts by who decided", "`person` where an act caused the decision, else `machine`", ("who",), ""),
    "halts.acknowledge.median": (
        "Time to acknowledge a halt, median",
        "seconds that the first `command_acknowledged` of each halt states; halts begun in the year", (), "s"),
    "halts.acknowledge.largest": ("Time to acknowledge a halt, longest", "as the median, the longest of them", (), "s"),
    "halts.verify.median": (
        "Time to a verified stop, median", "seconds that the first `halt_verified` of each halt states", (), "s"),
    "halts.verify.largest": ("Time to a verified stop, longest", "as the median, the longest of them", (), "s"),
    "halts.unconfirmed": (
        "Halts that were not acknowledged, or not verified",
        "halts begun in the year without such an entry before their release or the end of the year", ("lacks",), ""),
    "halts.problems": (
        "Halts overdue or contradicted", "decisions `halt_overdue` and `halt_contradicted`", ("reason",), ""),
    "halts.released": ("Halts released", "decisions `released`", (), ""),
    "halts.release_days.median": (
        "Time from a halt to its release, median", "days; halts released in the year", (), "days"),
    "halts.release_days.largest": (
        "Time from a halt to its release, longest", "as the median, the longest of them", (), "days"),
    "halts.standing": (
        "Halts in force at the end of the year",
        "halts that were not released before the end of the year, of pilots still in the sandbox", (), ""),
    "halts.suspensions": ("Suspensions by an authority", "decisions `suspended`", (), ""),
    "halts.overrides": (
        "Levels set by an officer", "decisions `overridden`, by whether the level rose, fell or stayed",
        ("direction",), ""),
    "halts.appealed": (
        "Halts appealed", "decisions `appealed`. A firm's own replay (`ledger compare`) leaves no entry", (), ""),
    "halts.wrongful": (
        "Halts that were annulled",
        "decisions `decision_annulled` in the file of a firm that annul a decision which began a halt of one of its "
        "pilots in whichever year: the entries that state that a halt was wrong",
        (), ""),
    "halts.to_review": (
        "Halts by a limit whose indicator kept it over the whole year",
        "halts with the reason `limit_exceeded` where the interval of `limits.share` is on the good side of the limit "
        "in the whole year. A passing excess can be the cause; a wrong halt can be one of them", (), ""),
    "halts.wrongful_at_most": (
        "Wrongful halts by limits to be expected, at most",
        "sum of `alpha` over the charters last in force: a pilot that keeps every limit is halted by a limit with a "
        "probability of at most alpha in its whole life, however often it is looked at. A declared bound, not a count",
        (), "halts"),
    # incidents and deadlines
    "incidents.serious": (
        "Serious incidents by class",
        "incidents whose legal deadlines began in the year, by the classes that an officer decided on, else by the "
        "harm that the entry of a hard rule names; an incident of several classes counts for each", ("class",), ""),
    "incidents.reports": ("Reports of incidents", "decisions `incident_report_received`", ("kind",), ""),
    "incidents.rules": ("Hard rules triggered", "decisions `hard_rule`", ("rule",), ""),
    "incidents.trends": ("Trend reports", "decisions `trend_rising` and `trend_steady`", ("reason",), ""),
    "deadlines.serious_incident": (
        "Deadlines after serious incidents (Art. 73), by who owed",
        "changes of deadlines that a serious incident started: met, done late, or missed, in the year",
        ("owed by", "firm", "rule", "change"), ""),
    "deadlines": (
        "All legal deadlines", "decisions about deadlines, by what started them, who owed, and the change",
        ("started by", "rule", "owed by", "change"), ""),
    "deadlines.authority": (
        "Deadlines that an authority missed",
        "missed deadlines that an authority owed, by each authority responsible for the pilot then",
        ("authority", "rule"), ""),
    # corrective actions and complaints
    "rectifications.recorded": ("Corrective actions", "decisions `rectification_recorded`", (), ""),
    "rectifications.owed": (
        "Corrective actions owed, in time or not",
        "decisions `limit_tolerated` and `inspection_finding` in the year: `in time` where a corrective action follows "
        "(on a finding of an inspection: that names it) before they are overdue, else `overdue`, or `open` "
        "at the end of the year",
        ("duty", "result"), ""),
    "complaints.counted": (
        "Complaints, of the firm's own reports and of reporters outside",
        "events of `complaint_rate` indicators in evidence of the year; of several such indicators of a pilot the one "
        "that counts most", ("pilot",), "complaints"),
    "complaints.channel": (
        "Users' channel",
        "complaints, answers, redress and departures of users over the channel that the firm does not write: sum of "
        "the numbers in decisions `complaint_filed`, `complaint_answered`, `complaint_withdrawn`, `redress_recorded` "
        "(by step) and `user_left`",
        ("step",), "reports"),
    "complaints.outside": (
        "Complaints from reporters outside the firm",
        "`complaints_outside` of the last assessment or exit of the year, since the admission of the pilot",
        ("pilot",), "complaints"),
    # assessments, exits, supervision
    "assessments": ("Assessments by outcome", "decisions `assessed`", ("outcome",), ""),
    "assessments.missed": ("Assessments overdue", "decisions `assessment_missed`", (), ""),
    "exits": ("Exits by outcome", "decisions `exited`; `none stated` where the act named none", ("outcome",), ""),
    "exits.reports": (
        "Exit reports", "decisions `report_issued`, `published`, `withheld`", ("decision",), ""),
    "supervision.routine": (
        "Routine supervision", "decisions `graduated`, `closed`, `recalled`", ("decision",), ""),
    "drills": ("Drills", "decisions `drill_begun`, `drill_passed`, `drill_overdue`", ("decision",), ""),
    "inspections": ("Inspections and their findings", "decisions `inspected`, `inspection_finding`, `finding_overdue`",
                    ("decision",), ""),
    "guidance": ("Guidance", "decisions `guidance_asked`, `guidance_given`, `guidance_followed`", ("decision",), ""),
    "rollout": (
        "Steps of rollouts, and templates",
        "decisions `step_passed`, `step_failed`, `step_inconclusive` and `template_made`",
        ("decision",), ""),
    "charters.amended": ("Amendments of charters", "decisions `amended`", (), ""),
    "charters.fields": (
        "Amended parts of charters", "amendments by the field that they changed; each counts once for a field",
        ("field",), ""),
    "changes": (
        "Changes of the system", "decisions `change_registered`, `change_proposed`, `change_refused`, "
        "`change_not_registered`, `unregistered_model`", ("decision",), ""),
    # lessons
    "limits.share": (
        "Share of the limit that was used, by indicator",
        "events of the year over those that the limit in force allowed for the same exposure; 1 = at the limit. "
        "Interval: confidence sequence by a mixture of likelihood ratios with the declared variance/mean (Robbins "
        "1970; Howard et al. 2021), each side errs with a probability of at most 0.025 at all times together. Late and "
        "incomplete periods count with their events. For a minimum: the limit over the rate. For a gauge the largest "
        "value over the limit, without an interval", ("pilot", "indicator", "segment"), "share"),
    "limits.highest": (
        "Highest share of the limit, by indicator of the same name",
        "the largest of `limits.share` over pilots and segments, with the interval of that one", ("indicator",),
        "share"),
    "limits.never_approached": (
        "Limits that were never approached",
        "of `limits.share`: the whole interval is below one half of the limit (of a gauge: the value)",
        ("pilot", "indicator", "segment"), "share"),
    "limits.always_broken": (
        "Limits that were broken all along",
        "of `limits.share`: the whole interval is beyond the limit, and so is the rate of every month with exposure",
        ("pilot", "indicator", "segment"), "share"),
    "indicators.no_data": (
        "Indicators without data",
        "indicators of charters in force at the end of the year, of pilots that have evidence, without one complete "
        "period with exposure in the year; the entry is that of the charter", ("pilot", "indicator"), ""),
    "rules.never_fired": (
        "Hard rules that never fired",
        "hard rules of the charters last in force, by name: those that no decision `hard_rule` of the year names, of "
        "whichever pilot; the value is the number of charters that have the rule",
        ("rule",), ""),
    "detectors.alarms": (
        "Alarms by detector, and what became of them",
        "decisions with a finding of a detector: `overridden` where the next thing about it is an officer who lowers "
        "the level, shelves it or accepts the new rate; `cleared` where it went quiet; `released` with a halt; else "
        "`open`", ("indicator", "detector", "result"), ""),
    "detectors.all_overridden": (
        "Detectors whose alarms were all overridden", "of `detectors.alarms`: those with no other result",
        ("indicator", "detector"), ""),
    "clauses": (
        "Decisions by legal clause", "decisions that cite a clause, by clause and reason", ("clause", "reason"), ""),
}  # fmt: skip
"""Id -> title, definition, dimensions, unit ("" = a number of entries)."""

_BY_SECTION: tuple[tuple[str, str, str, str], ...] = (
    ("setup", "Set-up and pilots", "Art. 57(16)", "sandbox. pilots. firms."),
    ("applications", "Applications", "Art. 57(16) and 58(2)(a)", "applications"),
    ("halts", "Halts", "Art. 57(11) and (16)", "halts."),
    ("incidents", "Incidents and legal deadlines", "Art. 57(16) and 73", "incidents. deadlines"),
    ("rectifications", "Corrective actions and complaints", "Art. 57(12) and (16)", "rectifications. complaints."),
    ("supervision", "Assessments, exits and supervision", "Art. 57(7) and (16)",
     "assessments exits supervision. drills inspections guidance rollout charters. changes"),
    ("lessons", "Lessons learnt", "Art. 57(16)", "limits. indicators. rules. detectors. clauses"),
)  # fmt: skip
"""Id, title, legal basis (EU AI Act), and how the ids of its measures begin."""

SECTIONS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = tuple(
    (id_, title, basis, tuple(name for name in MEASURES if name.startswith(tuple(begins.split()))))
    for id_, title, basis, begins in _BY_SECTION
)
"""Id, title, legal basis, ids of measures."""
