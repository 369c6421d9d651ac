"""From an application to an admitted pilot: who may do what, in which order, and what each refusal names."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UnsetType, structs

from monitor.charter.application import Application, DataUse, SystemDescription
from monitor.charter.control import (
    Admission,
    Agreement,
    Amendment,
    ApplicationRefusal,
    ApplicationWithdrawal,
    ControlBase,
    Screening,
    Submission,
)
from monitor.charter.spec import Authority, Charter, ExposureSpec, Participant, charter_hash
from monitor.decide.screening import screen_power
from monitor.engine.machine import Machine
from monitor.lifecycle.life import life_from_words
from monitor.lifecycle.names import State
from monitor.model.records import Outputs, Reason
from monitor.model.signing import Trusted
from monitor.state.applicant import OPEN_OF_FIRM
from tests.unit.engine.test_machine import RATE
from tests.unit.lifecycle.applied import application
from tests.unit.lifecycle.founded import OWN, PUBLIC, SANDBOX, Founded

HASH = charter_hash(OWN)
DAY = 86_400_000


def why(world: Founded) -> str:
    """The reason of the last rejection."""
    return world.rejected[-1].detail.partition(":")[0]


def apply(world: Founded, charter: Charter = OWN, **changes: Any) -> Outputs:
    stated = application(charter, **changes)
    return world.put(Submission(**world.by("firm", charter.pilot), application=stated, charter=charter))


def test_each_step_is_a_record_of_the_pilot_and_the_admission_continues_their_numbers() -> None:
    """Application, screening, two signatures, admission: the ledger of a pilot begins with its application."""
    world = Founded()
    own = [d for d in world.decisions if d.pilot == "p"]
    assert [d.reason for d in own if isinstance(d.finding.clock, UnsetType)] == [
        Reason.APPLICATION_SUBMITTED,
        Reason.APPLICATION_SCREENED,
        Reason.CHARTER_SIGNED,
        Reason.CHARTER_AGREED,
        Reason.ADMITTED,
        Reason.CYCLE_STARTED,
    ]
    assert [d.standing for d in own] == list(range(1, len(own) + 1))
    assert len({d.id for d in own}) == len(own)
    assert not world.machine.applicants
    assert world.pilot.life.pilot is State.RUNNING
    assert {d.charter for d in own} == {HASH}


def test_the_application_starts_the_deadline_of_the_authority_and_the_admission_meets_it() -> None:
    """Art. 58(2)(a): three months. Missed, it is a finding addressed to the authority, also before the admission."""
    world = Founded()
    own = [d.reason for d in world.decisions if d.pilot == "p"]
    assert [reason for reason in own if reason.value.startswith("clock")] == [Reason.CLOCK_STARTED, Reason.CLOCK_MET]
    late = Founded(admit=None)
    apply(late)
    late.keep(late.machine.time(late.at))
    out = late.keep(late.machine.time(late.at + 120 * DAY))
    assert [d.reason for d in out.decisions] == [Reason.CLOCK_MISSED]
    assert out.decisions[0].finding.clock.owed_by.value == "authority"  # type: ignore[union-attr]
    late.at += 120 * DAY
    assert late.put(Screening(**late.by("officer"))).decisions
    standings = [d.standing for d in late.decisions if d.pilot == "p"]
    assert standings == list(range(1, len(standings) + 1))


@pytest.mark.parametrize(
    ("steps", "act", "reason"),
    [
        (0, Screening, "application_missing"),
        (0, Agreement, "application_missing"),
        (0, Admission, "application_missing"),
        (1, Agreement, "screening_missing"),
        (1, Admission, "screening_missing"),
        (2, Admission, "signatures_missing"),
        (2, Screening, "step_passed"),
        (3, Admission, "signatures_missing"),
        (4, Screening, "step_passed"),
    ],
)
def test_no_step_is_skipped(steps: int, act: type[ControlBase], reason: str) -> None:
    """What is refused names the step that is missing; it is recorded as refused, and changes nothing."""
    world = Founded(admit=None)
    for number, step in enumerate((
        lambda: apply(world),
        lambda: world.put(Screening(**world.by("officer"))),
        lambda: world.put(Agreement(**world.by("firm"), charter=HASH)),
        lambda: world.put(Agreement(**world.by("officer"), charter=HASH)),
    )):  # fmt: skip
        if number < steps:
            assert step().decisions, world.rejected[-1]
    before = dict(world.machine.applicants)
    more: dict[str, Any] = {"charter": HASH} if act is Agreement else {"charter": OWN} if act is Admission else {}
    assert not world.put(act(**world.by("officer"), **more)).decisions
    assert why(world) == reason
    assert world.machine.applicants == before


def test_the_admitted_charter_is_the_one_that_both_sides_signed() -> None:
    """Another one is refused, and neither side signs one that was not screened."""
    world = Founded(admit=None)
    world.agreed(OWN)
    other = structs.replace(OWN, scenario="another one")
    assert not world.put(Admission(**world.by("officer"), charter=other)).decisions
    assert why(world) == "other_charter"
    world = Founded(admit=None)
    apply(world)
    world.put(Screening(**world.by("officer")))
    assert not world.put(Agreement(**world.by("firm"), charter=charter_hash(other))).decisions
    assert why(world) == "other_charter"


def test_a_charter_that_the_officer_replaced_has_to_be_signed_by_both() -> None:
    """The screening may carry another charter; the firm's proposal is then of no effect."""
    world = Founded(admit=None)
    apply(world)
    other = structs.replace(OWN, alpha=0.02)
    assert world.put(Screening(**world.by("officer"), charter=other)).decisions, world.rejected
    assert not world.put(Agreement(**world.by("firm"), charter=HASH)).decisions
    for author in ("firm", "officer"):
        world.put(Agreement(**world.by(author), charter=charter_hash(other)))
    assert world.put(Admission(**world.by("officer"), charter=other)).decisions
    another = structs.replace(OWN, participant=Participant("firm"))
    world = Founded(admit=None)
    apply(world)
    assert not world.put(Screening(**world.by("officer"), charter=another)).decisions
    assert why(world) == "wrong_participant"


