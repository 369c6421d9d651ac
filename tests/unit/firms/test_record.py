"""What counts in the record of a firm, decision by decision."""

from __future__ import annotations

import msgspec
import pytest

from monitor.firms.fold import FIRMS, FirmsFold
from monitor.firms.pilot_fold import MARKS
from monitor.firms.record import PILOTS, FirmRecord, record_digest
from monitor.model.clock_record import Change, Owes
from monitor.model.records import Closed, Level, Outputs, Reason
from tests.unit.firms.decisions import DAY, T0, Pilot, annulment


def record(*pilots: Pilot, acts: tuple = (), firm: str = "firm-1") -> FirmRecord:  # type: ignore[type-arg]
    fold = FirmsFold()
    for one in pilots:
        fold.add(Outputs(decisions=one.decisions, evidence=[*one.evidence, Closed(partition=0, through=1)]))
    fold.add(Outputs(decisions=list(acts)))
    return fold.record(firm)


def test_time_in_operation_is_without_halts_and_pauses() -> None:
    """A pilot is in operation from its admission to its exit, except while it is halted or paused."""
    pilot = Pilot("p-1")
    for day, step in ((10, pilot.halt), (15, pilot.release)):
        pilot.day = day
        step()
    for day, reason in ((20, Reason.PAUSE_GRANTED), (27, Reason.RESUMED), (30, Reason.EXITED), (60, Reason.PUBLISHED)):
        pilot.day = day
        pilot.act(reason)
    found = record(pilot)
    assert found.operated_ms == (10 + 5 + 3) * DAY
    assert (found.pilots, found.open, found.first, found.through) == (1, 0, T0, T0 + 60 * DAY)


def test_a_registered_pilot_operates_from_its_first_day() -> None:
    """Before the first day of its cycle a pilot is not in operation."""
    pilot = Pilot("p-1", admitted=False)
    pilot.act(Reason.ADMITTED)
    pilot.decisions[0] = msgspec.structs.replace(pilot.decisions[0], states="registered")
    pilot.day = 5
    pilot.act(Reason.CYCLE_STARTED)
    pilot.day = 9
    pilot.period()
    assert record(pilot).operated_ms == 4 * DAY


def test_a_stop_counts_as_in_time_only_before_it_was_overdue() -> None:
    """A halt whose stop was verified in time counts as stopped; one that was overdue before does not, and counts as
    overdue once."""
    prompt, late = Pilot("p-1"), Pilot("p-2")
    prompt.halt()
    prompt.act(Reason.HALT_VERIFIED)
    late.halt()
    for reason in (Reason.HALT_OVERDUE, Reason.HALT_OVERDUE, Reason.HALT_VERIFIED, Reason.HALT_CONTRADICTED):
        late.act(reason)
    found = record(prompt, late)
    assert (found.halts, found.halts_stopped, found.stops_overdue, found.contradictions) == (2, 1, 1, 1)
    assert (found.halts_standing, found.halts_released) == (2, 0)


def test_a_lost_state_is_no_halt_of_the_firm() -> None:
    """A halt because the monitor lost the state of a pilot does not count against its firm."""
    pilot = Pilot("p-1")
    pilot.halt(Reason.STATE_LOST)
    found = record(pilot)
    assert (found.halts, found.halts_standing) == (0, 1)


def test_an_annulled_decision_counts_nowhere() -> None:
    """A halt that was annulled is not counted, wherever the annulment is read; an unknown decision changes nothing."""
    pilot = Pilot("p-1")
    wrong = pilot.halt()
    pilot.release()
    pilot.halt()
    acts = (annulment("firm-1", 1, wrong), annulment("firm-1", 2, Pilot("other").decisions[0]))
    found = record(pilot, acts=acts)
    assert (found.halts, found.annulled, found.subject) == (1, 1, 2)


def test_only_deadlines_of_the_firm_count() -> None:
    """A deadline that an authority missed is not counted, nor one whose due instant was moved after all."""
    pilot = Pilot("p-1")
    pilot.clock(Change.MISSED, Owes.AUTHORITY)
    pilot.clock(Change.MISSED, key="a")
    pilot.clock(Change.MISSED, key="b")
    pilot.clock(Change.RESTARTED, key="b")
    pilot.clock(Change.MET, key="b")
    found = record(pilot)
    assert (found.clocks_missed, found.clocks_met) == (1, 1)


def test_a_rectification_window_is_in_time_or_late() -> None:
    """A tolerated crossing that is rectified counts as in time; if its date passes after all, as late."""
    done, other, open_ = Pilot("p-1"), Pilot("p-2"), Pilot("p-3")
    for pilot in (done, other, open_):
        pilot.to(Level.ESCALATE, Reason.LIMIT_TOLERATED)
        pilot.act(Reason.LIMIT_TOLERATED)
    done.act(Reason.RECTIFICATION_RECORDED)
    other.act(Reason.RECTIFICATION_RECORDED)
    other.to(Level.HALT, Reason.RECTIFICATION_OVERDUE)
    found = record(done, other, open_)
    assert (found.rectifications_in_time, found.rectifications_late, found.rectifications_open) == (1, 1, 1)
    assert found.halts == 1


def test_findings_of_inspections_are_rectified_or_late() -> None:
    """A finding of an inspection is open until it is rectified, overdue or closed."""
    pilot = Pilot("p-1")
    for key in ("a", "b", "c", "d"):
        pilot.act(Reason.INSPECTION_FINDING, rule=key)
    pilot.act(Reason.RECTIFICATION_RECORDED, rule="x", content={"rectified": ("a",)})
    pilot.act(Reason.FINDING_OVERDUE, rule="b")
    pilot.act(Reason.CLEARED, rule="c")
    found = record(pilot)
    assert (found.rectifications_in_time, found.rectifications_late, found.rectifications_open) == (1, 1, 1)


