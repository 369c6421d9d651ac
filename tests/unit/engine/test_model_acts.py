"""The file of a model: who may add what, what an entry refers to, and what is recorded and remembered of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import Admission, ControlBase, Drill
from monitor.charter.model_acts import (
    DataCompliance,
    KnownLimitation,
    ModelContent,
    ModelEntry,
    ModelEntryWithdrawal,
    ModelEvaluation,
    ModelInspection,
    ModelScenario,
    ModelVersion,
    Supplier,
)
from monitor.engine.machine import Machine
from monitor.lifecycle.sandbox_acts import RemovePerson
from monitor.model.records import Level, Reason
from monitor.model.signing import Trusted
from monitor.state import model_file
from tests.unit.lifecycle.founded import OWN, PUBLIC, Founded

MODEL = "model:m-1"
NAMED = Supplier("supplier", "base_model_developer", "Example Models", "DE")
V1 = ModelVersion("1.0", "sha256:aa", "2026-01-05", architecture="transformer", licence="Apache-2.0")
DATA = DataCompliance("corpus-1", "training", personal=True, version="1.0", legal_basis="gdpr-6-1-f")
SCENARIO = ModelScenario("triage", sector="health", groups=("adults",))
EVALUATED = ModelEvaluation("1.0", "triage", {"error": 0.02, "recall": 0.9}, passed=True)
LIMIT = KnownLimitation("dialect", version="1.0")
INSPECTED = ModelInspection(("weights", "training-log"), findings=("f-1",), version="1.0")


def entry(world: Founded, author: str, content: ModelContent, model: str = MODEL, **more: Any) -> ModelEntry:
    return ModelEntry(**{**world.by(author, model), **more}, content=content)


def withdrawal(world: Founded, author: str, name: str) -> ModelEntryWithdrawal:
    return ModelEntryWithdrawal(**world.by(author, MODEL), entry=name, reason="no longer holds")


def why(world: Founded, act: ControlBase, key: str | None = None) -> str:
    """Why an act is refused; "" if it is accepted. A refused act changes nothing and is recorded nowhere."""
    before = dict(world.machine.models)
    out = world.put(act, key)
    if not out.rejected:
        assert len(out.decisions) == 1
        assert not out.commands
        return ""
    assert not out.decisions
    assert world.machine.models == before
    return out.rejected[0].detail.split(":")[0]


def filled() -> tuple[Founded, dict[str, str]]:
    """A file with an entry of each kind, and the ids of the entries by kind."""
    world, ids = Founded(), {}
    authors = {NAMED: "officer", V1: "supplier", DATA: "supplier", SCENARIO: "supplier", LIMIT: "supplier"}
    for content, author in authors.items():
        act = entry(world, author, content)
        assert why(world, act) == "", content
        ids[str(content.__struct_config__.tag)] = act.id
    for content, author in ((EVALUATED, "evaluator"), (INSPECTED, "other-officer")):
        act = entry(world, author, content)
        assert why(world, act) == "", content
        ids[str(content.__struct_config__.tag)] = act.id
    return world, ids


def test_every_kind_of_entry_is_a_decision_with_its_typed_fields() -> None:
    """Numbered from 1 in the ledger of the model, with the role in which its author spoke; no pilot is changed."""
    world, _ = filled()
    found = [one for one in world.decisions if one.pilot == MODEL]
    assert [one.standing for one in found] == list(range(1, 8))
    assert {one.reason for one in found} == {Reason.MODEL_ENTRY_ADDED}
    assert all(one.kind == "act" and one.level is Level.NORMAL and one.signed for one in found)
    contents = [one.finding.content or {} for one in found]
    assert [(c["kind"], c["by"]) for c in contents] == [
        ("supplier", "officer"), ("version", "supplier"), ("data_compliance", "supplier"), ("scenario", "supplier"),
        ("limitation", "supplier"), ("evaluation", "evaluator"), ("inspection", "officer"),
    ]  # fmt: skip
    assert contents[5]["result/error"] == 0.02
    assert contents[5]["passed"] == "yes"
    assert contents[6]["scope"] == ("weights", "training-log")
    of_pilot = [one.standing for one in world.decisions if one.pilot == "p"]
    assert world.machine.pilots["p"].standing.counter == max(of_pilot)


@pytest.mark.parametrize(
    ("author", "content", "reason"),
    [
        ("supplier", NAMED, "not_an_officer"),  # a supplier does not name itself
        ("supplier", Supplier("stranger", "deployer"), "not_an_officer"),
        ("supplier", INSPECTED, "not_an_officer"),
        ("evaluator", V1, "not_a_supplier"),
        ("firm", V1, "not_a_supplier"),
        ("auditor", DATA, "not_a_supplier"),
        ("operator", LIMIT, "not_a_supplier"),
        ("approver-1", SCENARIO, "not_a_supplier"),
        ("publisher", EVALUATED, "not_an_evaluator"),
    ],
)
def test_only_the_roles_of_the_table_may_add(author: str, content: ModelContent, reason: str) -> None:
    """Officers everything, evaluators evaluations, suppliers to their own model; all others nothing."""
    world, _ = filled()
    assert why(world, entry(world, author, content)) == reason


def test_a_supplier_acts_on_its_own_model_only() -> None:
    """Its model is one whose file an officer named it in; without the role or the entry it may add nothing."""
    world, ids = filled()
    other = ModelVersion("1.0", "sha256:bb")
    assert why(world, entry(world, "supplier", other, "model:m-2")) == "not_its_own"
    assert why(world, entry(world, "officer", NAMED, "model:m-2")) == ""
    assert why(world, entry(world, "supplier", other, "model:m-2")) == ""
    assert why(world, withdrawal(world, "officer", ids["supplier"])) == ""
    assert why(world, entry(world, "supplier", ModelVersion("2.0", "sha256:cc"))) == "not_its_own"
    world.change(RemovePerson("supplier"))
    assert why(world, entry(world, "supplier", ModelVersion("2.0", "sha256:dd"), "model:m-2")) == "not_a_supplier"


def test_an_act_is_signed_by_the_key_of_its_author() -> None:
    """Without the key of the person it has no effect, and a signed act is valid once."""
    world, _ = filled()
    act = entry(world, "supplier", ModelVersion("2.0", "sha256:cc"))
    assert world.put(act, "stranger").rejected[0].reason == "forged"
    assert world.put(act, "").rejected[0].reason == "forged"
    assert why(world, structs.replace(act, expected_standing=None, not_before=None, not_after=None)) == (
        "validity_missing"
    )
    assert why(world, act) == ""
    assert world.put(act).rejected[0].reason == "repeated"
    behind = structs.replace(act, id="later", content=ModelVersion("3.0", "sha256:ee"))
    assert why(world, behind) == "standing_behind"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ModelVersion("1.0", "sha256:zz"), "already_registered"),
        (ModelVersion("9.0", "sha256:aa"), "already_registered"),
        (NAMED, "already_registered"),
        (SCENARIO, "already_registered"),
        (LIMIT, "already_registered"),
        (structs.replace(DATA, version="7.0"), "unknown_version"),
        (structs.replace(LIMIT, limitation="other", version="7.0"), "unknown_version"),
        (structs.replace(INSPECTED, version="7.0"), "unknown_version"),
        (structs.replace(EVALUATED, version="7.0"), "unknown_version"),
        (structs.replace(EVALUATED, scenario="driving"), "unknown_scenario"),
        (structs.replace(EVALUATED, version="sha256:aa"), ""),  # by its digest
        (Supplier("supplier", "downstream_developer"), ""),  # another role in the chain
        (DATA, ""),  # data may be documented again
    ],
)
def test_an_entry_refers_to_what_the_file_has_and_says_nothing_twice(content: ModelContent, reason: str) -> None:
    """Versions and scenarios that entries name must stand; versions, digests and names are unique among what stands."""
    world, _ = filled()
    assert why(world, entry(world, "officer", content)) == reason


def test_a_withdrawn_entry_is_named_by_its_withdrawal_and_no_longer_stands() -> None:
    """Officers withdraw every entry, others their own; what it said may be said again."""
    world, ids = filled()
    assert why(world, withdrawal(world, "evaluator", ids["version"])) == "not_its_own"
    assert why(world, withdrawal(world, "supplier", ids["evaluation"])) == "not_its_own"
    assert why(world, withdrawal(world, "auditor", ids["version"])) == "not_a_supplier"
    assert why(world, withdrawal(world, "evaluator", ids["evaluation"])) == ""
    assert why(world, withdrawal(world, "supplier", ids["version"])) == ""
    last = world.decisions[-1]
    assert last.reason is Reason.MODEL_ENTRY_WITHDRAWN
    assert last.finding.detail == "no longer holds"
    assert last.finding.content == {"kind": "version", "by": "supplier", "entry": ids["version"], "number": 2.0}
    assert why(world, withdrawal(world, "officer", ids["version"])) == "unknown_entry"
    assert why(world, entry(world, "officer", EVALUATED)) == "unknown_version"
    assert why(world, entry(world, "supplier", V1)) == ""


def test_the_id_of_an_entry_that_stands_is_not_used_again() -> None:
    """However many acts came since: a reference to an entry names one entry."""
    world, ids = filled()
    for number in range(70):
        act = entry(world, "officer", structs.replace(LIMIT, limitation=f"l-{number}"))
        assert why(world, act) == ""
        assert why(world, withdrawal(world, "officer", act.id)) == ""
    assert why(world, entry(world, "officer", ModelVersion("2.0", "sha256:bb"), id=ids["version"])) == "conflict"


def test_names_of_models_are_no_names_of_pilots() -> None:
    """And an act on a model is on no pilot."""
    world, _ = filled()
    own = structs.replace(OWN, pilot=MODEL)
    assert why(world, Admission(**world.by("officer", MODEL), charter=own)) == "reserved_name"
    assert why(world, Drill(**world.by("officer", MODEL))) == "reserved_name"
    for name in ("p", "sandbox", "m-1"):
        assert why(world, entry(world, "officer", V1, name)) == "reserved_name"
    for name in ("model:", "model:a/b", "model: x", "model:" + "x" * 65):
        assert why(world, entry(world, "officer", V1, name)) == "bad_model_id"


def test_without_a_sandbox_models_have_no_file() -> None:
    """Roles are given by the sandbox."""
    world = Founded(None)
    assert why(world, entry(world, "officer", V1)) == "not_founded"


def test_a_pilot_that_had_such_a_name_before_keeps_it() -> None:
    """Its state is read and its acts are judged as those of a pilot."""
    world = Founded(None, admit=None, before=OWN)
    machine = Machine(journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
    raw = world.machine.snapshots(["p"])
    assert raw["p"] is not None
    pilot = world.machine.pilots["p"]
    pilot.id = MODEL
    world.machine.dirty.add(MODEL)
    world.machine.pilots[MODEL] = pilot
    states = {name: state for name, state in world.machine.snapshots([MODEL]).items() if state is not None}
    machine.restore(states)
    assert MODEL in machine.pilots
    assert not machine.models


def test_a_file_is_bounded_in_entries_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a bound an entry is refused with what the bound is; a withdrawal makes room."""
    world, ids = filled()
    for number in range(model_file.ENTRIES - 7):
        assert why(world, entry(world, "officer", KnownLimitation(f"l-{number}"))) == ""
    refused = entry(world, "officer", KnownLimitation("one-more"))
    assert why(world, refused) == "model_file_full"
    assert "at most 64" in world.rejected[-1].detail
    assert why(world, withdrawal(world, "officer", ids["limitation"])) == ""
    assert why(world, entry(world, "officer", KnownLimitation("one-more"))) == ""
    long, kept = Founded(), 0
    while not (reason := why(long, entry(long, "officer", ModelVersion(f"{kept:0200}", f"d{kept:0199}")))):
        kept += 1
    assert reason == "model_file_full"
    assert kept < model_file.ENTRIES
    file = long.machine.models[MODEL]
    assert file.size == sum(map(model_file.size_of, file.entries)) <= model_file.ENTRIES_BYTES
    monkeypatch.setattr(model_file, "MODELS", 2)
    assert why(world, entry(world, "officer", NAMED, "model:m-2")) == ""
    assert why(world, entry(world, "officer", NAMED, "model:m-3")) == "too_many_models"
    assert why(world, entry(world, "officer", V1, "model:m-2")) == ""
    monkeypatch.setattr(model_file, "MODELS_BYTES", 300)
    assert why(world, entry(world, "officer", ModelVersion("2", "sha256:22"), "model:m-2")) == "too_many_models"


