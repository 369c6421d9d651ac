"""What is missing, of another time or without a model is said, about what it is, once and for as long as the charter
asks."""

from __future__ import annotations

import msgspec
import pytest

from monitor.charter.control import Override
from monitor.charter.spec import DetectorSpec, HardRule, IndicatorSpec, Model, Responses
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, Severity
from monitor.model.records import Decision, Level, Reason
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, rejected

DAY = 24 * HOUR
SHARE = IndicatorSpec(
    name="fpr",
    kind="false_positive_rate",
    period="1h",
    limit=0.5,
    weight=0,
    detectors=(DetectorSpec("cusum", "watch"),),
)
DAILY = msgspec.structs.replace(SHARE, name="daily", period="1d")
FOREIGN_HALTS = HardRule("foreign", "halt", unregistered_model=True)


def of(bench: Bench, reason: Reason) -> list[Decision]:
    return [d for d in bench.out.decisions if d.reason == reason]


# Missing numbers
# ---------------------------------------------------------------------------------------------------------


def gap(*indicators: IndicatorSpec, watch_clears_after: int) -> Bench:
    """Two numbers of a source, and one of another, are missing from the first hour."""
    responses = Responses(watch_clears_after=watch_clears_after, unknown_escalates_after="365d")
    bench, other = Bench(*indicators, responses=responses), Emitter("desk/2", "p")
    bench.emitter.skip(2)
    other.skip()
    bench.send(bench.emitter.outcomes(T0 + 1000), other.heartbeat(T0 + 1000), at=T0 + 1000)
    return bench


def test_a_gap_is_about_its_sources() -> None:
    """The finding names no indicator, but how many numbers are missing, of which sources, and since when."""
    bench = gap(SHARE, DAILY, watch_clears_after=2)
    bench.time(T0 + HOUR + 1)
    (found,) = of(bench, Reason.SEQUENCE_GAP)
    assert (found.finding.indicator, found.finding.observed, found.finding.period_start) == ("", 3.0, T0 + 1000)
    assert found.finding.detail == "2 of svc/1, 1 of desk/2; noticed since 2026-01-05T00:00:01+00:00"


