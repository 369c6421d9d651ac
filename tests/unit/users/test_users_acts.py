"""Acts of the users' channel in a machine with a founded sandbox: who may report, what counts, what is owed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.charter.exit_acts import Assessing, Termination
from monitor.charter.spec import Charter, DetectorSpec, ExposureSpec, IndicatorSpec, UsersChannel
from monitor.charter.users_acts import (
    ComplaintAnswer,
    ComplaintFiling,
    ComplaintWithdrawal,
    RedressStep,
    UserComplaint,
    UserDeparture,
)
from monitor.cli.status_lines import status_lines
from monitor.compile.lint import lint
from monitor.model.assessment import Assessment
from monitor.model.events import instant
from monitor.model.records import Decision, Level, Outputs, Reason
from monitor.projections.formats import stamp
from monitor.projections.pilot_status import pilot_status, with_answers_due
from monitor.state.snapshots import restore, snapshot
from monitor.state.users import KNOWN, NO_USERS, KnownIds
from tests.unit.engine.test_machine import HOUR
from tests.unit.lifecycle.founded import OWN, SANDBOX, Founded

DAY = 24 * HOUR
RATE = structs.replace(OWN.indicators[0], name="complaints", kind="complaint_rate", weight=0.4)
GAP = IndicatorSpec(
    "gap", "outside_gap", period="1h", limit=0.3, weight=0.4, detectors=(DetectorSpec("limit_e_process", "escalate"),)
)
OUTSIDE = IndicatorSpec("outside", "outside_complaint_rate", period="1h", exposure=ExposureSpec("decisions"))
WATCHED = structs.replace(
    OWN,
    indicators=(RATE, GAP, OUTSIDE),
    users_channel=UsersChannel(answer_within="10d", redress_within="20d", counted_per_day=30),
)


def name(number: int) -> str:
    return f"{number:032x}"


def filing(made: Founded, *numbers: int, by: str = "public", ago: int = 0, **more: Any) -> ComplaintFiling:
    complaints = [UserComplaint(complaint=name(n), time=instant(made.at - ago), **more) for n in numbers]
    return ComplaintFiling(**made.by(by), complaints=tuple(complaints))


def refusal(out: Outputs) -> str:
    (rejected,) = out.rejected
    return rejected.detail.split(":")[0] if rejected.reason == "control_refused" else rejected.reason


def clocks(made: Founded, change: str = "") -> list[Decision]:
    found = [one for one in made.decisions if one.finding.clock and one.finding.rule in ("user-complaint", "redress")]
    return [one for one in found if not change or one.finding.clock.change == change]  # type: ignore[union-attr]


@pytest.fixture
def made() -> Founded:
    return Founded(admit=WATCHED)


def test_a_complaint_counts_once_by_its_id_with_any_sender(made: Founded) -> None:
    """A copy of the act, the same id in another act, and an id twice in one act change nothing."""
    act = filing(made, 1, 2, 2)
    assert [d.reason for d in made.put(act).decisions] == [Reason.COMPLAINT_FILED]
    before = made.pilot.users
    assert (before.filed, before.counted) == (2, 2)
    assert refusal(made.put(act)) == "repeated"
    assert refusal(made.put(filing(made, 1, 2, by="officer"))) == "repeated"
    out = made.put(filing(made, 2, 3))
    assert out.decisions[0].finding.content == {"complaints": (name(3),), "repeated": 1.0}
    assert made.pilot.users.filed == 3


def test_outside_complaints_count_in_no_indicator_of_what_the_firm_reports(made: Founded) -> None:
    """A flood cannot exceed the limit on complaints that may halt; it shows in the indicators of outside complaints."""
    made.say(made.service.exposure(made.at, 100))
    made.say(made.service.complaint(made.at, "c-1"))
    made.put(filing(made, *range(20)))
    streams = made.pilot.streams
    assert [sum(one.k for one in streams[key].open.values()) for key in ("complaints/", "gap/", "outside/")] == [
        1.0, 20.0, 20.0,
    ]  # fmt: skip
    assert sum(one.m for one in streams["gap/"].open.values()) == 21.0


def test_a_flood_of_one_sender_counts_up_to_its_budget_and_leaves_those_of_others(made: Founded) -> None:
    """All of it is on record; the budget is one of a day, and a sender has its own."""
    for start in (0, 50, 100):
        made.put(filing(made, *range(start, start + 50)))
    assert made.pilot.users.counted == 30
    assert (made.pilot.users.filed, made.pilot.users.over) == (150, 120)
    made.put(filing(made, 900, 901, by="officer"))
    assert made.pilot.users.counted == 32
    made.at += DAY
    made.put(filing(made, 1000))
    assert made.pilot.users.counted == 33


def test_a_complaint_that_does_not_count_spends_no_budget(made: Founded) -> None:
    """A file of old complaints hides no complaint of the same day."""
    made.at += 6 * HOUR
    made.keep(made.machine.time(made.at))
    made.put(filing(made, *range(40), ago=4 * HOUR))
    made.put(filing(made, 100, 101))
    users = made.pilot.users
    assert (users.late, users.counted, users.over) == (40, 2, 0)


def test_an_answer_that_is_owed_can_be_given_whatever_was_filed_since(made: Founded) -> None:
    """A complaint with a deadline is not forgotten, nor is another open one for complaints that do not count; one that
    is not remembered has no deadline."""
    made.put(filing(made, 0, 1))
    made.put(ComplaintAnswer(**made.by("firm"), complaints=(name(1),)))
    for start in range(1_000, 2_500, 50):
        made.put(filing(made, *range(start, start + 50)))
    for start in range(3_000, 4_500, 50):
        made.put(filing(made, *range(start, start + 50), ago=900 * DAY))
    known = made.pilot.users.complaints
    assert len(known.states) == KNOWN
    assert all(known.place(name(n)) is not None for n in (0, *range(1_000, 1_030)))
    owed = [case.key for case in made.pilot.clocks.cases.values() if case.open]
    for key in owed:
        assert made.put(ComplaintAnswer(**made.by("firm"), complaints=(key,))).decisions
    made.at += 40 * DAY
    made.keep(made.machine.time(made.at))
    assert not clocks(made, "missed")


def test_what_is_owed_when_a_pilot_ends_can_be_done_after_its_end(made: Founded) -> None:
    """The firm answers and decides about redress; a user may withdraw; what is done in time is not missed."""
    made.put(filing(made, 1, 2, 3))
    made.put(RedressStep(**made.by("public"), step="asked", complaints=(name(2),)))
    made.put(Termination(**made.by("officer"), basis="b", reason="r"))
    assert made.pilot.exited
    assert made.put(ComplaintAnswer(**made.by("firm"), complaints=(name(1), name(2)))).decisions
    assert made.put(RedressStep(**made.by("firm"), step="given", complaints=(name(2),))).decisions
    assert made.put(ComplaintWithdrawal(**made.by("public"), complaints=(name(3),))).decisions
    made.at += 40 * DAY
    made.keep(made.machine.time(made.at))
    assert not clocks(made, "missed")


def test_a_flood_raises_an_escalation_and_never_a_halt(made: Founded) -> None:
    """No complaint inside, as many outside as a budget allows, day by day: level escalate."""
    for day in range(5):
        made.put(filing(made, *range(50 * day, 50 * day + 50)))
        made.at += DAY
        made.keep(made.machine.time(made.at))
    assert made.pilot.standing.level is Level.ESCALATE
    assert not made.pilot.standing.halted
    assert not made.commands
    found = [d for d in made.decisions if d.reason is Reason.LIMIT_EXCEEDED]
    assert found
    assert found[0].finding.indicator == "gap"


def test_a_charter_may_not_halt_on_what_the_public_says() -> None:
    """`charter check` refuses it with the fix."""
    spec = structs.replace(GAP, detectors=(DetectorSpec("limit_e_process", "halt"),))
    found = [p for p in lint(structs.replace(WATCHED, indicators=(spec,))) if p.severity == "error"]
    assert [p.field for p in found] == ["indicators[0].detectors[0].level"]
    assert "officer" in found[0].fix


def test_a_late_report_of_the_channel_is_on_record_and_no_finding_of_the_firm(made: Founded) -> None:
    """Its period is closed, so it counts nowhere; nor does one from before the pilot."""
    made.at += 6 * HOUR
    made.keep(made.machine.time(made.at))
    made.put(filing(made, 1, ago=4 * HOUR))
    made.put(filing(made, 2, ago=900 * DAY))
    assert (made.pilot.users.late, made.pilot.users.counted) == (2, 0)
    assert made.pilot.standing.level is Level.NORMAL
    assert not made.pilot.late_events


def test_an_answer_in_time_meets_the_deadline_without_a_decision(made: Founded) -> None:
    """As for complaints that the firm reports: only a miss is a decision."""
    made.put(filing(made, 1))
    assert made.put(ComplaintAnswer(**made.by("firm"), complaints=(name(1),))).decisions
    made.at += 40 * DAY
    made.keep(made.machine.time(made.at))
    assert not clocks(made)


def test_a_missed_answer_is_addressed_to_the_firm(made: Founded) -> None:
    """And its answer after that is on record as too late."""
    made.put(filing(made, 1))
    made.at += 20 * DAY
    made.keep(made.machine.time(made.at))
    (missed,) = clocks(made, "missed")
    assert missed.finding.clock
    assert (missed.finding.rule, missed.finding.clock.owed_by) == ("user-complaint", "firm")
    made.put(ComplaintAnswer(**made.by("firm"), complaints=(name(1),)))
    assert clocks(made, "done_late")


def test_a_firm_that_misses_as_many_deadlines_as_there_are_places_has_deadlines_all_the_same(made: Founded) -> None:
    """A complaint a day that is never answered: 8 deadlines run at a time, of 10 days each; the last miss stands."""
    for number in range(60):
        made.put(filing(made, number))
        made.at += DAY
        made.keep(made.machine.time(made.at))
    assert len(clocks(made, "missed")) >= 32
    running = [case for case in made.pilot.clocks.cases.values() if case.open]
    assert len(running) == 8
    assert any(not clock.running for case in running for clock in case.clocks)


def test_redress_that_is_asked_for_is_due_and_decided_once(made: Founded) -> None:
    """Its clock starts with the request, and ends with the decision of the firm."""
    made.put(filing(made, 1))
    made.put(RedressStep(**made.by("public"), step="asked", complaints=(name(1),)))
    assert [d.finding.rule for d in clocks(made, "started")] == ["redress"]
    made.put(RedressStep(**made.by("firm"), step="given", complaints=(name(1),)))
    assert [d.finding.rule for d in clocks(made, "met")] == ["redress"]
    assert refusal(made.put(RedressStep(**made.by("firm"), step="refused", complaints=(name(1),)))) == (
        "unknown_complaint"
    )
    users = made.pilot.users
    assert (users.asked, users.given, users.refused) == (1, 1, 0)


@pytest.mark.parametrize("step", ["given", "refused"])
def test_a_firm_does_not_decide_about_redress_that_was_not_asked_for(made: Founded, step: Any) -> None:
    """Else a request that follows would be of no effect, and have no deadline."""
    made.put(filing(made, 1))
    assert refusal(made.put(RedressStep(**made.by("firm"), step=step, complaints=(name(1),)))) == "unknown_complaint"
    made.put(RedressStep(**made.by("public"), step="asked", complaints=(name(1),)))
    assert [d.finding.rule for d in clocks(made, "started")] == ["redress"]
    assert made.put(RedressStep(**made.by("firm"), step=step, complaints=(name(1),))).decisions


def test_redress_that_is_not_decided_is_a_finding(made: Founded) -> None:
    """At the level of the clock table."""
    made.put(filing(made, 1))
    made.put(RedressStep(**made.by("public"), step="asked", complaints=(name(1),)))
    made.at += 40 * DAY
    made.keep(made.machine.time(made.at))
    assert "clock/redress" in made.pilot.standing.active


def test_a_withdrawal_ends_what_is_owed_and_takes_no_count_back(made: Founded) -> None:
    """A firm that talks users into withdrawing changes no indicator."""
    made.put(filing(made, 1))
    made.put(RedressStep(**made.by("public"), step="asked", complaints=(name(1),)))
    made.put(ComplaintWithdrawal(**made.by("public"), complaints=(name(1),)))
    assert [d.finding.rule for d in clocks(made, "stopped")] == ["redress"]
    assert sum(one.k for one in made.pilot.streams["gap/"].open.values()) == 1.0
    made.at += 40 * DAY
    made.keep(made.machine.time(made.at))
    assert not clocks(made, "missed")


def test_a_firm_answers_and_gives_redress_and_does_nothing_else(made: Founded) -> None:
    """It files no complaint, withdraws none, asks for nothing and lets no user leave."""
    made.put(filing(made, 1))
    for act in (
        filing(made, 2, by="firm"),
        ComplaintWithdrawal(**made.by("firm"), complaints=(name(1),)),
        RedressStep(**made.by("firm"), step="asked", complaints=(name(1),)),
    ):
        assert refusal(made.put(act)) == "not_its_own"
    assert refusal(made.put(UserDeparture(**made.by("firm"), users=(name(1),)))) == "not_a_complaint_channel"


def test_a_report_signed_by_the_firm_in_the_name_of_the_channel_is_forged(made: Founded) -> None:
    """The key is that of the configuration of the sandbox."""
    out = made.put(filing(made, 1), "firm")
    assert refusal(out) in ("forged", "not_a_complaint_channel")
    assert made.pilot.users is NO_USERS or made.pilot.users.filed == 0


def test_a_signed_report_without_a_time_of_validity_is_refused(made: Founded) -> None:
    """Else a copy could count once its ids are forgotten."""
    act = structs.replace(filing(made, 1), not_before=None, not_after=None)
    assert refusal(made.put(act)) == "validity_missing"


def test_reports_of_users_displace_no_act_of_an_officer(made: Founded) -> None:
    """A hundred of them leave what is remembered of acts as it was, and their decisions have different ids."""
    before = list(made.pilot.acts.recent)
    for number in range(100):
        made.put(structs.replace(filing(made, number), id="same"))
    assert made.pilot.acts.recent == before
    found = [d.id for d in made.decisions if d.reason is Reason.COMPLAINT_FILED]
    assert len(set(found)) == 100


def test_a_user_who_leaves_is_on_record_once(made: Founded) -> None:
    """By pseudonym."""
    made.put(UserDeparture(**made.by("public"), users=(name(7),)))
    assert refusal(made.put(UserDeparture(**made.by("public"), users=(name(7),)))) == "repeated"
    assert made.pilot.users.departed == 1


def test_an_id_that_is_no_pseudonym_is_refused(made: Founded) -> None:
    """The log has no place for a name."""
    act = ComplaintFiling(
        **made.by("public"), complaints=(UserComplaint(complaint="Erika Mustermann", time=instant(made.at)),)
    )
    assert made.put(act).rejected[0].reason == "wrong_form"


def test_the_pack_tells_complaints_inside_from_those_outside(made: Founded) -> None:
    """Both are exact numbers of the stay; without a users' channel nothing is said of the inside."""
    for number in range(3):
        made.say(made.service.complaint(made.at, f"c-{number}"))
    made.put(filing(made, 1, 2))
    made.pilot.users = restore(snapshot(made.pilot))[0].users
    numbers = _assessed(made)
    assert (numbers.complaints_inside, numbers.complaints_outside) == (3, 2)
    assert not isinstance(_assessed(Founded(admit=OWN)).complaints_inside, int)


