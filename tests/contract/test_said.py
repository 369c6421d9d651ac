"""Whatever a decision rests on is said on every surface: the board, the command line, the notifications and `ledger
show`."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.console.fleet_view import FleetView
from monitor.console.pilot_page import pilot_page
from monitor.console.report import reason_sentence
from monitor.model.assessment import Assessment, Lack, StreamNumbers
from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.records import Decision, Finding, Level, Outputs, Reason
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.projections.message import notification_line as notification
from monitor.simulation.fleet_charter import HOUR_MS, charter
from monitor.testing.records import decision

T0 = 1_700_000_000_000
CHARTER = charter("p-1", number=0, period_ms=HOUR_MS, cap=1e6, dispersion=1.0, start=T0, end=T0 + HOUR_MS)
LIMIT: dict[str, Any] = {
    "indicator": "incidents",
    "rule": "limit_e_process",
    "statistic": 28.6,
    "bar": 6.306,
    "observed": 36.0,
    "expected": 6.09,
    "events": 36.0,
    "exposure": 6090.0,
    "unit": "km",
    "ratio": 5.911,
    "ratio_low": 4.14,
    "ratio_high": 8.18,
    "alpha": 0.0018,
    "alpha_spent": 0.006,
}
COUNTED = ("incidents", "36 in 6,090 km where at most 6.09 were allowed", "5.91 times", "4.14 to 8.18", "548")
SHARE = Finding(
    indicator="false-positives",
    segment="south",
    rule="limit_e_process",
    statistic=16.8,
    bar=7.405,
    observed=63 / 1323,
    expected=0.02,
    explanation="4.76 % of 1,323 where 2 % were allowed, 2.38 times as many. The evidence is above the threshold.",
)


class Row(NamedTuple):
    reason: Reason
    finding: Finding
    words: tuple[str, ...]
    kind: str = "finding"


def _limit(**changes: Any) -> Finding:
    return Finding(**(LIMIT | changes))


def _timed(seconds: float, **changes: Any) -> Finding:
    return Finding(observed=seconds, **changes)


DUE = 1_773_788_400_000  # 18 March 2026, 0:00 in Berlin
DEADLINE = ("Report of a serious incident (incident i-7)", "owed by the firm", "EU AI Act, Art. 73(2)")


def _clock(change: Change, state: ClockState | None, **fields: Any) -> Finding:
    record = ClockRecord(
        change=change,
        at=DUE,
        rule="incident-report",
        title="Report of a serious incident",
        starts="serious_incident",
        key="i-7",
        owed_by=Owes.FIRM,
        basis="EU AI Act, Art. 73(2)",
        on_miss=OnMiss.ESCALATE,
        state=state,
        last_day="2026-03-17" if "due" in fields else "",
        zone="Europe/Berlin",
        **fields,
    )
    return Finding(rule="incident-report", clock=record)


NUMBERS = Assessment(
    at=DUE,
    began=T0,
    alpha=0.01,
    streams=(StreamNumbers(indicator="incidents", limit=0.01, keeps=True, power=0.5, asked=0.8),),
    lacks=(Lack.POWER_NOT_REACHED,),
    advised="extend",
)


ROWS = [
    Row(Reason.ADMITTED, Finding(rule="version 1"), ("Admitted", "version 1"), "act"),
    Row(Reason.AMENDED, Finding(rule="version 2"), ("amended", "version 2"), "act"),
    Row(Reason.EXITED, Finding(rule="exit", detail="trial over"), ("Left the sandbox", "trial over"), "act"),
    Row(
        Reason.ASSESSED,
        Finding(rule="assessment", content={"outcome": "adjust", "advised": "extend"}, assessment=NUMBERS),
        (
            "Assessed",
            "outcome adjust",
            "advised extend",
            "1 of 1 limits",
            "power reached for 0 of 1",
            "power not reached",
        ),
        "act",
    ),
    Row(
        Reason.RESPONSIBILITY_CHANGED,
        Finding(rule="responsibility", content={"added": ("north",), "removed": ("south",)}),
        ("Other authorities are responsible", "added north", "removed south"),
    ),
    Row(Reason.NO_AUTHORITY, Finding(rule="responsibility"), ("No authority of the sandbox is responsible",)),
    Row(Reason.ASSESSMENT_DUE, Finding(rule="assessment"), ("Assessment due",)),
    Row(Reason.ASSESSMENT_MISSED, Finding(rule="assessment"), ("Assessment overdue",)),
    Row(Reason.TIER_APPROVED, Finding(rule="tier", content={"tier": "limited"}), ("Lower tier", "limited"), "act"),
    Row(Reason.EXIT_APPROVED, Finding(rule="exit", content={"outcome": "scale"}), ("Exit approved", "scale"), "act"),
    Row(
        Reason.REPORT_ISSUED,
        Finding(rule="exit_report", content={"report": "ab" * 32, "proof": "cd" * 32}),
        ("Written proof and exit report issued", "ab" * 32, "cd" * 32),
        "act",
    ),
    Row(Reason.PUBLISHED, Finding(rule="exit_report"), ("may be published",), "act"),
    Row(Reason.WITHHELD, Finding(rule="exit_report", detail="trade secrets"), ("withheld", "trade secrets"), "act"),
    Row(Reason.GRADUATED, Finding(rule="tracking", content={"months": "6"}), ("Graduated", "months 6"), "act"),
    Row(
        Reason.STEP_PASSED,
        Finding(rule="rollout", detail="four weeks", content={"step": "1 of 3", "cap": "1000", "was": "200"}),
        ("rollout passed", "1000", "four weeks"),
        "act",
    ),
    Row(
        Reason.STEP_FAILED, Finding(rule="rollout", content={"lacks": "limit_exceeded"}), ("falls by one step",), "act"
    ),
    Row(Reason.STEP_INCONCLUSIVE, Finding(rule="rollout", content={"cap": "200"}), ("inconclusive",), "act"),
    Row(Reason.TEMPLATE_MADE, Finding(rule="template", content={"template": "scribe"}), ("template", "scribe"), "act"),
    Row(Reason.RECALLED, Finding(rule="recall", detail="two deaths"), ("Recalled", "two deaths"), "act"),
    Row(Reason.CLOSED, Finding(rule="tracking"), ("Routine supervision ended",), "act"),
    Row(Reason.EXIT_PENDING, Finding(rule="exit", detail="trial over"), ("Exit pending", "trial over"), "act"),
    Row(Reason.LIMIT_EXCEEDED, _limit(), COUNTED),
    Row(Reason.LIMIT_EXCEEDED, SHARE, ("63 of 1,323 (4.76 %) where at most 26.5 (2 %) are allowed", "south")),
    Row(
        Reason.LIMIT_EXCEEDED,  # as it is recorded now: with events and trials
        Finding(
            **{name: getattr(SHARE, name) for name in SHARE.__struct_fields__} | {"events": 63.0, "exposure": 1323.0}
        ),
        ("63 of 1,323 (4.76 %) where at most 26.5 (2 %) are allowed",),
    ),
    Row(Reason.LIMIT_HALF_WAY, _limit(statistic=4.0), ("half-way to its threshold", *COUNTED)),
    Row(Reason.LIMIT_TOLERATED, _limit(), ("for the first time", *COUNTED)),
    Row(
        Reason.RECTIFICATION_OVERDUE,
        Finding(
            indicator="complaints",
            rule="rectify_within",
            observed=86400.0,
            period_start=T0,
            period_end=T0 + 24 * HOUR_MS,
            detail="due 2023-11-15: complaints//limit_e_process",
        ),
        ("not rectified in time", "complaints", "open for 86,400 s", "due 2023-11-15"),
    ),
    Row(
        Reason.HARD_RULE,
        Finding(rule="death", observed=1.0, expected=0.0, detail="serious_incident, death, 497a-11"),
        ("rule death", "incident 497a-11", "severity serious incident", "harm death"),
    ),
    Row(
        Reason.CHANGE_DETECTED,
        _limit(rule="e_detector", statistic=12.0, bar=9.2),
        ("incidents", "36 in 6,090 km where 6.09 is usual", "threshold"),
    ),
    Row(
        Reason.DRIFT_SUSPECTED,
        Finding(indicator="complaints", rule="cusum", statistic=6.5, bar=5.0, observed=9.0, expected=4.0),
        ("complaints", "9 where 4 is usual", "statistic 6.5, threshold 5"),
    ),
    Row(
        Reason.GAUGE_OUT_OF_RANGE,
        Finding(indicator="cost", rule="gauge_limit", statistic=1.6, bar=1.0, observed=2400.0, expected=1500.0),
        ("cost", "2,400 where at most 1,500 is allowed"),
    ),
    Row(
        Reason.UNKNOWN_TOO_LONG, Finding(rule="unknown", detail="silence"), ("unknown", "no data for longer than usual")
    ),
    Row(
        Reason.LAPSED,
        Finding(rule="unknown", detail="silence"),
        ("No further permits", "no data for longer than usual"),
        "flag",
    ),
    Row(
        Reason.SEQUENCE_GAP,
        Finding(
            rule="sequence", observed=7.0, expected=0.0, detail="5 of svc/1, 2 of desk/2; noticed since 2026-01-05"
        ),
        ("7 events missing", "5 of svc/1, 2 of desk/2"),
    ),
    Row(Reason.LATE_SHARE, SHARE, ("63 of 1,323 (4.76 %)",)),
    Row(
        Reason.EXPOSURE_CAP,
        Finding(indicator="incidents", rule="exposure_cap", observed=1200.0, expected=1000.0, unit="decisions"),
        ("incidents", "1,200 decisions used where at most 1,000 are allowed"),
    ),
    Row(
        Reason.OUTSIDE_CYCLE,
        Finding(rule="cycle", observed=12.0, expected=0.0, detail="2024-01-01T00:00:00+00:00"),
        ("exposure 12", "at 2024-01-01T00:00:00+00:00"),
    ),
    Row(Reason.UNREGISTERED_MODEL, Finding(rule="unregistered_model", detail="m9"), ("Model in use", "m9")),
    Row(
        Reason.MISSING_MODEL,
        Finding(rule="missing_model", detail="sandbox.exposure.tallied without data.model"),
        ("names no model", "sandbox.exposure.tallied without data.model"),
    ),
    Row(
        Reason.COUNTED_NOWHERE,
        Finding(rule="data.segment", detail="data.segment 'nroth' counts nowhere; did you mean 'north'?"),
        ("no indicator counts it", "nroth", "did you mean"),
    ),
    Row(
        Reason.LATE_DROPPED,
        Finding(
            rule="late_dropped", observed=2.0, detail="2 events of 2026-01-05 arrived 31 days after the period closed"
        ),
        ("too late to count", "2 events of 2026-01-05 arrived 31 days after"),
    ),
    Row(
        Reason.CORRECTED,
        Finding(rule="exposure", observed=-900.0, detail="-900 decisions of 2026-01-05: taken back in incidents"),
        ("corrected", "-900 decisions of 2026-01-05: taken back in incidents"),
    ),
    Row(
        Reason.SOURCE_CONFLICT,
        Finding(rule="sequence", observed=7.0, detail="firm-1/svc"),
        ("share one source", "number 7", "firm-1/svc"),
    ),
    Row(
        Reason.TELEMETRY_LOST,
        Finding(rule="telemetry", observed=21.0, detail="sandbox.telemetry/0 offsets 32 to 52"),
        ("deleted before", "21 records of its partition", "sandbox.telemetry/0 offsets 32 to 52"),
    ),
    Row(
        Reason.DISPERSION_EXCEEDED,
        Finding(indicator="incidents", rule="variance_mean", expected=2.0, detail="variance/mean above 2"),
        ("vary more than the charter grants", "incidents", "variance/mean above 2"),
    ),
    Row(
        Reason.BASELINE_UNUSABLE,
        Finding(indicator="incidents", rule="baseline", expected=2.0, detail="cusum: vary more"),
        ("the baseline was learned from", "incidents", "cusum"),
    ),
    Row(Reason.CLEARED, Finding(indicator="incidents", rule="limit_e_process"), ("incidents",)),
    Row(Reason.CLEARED, Finding(rule="heartbeats"), ("heartbeats",)),
    Row(
        Reason.STATE_LIMIT,
        Finding(rule="open_periods", observed=65.0, expected=64.0),
        ("dropped without evaluation", "65 periods open, at most 64 kept"),
    ),
    Row(
        Reason.STATE_LIMIT,
        Finding(rule="rules", observed=9.0, expected=8.0),
        ("dropped without evaluation", "9 findings of removed rules, at most 8 kept"),
    ),
    Row(
        Reason.STATE_LOST,
        Finding(rule="state_lost", detail="its stored state could not be read"),
        ("halted until a release", "its stored state could not be read"),
        "level",
    ),
    Row(Reason.OVERRIDDEN, Finding(rule="override", detail="looks wrong"), ("by an officer", "looks wrong"), "act"),
    Row(Reason.RECTIFICATION_RECORDED, Finding(rule="rectification", detail="cause: a bug"), ("cause: a bug",), "act"),
    Row(
        Reason.EVALUATION_RECORDED,
        Finding(rule="evaluation", observed=0.0, expected=1.0, detail="report 7"),
        ("not passed", "report 7"),
        "act",
    ),
    Row(Reason.APPROVAL_RECORDED, Finding(), ("approver", "anna"), "act"),
    Row(
        Reason.RELEASED,
        Finding(rule="halt contradicted", detail="checked on site"),
        ("contradicted", "on site"),
        "level",
    ),
    Row(Reason.COMMAND_ACKNOWLEDGED, _timed(1.2, rule="acknowledge"), ("after 1.2 s",), "act"),
    Row(Reason.HALT_VERIFIED, _timed(2.1, rule="heartbeats"), ("after 2.1 s",), "act"),
    Row(Reason.HALT_OVERDUE, _timed(60.0, rule="not_acknowledged"), ("not acknowledged", "after 60 s")),
    Row(
        Reason.HALT_CONTRADICTED,
        Finding(rule="exposure", observed=30.0, detail="firm-1/svc"),
        ("exposure", "30 after the stop", "firm-1/svc"),
    ),
    Row(
        Reason.SHELVED,
        Finding(rule="incidents//cusum", detail="our outage", period_start=T0, period_end=T0 + HOUR_MS),
        ("incidents//cusum", "until 2023-11-14 23:13:20", "our outage"),
        "act",
    ),
    Row(Reason.UNSHELVED, Finding(rule="incidents//cusum"), ("incidents//cusum",)),
    Row(
        Reason.COMMON_CAUSE,
        Finding(indicator="incidents", rule="pooled_e_detector", observed=9.0, expected=4.0, detail="2 of 3 pilots"),
        ("9 counted where at most 4 were allowed", "2 of 3 pilots"),
    ),
    Row(
        Reason.LEVEL_ACCEPTED,
        Finding(indicator="complaints", rule="acceptance", detail="new form"),
        ("new form",),
        "act",
    ),
    Row(Reason.DRILL_BEGUN, Finding(rule="dry_run"), ("dry run",), "act"),
    Row(Reason.DRILL_PASSED, _timed(0.4, rule="dry_run", expected=60.0), ("after 0.4 s, 60 s allowed",), "act"),
    Row(Reason.DRILL_OVERDUE, _timed(60.0, rule="full_stop", expected=60.0), ("full stop", "60 s allowed")),
    Row(Reason.DRILL_ENDED, Finding(rule="full_stop"), ("full stop",), "act"),
    Row(
        Reason.CHANGE_REGISTERED,
        Finding(rule="model_version", content={"kind": "model_version", "model": "m2", "modification": "retrain"}),
        ("Change registered", "kind model_version, model m2, modification retrain"),
        "act",
    ),
    Row(
        Reason.CHANGE_PROPOSED,
        Finding(rule="data_type", content={"subjects": ("logs", "clicks"), "outside": "no_plan"}),
        ("Change proposed", "outside no_plan, subjects logs and clicks"),
        "act",
    ),
    Row(Reason.CHANGE_REFUSED, Finding(rule="data_type", detail="too early"), ("refused", "too early"), "act"),
    Row(Reason.CHANGE_NOT_REGISTERED, Finding(rule="change_not_registered", detail="m2"), ("no change", "m2")),
    Row(Reason.PAUSE_REQUESTED, Finding(rule="pause", detail="moving"), ("asked for a pause", "moving"), "act"),
    Row(Reason.PAUSE_GRANTED, Finding(rule="pause"), ("Pilot paused",), "act"),
    Row(Reason.RESUMED, Finding(rule="pause"), ("ended the pause",), "act"),
    Row(
        Reason.CYCLE_REQUESTED,
        Finding(rule="cycle", content={"start": "2027-01-01", "end": "2027-06-30"}),
        ("another cycle", "end 2027-06-30, start 2027-01-01"),
        "act",
    ),
    Row(Reason.CYCLE_GRANTED, Finding(rule="cycle"), ("cycle is in force",), "act"),
    Row(Reason.REQUEST_DECLINED, Finding(rule="cycle", detail="no power"), ("declined", "no power"), "act"),
    Row(Reason.USED_IN_PAUSE, Finding(rule="exposure", observed=5.0), ("while the pilot is paused", "used 5")),
    Row(Reason.EXTENDED, Finding(rule="cycle", content={"end": "2027-06-30"}), ("extended", "2027-06-30"), "act"),
    Row(Reason.GUIDANCE_ASKED, Finding(rule="Art. 14", detail="may we?"), ("asked for guidance", "may we?"), "act"),
    Row(Reason.GUIDANCE_GIVEN, Finding(content={"about": "q1"}), ("Guidance given", "about q1"), "act"),
    Row(Reason.GUIDANCE_FOLLOWED, Finding(content={"about": "g1"}), ("followed the guidance", "about g1"), "act"),
    Row(Reason.INSPECTED, Finding(content={"scope": ("logs",)}), ("Inspected", "scope logs"), "act"),
    Row(
        Reason.INSPECTION_FINDING,
        Finding(rule="inspection/i/logs", detail="no retention rule", content={"due": "2026-03-01T00:00:00Z"}),
        ("must be rectified", "due 2026-03-01T00:00:00Z", "no retention rule"),
    ),
    Row(Reason.FINDING_OVERDUE, Finding(content={"due": "2026-03-01T00:00:00Z"}), ("not rectified in time", "due")),
    Row(Reason.SUSPENDED, Finding(rule="Art. 57(11)", detail="risk"), ("Suspended by an authority", "risk"), "level"),
    Row(
        Reason.TREND_RISING,
        Finding(indicator="near-misses", rule="trend", observed=9.0, expected=3.0, content={"p_value": 0.004}),
        ("rose significantly", "near-misses", "9 where 3 is usual", "p value 0.004"),
    ),
    Row(
        Reason.TREND_STEADY,
        Finding(indicator="near-misses", rule="trend", observed=3.0, expected=3.0, content={"p_value": 0.5}),
        ("No significant rise", "near-misses", "3 where 3 is usual"),
    ),
    Row(Reason.EVIDENCE_HELD, Finding(rule="evidence_hold", detail="death"), ("Evidence hold", "death"), "act"),
    Row(Reason.HOLD_LIFTED, Finding(rule="evidence_hold", detail="told"), ("hold lifted", "told"), "act"),
    Row(Reason.SILENCE, Finding(rule="heartbeat/"), ("No data for longer than usual", "heartbeat"), "flag"),
    Row(
        Reason.SILENCE,
        Finding(indicator="silence", rule="silence", statistic=12.8, bar=12.8, observed=0.0, expected=12.8),
        ("about 12.8 events expected",),
    ),
    Row(Reason.PARTIAL_DATA, Finding(rule="complaints/north/partial"), ("complaints, north",), "flag"),
    Row(
        Reason.MONITOR_GAP,
        Finding(rule="monitor", period_start=T0, period_end=T0 + HOUR_MS),
        ("2023-11-14 22:13:20 to 2023-11-14 23:13:20",),
        "flag",
    ),
    Row(Reason.HEARD_AGAIN, Finding(rule="complaints//partial"), ("complaints",), "flag"),
    Row(
        Reason.CLOCK_STARTED,
        _clock(Change.STARTED, ClockState.RUNNING, due=DUE),
        ("Legal deadline runs", *DEADLINE, "due before 2026-03-17 23:00:00 UTC", "a miss escalates the pilot"),
    ),
    Row(
        Reason.CLOCK_STARTED,
        _clock(Change.STARTED, ClockState.RUNNING, forbids=("model_changed",)),
        ("no change of the model",),
    ),
    Row(
        Reason.CLOCK_MOVED,
        _clock(Change.MOVED, ClockState.RUNNING, due=DUE, was_due=DUE + 5 * 86_400_000),
        ("deadline moved", "earlier due instant: 2026-03-22 23:00:00 UTC"),
    ),
    Row(
        Reason.CLOCK_MET,
        _clock(Change.MET, ClockState.MET, due=DUE, done=DUE - 3_600_000),
        ("deadline met", *DEADLINE, "done 2026-03-17 22:00:00 UTC"),
    ),
    Row(
        Reason.CLOCK_MET,
        _clock(Change.DONE_LATE, ClockState.MISSED, due=DUE, done=DUE),
        ("done 2026-03-17 23:00:00 UTC (too late)",),
    ),
    Row(
        Reason.CLOCK_MISSED,
        _clock(Change.MISSED, ClockState.MISSED, due=DUE),
        ("deadline missed", *DEADLINE, "was due before 2026-03-17 23:00:00 UTC (last day 2026-03-17, Europe/Berlin)"),
    ),
    Row(Reason.CLOCK_STOPPED, _clock(Change.STOPPED, ClockState.STOPPED, due=DUE), ("without effect", *DEADLINE)),
    Row(Reason.CLOCK_REFUSED, _clock(Change.REFUSED, None), ("not tracked", *DEADLINE)),
    Row(
        Reason.EVIDENCE_HOLD,
        msgspec.structs.replace(_clock(Change.MISSED, ClockState.MISSED), detail="m1 to m2"),
        ("Model changed before the authority was told", "m1 to m2", *DEADLINE),
    ),
    Row(
        Reason.INCIDENT_REPORT_RECEIVED,
        Finding(rule="complete report", detail="incident i-7; report 12/2026"),
        ("complete report", "incident i-7; report 12/2026"),
        "act",
    ),
    Row(
        Reason.CHANGE_NOTIFIED,
        Finding(rule="change", detail="incident i-7; m2 instead of m1"),
        ("Authority told of a change", "m2 instead of m1"),
        "act",
    ),
    Row(
        Reason.SUSPENSION_NOTIFIED,
        Finding(rule="suspension", detail="letter of 3 March"),
        ("AI Office told", "letter of 3 March"),
        "act",
    ),
    Row(
        Reason.COMPLAINT_FILED,
        Finding(rule="complaints", observed=2.0, content={"complaints": ("a" * 32, "b" * 32), "late": 1.0}),
        ("Complaints of users", "outside the firm", "2 new", "a" * 32, "late 1"),
        "act",
    ),
    Row(
        Reason.COMPLAINT_WITHDRAWN,
        Finding(rule="withdrawn", observed=1.0, content={"complaints": ("a" * 32,)}),
        ("Complaints of users withdrawn",),
        "act",
    ),
    Row(
        Reason.COMPLAINT_ANSWERED,
        Finding(rule="answered", observed=1.0, content={"complaints": ("a" * 32,)}),
        ("Complaints of users answered",),
        "act",
    ),
    Row(
        Reason.REDRESS_RECORDED,
        Finding(rule="given", observed=1.0, content={"complaints": ("a" * 32,)}),
        ("Redress", "given"),
        "act",
    ),
    Row(
        Reason.USER_LEFT,
        Finding(rule="users", observed=1.0, content={"users": ("a" * 32,)}),
        ("Users withdrew", "a" * 32),
        "act",
    ),
    Row(
        Reason.INCIDENT_RECLASSIFIED,
        Finding(rule="death", detail="incident i-7; the injured person died"),
        ("classified by an officer", "death", "the injured person died"),
        "act",
    ),
    Row(
        Reason.APPLICATION_SUBMITTED,
        Finding(rule="tier high", detail="Fraud flags"),
        ("Application received", "tier high", "Fraud flags"),
        "act",
    ),
    Row(
        Reason.APPLICATION_SCREENED,
        Finding(rule="tier high; by rule high: the sector is listed as high-risk (Art. 6(2), Annex III)"),
        ("Application screened", "by rule high", "Art. 6(2), Annex III"),
        "act",
    ),
    Row(
        Reason.APPLICATION_REFUSED,
        Finding(rule="eu-5-1-c, Social scoring (Art. 5(1)(c))", detail="the score closes accounts"),
        ("Application refused", "eu-5-1-c", "Art. 5(1)(c)", "the score closes accounts"),
        "act",
    ),
    Row(Reason.APPLICATION_WITHDRAWN, Finding(rule="withdrawal", detail="no funds"), ("withdrawn", "no funds"), "act"),
    Row(Reason.CHARTER_SIGNED, Finding(rule="version 1"), ("signed by one side", "version 1"), "act"),
    Row(Reason.CHARTER_AGREED, Finding(rule="version 1"), ("firm and authority", "version 1"), "act"),
    Row(Reason.CYCLE_STARTED, Finding(rule="cycle"), ("Cycle of the charter started",), "act"),
    Row(
        Reason.BOUNDARY_BREACHED,
        Finding(rule="boundary", observed=1.0, expected=0.0, detail="no transfer outside the region"),
        ("crossed a boundary", "no transfer outside the region"),
    ),
    Row(Reason.FOUNDED, Finding(rule="version 1", detail="city: 1 authorities"), ("founded", "city"), "act"),
    Row(
        Reason.CONFIGURATION_PROPOSED,
        Finding(rule="version 1", detail="proposal p1: put person anna"),
        ("an approver must approve it", "put person anna"),
        "act",
    ),
    Row(
        Reason.CONFIGURATION_CHANGED,
        Finding(rule="version 2", detail="proposal p1: put person anna"),
        ("Configuration of the sandbox changed", "put person anna"),
        "act",
    ),
    Row(
        Reason.PROPOSAL_WITHDRAWN,
        Finding(rule="version 1", detail="proposal p1: put person anna"),
        ("withdrawn", "put person anna"),
        "act",
    ),
    Row(
        Reason.MODEL_ENTRY_ADDED,
        Finding(rule="limitation", detail="fails on dialects", content={"limitation": "dialect", "by": "supplier"}),
        ("Entry added to the file of a model", "limitation dialect", "by supplier", "fails on dialects"),
        "act",
    ),
    Row(
        Reason.SHADOW_STARTED,
        Finding(rule="shadow", detail="lower limit", content={"candidate": "f" * 64, "version": 2.0, "every": "1d"}),
        ("Shadow charter started; it never acts", "f" * 64, "lower limit"),
        "act",
    ),
    Row(
        Reason.SHADOW_STOPPED,
        Finding(rule="shadow", detail="seen enough", content={"candidate": "f" * 64}),
        ("Shadow charter stopped", "f" * 64, "seen enough"),
        "act",
    ),
    Row(
        Reason.SHADOW_ENDED,
        Finding(rule="time", content={"candidate": "f" * 64}),
        ("Shadow charter ended", "f" * 64),
        "act",
    ),
    Row(
        Reason.MODEL_ENTRY_WITHDRAWN,
        Finding(rule="version", detail="was wrong", content={"entry": "e-1", "number": 2.0}),
        ("withdrawn", "entry e-1", "was wrong"),
        "act",
    ),
    Row(
        Reason.FIRM_CLASSIFIED,
        Finding(rule="class C", content={"class": "C", "grounds": ("halts: 9 in 3 pilot-years",), "record/halts": 9.0}),
        ("Class of the firm set", "class C", "halts: 9 in 3 pilot-years"),
        "act",
    ),
    Row(
        Reason.DECISION_ANNULLED,
        Finding(rule="annulment", detail="wrong data", content={"pilot": "p-1", "decision": "a" * 32}),
        ("Decision annulled", "a" * 32, "wrong data"),
        "act",
    ),
]


def test_every_reason_has_an_example() -> None:
    """A new reason comes with what it rests on, and with the words in which that is said."""
    assert {row.reason for row in ROWS} == set(Reason)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason.value)
def test_what_a_decision_rests_on_is_said_everywhere(row: Row, tmp_path: Path) -> None:
    """Rule, incident, numbers, what was allowed: the same on the board, on the command line, in a notification and in
    the ledger."""
    cause = "control:a-1" if row.kind == "act" or row.reason is Reason.RELEASED else "event:firm-1/svc#1"
    author = "anna" if cause.startswith("control:") else ""
    unknown = row.reason.value if row.kind == "flag" and row.reason is not Reason.HEARD_AGAIN else ""
    record = decision(
        1,
        reason=row.reason,
        finding=row.finding,
        kind=row.kind,
        cause=cause,
        author=author,
        unknown=unknown,
        was=Level.HALT,
    )
    for surface, text in _surfaces(record, tmp_path).items():
        for words in row.words:
            assert words in text, (surface, words, text)


def _surfaces(record: Decision, directory: Path) -> dict[str, str]:
    board = FleetView()
    board.learn(CHARTER)
    board.apply(Outputs(decisions=[record]))
    page = pilot_page(board, "p-1") or ""
    notary = Notary(directory)
    notary.record([record])
    notary.close()
    shown = CliRunner().invoke(ledger, ["show", str(directory / file_name("p-1"))])
    assert shown.exit_code == 0, shown.output
    by = f" by {record.author}" if record.author else ""
    return {
        "board": unescape(page[page.index('<h2 id="history">') :]),
        "replay": reason_sentence(record, CHARTER) + by,
        "notification": notification(record),
        "ledger show": shown.stdout,
    }
