"""Changes of the system: inside the charter's plan they are registered, outside they are proposed; through a real
machine."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from msgspec import UNSET, structs

from monitor.charter.control import Amendment
from monitor.charter.running_acts import ChangeProposal, ChangeRefusal, EvidenceHold
from monitor.charter.spec import Bound, ChangeKind, DetectorSpec, Model, PlannedChange, Trial, charter_hash
from monitor.lifecycle.names import State
from monitor.model.builders import Emitter
from monitor.model.records import Decision, Level, Outputs, Reason
from monitor.model.refusals import Refusal
from monitor.state.running import MODELS
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, charter

SAFE = Trial("night", {"recall": Bound(least=0.9), "cost": Bound(most=5.0)})
PLAN = (
    PlannedChange("retrain", ChangeKind.MODEL_VERSION, "retrained on newer data", "recall may fall", (SAFE,), most=2),
    PlannedChange("named", ChangeKind.MODEL_VERSION, "the next release", "none known", models=("m2", "m3")),
    PlannedChange("logs", ChangeKind.DATA_TYPE, "usage logs", "more personal data", subjects=("logs", "clicks")),
    PlannedChange(
        "elders", ChangeKind.USER_GROUP, "people over 64", "slower reactions", (SAFE,), subjects=("over-64",)
    ),
)
KEPT = {"night": {"recall": 0.95, "cost": 5.0}}
MODEL, DATA, GROUP = ChangeKind.MODEL_VERSION, ChangeKind.DATA_TYPE, ChangeKind.USER_GROUP
LEARNS = structs.replace(
    RATE, detectors=(*RATE.detectors, DetectorSpec("e_detector", "escalate"), DetectorSpec("cusum", "watch"))
)


def bench(**changes: Any) -> Bench:
    return Bench(LEARNS, **{"changes": PLAN, **changes})


def propose(bench: Bench, at: int = T0 + 1, name: str = "c1", **fields: Any) -> Outputs:
    return bench.act(ChangeProposal(**{"id": name, "pilot": "p", "author": "firm", "summary": "new", **fields}), at)


def last(out: Outputs) -> Decision:
    assert not out.rejected, out.rejected
    return out.decisions[-1]


class Case(NamedTuple):
    """What is proposed, and what follows: the item of the plan, why none covers it, or the refusal."""

    rule: str
    fields: dict[str, Any]
    item: str = ""
    outside: str = ""
    refusal: str = ""


CASES = (
    Case("a retrained model that kept the protocol", {"kind": MODEL, "model": "m9", "results": KEPT}, "retrain"),
    Case("the same, named", {"kind": MODEL, "model": "m9", "results": KEPT, "modification": "retrain"}, "retrain"),
    Case("a planned digest needs no protocol", {"kind": MODEL, "model": "m2"}, "named"),
    Case("a digest that the plan does not name", {"kind": MODEL, "model": "m9", "modification": "named"}, "",
         "model_not_planned"),
    Case("a result is missing", {"kind": MODEL, "model": "m9", "modification": "retrain",
                                 "results": {"night": {"recall": 0.95}}}, "", "result_missing"),
    Case("no result at all, and no name", {"kind": MODEL, "model": "m9"}, "", "model_not_planned"),
    Case("a result below its bound", {"kind": MODEL, "model": "m9", "modification": "retrain",
                                      "results": {"night": {"recall": 0.89, "cost": 1.0}}}, "", "result_out_of_bounds"),
    Case("a result above its bound", {"kind": MODEL, "model": "m9", "modification": "retrain",
                                      "results": {"night": {"recall": 0.9, "cost": 5.1}}}, "", "result_out_of_bounds"),
    Case("results at their bounds", {"kind": MODEL, "model": "m9",
                                     "results": {"night": {"recall": 0.9, "cost": 5.0}}}, "retrain"),
    Case("an item that the plan does not have", {"kind": MODEL, "model": "m2", "modification": "other"}, "",
         "unknown_modification"),
    Case("an item of another kind", {"kind": DATA, "subjects": ("logs",), "modification": "retrain"}, "", "other_kind"),
    Case("a planned data type", {"kind": DATA, "subjects": ("clicks",)}, "logs"),
    Case("one of two data types is not planned", {"kind": DATA, "subjects": ("logs", "faces")}, "",
         "subject_not_planned"),
    Case("a planned user group that kept the protocol", {"kind": GROUP, "subjects": ("over-64",), "results": KEPT},
         "elders"),
    Case("a user group without its results", {"kind": GROUP, "subjects": ("over-64",)}, "", "result_missing"),
    Case("a sensitive sector that no item is about", {"kind": ChangeKind.SENSITIVE_SECTOR, "subjects": ("health",)},
         "", "other_kind"),
    Case("safeguards that no item is about", {"kind": ChangeKind.SAFEGUARDS, "subjects": ("review",)}, "",
         "other_kind"),
    Case("a major incident", {"kind": ChangeKind.MAJOR_INCIDENT, "subjects": ("i-1",)}, "", "never_planned"),
    Case("a model version without its digest", {"kind": MODEL}, "", "", "content_missing"),
    Case("a data type without its name", {"kind": DATA}, "", "", "content_missing"),
    Case("a model with another kind", {"kind": DATA, "subjects": ("logs",), "model": "m2"}, "", "", "content_missing"),
    Case("a model that the charter lists", {"kind": MODEL, "model": "m1"}, "", "", "already_registered"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_change_is_registered_inside_the_plan_and_proposed_outside(case: Case) -> None:
    """Inside the plan nothing of the statistics moves; outside, a change waits; content that does not fit is refused,
    and changes nothing."""
    b = bench()
    pilot = b.machine.pilots["p"]
    before = snapshot(pilot)
    out = propose(b, **case.fields)
    if case.refusal:
        assert [r.detail.partition(":")[0] for r in out.rejected] == [case.refusal]
        assert (pilot.life.change, pilot.running) == (State.NO_CHANGE, restore(before)[0].running)
        return
    made = last(out)
    assert made.finding.rule == case.fields["kind"].value
    if case.item:
        assert (made.reason, made.finding.content["modification"]) == (Reason.CHANGE_REGISTERED, case.item)
        assert pilot.life.change is State.NO_CHANGE
        assert pilot.running.models == ((case.fields["model"],) if "model" in case.fields else ())
    else:
        assert (made.reason, made.finding.content["outside"]) == (Reason.CHANGE_PROPOSED, case.outside)
        assert pilot.life.change is State.CHANGE_PROPOSED
        assert pilot.running.models == ()
    assert {name: s.blob() for name, s in pilot.streams.items()} == {
        name: s.blob() for name, s in restore(before)[0].streams.items()
    }


def test_without_a_plan_every_change_is_proposed() -> None:
    """A charter without a plan of changes has the field left out, and covers nothing."""
    b = Bench()
    assert last(propose(b, kind=MODEL, model="m2")).finding.content["outside"] == "no_plan"


def test_an_item_of_the_plan_is_used_up() -> None:
    """After `most` uses the same change is outside; an amended plan counts anew."""
    b = bench()
    for number in (1, 2):
        out = propose(b, T0 + number, f"c{number}", kind=MODEL, model=f"n{number}", results=KEPT)
        assert last(out).reason == Reason.CHANGE_REGISTERED
    third = {"kind": MODEL, "model": "n3", "results": KEPT, "modification": "retrain"}
    assert last(propose(b, T0 + 3, "c3", **third)).finding.content["outside"] == "used_up"


def amended(b: Bench, **changes: Any) -> Any:
    return structs.replace(b.machine.pilots["p"].charter, version=2, **changes)


def amend(b: Bench, new: Any, at: int) -> Outputs:
    return b.act(Amendment(id=f"amend{at}", pilot="p", author="anna", charter=new), at)


def test_a_proposed_change_needs_an_amendment_that_the_firm_signed() -> None:
    """The officer's amendment takes effect for exactly the hash that the firm agreed to, and lists the model."""
    b = bench()
    new = amended(b, models=(Model("m1"), Model("m9")))
    propose(b, kind=MODEL, model="m9", charter=charter_hash(new))
    other = structs.replace(new, scenario="another")
    assert [r.detail.partition(":")[0] for r in amend(b, other, T0 + 2).rejected] == ["signatures_missing"]
    made = last(amend(b, new, T0 + 3))
    pilot = b.machine.pilots["p"]
    assert (made.reason, made.finding.content["change"], made.finding.content["kind"]) == (
        Reason.AMENDED, "c1", "model_version",
    )  # fmt: skip
    assert pilot.life.change is State.NO_CHANGE
    assert pilot.running.change is None
    b.send(Emitter("svc/2", "p", model="m9").exposure(T0 + 10, 5.0), at=T0 + 10)
    assert Reason.UNREGISTERED_MODEL not in b.reasons()