@pytest.mark.parametrize(("flag", "days"), [("silence", 12), ("partial_data", 12), ("monitor_gap", 20)])
def test_time_without_telemetry_is_no_time_in_operation(flag: str, days: int) -> None:
    """Pilots that report nothing make no rate lower; an outage of the monitor is not charged to the firm."""
    pilot = Pilot("p-1")
    pilot.day, pilot.unknown = 10, flag
    pilot.act(Reason.SILENCE)
    pilot.day = 15
    pilot.act(Reason.GUIDANCE_ASKED)
    pilot.day, pilot.unknown = 18, ""
    pilot.act(Reason.HEARD_AGAIN)
    pilot.day = 20
    pilot.act(Reason.GUIDANCE_ASKED)
    assert record(pilot).operated_ms == days * DAY


def test_late_observations_are_a_share() -> None:
    """Revisions of closed periods are late; a period without data is no observation."""
    pilot = Pilot("p-1")
    pilot.period()
    pilot.period(unknown="silence")
    pilot.period(late=True)
    found = record(pilot)
    assert (found.observations, found.observations_late) == (1, 1)
    assert found.positions[0].observations == 3


def test_refusals_and_guidance_are_counted() -> None:
    """Refused applications, changes and requests count against the firm; guidance is counted and does not."""
    pilot = Pilot("p-1", admitted=False)
    for reason in (Reason.APPLICATION_SUBMITTED, Reason.APPLICATION_REFUSED, Reason.CHANGE_REFUSED):
        pilot.act(reason)
    for reason in (Reason.GUIDANCE_ASKED, Reason.GUIDANCE_GIVEN, Reason.GUIDANCE_FOLLOWED):
        pilot.act(reason)
    found = record(pilot)
    assert (found.applications, found.refusals, found.pilots) == (1, 2, 0)
    assert (found.guidance_asked, found.guidance_given, found.guidance_followed) == (1, 1, 1)


def test_complaints_of_users_are_counted_one_by_one() -> None:
    """Those that the users' channel filed, as its record names them."""
    pilot = Pilot("p-1")
    pilot.act(Reason.COMPLAINT_FILED, content={"complaints": ("a", "b")})
    pilot.act(Reason.COMPLAINT_FILED, content={"late": 1.0})
    assert record(pilot).complaints == 2


def test_a_record_is_bounded_and_says_so() -> None:
    """Of more pilots than a record holds those whose names come first are kept, in whatever order they arrive."""
    pilots = [Pilot(f"p-{n:04}") for n in range(PILOTS + 2)]
    found, backwards = record(*pilots), record(*reversed(pilots))
    assert found == backwards
    assert found.truncated
    assert (found.pilots, found.positions[-1].pilot) == (PILOTS, f"p-{PILOTS - 1:04}")
    whole = FirmsFold()
    for number in range(FIRMS + 1):
        whole.decide(Pilot("p", f"f-{FIRMS - number:05}").decisions[0])
    assert len(whole.firms) == FIRMS
    assert f"f-{FIRMS:05}" not in whole.firms


@pytest.mark.parametrize("backwards", [False, True])
def test_applications_drop_no_pilot_from_a_record(backwards: bool) -> None:
    """A firm that applies for many pilots, whose names come first, keeps the record of those that were admitted."""
    bad = Pilot("z-1", admitted=False)
    bad.act(Reason.APPLICATION_SUBMITTED, states="submitted")
    bad.act(Reason.ADMITTED)
    bad.halt()
    others = [Pilot(f"a-{n:04}", admitted=False) for n in range(PILOTS + 2)]
    for one in others:
        one.act(Reason.APPLICATION_SUBMITTED, states="submitted")
    pilots = [bad, *others]
    found = record(*reversed(pilots) if backwards else pilots)
    assert (found.halts, found.pilots, found.truncated, len(found.positions)) == (1, 1, True, PILOTS)
    assert found.positions[-1].pilot == "z-1"
    assert record(bad, *others[:5]).applications == 6


def test_beyond_the_kept_decisions_they_still_count() -> None:
    """Of one pilot a number of decisions can be annulled; the further ones count all the same."""
    pilot = Pilot("p-1")
    for _ in range(MARKS + 5):
        pilot.act(Reason.SOURCE_CONFLICT)
    assert record(pilot).conflicts == MARKS + 5


def test_other_subjects_are_passed_over() -> None:
    """Decisions on the sandbox, models and vendors belong to no firm."""
    fold = FirmsFold()
    for name in ("sandbox", "model:m-1", "vendor:v"):
        fold.decide(Pilot(name, "").decisions[0])
    assert not fold.firms


def test_a_restored_fold_continues_where_it_was() -> None:
    """A fold that was restored from its snapshots gives the same record as one that never stopped."""
    pilot = Pilot("p-1")
    pilot.halt()
    first = FirmsFold()
    first.add(Outputs(decisions=pilot.decisions))
    raw = first.snapshot("firm-1")
    assert raw is not None
    second = FirmsFold()
    second.restore("firm-1", raw)
    more = pilot.release()
    for fold in (first, second):
        fold.decide(more)
    assert record_digest(first.record("firm-1")) == record_digest(second.record("firm-1"))
    assert second.snapshot("firm-1") == first.snapshot("firm-1")
