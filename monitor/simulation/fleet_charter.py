"""The charter of every simulated pilot: one set of limits, in a period of any length."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from monitor.charter.spec import (
    Authority,
    Bound,
    Charter,
    Cycle,
    DetectorSpec,
    ExposureSpec,
    HardRule,
    IndicatorSpec,
    Model,
    Participant,
    PowerSpec,
    Responses,
    Trial,
    Users,
)
from monitor.model.builders import as_instant
from monitor.model.events import Harm, Severity

SEGMENTS = ("north", "south", "west")
COMPLAINT_LIMIT = 10.0  # per 1000 decisions
INCIDENT_LIMIT = 4.0  # per 1000 decisions, incidents and serious incidents
FPR_LIMIT = 0.2  # in each segment
HANDLING_LIMIT = 6  # periods, mean
PROMISE, PROMISE_LIMIT = 12, 0.1  # periods, and the share of complaints that may take longer
LATE_LIMIT = 0.03
COST_LIMIT = 1500.0  # EUR in 24 periods
GAIN_LIMIT = 0.05
DAY_MS, HOUR_MS = 86_400_000, 3_600_000


def charter(pilot: str, *, number: int, period_ms: int, cap: float, dispersion: float, start: int, end: int) -> Charter:
    """The charter of `pilot`, the `number`-th of its fleet (from 0; picks firm and vendor).

    `period_ms` is the length of a period, `cap` the most exposure (decisions) that a period may hold, `dispersion` the
    variance/mean that the charter grants to counts, `start` and `end` (ms) the span that is simulated. A period stays
    open for half its length; `unknown` escalates when it is a day (24 periods) old.
    """
    exposure = ExposureSpec(unit="decisions", cap=cap)
    halt = DetectorSpec(name="limit_e_process", level="halt")
    change = DetectorSpec(name="e_detector", level="escalate")
    quick = DetectorSpec(name="cusum", level="watch")
    common: dict[str, Any] = {"period": f"{period_ms}ms", "reporting_delay": f"{period_ms // 2}ms"}
    counts: dict[str, Any] = {"per": 1000.0, "exposure": exposure, "variance_mean": dispersion, "weight": 0.3, **common}
    firm = f"firm-{number % 5 + 1}"
    return Charter(
        schema="sandbox-charter/1",
        pilot=pilot,
        participant=Participant(id=firm, name=firm.replace("firm-", "Firm ")),
        scenario="Simulated decisions about applications of private customers",
        tier="high",
        sector="finance",
        region="EU",
        vendor=f"vendor-{number % 3 + 1}",
        data_source="simulator",
        cycle=Cycle(
            start=as_instant(start).date().isoformat(),
            end=as_instant(end + 366 * DAY_MS).date().isoformat(),
        ),
        models=(Model(digest="m1", version="1.0"), Model(digest="m2", version="1.1")),
        authorities=(
            Authority(id="sandbox-authority", name="Sandbox authority", approvers=("regulator-1", "regulator-2")),
        ),
        users=Users(groups=SEGMENTS),
        indicators=(
            IndicatorSpec(
                name="incidents",
                kind="incident_rate",
                limit=INCIDENT_LIMIT,
                detectors=(halt, change, quick),
                **counts,
            ),
            IndicatorSpec(
                name="complaints",
                kind="complaint_rate",
                limit=COMPLAINT_LIMIT,
                detectors=(halt, change, quick, DetectorSpec(name="river_drift", level="watch")),
                **counts,
            ),
            IndicatorSpec(
                name="false-positives",
                kind="false_positive_rate",
                limit=FPR_LIMIT,
                segments=SEGMENTS,
                weight=0.3,
                detectors=(halt, quick),
                **common,
            ),
            IndicatorSpec(
                name="handling-time",
                kind="complaint_handling_time",
                limit=HANDLING_LIMIT * period_ms / HOUR_MS,
                detectors=(quick,),
                **common,
            ),
            IndicatorSpec(
                name="broken-promises",
                kind="complaint_over_promise",
                limit=PROMISE_LIMIT,
                detectors=(quick,),
                params={"promise": f"{PROMISE * period_ms}ms"},
                **common,
            ),
            IndicatorSpec(
                name="late-share",
                kind="late_share",
                limit=LATE_LIMIT,
                weight=0.05,
                detectors=(DetectorSpec(name="limit_e_process", level="watch"),),
                **common,
            ),
            IndicatorSpec(
                name="compliance-cost",
                kind="compliance_cost",
                limit=COST_LIMIT,
                period=f"{24 * period_ms}ms",
                params={"currency": "EUR"},
            ),
            IndicatorSpec(
                name="efficiency-gain", kind="efficiency_gain", limit=GAIN_LIMIT, direction="below", **common
            ),
            IndicatorSpec(
                name="silence",
                kind="silence",
                detectors=(DetectorSpec(name="silence", level="escalate"),),
                params={"every": f"{period_ms // 4}ms"},
                **common,
            ),
        ),
        hard_rules=(
            HardRule(name="death", level="halt", harm=(Harm.DEATH,)),
            HardRule(name="serious-incident", level="escalate", severity=(Severity.SERIOUS_INCIDENT,)),
            HardRule(name="unregistered-model", level="escalate", unregistered_model=True),
        ),
        responses=Responses(unknown_escalates_after=f"{24 * period_ms}ms"),
    )


def founded(charter: Charter, key: str, authority: str, volume: float) -> Charter:
    """The charter as a founded sandbox admits it: with the standards of its tier as shipped. `key` is that of its firm,
    `authority` the responsible one, `volume` the decisions that are planned in a period."""
    responses = structs.replace(charter.responses, lease="5m", acknowledge_within="5m")
    return structs.replace(
        charter,
        alpha=0.02,
        participant=structs.replace(charter.participant, keys=(key,)),
        authorities=(Authority(authority),),
        users=structs.replace(charter.users, cap=1_000_000),
        identifiers="pseudonyms",
        responses=responses,
        drills=structs.replace(charter.drills, every="30d"),
        exit=structs.replace(charter.exit, quiet_for="90d"),
        evaluation=(Trial("routine", {"error": Bound(most=0.1)}),),
        indicators=tuple(_planned(one, volume) for one in charter.indicators),
    )


def _planned(spec: IndicatorSpec, volume: float) -> IndicatorSpec:
    """The indicator with the exposure that is planned, where it has a limit that halts."""
    if not any(detector.level == "halt" for detector in spec.detectors):
        return spec
    return structs.replace(spec, power=PowerSpec(exposure=volume))
