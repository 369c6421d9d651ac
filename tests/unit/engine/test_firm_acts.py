"""Acts on the file of a firm: who may, what a class must follow from, and what it changes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import ControlBase, Drill, Screening, Submission
from monitor.charter.spec import AssessmentSpec, Charter, Participant
from monitor.engine.machine import Machine
from monitor.firms.classes import firm_class
from monitor.firms.content import record_of
from monitor.firms.fold import FirmsFold
from monitor.firms.record import YEAR_MS, FirmRecord
from monitor.firms.rules import SHIPPED_RULES, FirmClass, reference_to
from monitor.lifecycle.acts import Role
from monitor.lifecycle.firm_acts import Annulment, Classification
from monitor.lifecycle.sandbox import Person, Sandbox
from monitor.lifecycle.sandbox_acts import PutFirmRules
from monitor.model.records import Reason
from monitor.model.signing import Trusted
from monitor.state import firm_file
from monitor.state.acts_once import AUTHOR_SKEW_MS
from monitor.state.firm_file import class_in
from tests.acts.cells import AUTHORS, PEOPLE
from tests.unit.lifecycle.applied import application
from tests.unit.lifecycle.founded import OWN, PUBLIC, SANDBOX, Founded

FIRM = "firm:firm"
GOOD = FirmRecord(firm="firm", pilots=3, operated_ms=8 * YEAR_MS, observations=9000, through=100, open=3)
BAD = structs.replace(GOOD, contradictions=30)
WRONG = "a" * 32


def classification(world: Founded, author: str, record: FirmRecord, **more: Any) -> Classification:
    subject = world.machine.firms[FIRM].standing if FIRM in world.machine.firms else 0
    record = structs.replace(record, subject=more.pop("subject", subject))
    given = {"firm_class": firm_class(record, SHIPPED_RULES).gives, "rules": SHIPPED_RULES, **more}
    return Classification(**world.by(author, FIRM), record=record, **given)


def annulment(world: Founded, author: str, decision: str = WRONG) -> Annulment:
    return Annulment(**world.by(author, FIRM), of="p", decision=decision, reason="found wrong on appeal")


def why(world: Founded, act: ControlBase, key: str | None = None) -> str:
    """Why an act is refused; "" if it is accepted. A refused act changes nothing and is recorded nowhere."""
    before = dict(world.machine.firms)
    out = world.put(act, key)
    if not out.rejected:
        assert len(out.decisions) == 1
        return ""
    assert not out.decisions
    assert world.machine.firms == before
    return out.rejected[0].detail.split(":")[0]


def test_a_class_is_recorded_with_the_record_that_it_follows_from() -> None:
    """The decision holds the whole record, the rules and the number that decided; it can be read back."""
    world = Founded()
    assert why(world, classification(world, "officer", BAD)) == ""
    made = world.decisions[-1]
    assert (made.pilot, made.reason, made.standing, made.participant) == (FIRM, Reason.FIRM_CLASSIFIED, 1, "")
    assert made.finding.rule == "class D"
    assert isinstance(made.finding.content, dict)
    assert record_of(made.finding.content) == BAD
    assert made.finding.content["measures"] == ("contradictions",)
    assert made.finding.content["rules_digest"] == reference_to(SHIPPED_RULES).digest
    assert class_in(world.machine.firms[FIRM]) is FirmClass.D


def test_a_class_that_does_not_follow_from_its_record_is_refused() -> None:
    """Neither a better nor a worse class than the rules give; there is no deviation."""
    world = Founded()
    for other in set(FirmClass) - {FirmClass.A}:
        assert why(world, classification(world, "officer", GOOD, firm_class=other)) == "other_class"
    assert why(world, classification(world, "officer", structs.replace(GOOD, firm="other"))) == "other_firm"


def test_only_the_rules_that_the_sandbox_names_count() -> None:
    """Other rules, or any where the sandbox names none, are refused."""
    world = Founded()
    milder = structs.replace(SHIPPED_RULES, confidence=0.5)
    assert why(world, classification(world, "officer", GOOD, rules=milder)) == "other_firm_rules"
    bare = Founded(structs.replace(SANDBOX, firm_rules=msgspec.UNSET, duties=msgspec.UNSET))
    assert why(bare, classification(bare, "officer", GOOD)) == "no_firm_rules"
    world.change(PutFirmRules(reference_to(milder)))
    assert why(world, classification(world, "officer", GOOD)) == "other_firm_rules"
    assert why(world, classification(world, "officer", GOOD, rules=milder)) == ""


def test_a_record_from_before_is_refused() -> None:
    """A record that has not read the last act on the firm, or ends before the one that the class follows from."""
    world = Founded()
    assert why(world, classification(world, "officer", GOOD)) == ""
    assert why(world, classification(world, "officer", GOOD, subject=0)) == "record_outdated"
    assert why(world, classification(world, "officer", structs.replace(GOOD, through=99))) == "record_outdated"
    assert why(world, annulment(world, "approver-1")) == ""
    assert why(world, classification(world, "officer", GOOD, subject=1)) == "record_outdated"
    assert why(world, classification(world, "officer", GOOD, subject=2)) == ""


def test_no_record_ends_in_the_future() -> None:
    """A later record could never replace it, so its class would stay for ever. The bound is judged at home only."""
    world = Founded()
    ahead = structs.replace(GOOD, through=world.at + AUTHOR_SKEW_MS + 60_000)
    assert why(world, classification(world, "officer", ahead)) == "record_outdated"
    assert why(world, classification(world, "officer", structs.replace(BAD, through=world.at))) == ""


def test_who_annuls_does_not_classify() -> None:
    """An annulment makes a record better, so another person sets the class; a decision is annulled once."""
    both = Person("approver-1", (Role.OFFICER, Role.APPROVER), "authority", (PUBLIC["approver-1"],))
    people = tuple(both if one.id == both.id else one for one in SANDBOX.people)
    world = Founded(structs.replace(SANDBOX, people=people))
    assert why(world, annulment(world, "approver-1")) == ""
    assert why(world, annulment(world, "approver-2")) == "already_registered"
    assert why(world, classification(world, "approver-1", GOOD)) == "same_person"
    assert why(world, classification(world, "officer", GOOD)) == ""


@pytest.mark.parametrize("author", AUTHORS, ids=lambda one: f"{one.name}-{one.key or 'none'}")
def test_only_officers_classify_and_only_approvers_annul(author: Any) -> None:
    """Of any authority; no other role, no other key, and never the firm itself."""
    world = Founded(PEOPLE)
    proved = author.key == author.name
    officer = proved and (Role.OFFICER in author.roles or author.name == "other-officer")
    approver = proved and (Role.APPROVER in author.roles or author.name == "other-approver")
    assert (why(world, classification(world, author.name, GOOD), author.key) == "") == officer
    assert (why(world, annulment(world, author.name), author.key) == "") == approver


def test_a_firm_never_sets_its_class() -> None:
    """Not even where the configuration lists a person with the id of the firm."""
    person = Person("firm", (Role.OFFICER,), "authority", (PUBLIC["firm"],))
    world = Founded(structs.replace(SANDBOX, people=(*SANDBOX.people, person)), admit=None)
    assert why(world, classification(world, "firm", GOOD)) == "not_an_officer"


def test_acts_and_subjects_belong_together() -> None:
    """An act on a pilot cannot name a firm, nor an act on a firm a pilot; bad ids are refused."""
    world = Founded()
    assert why(world, Drill(**world.by("officer", FIRM))) == "reserved_name"
    given = {**world.by("officer"), "record": GOOD, "rules": SHIPPED_RULES, "firm_class": FirmClass.A}
    assert why(world, Classification(**given)) == "reserved_name"
    given |= world.by("officer", "firm:é")
    assert why(world, Classification(**given)) == "bad_firm_id"
    before = Founded(None, admit=None)
    assert why(before, classification(before, "officer", GOOD), "") == "not_founded"


def test_a_repeat_has_no_effect() -> None:
    """An act is valid once."""
    world = Founded()
    act = classification(world, "officer", GOOD)
    assert why(world, act) == ""
    assert why(world, act) == "repeated"


def test_a_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound a further firm is refused, and so is a further annulment."""
    world = Founded()
    for number in range(firm_file.ANNULMENTS):
        assert why(world, annulment(world, "approver-1", f"{number:032x}")) == ""
    assert why(world, annulment(world, "approver-1")) == "too_many_open"
    monkeypatch.setattr("monitor.engine.firm_acts.FIRM_FILES", 1)
    other = Classification(
        **world.by("officer", "firm:other"), record=structs.replace(GOOD, firm="other"), rules=SHIPPED_RULES,
        firm_class=FirmClass.A,
    )  # fmt: skip
    assert why(world, other) == "too_many_firms"