@pytest.mark.parametrize(("indicators", "period"), [((SHARE,), HOUR), ((SHARE, DAILY), DAY), ((DAILY, SHARE), DAY)])
@pytest.mark.parametrize("needed", [1, 3, 7])
def test_a_gap_leaves_after_as_many_periods_of_the_slowest_indicator_as_the_charter_asks(
    indicators: tuple[IndicatorSpec, ...], period: int, needed: int
) -> None:
    """However many other indicators close meanwhile: one count for each of the longest periods without a new gap."""
    bench = gap(*indicators, watch_clears_after=needed)
    for hour in range(1, (needed + 2) * period // HOUR + 2):
        bench.send(bench.emitter.outcomes(T0 + hour * HOUR), at=T0 + hour * HOUR)
        bench.time(T0 + hour * HOUR + 1)
    (cleared,) = of(bench, Reason.CLEARED)
    assert cleared.at == T0 + (needed + 1) * period
    assert (cleared.finding.indicator, cleared.finding.detail) == ("", "missing events")


def test_many_indicators_that_close_together_count_once() -> None:
    """Seven quiet periods are seven periods, not one period of seven indicators."""
    many = [msgspec.structs.replace(SHARE, name=f"fpr-{n}") for n in range(7)]
    bench = gap(*many, watch_clears_after=7)
    bench.time(T0 + 3 * HOUR + 1)
    assert bench.level == Level.WATCH
    bench.time(T0 + 8 * HOUR + 1)
    assert bench.level == Level.NORMAL


def test_a_new_gap_restarts_the_count() -> None:
    """Quiet periods count in a row."""
    bench = gap(SHARE, watch_clears_after=2)
    bench.time(T0 + 2 * HOUR + 1)
    bench.emitter.skip()
    bench.send(bench.emitter.outcomes(T0 + 2 * HOUR + 2), at=T0 + 2 * HOUR + 2)
    bench.time(T0 + 4 * HOUR + 1)
    assert bench.level == Level.WATCH
    bench.time(T0 + 5 * HOUR + 1)
    assert bench.level == Level.NORMAL


# Work without a model
# ----------------------------------------------------------------------------------------------------


def unnamed(bench: Bench) -> Emitter:
    bench.emitter.model = ""
    return bench.emitter


def test_work_that_names_no_model_is_a_finding_on_its_first_event() -> None:
    """Once, whatever comes after it, and after a regulator has lowered it again on the next event."""
    bench = Bench()
    emitter = unnamed(bench)
    bench.send(*(emitter.exposure(T0 + n, 1.0) for n in range(9)), at=T0 + 20)
    (found,) = of(bench, Reason.MISSING_MODEL)
    assert (found.level, found.finding.detail) == (Level.WATCH, "sandbox.exposure.tallied without data.model")
    bench.act(Override(id="o", pilot="p", author="anna", level="normal", reason="r"), T0 + 30)
    bench.send(*(emitter.exposure(T0 + n, 1.0) for n in range(40, 49)), at=T0 + 50)
    assert len(of(bench, Reason.MISSING_MODEL)) == 2


@pytest.mark.parametrize(("rule", "level"), [("watch", 1), ("escalate", 2), ("halt", 2)])
def test_a_missing_model_is_as_grave_as_a_foreign_one_but_never_halts(rule: str, level: int) -> None:
    """To leave the digest out gains nothing; but what is not said proves nothing either."""
    bench = Bench(hard_rules=(HardRule("foreign", rule, unregistered_model=True),))  # type: ignore[arg-type]
    bench.send(unnamed(bench).outcomes(T0 + 1), at=T0 + 1)
    assert bench.level == level


def test_who_cannot_know_the_model_owes_none() -> None:
    """A complaints desk, an accountant and a heartbeat name no model, and where any may serve nothing is owed."""
    bench = Bench()
    e = unnamed(bench)
    bench.send(e.complaint(T0), e.heartbeat(T0), e.cost(T0), e.gain(T0), at=T0)
    assert bench.level == Level.NORMAL
    bench = Bench(models=(Model("*"),))
    bench.send(unnamed(bench).exposure(T0), bench.emitter.incident(T0), at=T0)
    assert bench.level == Level.NORMAL


# Before the pilot began
# ----------------------------------------------------------------------------------------------------


def early(emitter: Emitter, at: int) -> list[Envelope]:
    """Everything that could count or halt, of that time."""
    emitter.model = "m9"
    return [
        emitter.exposure(at, 900.0),
        emitter.outcomes(at),
        emitter.complaint(at, complaint="c"),
        emitter.complaint_resolved(at, "c", filed=at),
        emitter.complaint_withdrawn(at, "c", filed=at),
        emitter.incident(at, Severity.SERIOUS_INCIDENT, Harm.DEATH),
        emitter.incident_update(at, "i", harm=Harm.DEATH),
        emitter.cost(at),
        emitter.gain(at),
        emitter.model_changed(at, "m9"),
    ]


BEGAN = T0 - 4 * DAY  # the first day of the cycle, before the admission at T0
DEATH_HALTS = HardRule("death", "halt", harm=(Harm.DEATH,))


@pytest.mark.parametrize("before", [1, HOUR // 4, 20 * 365 * DAY])
def test_what_happened_before_the_pilot_began_neither_counts_nor_halts(before: int) -> None:
    """One rule for all types, to the millisecond: each is rejected, with the reason, and makes no gap."""
    bench = Bench(RATE, SHARE, hard_rules=(DEATH_HALTS, FOREIGN_HALTS))
    events = early(bench.emitter, BEGAN - before)
    bench.send(*events, at=T0 + 1000)
    assert rejected(bench.out) == [("time", "before_admission")] * len(events)
    bench.send(*events, at=T0 + 2000)  # repeats are not told twice
    assert len(bench.out.rejected) == len(events)
    streams = bench.machine.pilots["p"].streams
    assert not any(stream.open for stream in streams.values())
    bench.emitter.model = "m1"
    bench.send(bench.emitter.outcomes(T0 + 3000), at=T0 + 3000)
    bench.time(T0 + HOUR + 1)
    assert bench.reasons() == [Reason.ADMITTED]


@pytest.mark.parametrize("before", [1, 3 * DAY, 4 * DAY])
def test_a_death_between_the_start_of_the_cycle_and_a_late_admission_halts(before: int) -> None:
    """The pilot began with its cycle: an admission that came later hides no harm, and a date before it is no way around
    a rule."""
    bench = Bench(RATE, SHARE, hard_rules=(DEATH_HALTS,))
    death = bench.emitter.incident(T0 - before, Severity.SERIOUS_INCIDENT, Harm.DEATH)
    bench.send(death, at=T0 + 1000)
    assert not bench.out.rejected
    assert of(bench, Reason.HARD_RULE)[0].level == Level.HALT


def test_a_heartbeat_from_before_the_pilot_began_gets_a_permit_and_is_no_rejection() -> None:
    """It counts nothing, so it is no back-fill; what model served then is none of the pilot's."""
    bench = Bench(hard_rules=(FOREIGN_HALTS,))
    bench.emitter.model = "m9"
    bench.send(bench.emitter.heartbeat(BEGAN - 1), at=T0 + 1)
    assert len(bench.out.permits) == 1
    assert bench.level == Level.NORMAL
