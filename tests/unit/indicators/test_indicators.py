"""Each indicator counts what its docstring says, in the period where it belongs."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.charter.spec import ExposureSpec, IndicatorSpec
from monitor.indicators import INDICATORS, BadSpec, Slot
from monitor.indicators.late_share import LateShare
from monitor.indicators.silence import Silence
from monitor.model.builders import Emitter
from monitor.model.events import EVENT_TYPES, Envelope, Heartbeat, Severity

T = 1_772_359_200_000  # 2026-03-01T10:00Z
HOUR, DAY = 3_600_000, 86_400_000
EMIT = Emitter("s", "p")
MILES = {"exposure": ExposureSpec(unit="miles")}


def slots(kind: str, event: Envelope, received: int = T, **changes: Any) -> list[Slot]:
    return list(INDICATORS[kind](IndicatorSpec(name="it", kind=kind, **changes)).slots(event, received))


@pytest.mark.parametrize(
    ("rule", "severity", "was", "threshold", "k"),
    [
        ("an incident counts by default", "incident", None, "incident", 1),
        ("a hazard is below an incident", "hazard", None, "incident", 0),
        ("a hazard counts when the charter says so", "hazard", None, "hazard", 1),
        ("a near miss is below a hazard", "near_miss", None, "hazard", 0),
        ("only serious ones", "incident", None, "serious_incident", 0),
        ("an upgrade across the threshold adds one", "serious_incident", "incident", "serious_incident", 1),
        ("an upgrade beyond the threshold is left to the memory of ids", "serious_incident", "incident", "incident", 1),
        ("an upgrade below the threshold adds nothing", "hazard", "near_miss", "incident", 0),
        ("a downgrade takes nothing back", "hazard", "incident", "incident", 0),
    ],
)
def test_incidents_count_from_a_severity_on(rule: str, severity: str, was: str | None, threshold: str, k: int) -> None:
    """The table's sentences."""
    grade = Severity(severity)
    event = EMIT.incident(T, grade) if was is None else EMIT.incident_update(T, "i", Severity(was), grade)
    found = slots("incident_rate", event, params={"severity": threshold}, **MILES)
    assert found == ([Slot(T, "", 1.0, 0.0)] if k else []), rule


@pytest.mark.parametrize("kind", ["incident_rate", "complaint_rate"])
def test_exposure_counts_in_its_unit_alone(kind: str) -> None:
    """Miles are no decisions; exposure without a segment belongs to none that is listed."""
    assert slots(kind, EMIT.exposure(T, 12.5, "miles"), **MILES) == [Slot(T, "", 0.0, 12.5)]
    assert slots(kind, EMIT.exposure(T, 12.5, "decisions"), **MILES) == []
    assert slots(kind, EMIT.exposure(T, 12.5, "miles"), segments=("A",), **MILES) == []


@pytest.mark.parametrize("kind", ["incident_rate", "complaint_rate"])
def test_a_rate_needs_its_exposure_and_scales_its_limit(kind: str) -> None:
    """20 per million is 0.00002 per mile; without a unit there is no rate."""
    spec = IndicatorSpec(name="it", kind=kind, limit=20.0, per=1e6, **MILES)
    assert INDICATORS[kind](spec).limit == pytest.approx(2e-5)
    with pytest.raises(BadSpec, match=r"^exposure: .*; add"):
        INDICATORS[kind](IndicatorSpec(name="it", kind=kind))


def test_false_positives_are_counted_of_the_harmless() -> None:
    """k = fp, n = fp + tn; a tally without harmless cases says nothing."""
    event = EMIT.outcomes(T, tp=7, fp=3, tn=97, fn=5, segment="A")
    assert slots("false_positive_rate", event, segments=("A",)) == [Slot(T, "A", 3.0, 100.0)]
    assert slots("false_positive_rate", EMIT.outcomes(T, tp=7, fp=0, tn=0, fn=5)) == []


@pytest.mark.parametrize("kind", ["false_positive_rate", "complaint_over_promise", "late_share"])
def test_a_share_has_a_limit_below_one(kind: str) -> None:
    """30 instead of 0.3 is the usual slip."""
    params = {"promise": "1d"} if kind == "complaint_over_promise" else {}
    with pytest.raises(BadSpec, match=r"^limit: 30 .*0\.3"):
        INDICATORS[kind](IndicatorSpec(name="it", kind=kind, limit=30.0, params=params))