def test_an_amendment_has_to_list_the_model_that_is_proposed() -> None:
    """Otherwise the change would be closed, and its model a finding; the officer refuses the change instead."""
    b = bench()
    new = amended(b, scenario="another")
    propose(b, kind=MODEL, model="m9", charter=charter_hash(new))
    assert [r.detail.partition(":")[0] for r in amend(b, new, T0 + 2).rejected] == ["change_open"]
    refused = last(b.act(ChangeRefusal(id="no", pilot="p", author="ben", reason="too early"), T0 + 3))
    assert (refused.reason, refused.finding.content) == (
        Reason.CHANGE_REFUSED, {"change": "c1", "kind": "model_version", "model": "m9"},
    )  # fmt: skip
    assert last(amend(b, new, T0 + 4)).finding.content is UNSET


def filled(**changes: Any) -> Bench:
    b = bench(**changes)
    for hour in range(30):
        b.hour(hour, incidents=1)
    b.time(T0 + 30 * HOUR)
    return b


def detectors(b: Bench) -> list[bytes]:
    import msgspec

    stream = b.machine.pilots["p"].streams["incidents/"]
    return [msgspec.msgpack.encode(detector) for detector in stream.detectors]


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_the_baseline_is_open_again_where_the_change_could_move_it(kind: ChangeKind) -> None:
    """Detectors that learn what is usual begin anew; evidence against a limit keeps every bit. A major incident changes
    no system, so nothing is learnt again."""
    b, at = filled(), T0 + 30 * HOUR
    new = amended(b, models=(Model("m1"), Model("m9")))
    about = {"model": "m9"} if kind is MODEL else {"subjects": ("x",)}
    propose(b, at + 1, kind=kind, charter=charter_hash(new), **about)
    before = detectors(b)
    made = last(amend(b, new, at + 2))
    after = detectors(b)
    assert after[0] == before[0]
    if kind is ChangeKind.MAJOR_INCIDENT:
        assert after == before
        assert "relearnt" not in made.finding.content
    else:
        assert after[1:] == detectors(bench())[1:]
        assert made.finding.content["relearnt"] == ("incidents",)