def test_social_scoring_is_refused_with_item_and_reference() -> None:
    """The screening names the item that was found, and so does the record of the refusal; the name is used up."""
    world = Founded(admit=None)
    scored = SystemDescription("Trust", "a social score of tenants", "scores tenants", decides=True)
    assert apply(world, system=scored).decisions
    assert not world.put(Screening(**world.by("officer"))).decisions
    assert why(world) == "screening_failed"
    assert world.rejected[-1].field == "application.system.purpose"
    assert "eu-5-1-c" in world.rejected[-1].detail
    assert "Regulation (EU) 2024/1689, Art. 5(1)(c)" in world.rejected[-1].detail
    wrong = ApplicationRefusal(**world.by("officer"), reason="x", items=("eu-5-1-z",))
    assert not world.put(wrong).decisions
    refused = ApplicationRefusal(**world.by("officer"), reason="the score decides on housing", items=("eu-5-1-c",))
    (decision,) = (d for d in world.put(refused).decisions if d.author)
    assert decision.reason is Reason.APPLICATION_REFUSED
    assert "eu-5-1-c, Social scoring (Regulation (EU) 2024/1689, Art. 5(1)(c))" in decision.finding.rule
    assert isinstance(decision.states, str)
    assert life_from_words(decision.states).pilot is State.REFUSED
    assert not apply(world).decisions
    assert why(world) == "application_closed"


def test_an_answered_item_of_the_negative_list_is_on_record() -> None:
    """A term proves no practice: the officer says why it does not apply."""
    world = Founded(admit=None)
    apply(world, objectives=("show that the system gives no person a social score",))
    assert not world.put(Screening(**world.by("officer"))).decisions
    act = Screening(**world.by("officer"), answers={"eu-5-1-c": "the text says that no person is scored"})
    (decision,) = world.put(act).decisions
    assert "answered: eu-5-1-c (Regulation (EU) 2024/1689, Art. 5(1)(c))" in decision.finding.rule
    assert decision.finding.detail == "eu-5-1-c: the text says that no person is scored"