class TestComplaintOverPromise:
    """Complaints are placed where their promise falls due, and count as broken until the contrary is known."""

    DUE = T + 15 * DAY

    def sums(self, *events: Envelope) -> tuple[float, float]:
        found = [s for e in events for s in slots("complaint_over_promise", e, params={"promise": "15d"})]
        assert {s.at for s in found} == {self.DUE}
        return sum(s.k for s in found), sum(s.m for s in found)

    @pytest.mark.parametrize(
        ("rule", "close", "after", "expected"),
        [
            ("still open: broken", None, 0, (1, 1)),
            ("resolved in time: kept", "complaint_resolved", 3 * DAY, (0, 1)),
            ("resolved at the last instant: kept", "complaint_resolved", 15 * DAY, (0, 1)),
            ("resolved too late: broken", "complaint_resolved", 15 * DAY + 1, (1, 1)),
            ("withdrawn in time: out of it", "complaint_withdrawn", 3 * DAY, (0, 0)),
            ("withdrawn too late: broken", "complaint_withdrawn", 16 * DAY, (1, 1)),
        ],
    )
    def test_each_fate_of_a_complaint(
        self, rule: str, close: str | None, after: int, expected: tuple[int, int]
    ) -> None:
        """The table's sentences."""
        events: list[Envelope] = [EMIT.complaint(T, "c")]
        if close:
            events.append(getattr(EMIT, close)(T + after, "c", filed=T))
        assert self.sums(*events) == expected, rule


def test_handling_time_counts_resolutions_and_open_complaints() -> None:
    """Filing opens one, resolving closes it and counts, withdrawing closes it without counting."""
    assert slots("complaint_handling_time", EMIT.complaint(T, "c")) == [Slot(T, "", 0.0, 0.0, 1.0)]
    closed = T + 5 * HOUR
    assert slots("complaint_handling_time", EMIT.complaint_resolved(closed, "c", filed=T)) == [
        Slot(closed, "", 1.0, 0.0, -1.0)
    ]
    assert slots("complaint_handling_time", EMIT.complaint_withdrawn(closed, "c", filed=T)) == [
        Slot(closed, "", 0.0, 0.0, -1.0)
    ]


def test_a_mean_of_at_most_is_a_rate_of_at_least() -> None:
    """A limit of 240 hours is a resolving rate of 1/240 per hour, broken from below."""
    it = INDICATORS["complaint_handling_time"](IndicatorSpec(name="it", kind="complaint_handling_time", limit=240.0))
    assert (it.limit, it.direction) == (1 / 240, "below")


def test_late_is_what_comes_at_the_close_or_after() -> None:
    """The hour from 10:00 with two hours of delay closes at 13:00 sharp; the share stands where the event was
    received."""
    event = EMIT.complaint(T + 10 * 60_000, "c")
    closes = T + 3 * HOUR
    for received, k in ((T + HOUR, 0.0), (closes - 1, 0.0), (closes, 1.0), (closes + DAY, 1.0)):
        assert slots("late_share", event, received, reporting_delay="2h") == [Slot(received, "", k, 1.0)]


def test_heartbeats_do_not_dilute_the_late_share() -> None:
    """Any number of them could be sent on time."""
    assert not {t.__name__ for t in LateShare.reads} & {"Heartbeat", "CommandAcknowledged"}


def test_gauges_sum_costs_of_one_currency_and_average_gains() -> None:
    """Euros are not added to francs; the gauge says how its numbers are put together."""
    euro = {"params": {"currency": "EUR"}}
    assert slots("compliance_cost", EMIT.cost(T, 10.0, "EUR"), **euro) == [Slot(T, "", 10.0, 1.0)]
    assert slots("compliance_cost", EMIT.cost(T, 10.0, "CHF"), **euro) == []
    assert slots("efficiency_gain", EMIT.gain(T, -0.1)) == [Slot(T, "", -0.1, 1.0)]
    aggregates = {
        kind: INDICATORS[kind](
            IndicatorSpec(name="it", kind=kind, params=euro["params"] if "cost" in kind else {})
        ).aggregate
        for kind in ("compliance_cost", "efficiency_gain")
    }
    assert aggregates == {"compliance_cost": "sum", "efficiency_gain": "mean"}


def test_silence_listens_to_heartbeats_or_to_everything() -> None:
    """`of: any` lets every event break the silence."""
    heartbeat = Silence(IndicatorSpec(name="it", kind="silence", params={"every": "30s"}))
    anything = Silence(IndicatorSpec(name="it", kind="silence", params={"every": "1d", "of": "any"}))
    assert (heartbeat.reads, anything.reads) == ((Heartbeat,), tuple(EVENT_TYPES.values()))
    assert anything.gap(0, 2 * 86_400_000).expected == pytest.approx(2.0)
    with pytest.raises(BadSpec, match=r"^params\.every"):
        Silence(IndicatorSpec(name="it", kind="silence", params={"every": "0s"}))
