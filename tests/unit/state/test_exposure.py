"""What is not known is never zero: gaps, exposure that is missing, late or contradicted, one rule a test."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.charter.control import Override
from monitor.charter.spec import DetectorSpec, ExposureSpec, IndicatorSpec, canonical_charter
from monitor.model.builders import Emitter
from monitor.model.events import Envelope
from monitor.model.records import Evidence, Level, Reason
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, charter


def test_a_gap_in_the_numbers_is_a_finding_and_makes_the_period_partial() -> None:
    """A lost event leaves a hole: the period closes at the exposure cap, flagged, and the gap is on record."""
    bench = Bench()
    bench.emitter.skip()
    bench.hour(0, incidents=1, exposure=100)
    bench.time(T0 + 2 * HOUR)
    (evidence,) = bench.out.evidence[:1]
    assert (evidence.m, evidence.unknown) == (1000, "partial_data")  # type: ignore[union-attr]
    assert Reason.SEQUENCE_GAP in bench.reasons()
    assert Reason.PARTIAL_DATA in bench.reasons()


def test_a_gap_that_is_filled_in_time_is_no_gap() -> None:
    """Within the reporting delay order does not matter."""
    bench = Bench()
    first, second, third = (bench.emitter.exposure(T0 + i, 10.0) for i in range(3))
    bench.send(first, third, second, at=T0 + 5)
    bench.send(bench.emitter.heartbeat(T0 + HOUR), at=T0 + HOUR)
    bench.time(T0 + 2 * HOUR)
    assert bench.reasons() == [Reason.ADMITTED]
    assert bench.out.evidence[0].m == 30  # type: ignore[union-attr]


def test_exposure_that_is_not_known_is_never_zero() -> None:
    """A period without an exposure tally closes at the cap, flagged unknown, and the flag grows old into an
    escalation."""
    bench = Bench()
    bench.send(bench.emitter.incident(T0), at=T0)
    bench.time(T0 + 6 * HOUR)
    assert bench.out.evidence[0].m == 1000  # type: ignore[union-attr]
    old = next(d for d in bench.out.decisions if d.reason == Reason.UNKNOWN_TOO_LONG)
    assert old.level == Level.ESCALATE
    assert old.at == T0 + HOUR + HOUR // 2 + 2 * HOUR


def test_a_halted_service_that_stopped_is_not_unknown() -> None:
    """No exposure is what a halt asks for: its periods say nothing, and are not flagged as partial. It is overdue, as
    it is dark."""
    bench = Bench()
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="by hand"), T0 + 1)
    bench.time(T0 + 30 * HOUR)
    assert bench.out.evidence == [e for e in bench.out.evidence if not isinstance(e, Evidence)]
    assert [d.reason for d in bench.out.decisions] == [Reason.ADMITTED, Reason.OVERRIDDEN, Reason.HALT_OVERDUE]


def test_a_source_of_exposure_that_goes_dark_leaves_the_period_partial() -> None:
    """One of two services stops telling in mid-period: what it saw is not known, so a rate must not rest on the
    other's."""
    bench, other = Bench(), Emitter("svc/2", "p")
    bench.send(other.exposure(T0 + 10, 500.0), at=T0 + 10)
    bench.hour(0, incidents=3, exposure=50)
    bench.hour(1, exposure=50)
    bench.time(T0 + 2 * HOUR)
    (first, *_) = (e for e in bench.out.evidence if isinstance(e, Evidence))
    assert (first.m, first.unknown) == (1000, "partial_data")


def test_a_source_that_says_it_serves_no_more_owes_nothing() -> None:
    """A process that ends in order leaves its period whole."""
    bench, other = Bench(), Emitter("svc/2", "p")
    bench.send(other.exposure(T0 + 10, 500.0), other.heartbeat(T0 + 11, serving=False), at=T0 + 11)
    bench.hour(0, exposure=50)
    bench.hour(1, exposure=50)
    bench.time(T0 + 2 * HOUR)
    (first, *_) = (e for e in bench.out.evidence if isinstance(e, Evidence))
    assert (first.m, first.unknown) == (550, "")


def test_events_without_any_exposure_prove_nothing() -> None:
    """A tally of zero with five incidents says that exposure is missing, not that the rate is infinite."""
    bench = Bench(msgspec.structs.replace(RATE, exposure=ExposureSpec(unit="decisions")))
    bench.send(*(bench.emitter.incident(T0 + 5) for _ in range(50)), at=T0 + 5)
    bench.hour(0, exposure=0)
    bench.hour(1)
    bench.time(T0 + 3 * HOUR)
    assert bench.level == Level.NORMAL
    assert Reason.PARTIAL_DATA in bench.reasons()


def test_late_outcomes_of_a_share_prove_nothing() -> None:
    """False positives that come late without their true negatives must not halt a pilot that keeps its limit; that
    they count nowhere is a finding."""
    share = IndicatorSpec(
        name="fpr",
        kind="false_positive_rate",
        limit=0.02,
        weight=1,
        detectors=(DetectorSpec("limit_e_process", "halt"),),
    )
    bench = Bench(share)
    bench.send(bench.emitter.outcomes(T0, tp=0, fp=1, tn=99, fn=0), at=T0)
    bench.time(T0 + HOUR + 1)
    bench.send(*(bench.emitter.outcomes(T0, tp=0, fp=5, tn=495, fn=0) for _ in range(20)), at=T0 + HOUR + 2)
    assert bench.level == Level.WATCH
    assert [decision.reason for decision in bench.out.decisions[1:]] == [Reason.LATE_DROPPED]