def test_inside_the_plan_the_baseline_stays() -> None:
    """It was agreed beforehand: all statistics continue."""
    b = filled()
    before = detectors(b)
    assert last(propose(b, T0 + 30 * HOUR + 1, kind=MODEL, model="m2")).reason == Reason.CHANGE_REGISTERED
    assert detectors(b) == before


def serve(b: Bench, model: str, at: int) -> list[Reason]:
    emitter = Emitter(f"svc/{model}/{at}", "p", model=model)
    return [d.reason for d in b.send(emitter.exposure(at, 5.0), at=at).decisions]


def test_an_unregistered_model_is_found_on_its_first_event_and_a_registered_one_never() -> None:
    """Registered are those of the charter and of registered changes, also after a restart from the snapshot."""
    b = bench()
    assert serve(b, "m9", T0 + 1) == [Reason.UNREGISTERED_MODEL]
    b = bench()
    propose(b, kind=MODEL, model="m9", results=KEPT)
    b.machine.pilots["p"] = restore(snapshot(b.machine.pilots["p"]))[0]
    assert serve(b, "m9", T0 + 2) == []
    assert serve(b, "m8", T0 + 3) == [Reason.UNREGISTERED_MODEL]


def test_a_planned_model_without_its_registration_is_a_separate_finding() -> None:
    """The plan names it, so no rule for foreign models acts on it; the missing registration escalates, once."""
    b = bench()
    assert serve(b, "m2", T0 + 1) == [Reason.CHANGE_NOT_REGISTERED]
    assert b.level == Level.ESCALATE
    assert serve(b, "m2", T0 + 2) == []


def test_a_proposed_model_is_not_registered() -> None:
    """Before the amendment its use is a finding."""
    b = bench()
    propose(b, kind=MODEL, model="m9")
    assert serve(b, "m9", T0 + 2) == [Reason.UNREGISTERED_MODEL]


def test_the_list_of_registered_models_is_bounded() -> None:
    """Further changes are refused until an amendment lists the models in the charter."""
    b = Bench(changes=(structs.replace(PLAN[0], most=1000),))
    for number in range(MODELS):
        propose(b, T0 + number, f"c{number}", kind=MODEL, model=f"n{number}", results=KEPT)
    out = propose(b, T0 + 100, "more", kind=MODEL, model="more", results=KEPT)
    assert [r.detail.partition(":")[0] for r in out.rejected] == [Refusal.TOO_MANY_OPEN.value]
    models = tuple(Model(f"n{number}") for number in range(MODELS))
    amend(b, amended(b, models=models), T0 + 200)
    assert b.machine.pilots["p"].running.models == ()


def test_under_an_evidence_hold_no_change_is_registered_and_another_model_is_a_finding() -> None:
    """EU AI Act Art. 73(6): also one that the charter lists, once."""
    b = bench(models=(Model("m1"), Model("m2b")))
    assert serve(b, "m1", T0 + 1) == []
    b.act(EvidenceHold(id="h", pilot="p", author="anna", reason="death under investigation"), T0 + 2)
    out = propose(b, T0 + 3, kind=MODEL, model="m2")
    assert [r.detail.partition(":")[0] for r in out.rejected] == ["evidence_held"]
    assert serve(b, "m2b", T0 + 4) == [Reason.EVIDENCE_HOLD]
    assert serve(b, "m1", T0 + 5) == []


def test_only_the_firm_proposes_and_only_an_officer_refuses() -> None:
    """Roles come from the charter where a deployment has no sandbox."""
    b = Bench(changes=PLAN)
    act = ChangeProposal(id="x", pilot="p", author="anna", kind=MODEL, model="m2", summary="s")
    assert [r.detail.partition(":")[0] for r in b.act(act, T0 + 1).rejected] == ["not_an_officer"]
    propose(b, T0 + 2, kind=MODEL, model="m9")
    act2 = ChangeRefusal(id="y", pilot="p", author="firm", reason="r")
    assert [r.detail.partition(":")[0] for r in b.act(act2, T0 + 3).rejected] == ["not_an_officer"]


def test_a_charter_without_a_plan_keeps_its_hash() -> None:
    """The field is left out of the canonical form; an empty plan is none."""
    assert charter_hash(charter()) == charter_hash(charter(changes=()))
    assert charter_hash(charter()) != charter_hash(charter(changes=PLAN))