def _assessed(made: Founded) -> Assessment:
    out = made.put(Assessing(**made.by("officer"), outcome="continue", reason="r"))
    numbers = out.decisions[-1].finding.assessment
    assert isinstance(numbers, Assessment)
    return numbers


def test_ids_are_remembered_up_to_the_bound_and_settled_ones_are_forgotten_first() -> None:
    """An open complaint stays known as long as there are settled ones."""
    known = KnownIds().plus([name(n) for n in range(KNOWN)], 0)
    for place in range(10, 20):
        known = known.with_state(place, 1)
    known = known.plus([name(10_000 + n) for n in range(12)], 0)
    assert len(known.states) == KNOWN
    assert all(known.place(name(n)) is None for n in (*range(10, 20), 0, 1))
    assert all(known.place(name(n)) is not None for n in (*range(2, 10), 20, 10_011))


def test_a_pilot_without_reports_has_no_larger_snapshot() -> None:
    """The state leaves out what says nothing."""
    plain: Charter = OWN
    assert len(snapshot(Founded(admit=plain).pilot)) == len(snapshot(Founded(admit=plain).pilot))
    assert Founded(admit=plain).pilot.users is NO_USERS


def test_a_table_may_let_the_authority_owe_the_decision_about_redress() -> None:
    """The miss is then addressed to the authority."""
    clocks_ = SANDBOX.clocks
    rules = tuple(structs.replace(r, owed_by="authority") if r.name == "redress" else r for r in clocks_.rules)
    made = Founded(structs.replace(SANDBOX, clocks=structs.replace(clocks_, rules=rules)), admit=WATCHED)
    made.put(filing(made, 1))
    made.put(RedressStep(**made.by("public"), step="asked", complaints=(name(1),)))
    made.at += 40 * DAY
    made.keep(made.machine.time(made.at))
    (missed,) = [one for one in clocks(made, "missed") if one.finding.rule == "redress"]
    assert missed.finding.clock
    assert missed.finding.clock.owed_by == "authority"


