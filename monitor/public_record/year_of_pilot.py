"""What one pilot adds to the annual report, from its decisions. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from monitor.public_record.alarms import count_alarms
from monitor.public_record.figures import Collector
from monitor.public_record.pilot import ABSENT, Halt, Json, PilotRecord, in_year, stated

DAY_MS = 86_400_000
LISTED_RULES = "rules.listed"  # no measure of a report: what `rules.never_fired` is chosen from
_APPLICATION = (
    "application_submitted", "application_screened", "charter_agreed", "admitted", "application_refused",
    "application_withdrawn",
)  # fmt: skip
_COUNTED: dict[str, tuple[str, ...]] = {
    "exits.reports": ("report_issued", "published", "withheld"),
    "supervision.routine": ("graduated", "closed", "recalled"),
    "drills": ("drill_begun", "drill_passed", "drill_overdue"),
    "inspections": ("inspected", "inspection_finding", "finding_overdue"),
    "guidance": ("guidance_asked", "guidance_given", "guidance_followed"),
    "changes": (
        "change_registered", "change_proposed", "change_refused", "change_not_registered", "unregistered_model",
    ),
    "rollout": ("step_passed", "step_failed", "step_inconclusive", "template_made"),
    "halts.problems": ("halt_overdue", "halt_contradicted"),
    "incidents.trends": ("trend_rising", "trend_steady"),
}  # fmt: skip
"""Measure by reason -> the reasons."""
_TOTALS = {
    "released": "halts.released", "suspended": "halts.suspensions", "appealed": "halts.appealed",
    "rectification_recorded": "rectifications.recorded", "assessment_missed": "assessments.missed",
    "amended": "charters.amended",
}  # fmt: skip
_CHANNEL = {"complaint_filed": "filed", "complaint_answered": "answered", "complaint_withdrawn": "withdrawn",
            "user_left": "users who left"}  # fmt: skip
_BY_REASON = {reason: name for name, reasons in _COUNTED.items() for reason in reasons}


class Year(Struct, frozen=True):
    """From `since` to before `until` (ms)."""

    since: int
    until: int

    def has(self, record: Json) -> bool:
        """Whether a decision is of the year."""
        return self.since <= int(record["at"]) < self.until


def add_pilot(into: Collector, pilot: PilotRecord, year: Year) -> None:
    """Add the decisions of a pilot to the figures of a year."""
    _add_place(into, pilot, year)
    _add_application(into, pilot, year)
    for halt in pilot.halts():
        _add_halt(into, halt, pilot, year)
    for record in in_year(pilot.records, year.since, year.until):
        _add_decision(into, record)
        _add_deadline(into, record, pilot)
    _add_amendments(into, pilot, year)
    _add_incidents(into, pilot, year)
    _add_rectifications(into, pilot, year)
    _add_outside(into, pilot, year)
    if pilot_in_year(pilot, year):
        _add_rules(into, pilot, year)
    count_alarms(into, pilot, year.since, year.until)


def pilot_in_year(pilot: PilotRecord, year: Year) -> Json | None:
    """The last admission before the end of the year, of a pilot that was in the sandbox during it; else `None`."""
    admitted = [one for one in pilot.of("admitted") if one["at"] < year.until]
    if not admitted or not (pilot.inside(year.since) or any(map(year.has, admitted))):
        return None
    return admitted[-1]


def _add_place(into: Collector, pilot: PilotRecord, year: Year) -> None:
    admitted = pilot_in_year(pilot, year)
    if admitted is None:
        return
    charter, (state, others) = pilot.charter_at(year.until - 1), pilot.states(year.until)
    into.count("pilots.in_year", admitted)
    into.count("pilots.state", admitted, state)
    for halted in sorted(others & {"halted", "suspended"}):
        into.count("pilots.halted", admitted, halted)
    for field in ("tier", "sector", "region"):
        into.count(f"pilots.{field}", admitted, stated(charter, field))
    for authority in pilot.responsible(year.until):
        into.count("pilots.authority", admitted, authority)
    into.count("pilots.firm", admitted, pilot.firm)


def _add_application(into: Collector, pilot: PilotRecord, year: Year) -> None:
    submitted: Json | None = None
    for record in pilot.of(*_APPLICATION):
        reason = record["reason"]
        if year.has(record):
            into.count("applications", record, reason)
        if reason == "application_submitted":
            submitted = record
        elif reason in ("admitted", "application_refused") and submitted is not None:
            if year.has(record):
                into.sample("applications.days", (record["at"] - submitted["at"]) / DAY_MS, record)
            submitted = None


def _add_halt(into: Collector, halt: Halt, pilot: PilotRecord, year: Year) -> None:
    begun, released = halt.begun, halt.released
    if released is None and begun["at"] < year.until and pilot.inside(year.until):
        into.count("halts.standing", begun)
    if released is not None and year.has(released):
        into.sample("halts.release_days", (released["at"] - begun["at"]) / DAY_MS, released)
    if not year.has(begun):
        return
    finding = begun["finding"]
    into.count("halts.begun", begun)
    into.count("halts.reason", begun, begun["reason"])
    into.count("halts.ground", begun, finding["indicator"] or finding["rule"] or begun["reason"])
    into.count("halts.by", begun, "person" if halt.by_person else "machine")
    for name, found in (("acknowledge", halt.acknowledged), ("verify", halt.verified)):
        if found is None:
            into.count("halts.unconfirmed", begun, "acknowledgement" if name == "acknowledge" else "verified stop")
        elif found["finding"]["observed"] is not None:
            into.sample(f"halts.{name}", found["finding"]["observed"], found)


def _add_decision(into: Collector, record: Json) -> None:
    reason, content = record["reason"], record["finding"].get("content") or {}
    if reason in _TOTALS:
        into.count(_TOTALS[reason], record)
    if reason in _BY_REASON:
        into.count(_BY_REASON[reason], record, reason)
    if reason == "overridden":
        level, was = record["level"], record["was"]
        into.count("halts.overrides", record, "raised" if level > was else "lowered" if level < was else "unchanged")
    elif reason == "assessed":
        into.count("assessments", record, str(content.get("outcome", "none stated")))
    elif reason == "exited":
        into.count("exits", record, _outcome(record))
    elif reason == "hard_rule":
        into.count("incidents.rules", record, record["finding"]["rule"])
    elif reason in _CHANNEL or reason == "redress_recorded":
        step = _CHANNEL.get(reason) or f"redress {record['finding']['rule']}"
        into.add("complaints.channel", record["finding"]["observed"] or 0.0, record, step)
    elif reason == "incident_report_received":
        into.count("incidents.reports", record, record["finding"]["rule"])
    for clause in record.get("clauses") or ():
        into.count("clauses", record, str(clause), reason)


def _outcome(record: Json) -> str:
    words = str(record.get("states") or "").split()
    named = next((word.removeprefix("outcome=") for word in words if word.startswith("outcome=")), "")
    content = record["finding"].get("content") or {}
    return named or str(content.get("outcome", "none stated"))


def _add_deadline(into: Collector, record: Json, pilot: PilotRecord) -> None:
    clock = record["finding"].get("clock")
    if not clock:
        return
    change, rule, owes, starts = (str(clock[name]) for name in ("change", "rule", "owed_by", "starts"))
    into.count("deadlines", record, starts, rule, owes, change)
    if starts == "application" and change in ("met", "missed"):
        into.count("applications.clock", record, change)
    if starts == "serious_incident" and change in ("met", "missed", "done_late"):
        into.count("deadlines.serious_incident", record, owes, str(record["participant"]), rule, change)
    if owes == "authority" and change == "missed":
        for authority in pilot.responsible(record["at"] + 1):
            into.count("deadlines.authority", record, authority, rule)


def _add_amendments(into: Collector, pilot: PilotRecord, year: Year) -> None:
    for charter in pilot.charters:
        if charter.record["reason"] == "amended" and year.has(charter.record):
            for name in sorted({_field(str(one["field"])) for one in charter.difference}):
                into.count("charters.fields", charter.record, name)


def _field(path: str) -> str:
    """The field of the charter that a path of a difference begins with.

    >>> _field("indicators[complaints].limit"), _field("authorities.0.officers")
    ('indicators', 'authorities')
    """
    return path.split(".", 1)[0].split("[", 1)[0]


def _add_incidents(into: Collector, pilot: PilotRecord, year: Year) -> None:
    begun: dict[str, Json] = {}
    for record in in_year(pilot.records, year.since, year.until):
        clock = record["finding"].get("clock") or {}
        if clock.get("starts") == "serious_incident" and clock["change"] == "started":
            begun.setdefault(str(clock["key"]), record)
    for incident, record in begun.items():
        for name in _classes(pilot, incident, year.until):
            into.count("incidents.serious", record, name)


def _classes(pilot: PilotRecord, incident: str, until: int) -> tuple[str, ...]:
    """The classes of an incident: as an officer decided last, else the harm in the entry of a hard rule."""
    decided, harm = "", ""
    for record in pilot.of("incident_reclassified", "hard_rule"):
        finding = record["finding"]
        if record["at"] >= until:
            continue
        if record["reason"] == "hard_rule":
            parts = finding["detail"].split(", ", 2) if isinstance(finding["detail"], str) else []
            harm = parts[1] if len(parts) == 3 and parts[2] == incident else harm
        elif (finding.get("content") or {}).get("incident") == incident:
            decided = finding["rule"]
    return tuple((decided or harm or ABSENT).split(", "))


def _add_rectifications(into: Collector, pilot: PilotRecord, year: Year) -> None:
    for record, result in _owed(pilot, year.until):
        if year.has(record):
            into.count("rectifications.owed", record, record["reason"], result)


def _owed(pilot: PilotRecord, until: int) -> Iterator[tuple[Json, str]]:
    """Every duty to rectify, with what became of it."""
    for record in pilot.of("limit_tolerated", "inspection_finding"):
        later = [one for one in pilot.records if record["standing"] < one["standing"] and one["at"] < until]
        result = "open"
        for one in later:
            if record["reason"] == "limit_tolerated":
                done, late = one["reason"] == "rectification_recorded", one["reason"] == "rectification_overdue"
            else:
                key = record["finding"]["rule"]
                done = key in ((one["finding"].get("content") or {}).get("rectified") or ())
                late = one["reason"] == "finding_overdue" and one["finding"]["rule"] == key
            if done or late:
                result = "in time" if done else "overdue"
                break
        yield record, result


def _add_outside(into: Collector, pilot: PilotRecord, year: Year) -> None:
    found = [one for one in in_year(pilot.records, year.since, year.until) if one["finding"].get("assessment")]
    if found:
        value = found[-1]["finding"]["assessment"].get("complaints_outside", 0)
        into.value("complaints.outside", value, found[-1], pilot.pilot)


def _add_rules(into: Collector, pilot: PilotRecord, year: Year) -> None:
    """List the hard rules of the charter last in force; `annual.py` leaves those that never fired."""
    charter = pilot.charter_at(year.until - 1)
    if charter is not None:
        for rule in charter.document.get("hard_rules") or ():
            into.count(LISTED_RULES, charter.record, str(rule["name"]))