def test_a_tier_that_is_too_light_fails_the_screening_with_its_reason() -> None:
    """By rule, from the application: special categories of data make a pilot one of tier high."""
    world = Founded(admit=None)
    apply(world, data=DataUse(personal=True, categories=("health",), legal_basis="consent", special=True))
    assert not world.put(Screening(**world.by("officer"))).decisions
    assert why(world) == "screening_failed"
    assert "special categories of personal data are processed (Art. 10(5))" in world.rejected[-1].detail
    assert world.rejected[-1].field == "charter.tier"


def test_a_plan_that_finds_nothing_is_refused_in_grave_tiers() -> None:
    """The sentence says how many users at which rate cannot show a doubling."""
    few = structs.replace(RATE, exposure=ExposureSpec(unit="decisions", cap=1))
    cycle = structs.replace(OWN.cycle, end="2026-01-08")
    charter = structs.replace(OWN, tier="high", indicators=(few,), cycle=cycle)
    problems = screen_power(charter)
    assert problems
    assert "cannot be seen" in problems[0].problem
    assert not screen_power(structs.replace(charter, tier="limited"))


def test_strangers_learn_nothing_and_do_nothing() -> None:
    """Neither the firm screens its own application, nor does another authority, nor anybody with the firm's key."""
    world = Founded(admit=None)
    for author, key, reason in (("stranger", "stranger", "not_the_firm"), ("firm", "stranger", "unknown_key"),
                                ("firm", "", "not_signed")):  # fmt: skip
        act = Submission(**world.by(author), application=application(OWN), charter=OWN)
        assert not world.put(act, key).decisions
        assert why(world) == reason
    apply(world)
    for author, key in (("firm", "firm"), ("stranger", "stranger"), ("other-officer", "other-officer"),
                        ("approver-1", "approver-1"), ("officer", "firm"), ("officer", "")):  # fmt: skip
        for act in (Screening(**world.by(author)), ApplicationRefusal(**world.by(author), reason="x")):
            assert not world.put(act, key).decisions
            assert why(world) in ("not_an_officer", "unknown_key", "not_signed")
    assert not world.put(ApplicationWithdrawal(**world.by("officer"))).decisions
    assert why(world) == "not_the_firm"


def test_a_copy_of_an_act_has_no_effect() -> None:
    """At once, after further acts, and after the admission."""
    world = Founded()
    for record in world.sent[1:]:
        assert not world.step(record).decisions


def test_a_withdrawn_application_is_closed() -> None:
    """Of what it held only its name and number remain."""
    world = Founded(admit=None)
    apply(world)
    assert world.put(ApplicationWithdrawal(**world.by("firm"), reason="no funds")).decisions
    one = world.machine.applicants["p"]
    assert (one.size, one.standing, one.life.pilot) == (0, 4, State.APPLICATION_WITHDRAWN)
    for act in (Screening(**world.by("officer")), Agreement(**world.by("firm"), charter=HASH)):
        assert not world.put(act).decisions
        assert why(world) == "application_closed"
    assert not world.put(Admission(**world.by("officer"), charter=OWN)).decisions


def test_a_firm_has_a_bounded_number_of_open_applications() -> None:
    """One more is refused with the bound, to its sender; a withdrawal makes space."""
    world = Founded(admit=None)
    for number in range(OPEN_OF_FIRM):
        assert apply(world, structs.replace(OWN, pilot=f"p{number}")).decisions, world.rejected[-1]
    more = structs.replace(OWN, pilot="more")
    assert not apply(world, more).decisions
    assert why(world) == "too_many_applications"
    assert str(OPEN_OF_FIRM) in world.rejected[-1].detail
    world.put(ApplicationWithdrawal(**world.by("firm", "p0")))
    assert apply(world, more).decisions


