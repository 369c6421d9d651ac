"""An act counts once, for ever: what it carries, what is remembered of it, and what becomes of a copy, one rule a
test."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import (
    Admission,
    Amendment,
    Approval,
    ControlBase,
    Evaluation,
    Override,
    Rectification,
    Release,
)
from monitor.charter.spec import Authority, Participant
from monitor.model.records import Level, Outputs, Reason
from monitor.model.signing import Signer, Trusted
from monitor.state.acts_once import (
    AUTHOR_SKEW_MS,
    KEPT_ACTS,
    LONGEST_VALIDITY_MS,
    RECENT_ACTS,
    VALID_MS,
    ActMemory,
    validity,
)
from monitor.state.snapshots import restore, snapshot
from tests.unit.decide.test_signatures import ANNA, BEN, FIRM, Signed
from tests.unit.engine.test_machine import HOUR, T0, Bench, charter, lift, rejected

OWN = Participant("firm", keys=(FIRM.public,))
OLGA = Signer(b"\x07" * 32)
PUBLIC = {"anna": ANNA.public, "ben": BEN.public, "olga": OLGA.public}
KEYED = Authority("authority", approvers=("anna", "ben"), officers=("olga",), keys=PUBLIC)
ADMITTER = Signer(b"\x09" * 32)


class World(Signed):
    """A pilot whose officers and firm have keys, and acts that carry what makes them valid once."""

    def __init__(self) -> None:
        super().__init__(authorities=(KEYED,), participant=OWN)
        self.put(structs.replace(self.admission, **validity(0, T0)), ANNA)
        self.number = 0

    @property
    def standing(self) -> int:
        return self.machine.pilots["p"].standing.counter

    def by(self, author: str, at: int = T0, standing: int | None = None) -> dict[str, Any]:
        self.number += 1
        given = validity(self.standing if standing is None else standing, at)
        return {"id": f"n{self.number}", "pilot": "p", "author": author, **given}

    def halt(self, at: int = T0) -> Override:
        return Override(**self.by("anna", at), level="halt", reason="x")

    def rectified(self, at: int = T0) -> Rectification:
        return Rectification(**self.by("firm", at), finding="f", cause="c", action="a", evidence="e")

    def evaluated(self, at: int = T0) -> Evaluation:
        return Evaluation(**self.by("anna", at), passed=True, report="r")

    def lift(self, at: int = T0) -> Outputs:
        self.put(self.rectified(at), FIRM, at)
        self.put(self.evaluated(at), ANNA, at)
        self.put(Approval(**self.by("anna", at)), ANNA, at)
        self.put(Approval(**self.by("ben", at)), BEN, at)
        return self.put(Release(**self.by("anna", at), reason="seen on site"), ANNA, at)


def refusal(out: Outputs) -> str:
    assert not out.decisions
    return out.rejected[0].detail.partition(":")[0]


def test_a_signed_act_never_takes_effect_twice() -> None:
    """The officer's signed override is replayed by another sender, after the firm recorded 200 acts,
    within its validity and long after: it has no effect."""
    world = World()
    world.put(world.rectified(), FIRM)  # refused: nothing is halted
    halt = world.halt()
    assert world.put(halt, ANNA).decisions
    for _ in range(3 * RECENT_ACTS):
        assert world.put(world.rectified(), FIRM).decisions
    for at in (T0, T0 + 1, T0 + VALID_MS, T0 + 400 * 24 * HOUR):
        assert refusal(world.put(halt, ANNA, at)) in ("repeated", "standing_behind", "no_longer_valid")
    assert world.lift().decisions
    for _ in range(2 * RECENT_ACTS):  # acts of officers displace its id
        world.put(Override(**world.by("ben"), level="watch", reason="x"), BEN)
    assert refusal(world.put(halt, ANNA)) == "standing_behind"
    assert world.level == Level.WATCH


def test_a_refused_act_is_void_after_its_time() -> None:
    """An override that came too early, or was refused, cannot be brought to life later; nor can one that was never
    delivered."""
    world = World()
    world.put(world.halt(), ANNA)
    lower = Override(**world.by("anna"), level="normal", reason="x")
    assert refusal(world.put(lower, ANNA)) == "halt_is_latched"
    late = T0 + VALID_MS + 1
    world.lift(T0 + 2)
    world.put(Override(**world.by("ben", late), level="escalate", reason="x"), BEN, late)
    assert refusal(world.put(lower, ANNA, late)) in ("no_longer_valid", "standing_behind")
    never = Override(**world.by("ben"), level="halt", reason="x")
    assert refusal(world.put(never, BEN, T0 + VALID_MS + 1)) == "no_longer_valid"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"not_before": None}, "validity_missing"),
        ({"not_after": None}, "validity_missing"),
        ({"expected_standing": None}, "validity_missing"),
        ({"expected_standing": None, "not_before": None, "not_after": None}, "validity_missing"),
        ({"expected_standing": 99}, "standing_ahead"),
        ({"expected_standing": 0}, "standing_behind"),
        (validity(1, T0 + 2 * AUTHOR_SKEW_MS), "not_yet_valid"),
        (validity(1, T0 - 2 * VALID_MS), "no_longer_valid"),
        (validity(1, T0, LONGEST_VALIDITY_MS), "validity_too_long"),
    ],
)
def test_a_signed_act_says_when_and_after_what_it_is_valid(changes: dict[str, Any], word: str) -> None:
    """One that does not, of a key that once did, is refused by a reason of the closed list."""
    world = World()
    assert refusal(world.put(structs.replace(world.halt(), **changes), ANNA)) == word
    assert world.put(world.halt(), ANNA).decisions


def test_the_bounds_of_the_validity_belong_to_it() -> None:
    """Received at `not_before` and at `not_after` an act is valid, a millisecond outside it is not."""
    for at, taken in (
        (T0 - AUTHOR_SKEW_MS, True),
        (T0 - AUTHOR_SKEW_MS - 1, False),
        (T0 + VALID_MS, True),
        (T0 + VALID_MS + 1, False),
    ):
        world = World()
        assert bool(world.put(world.halt(), ANNA, at).decisions) == taken


def test_a_step_towards_a_release_has_seen_what_it_rests_on() -> None:
    """An approval that was signed before the evaluation, or a release signed before the last approval, is refused
    however often it comes; two approvals need not have seen each other."""
    world = World()
    world.put(world.halt(), ANNA)
    early = Approval(**world.by("ben"))
    assert refusal(world.put(early, BEN)) == "rectification_missing"
    world.put(world.rectified(), FIRM)
    world.put(world.evaluated(), ANNA)
    assert refusal(world.put(structs.replace(early, id="other"), BEN)) == "standing_behind"
    one, two = Approval(**world.by("anna")), Approval(**world.by("ben"))
    hasty = Release(**world.by("olga"), reason="x")
    assert world.put(one, ANNA).decisions
    assert world.put(two, BEN).decisions
    assert refusal(world.put(hasty, OLGA)) == "standing_behind"
    assert world.put(Release(**world.by("olga"), reason="x"), OLGA).decisions


def test_steps_of_one_halt_do_not_lift_the_next() -> None:
    """All steps of a release, replayed after the next halt and beyond the ids that are remembered: each is
    refused."""
    world = World()
    world.put(world.halt(), ANNA)
    steps: list[tuple[ControlBase, Signer]] = []
    put = world.put

    def kept(act: ControlBase, signer: Signer | None, at: int = T0) -> Outputs:
        assert signer is not None
        steps.append((act, signer))
        return put(act, signer, at)

    world.put = kept  # type: ignore[method-assign]
    assert world.lift().decisions
    world.put = put  # type: ignore[method-assign]
    for _ in range(2 * RECENT_ACTS):
        world.put(Override(**world.by("ben"), level="watch", reason="x"), BEN)
        world.put(world.rectified(), FIRM)
    world.put(world.halt(), ANNA)
    for act, signer in steps:
        assert refusal(world.put(act, signer)) in ("standing_behind", "repeated")
    lifting = world.machine.pilots["p"].standing.lifting
    assert (lifting.rectified, lifting.evaluated, lifting.approvals) == (False, False, ())


def test_an_old_signed_act_without_validity_counts_once_too() -> None:
    """Of a client that knows the fields not: taken, and remembered for ever; once its key has used the fields it
    must."""
    bench = Signed(authorities=(KEYED,), participant=OWN)
    bench.put(bench.admission, ANNA)
    old = Override(id="old", pilot="p", author="anna", level="watch", reason="x")
    assert bench.put(old, ANNA).decisions
    for n in range(2 * RECENT_ACTS):
        assert bench.put(Override(id=f"b{n}", pilot="p", author="ben", level="watch", reason="x"), BEN).decisions
    assert refusal(bench.put(old, ANNA)) == "repeated"
    standing = bench.machine.pilots["p"].standing.counter
    new = Override(id="new", pilot="p", author="anna", level="watch", reason="x", **validity(standing, T0))
    assert bench.put(new, ANNA).decisions
    assert refusal(bench.put(structs.replace(old, id="old2"), ANNA)) == "validity_missing"
    assert bench.put(Override(id="ben", pilot="p", author="ben", level="watch", reason="x"), BEN).decisions


def test_what_is_remembered_of_acts_is_bounded() -> None:
    """Thousands of approvals that are refused, with ids of 200 characters: the state does not grow beyond what is
    stated, nothing old is forgotten, and what carries its validity is judged as ever."""
    bench = Bench()
    early = Approval(id="early", pilot="p", author="anna")
    bench.act(early, T0)
    memory = bench.machine.pilots["p"].acts
    for n in range(4 * KEPT_ACTS):
        bench.act(Approval(id=f"{n:0200d}", pilot="p", author="anna"), T0)
    assert len(memory.kept) == KEPT_ACTS
    assert len(msgspec.msgpack.encode(memory)) < 40_000
    assert rejected(bench.act(early, T0 + 1)) == [("id", "repeated")]
    assert "validity_missing" in bench.act(Approval(id="more", pilot="p", author="anna"), T0).rejected[0].detail
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="x"), T0)
    steps = (
        Rectification(id="r", pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e"),
        Evaluation(id="e", pilot="p", author="lab", passed=True, report="r"),
        Approval(id="a1", pilot="p", author="anna"),
        Approval(id="a2", pilot="p", author="ben"),
        Release(id="l", pilot="p", author="anna", reason="x"),
    )
    for act in steps:
        standing = bench.machine.pilots["p"].standing.counter
        assert bench.act(structs.replace(act, **validity(standing, T0)), T0).decisions


def test_the_firm_displaces_nothing_of_the_authority() -> None:
    """In open mode too: however many acts the firm puts on record, a copy of an officer's act is known for one."""
    bench = Bench()
    halt = Override(id="o", pilot="p", author="anna", level="halt", reason="x")
    bench.act(halt, T0)
    for n in range(3 * RECENT_ACTS):
        bench.act(
            Rectification(id=f"r{n}", pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e"), T0
        )
    assert rejected(bench.act(halt, T0)) == [("id", "repeated")]
    taken = Rectification(id="o", pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e")
    assert bench.act(taken, T0).decisions  # nor is an id of the authority's taken for the firm's


def test_the_same_id_with_other_content_is_a_conflict() -> None:
    """A copy changes nothing and is `repeated`, whenever it was made valid; another content or another key under its id
    is refused as `conflict`, a separate rejection."""
    world = World()
    act = Override(**world.by("anna"), level="watch", reason="x")
    world.put(act, ANNA)
    assert world.put(structs.replace(act, **validity(2, T0 + 1)), ANNA).rejected[0].reason == "repeated"
    for other, key in ((structs.replace(act, level="halt"), ANNA), (structs.replace(act, author="ben"), BEN)):
        assert world.put(other, key).rejected[0].reason == "conflict"
    assert world.level == Level.WATCH


def test_an_admission_is_compared_by_content_and_signer() -> None:
    """Whatever its id: one's own again is `repeated`; of another charter, author or key it is a conflict that names
    what is in force and by whom."""
    bench = Bench()
    same = Admission(id="x1", pilot="p", author="anna", charter=charter())
    assert rejected(bench.act(same, T0)) == [("charter", "repeated")]
    others = (structs.replace(same, charter=charter(alpha=0.02)), structs.replace(same, author="ben"))
    for number, other in enumerate(others):
        (refused,) = bench.act(structs.replace(other, id=f"y{number}"), T0).rejected
        assert refused.reason == "conflict"
        assert f"hash {bench.machine.pilots['p'].hash}, by anna, not signed" in refused.detail
    bench.act(Amendment(id="m", pilot="p", author="ben", charter=charter(version=2)), T0)
    again = Amendment(id="m2", pilot="p", author="ben", charter=charter(version=2))
    assert rejected(bench.act(again, T0)) == [("charter", "repeated")]
    assert "by ben" in bench.act(structs.replace(again, id="m3", author="anna"), T0).rejected[0].detail


def test_a_key_that_is_named_again_brings_nothing_old_back() -> None:
    """Anna's key is taken out of the charter and named again within the hour: what she signed before has no effect."""
    world = World()
    signed = Override(**world.by("anna"), level="halt", reason="x")
    ben_only = Authority("authority", approvers=("carl", "ben"), keys={"ben": BEN.public})
    for version, by in ((2, ben_only), (3, KEYED)):
        new = charter(version=version, authorities=(by,), participant=OWN)
        assert world.put(Amendment(**world.by("ben"), charter=new), BEN).decisions
    assert refusal(world.put(signed, ANNA)) == "standing_behind"
    assert world.put(world.halt(), ANNA).decisions


def test_a_snapshot_of_version_5_knows_its_ids() -> None:
    """Ids of acts that an older state remembered are known for copies, of either side."""
    bench = Bench()
    fields = msgspec.msgpack.decode(snapshot(bench.machine.pilots["p"]))
    fields[0], fields[11], fields[14] = 5, ["adm", "o1"], ["step"]
    pilot, _ = restore(msgspec.msgpack.encode(fields[:18]))
    bench.machine.pilots["p"] = pilot
    for name in ("o1", "step"):
        act = Override(id=name, pilot="p", author="anna", level="watch", reason="x")
        assert rejected(bench.act(act, T0)) == [("id", "repeated")]
        step = Rectification(id=name, pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e")
        assert rejected(bench.act(step, T0)) == [("id", "repeated")]


def test_acts_in_open_mode_are_judged_as_before() -> None:
    """Without keys and validity a release takes effect, and each decision says that it is not signed."""
    bench = Bench()
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="x"), T0)
    assert lift(bench, T0 + 1).decisions[0].reason is Reason.RELEASED
    assert {d.signed for d in bench.out.decisions} == {""}
    assert bench.machine.pilots["p"].acts.keys == ActMemory().keys
    assert Trusted([ADMITTER.public]).ids == {ADMITTER.key_id}


def test_an_act_under_a_forgotten_id_makes_a_decision_of_another_id() -> None:
    """Readers drop a decision whose id they know, so no two may share one, however often an unsigned act is
    replayed."""
    bench = Bench()
    names = [f"o{n}" for n in range(RECENT_ACTS + 1)]
    for name in names * 3:
        bench.act(Override(id=name, pilot="p", author="anna", level="watch", reason="x"), T0)
    taken = [d for d in bench.out.decisions if d.reason == Reason.OVERRIDDEN]
    assert len(taken) == 3 * len(names)
    assert len({d.id for d in taken}) == len(taken)
    assert {d.cause for d in taken} == {f"control:{name}" for name in names}
