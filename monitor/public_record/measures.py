"""The measures of an annual report, in one table: title, definition, dimensions, unit; and how each is defined.

The separate program `recompute_annual.py` computes each of them again. A measure without a unit counts entries. Titles
and definitions are translated where they are shown (`monitor/translation`); the report as JSON has them in English.
"""

from __future__ import annotations

from monitor.public_record.lesson_measures import LESSONS
from monitor.translation import mark

MEASURES: dict[str, tuple[str, str, tuple[str, ...], str]] = {
    # set-up
    "sandbox.configurations": (
        mark("Configurations put in force"),
        mark("decisions `sandbox_founded` and `configuration_changed`"),
        ("decision",),
        "",
    ),
    "pilots.in_year": (
        mark("Pilots in the sandbox during the year"),
        mark(
            "pilots that were in the sandbox, or under routine supervision, at the beginning of the year, or admitted "
            "in it; each by its last admission before the end of the year"
        ),
        (),
        "",
    ),
    "pilots.state": (
        mark("Pilots by state at the end of the year"),
        mark("of pilots in the sandbox during the year: the state after the last decision of the year or before"),
        ("state",),
        "",
    ),
    "pilots.halted": (
        mark("Pilots under a halt or a suspension at the end of the year"),
        mark("of pilots in the sandbox during the year: halted or suspended then"),
        ("state",),
        "",
    ),
    "pilots.tier": (
        mark("Pilots by tier"),
        mark(
            "of pilots in the sandbox during the year: by the public part of the charter "
            "last in force; withheld where the charter lists the field as confidential"
        ),
        ("tier",),
        "",
    ),
    "pilots.sector": (mark("Pilots by sector"), mark("as pilots by tier"), ("sector",), ""),
    "pilots.region": (mark("Pilots by region"), mark("as pilots by tier"), ("region",), ""),
    "pilots.authority": (
        mark("Pilots by authority"),
        mark(
            "of pilots in the sandbox during the year: by each authority responsible, so a pilot may count several "
            "times"
        ),
        ("authority",),
        "",
    ),
    "pilots.firm": (
        mark("Pilots by firm"),
        mark("of pilots in the sandbox during the year: by the id of the participant"),
        ("firm",),
        "",
    ),
    "firms.class": (
        mark("Firms by class at the end of the year"),
        mark("by the last decision `firm_classified` of the year or before in the file of each firm"),
        ("class",),
        "",
    ),
    # applications
    "applications": (
        mark("Steps of applications"),
        mark("decisions by reason: submitted, screened, agreed, admitted, refused, withdrawn"),
        ("step",),
        "",
    ),
    "applications.days.median": (
        mark("Time to a decision on an application, median"),
        mark("days from `application_submitted` to the admission or refusal in the year"),
        (),
        "days",
    ),
    "applications.days.largest": (
        mark("Time to a decision on an application, longest"),
        mark("as the median, the longest of them"),
        (),
        "days",
    ),
    "applications.clock": (
        mark("Deadlines for a decision on an application (three months)"),
        mark("changes of deadlines that an application started: met, or missed, in the year"),
        ("change",),
        "",
    ),
    # halts
    "halts.begun": (mark("Halts"), mark("decisions that raise the level to a halt"), (), ""),
    "halts.reason": (
        mark("Halts by reason"),
        mark("decisions that raise the level to a halt, by their reason"),
        ("reason",),
        "",
    ),
    "halts.ground": (
        mark("Halts by ground"),
        mark("decisions that raise the level to a halt, by indicator or, without one, rule"),
        ("indicator or rule",),
        "",
    ),
    "halts.by": (
        mark("Halts by who decided"),
        mark("`person` where an act caused the decision, else `machine`"),
        ("who",),
        "",
    ),
    "halts.acknowledge.median": (
        mark("Time to acknowledge a halt, median"),
        mark("seconds that the first `command_acknowledged` of each halt states; halts begun in the year"),
        (),
        "s",
    ),
    "halts.acknowledge.largest": (
        mark("Time to acknowledge a halt, longest"),
        mark("as the median, the longest of them"),
        (),
        "s",
    ),
    "halts.verify.median": (
        mark("Time to a verified stop, median"),
        mark("seconds that the first `halt_verified` of each halt states"),
        (),
        "s",
    ),
    "halts.verify.largest": (
        mark("Time to a verified stop, longest"),
        mark("as the median, the longest of them"),
        (),
        "s",
    ),
    "halts.unconfirmed": (
        mark("Halts that were not acknowledged, or not verified"),
        mark("halts begun in the year without such an entry before their release or the end of the year"),
        ("lacks",),
        "",
    ),
    "halts.problems": (
        mark("Halts overdue or contradicted"),
        mark("decisions `halt_overdue` and `halt_contradicted`"),
        ("reason",),
        "",
    ),
    "halts.released": (mark("Halts released"), mark("decisions `released`"), (), ""),
    "halts.release_days.median": (
        mark("Time from a halt to its release, median"),
        mark("days; halts released in the year"),
        (),
        "days",
    ),
    "halts.release_days.largest": (
        mark("Time from a halt to its release, longest"),
        mark("as the median, the longest of them"),
        (),
        "days",
    ),
    "halts.standing": (
        mark("Halts in force at the end of the year"),
        mark("halts that were not released before the end of the year, of pilots still in the sandbox"),
        (),
        "",
    ),
    "halts.suspensions": (mark("Suspensions by an authority"), mark("decisions `suspended`"), (), ""),
    "halts.overrides": (
        mark("Levels set by an officer"),
        mark("decisions `overridden`, by whether the level rose, fell or stayed"),
        ("direction",),
        "",
    ),
    "halts.appealed": (
        mark("Halts appealed"),
        mark("decisions `appealed`. A firm's own replay (`ledger compare`) leaves no entry"),
        (),
        "",
    ),
    "halts.wrongful": (
        mark("Halts that were annulled"),
        mark(
            "decisions `decision_annulled` in the file of a firm that annul a decision which began a halt of one of "
            "its pilots in whichever year: the entries that state that a halt was wrong"
        ),
        (),
        "",
    ),
    "halts.to_review": (
        mark("Halts by a limit whose indicator kept it over the whole year"),
        mark(
            "halts with the reason `limit_exceeded` where the interval of `limits.share` is on the good side of the "
            "limit in the whole year. A passing excess can be the cause; a wrong halt can be one of them"
        ),
        (),
        "",
    ),
    "halts.wrongful_at_most": (
        mark("Wrongful halts by limits to be expected, at most"),
        mark(
            "sum of `alpha` over the charters last in force: a pilot that keeps every limit is halted by a limit with "
            "a probability of at most alpha in its whole life, however often it is looked at. A declared bound, not "
            "a count"
        ),
        (),
        "halts",
    ),
    # incidents and deadlines
    "incidents.serious": (
        mark("Serious incidents by class"),
        mark(
            "incidents whose legal deadlines began in the year, by the classes that an officer decided on, else by the "
            "harm that the entry of a hard rule names; an incident of several classes counts for each"
        ),
        ("class",),
        "",
    ),
    "incidents.reports": (mark("Reports of incidents"), mark("decisions `incident_report_received`"), ("kind",), ""),
    "incidents.rules": (mark("Hard rules triggered"), mark("decisions `hard_rule`"), ("rule",), ""),
    "incidents.trends": (mark("Trend reports"), mark("decisions `trend_rising` and `trend_steady`"), ("reason",), ""),
    "deadlines.serious_incident": (
        mark("Deadlines after serious incidents (Art. 73), by who owed"),
        mark("changes of deadlines that a serious incident started: met, done late, or missed, in the year"),
        ("owed by", "firm", "rule", "change"),
        "",
    ),
    "deadlines": (
        mark("All legal deadlines"),
        mark("decisions about deadlines, by what started them, who owed, and the change"),
        ("started by", "rule", "owed by", "change"),
        "",
    ),
    "deadlines.authority": (
        mark("Deadlines that an authority missed"),
        mark("missed deadlines that an authority owed, by each authority responsible for the pilot then"),
        ("authority", "rule"),
        "",
    ),
    # corrective actions and complaints
    "rectifications.recorded": (mark("Corrective actions"), mark("decisions `rectification_recorded`"), (), ""),
    "rectifications.owed": (
        mark("Corrective actions owed, in time or not"),
        mark(
            "decisions `limit_tolerated` and `inspection_finding` in the year: `in time` where a corrective action "
            "follows (on a finding of an inspection: that names it) before they are overdue, else `overdue`, or `open` "
            "at the end of the year"
        ),
        ("duty", "result"),
        "",
    ),
    "complaints.counted": (
        mark("Complaints, of the firm's own reports and of reporters outside"),
        mark(
            "events of `complaint_rate` indicators in evidence of the year; of several such indicators of a pilot the "
            "one that counts most"
        ),
        ("pilot",),
        "complaints",
    ),
    "complaints.channel": (
        mark("Users' channel"),
        mark(
            "complaints, answers, redress and departures of users over the channel that the firm does not write: sum "
            "of the numbers in decisions `complaint_filed`, `complaint_answered`, `complaint_withdrawn`, "
            "`redress_recorded` (by step) and `user_left`"
        ),
        ("step",),
        "reports",
    ),
    "complaints.outside": (
        mark("Complaints from reporters outside the firm"),
        mark("`complaints_outside` of the last assessment or exit of the year, since the admission of the pilot"),
        ("pilot",),
        "complaints",
    ),
    # assessments, exits, supervision
    "assessments": (mark("Assessments by outcome"), mark("decisions `assessed`"), ("outcome",), ""),
    "assessments.missed": (mark("Assessments overdue"), mark("decisions `assessment_missed`"), (), ""),
    "exits": (
        mark("Exits by outcome"),
        mark("decisions `exited`; `none stated` where the act named none"),
        ("outcome",),
        "",
    ),
    "exits.reports": (
        mark("Exit reports"),
        mark("decisions `report_issued`, `published`, `withheld`"),
        ("decision",),
        "",
    ),
    "supervision.routine": (
        mark("Routine supervision"),
        mark("decisions `graduated`, `closed`, `recalled`"),
        ("decision",),
        "",
    ),
    "drills": (mark("Drills"), mark("decisions `drill_begun`, `drill_passed`, `drill_overdue`"), ("decision",), ""),
    "inspections": (
        mark("Inspections and their findings"),
        mark("decisions `inspected`, `inspection_finding`, `finding_overdue`"),
        ("decision",),
        "",
    ),
    "guidance": (
        mark("Guidance"),
        mark("decisions `guidance_asked`, `guidance_given`, `guidance_followed`"),
        ("decision",),
        "",
    ),
    "rollout": (
        mark("Steps of rollouts, and templates"),
        mark("decisions `step_passed`, `step_failed`, `step_inconclusive` and `template_made`"),
        ("decision",),
        "",
    ),
    "charters.amended": (mark("Amendments of charters"), mark("decisions `amended`"), (), ""),
    "charters.fields": (
        mark("Amended parts of charters"),
        mark("amendments by the field that they changed; each counts once for a field"),
        ("field",),
        "",
    ),
    "changes": (
        mark("Changes of the system"),
        mark(
            "decisions `change_registered`, `change_proposed`, `change_refused`, "
            "`change_not_registered`, `unregistered_model`"
        ),
        ("decision",),
        "",
    ),
    **LESSONS,
}
"""Id -> title, definition, dimensions, unit ("" = a number of entries)."""
