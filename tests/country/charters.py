"""The charter and the application of a scripted pilot."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from monitor.charter.application import Application
from monitor.charter.spec import (
    AssessmentSpec,
    Authority,
    Bound,
    ChangeKind,
    Charter,
    Cycle,
    DetectorSpec,
    Drills,
    Exit,
    ExposureSpec,
    HardRule,
    IndicatorSpec,
    Model,
    Participant,
    PlannedChange,
    PowerSpec,
    Reporter,
    Responses,
    Trial,
    Users,
)
from monitor.model.builders import as_instant
from monitor.model.events import Harm, Severity
from monitor.simulation.fleet_application import application as stated
from tests.country.nation import DAY_MS, REPORTER, START, key
from tests.country.script import Calendar, Pilot

VOLUME = 400.0  # decisions a day
INCIDENT_LIMIT, COMPLAINT_LIMIT = 4.0, 5.0  # per 1,000 decisions
PROMISE_DAYS = 15
DELAY = "1h"  # from the end of a day to its close; all periods are days, so that the last one is complete at the end
RESULTS = {"routine": {"error": 0.05}}


def charter(pilot: Pilot, calendar: Calendar) -> Charter:
    """The charter of a pilot: the same limits for all, so that only behaviour differs."""
    high = pilot.tier == "high"
    begins = as_instant(START + (pilot.admitted or pilot.applies) * DAY_MS).date().isoformat()
    ends = as_instant(START + (calendar.days + 400) * DAY_MS).date().isoformat()
    rules = [HardRule(name="serious-incident", level="escalate", severity=(Severity.SERIOUS_INCIDENT,))] if high else []
    if pilot.halts_on_death:
        rules.append(HardRule(name="death", level="halt", harm=(Harm.DEATH,)))
    rules.append(HardRule(name="unregistered-model", level="escalate", unregistered_model=True))
    return Charter(
        schema="sandbox-charter/1",
        pilot=pilot.id,
        participant=Participant(id=pilot.firm, name=pilot.firm, keys=(key(pilot.firm).public,)),
        scenario="Simulated decisions about orders",
        tier=pilot.tier,
        sector=pilot.sector,
        region=pilot.region,
        vendor=pilot.supplier,
        data_source="simulator",
        cycle=Cycle(begins, ends),
        models=(Model("m1", "1.0"),),
        authorities=tuple(Authority(name) for name in pilot.named),
        users=Users(cap=9_000),
        alpha=0.02,
        indicators=_indicators(),
        hard_rules=tuple(rules),
        responses=Responses(
            lease="5m", acknowledge_within="5m" if high else "12h", unknown_escalates_after="24h", watch_clears_after=3,
        ),
        drills=Drills(every="30d") if high else Drills(),
        exit=Exit(quiet_for="90d"),
        evaluation=(Trial("routine", {"error": Bound(most=0.1)}),),
        reporters=(Reporter(REPORTER, (key(REPORTER).public,)),) if pilot.fault == "cheating" else UNSET,
        identifiers="pseudonyms" if high else UNSET,
        changes=(PlannedChange("retrain", ChangeKind.MODEL_VERSION, "more data", "fewer errors", models=("m2",)),),
        assessment=AssessmentSpec(every=f"{calendar.assess_every}d", within=f"{calendar.assess_within}d"),
    )  # fmt: skip


def _indicators() -> tuple[IndicatorSpec, ...]:
    exposure = ExposureSpec(unit="decisions", cap=2 * VOLUME)
    halt = DetectorSpec(name="limit_e_process", level="halt")
    daily: dict[str, Any] = {"period": "1d", "reporting_delay": DELAY}
    counts: dict[str, Any] = {
        "per": 1000.0, "exposure": exposure, "weight": 0.4, "power": PowerSpec(exposure=VOLUME), **daily,
    }  # fmt: skip
    return (
        IndicatorSpec(name="incidents", kind="incident_rate", limit=INCIDENT_LIMIT, detectors=(halt,), **counts),
        IndicatorSpec(name="complaints", kind="complaint_rate", limit=COMPLAINT_LIMIT, detectors=(halt,), **counts),
        IndicatorSpec(
            name="broken-promises", kind="complaint_over_promise", limit=0.1,
            params={"promise": f"{PROMISE_DAYS}d"}, **daily,
        ),
        IndicatorSpec(
            name="late-share", kind="late_share", limit=0.01, weight=0.1, **daily,
            detectors=(DetectorSpec(name="limit_e_process", level="watch"),),
        ),
        IndicatorSpec(
            name="silence", kind="silence", params={"every": "30h"},
            detectors=(DetectorSpec(name="silence", level="escalate"),),
        ),
    )  # fmt: skip


def application(pilot: Pilot, calendar: Calendar) -> Application:
    """A sound application for the charter."""
    return stated(charter(pilot, calendar))