def test_a_snapshot_holds_the_file_and_what_is_remembered_of_acts() -> None:
    """A machine that continues from it decides the same, and refuses the same copies."""
    world, ids = filled()
    assert MODEL in world.machine.dirty
    states = {name: raw for name, raw in world.machine.snapshots([MODEL, "p", "sandbox"]).items() if raw is not None}
    machine = Machine(journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
    machine.restore(states)
    assert machine.models == world.machine.models
    assert set(machine.pilots) == {"p"}
    assert machine.snapshots([MODEL]) == world.machine.snapshots([MODEL])
    copy, before = world.sent[-1], world.machine
    gone = withdrawal(world, "supplier", ids["version"])
    there = world.put(gone)
    world.machine = machine
    assert world.step(copy).rejected[0].reason == "repeated"
    world.at -= 2000
    world.number -= 2
    assert world.step(world.sent[-1]).decisions == there.decisions
    assert machine.models == before.models


def test_a_damaged_file_is_set_aside_alone() -> None:
    """The partition goes on; acts on that model are refused with the reason."""
    world, _ = filled()
    states = {name: raw for name, raw in world.machine.snapshots([MODEL, "p", "sandbox"]).items() if raw is not None}
    states[MODEL] = states[MODEL][:-3]
    world.machine = Machine(journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
    world.machine.restore(states)
    assert world.machine.unreadable == {MODEL}
    world.machine.set_aside([MODEL])
    assert why(world, entry(world, "officer", V1)) == "state_unreadable"
    assert why(world, entry(world, "officer", V1, "model:m-2")) == ""


def test_the_largest_entry_fits_a_record_of_the_ledger() -> None:
    """An entry has at most 65,535 bytes."""
    world = Founded()
    names = tuple(f"{n}" + "x" * 198 for n in range(10, 26))
    widest = ModelInspection(names, names, "", "2026-01-01", "\U0001f600" * 200)
    assert why(world, entry(world, "officer", widest)) == ""
    assert len(msgspec.json.encode(world.decisions[-1])) < 65_535 - 1024


@pytest.mark.parametrize("name", ["Erika Mustermann", "erika@example.org", "<b>", ""])
def test_ids_in_the_clear_have_the_alphabet_of_ids(name: str) -> None:
    """What cannot be removed from the ledger does not take a person's name with blanks, or an address."""
    world = Founded()
    for content in (structs.replace(V1, version=name), structs.replace(V1, digest=name), Supplier(name, "deployer")):
        out = world.put(entry(world, "officer", content))
        assert not out.decisions
        assert out.rejected[0].field.startswith("content.")