def test_a_counter_that_is_ahead_of_the_tallies_makes_the_period_partial() -> None:
    """A service that states 900 decisions and has tallied 100 has not told all: the period closes at the cap,
    flagged."""
    bench = Bench()
    bench.hour(0, incidents=3, exposure=100)
    bench.send(bench.emitter.heartbeat(T0 + HOUR - 1, exposure=900.0), at=T0 + HOUR - 1)
    bench.time(T0 + 2 * HOUR)
    (first,) = (e for e in bench.out.evidence if isinstance(e, Evidence))
    assert (first.m, first.unknown) == (1000, "partial_data")


def test_counters_that_agree_leave_the_period_whole() -> None:
    """Tallies that come after the heartbeat but before the close make up for it; a later heartbeat is of a later
    period."""
    bench = Bench()
    bench.hour(0, exposure=100)
    bench.send(bench.emitter.heartbeat(T0 + HOUR - 1, exposure=300.0), at=T0 + HOUR - 1)
    bench.send(bench.emitter.exposure(T0 + HOUR - 2, 200.0), at=T0 + HOUR + 5)
    bench.send(bench.emitter.heartbeat(T0 + HOUR + 9, exposure=5000.0), at=T0 + HOUR + 9)
    bench.time(T0 + 2 * HOUR)
    (first,) = (e for e in bench.out.evidence if isinstance(e, Evidence))
    assert (first.m, first.unknown) == (300, "")


def test_a_source_first_heard_after_its_start_is_counted_from_there() -> None:
    """A service that ran before its admission is not behind for ever."""
    bench = Bench()
    bench.emitter = Emitter("svc/old", "p", first=900)
    bench.send(bench.emitter.heartbeat(T0 + 1, exposure=77_000.0), at=T0 + 1)
    for hour in range(1, 4):
        bench.hour(hour, exposure=10)
        at = T0 + hour * HOUR + 2000
        bench.send(bench.emitter.heartbeat(at, exposure=77_000.0 + 10 * hour), at=at)
    bench.time(T0 + 5 * HOUR)
    third = [e for e in bench.out.evidence if isinstance(e, Evidence)][2]
    assert (third.m, third.unknown) == (10, "")


def test_late_events_raise_their_own_period_and_never_lower_it() -> None:
    """Two hundred incidents that come after the close of their period still halt."""
    bench = Bench()
    bench.hour(0)
    bench.time(T0 + 2 * HOUR)
    assert bench.level == Level.NORMAL
    bench.send(*(bench.emitter.incident(T0 + 5000) for _ in range(200)), at=T0 + 2 * HOUR + 1)
    assert bench.level == Level.HALT
    assert any(e.late for e in bench.out.evidence if isinstance(e, Evidence))


def test_exposure_above_the_cap_escalates() -> None:
    """More exposure than the charter allows in a period is found with the tally that exceeds it."""
    bench = Bench()
    bench.hour(0, exposure=1001)
    assert bench.out.decisions[-1].reason == Reason.EXPOSURE_CAP
    assert bench.level == Level.ESCALATE


@pytest.mark.parametrize(("complete", "level"), [("by_source", Level.ESCALATE), ("on_close", Level.HALT)])
def test_where_every_call_is_a_source_exposure_may_be_complete_on_close(complete: Any, level: Level) -> None:
    """Serverless: twelve complaints in a hundred where two are allowed. No source is heard twice, so that nothing is
    known in full by source; a charter that says `on_close` has its limit judged."""
    exposure = ExposureSpec(unit="decisions", complete=complete)
    rate = msgspec.structs.replace(RATE, name="c", kind="complaint_rate", limit=2, per=100, exposure=exposure)
    bench = Bench(rate)
    for hour in range(4):
        for call in range(20):
            at = T0 + hour * HOUR + call * 120_000
            events: list[Envelope] = [Emitter(f"fn/{hour}/{call}", "p").exposure(at, 5.0)]
            if call < 12:
                events.append(Emitter(f"desk/{hour}/{call}", "p").complaint(at + 1))
            bench.send(*events, at=at + 2)
    bench.time(T0 + 4 * HOUR)
    assert bench.level == level
    assert (Reason.PARTIAL_DATA in bench.reasons()) == (complete == "by_source")


def test_exposure_complete_on_close_is_still_missing_where_there_is_none() -> None:
    """A period without any tally is partial whatever the charter says, and a lost number is a gap."""
    rate = msgspec.structs.replace(RATE, exposure=ExposureSpec(unit="decisions", complete="on_close"))
    bench = Bench(rate)
    bench.send(bench.emitter.incident(T0 + 1), at=T0 + 1)
    bench.time(T0 + 2 * HOUR)
    assert Reason.PARTIAL_DATA in bench.reasons()
    bench = Bench(rate)
    bench.emitter.skip()
    bench.hour(0)
    bench.time(T0 + 2 * HOUR)
    assert Reason.PARTIAL_DATA in bench.reasons()


def test_a_charter_that_does_not_speak_of_completeness_keeps_its_hash() -> None:
    """The field is in the canonical form only where it says something."""
    plain, closing = (
        charter(msgspec.structs.replace(RATE, exposure=ExposureSpec(unit="decisions", complete=complete)))
        for complete in ("by_source", "on_close")
    )
    assert b"complete" not in canonical_charter(plain)
    assert b'"complete":"on_close"' in canonical_charter(closing)