def test_an_application_that_contradicts_its_charter_is_refused_with_field_and_fix() -> None:
    """At once, so that the firm corrects it before anybody screens it."""
    world = Founded(admit=None)
    stated = application(OWN)
    for changes, field in (
        ({"scope": structs.replace(stated.scope, cap=10)}, "application.scope.cap"),
        ({"scope": structs.replace(stated.scope, sector="health")}, "application.scope.sector"),
        ({"timeline": structs.replace(stated.timeline, end="2026-02-01")}, "application.timeline"),
        ({"data": DataUse(personal=True, categories=("names",))}, "application.data.legal_basis"),
        ({"confidential": ("nothing",)}, "application.confidential"),
        ({"objectives": ("x" * 2000,) * 16}, "application.application"),
    ):
        assert not apply(world, **changes).decisions
        assert (world.rejected[-1].field, why(world)) == (field, "bad_application")
    unknown = structs.replace(OWN, authorities=(Authority("ministry"),))
    assert not apply(world, unknown).decisions


def test_without_a_sandbox_there_are_no_applications_and_pilots_are_admitted_as_before() -> None:
    """Open mode: a pilot that is admitted without an application runs."""
    world = Founded(None, admit=None)
    assert not apply(world).decisions
    assert why(world) == "not_founded"
    assert world.put(Admission(**world.by("admitter"), charter=OWN), "admitter").decisions
    assert world.pilot.life.pilot is State.RUNNING


def test_an_applicant_survives_a_restart() -> None:
    """A machine that continues from the snapshot admits the pilot, and refuses the same copies."""
    world = Founded(admit=None)
    world.agreed(OWN)
    again = Machine(journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
    again.restore(world.machine.snapshots(world.machine.dirty))  # type: ignore[arg-type]
    assert again.applicants == world.machine.applicants
    world.machine = again
    assert not world.step(world.sent[-1]).decisions
    assert world.put(Admission(**world.by("officer"), charter=OWN)).decisions
    again = Machine(journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
    again.restore(world.machine.snapshots(world.machine.dirty))  # type: ignore[arg-type]
    assert again.pilots["p"].life == world.pilot.life
    assert not again.applicants


def test_the_public_part_of_the_charter_is_in_the_record_that_puts_it_in_force() -> None:
    """At the admission and at each amendment, without what the charter keeps confidential."""
    secret = structs.replace(OWN, data_source="a bureau", confidential=("data_source",))
    world = Founded(admit=secret)
    assert world.amended(structs.replace(secret, version=2, scenario="another one")).decisions
    documents = [d.document for d in world.decisions if isinstance(d.document, dict)]
    assert [one["version"] for one in documents] == [1, 2]
    assert [one["scenario"] for one in documents] == [OWN.scenario, "another one"]
    assert all("data_source" not in one and one["confidential"] == ["data_source"] for one in documents)


def test_an_amendment_needs_the_signature_of_the_firm_on_its_hash() -> None:
    """An officer alone amends nothing once a sandbox is founded; a lower tier needs approvals too."""
    world = Founded()
    new = structs.replace(OWN, version=2, scenario="another one")
    assert not world.put(Amendment(**world.by("officer"), charter=new)).decisions
    assert why(world) == "signatures_missing"
    world.put(Agreement(**world.by("officer"), charter=charter_hash(new)))
    assert not world.put(Amendment(**world.by("officer"), charter=new)).decisions
    assert world.amended(new).decisions
    lower = structs.replace(new, version=3, tier="minimal")
    assert not any(d.reason is Reason.AMENDED for d in world.amended(lower).decisions)
    assert why(world) == "tier_not_approved"


def test_what_applications_and_sandbox_hold_is_typed() -> None:
    """An application is read back as it was sent."""
    world = Founded(admit=None)
    apply(world)
    assert world.machine.applicants["p"].read() == application(OWN)
    assert isinstance(application(OWN), Application)
    assert SANDBOX.prohibitions