def test_the_status_shows_answers_that_are_owed_before_they_are_missed(made: Founded) -> None:
    """With the deadline that the charter promises; not what was answered or withdrawn; a miss is listed once."""
    made.put(filing(made, 1, 2))
    filed = [made.at]
    made.put(filing(made, 3))
    filed.append(made.at)
    made.put(ComplaintAnswer(**made.by("firm"), complaints=(name(1),)))

    def lines(now: int, plan: Charter | None = WATCHED) -> list[str]:
        status = pilot_status(one for one in made.decisions if one.pilot == "p")
        assert status is not None
        shown = status_lines(with_answers_due(status, plan), (), {"firm": "a@b"}, now)
        return [line for line in shown if "complaint" in line and line.startswith("deadline")]

    numbers = [one.standing for one in made.decisions if one.reason is Reason.COMPLAINT_FILED]
    assert lines(filed[1]) == [
        f"deadline   firm owes an answer to 1 complaint of a user: {left}, by {stamp(at + 10 * DAY)}; "
        f"decision {number} [a@b]"
        for left, at, number in zip(("9 d 23 h", "10 d"), filed, numbers, strict=True)
    ]
    assert len(lines(filed[1] + 30 * DAY)) == 2, "also after it"
    assert "received" in lines(made.at, None)[0], "without the charter"
    status = pilot_status(one for one in made.decisions if one.pilot == "p")
    assert status is not None
    assert msgspec.json.decode(msgspec.json.encode(status), type=type(status)) == status