def test_other_partitions_step_copies_and_record_nothing() -> None:
    """A copy of an accepted act changes the class in another partition, whose snapshots hold it, and emits nothing."""
    world, other = Founded(), Founded(admit=None, partition=1)
    act = classification(world, "officer", BAD)
    assert why(world, act) == ""
    out = other.put(act)
    assert not out.decisions
    assert not out.rejected
    assert other.machine.firms[FIRM].firm_class == "D"
    assert FIRM in other.machine.dirty
    raw = {name: value for name, value in other.machine.snapshots([FIRM]).items() if value is not None}
    again = Machine(1, journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
    again.restore(raw)
    assert again.firms[FIRM] == other.machine.firms[FIRM]


def test_what_the_machine_recorded_is_read_by_the_next_record() -> None:
    """The annulment of a halt, as the machine records it, takes the halt out of the record."""
    world = Founded()
    fold = FirmsFold()
    for decision in world.decisions:
        fold.decide(decision)
    halt = structs.replace(
        world.decisions[-1],
        id=WRONG,
        standing=1000,
        kind="level",
        level=3,  # type: ignore[arg-type]
        reason=Reason.HARD_RULE,
    )
    fold.decide(halt)
    assert fold.record("firm").halts == 1
    assert why(world, annulment(world, "approver-1")) == ""
    fold.decide(world.decisions[-1])
    found = fold.record("firm")
    assert (found.halts, found.annulled, found.subject, found.applications) == (0, 1, 1, 1)


# ---- what a class changes


def screened(world: Founded, charter: Charter, pilot: str = "q") -> str:
    """Why the screening of a further pilot of the firm is refused, with its field."""
    charter = structs.replace(charter, pilot=pilot)
    act = Submission(**world.by("firm", pilot), application=application(charter), charter=charter)
    assert world.put(act, "firm").decisions, world.rejected[-1]
    out = world.put(Screening(**world.by("officer", pilot)))
    return f"{out.rejected[0].field} {out.rejected[0].detail}" if out.rejected else ""


def test_a_class_changes_what_a_charter_must_state() -> None:
    """With class D the charter of a further pilot needs assessments that the same firm did not need before."""
    plain, worse = Founded(), Founded()
    assert screened(plain, OWN) == ""
    assert why(worse, classification(worse, "officer", structs.replace(BAD, open=0))) == ""
    assert "charter.assessment.every" in screened(worse, OWN)
    assert screened(worse, structs.replace(OWN, assessment=AssessmentSpec("30d")), "r") == ""


def test_a_class_bounds_the_open_pilots_of_a_firm() -> None:
    """By the record that the class follows from, which counts the pilots of all partitions."""
    world = Founded()
    assert why(world, classification(world, "officer", BAD)) == ""
    assert "too_many_pilots" in screened(world, structs.replace(OWN, assessment=AssessmentSpec("30d")))


def test_a_class_is_of_its_firm_alone() -> None:
    """Another firm keeps the duties that it had."""
    world = Founded()
    assert why(world, classification(world, "officer", BAD)) == ""
    other = structs.replace(OWN, pilot="q", participant=Participant("rival", keys=(PUBLIC["stranger"],)))
    act = Submission(**world.by("rival", "q"), application=application(other), charter=other)
    assert world.put(act, "stranger").decisions, world.rejected[-1]
    assert world.put(Screening(**world.by("officer", "q"))).decisions


@pytest.mark.parametrize("name", ["firm of a city", "FIRM", "f\u0131rm"])
def test_no_firm_applies_under_an_id_that_escapes_its_class(name: str) -> None:
    """One that no class can be set for, or that differs from the id of a classified firm only in case."""
    world = Founded()
    assert why(world, classification(world, "officer", BAD)) == ""
    charter = structs.replace(OWN, pilot="q", participant=Participant(name, keys=(PUBLIC["firm"],)))
    act = Submission(**world.by(name, "q"), application=application(charter), charter=charter)
    out = world.put(act, "firm")
    assert [(one.field, one.detail.split(":")[0]) for one in out.rejected] == [
        ("charter.participant.id", "bad_firm_id")
    ]


def test_a_class_changes_no_pilot() -> None:
    """No state, level or command of a pilot depends on the class of its firm."""
    world = Founded()
    before = world.machine.snapshots(["p"])["p"]
    for record in (GOOD, BAD):
        assert why(world, classification(world, "officer", record)) == ""
    assert world.machine.snapshots(["p"])["p"] == before
    assert isinstance(world.state.sandbox, Sandbox)
