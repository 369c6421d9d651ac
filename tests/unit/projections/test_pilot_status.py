"""The status of a pilot from its decisions: state, what is open, the next step and who owes it."""

from __future__ import annotations

from monitor.charter.control import Agreement, Approval, Evaluation, Override, Rectification, Release, Screening
from monitor.charter.exit_acts import Withdrawal
from monitor.charter.spec import charter_hash
from monitor.lifecycle.life import Lifecycle, life_from_words, state_words
from monitor.lifecycle.names import Outcome, State
from monitor.lifecycle.next_steps import STEPS
from monitor.projections.pilot_status import PilotStatus, pilot_status
from monitor.testing.records import decision
from tests.unit.engine.test_applications import apply
from tests.unit.lifecycle.founded import OWN, RESULTS, Founded


def status(world: Founded) -> PilotStatus:
    found = pilot_status(d for d in world.decisions if d.pilot == "p")
    assert found is not None
    return found


def owed(world: Founded) -> list[tuple[str, str]]:
    return [(step.who, step.act) for step in status(world).steps]


def test_before_the_admission_each_step_names_who_owes_the_next_one() -> None:
    """Screening, one signature of each side, admission."""
    world = Founded(admit=None)
    assert pilot_status([]) is None
    apply(world)
    assert owed(world) == [("officer", "screen")]
    assert [clock.owed_by.value for clock in status(world).clocks] == ["authority"]
    world.put(Screening(**world.by("officer")))
    assert owed(world) == [("firm", "agree"), ("officer", "agree")]
    world.put(Agreement(**world.by("officer"), charter=charter_hash(OWN)))
    assert owed(world) == [("firm", "agree")]
    world.put(Agreement(**world.by("firm"), charter=charter_hash(OWN)))
    assert owed(world) == [("officer", "admit")]
    assert status(world).states["pilot"] == "agreed"


def test_a_running_pilot_owes_nothing_and_a_halted_one_the_steps_of_its_release() -> None:
    """In their order, with what is missing; a release ends them and the findings."""
    world = Founded()
    assert owed(world) == []
    assert not status(world).clocks
    world.put(Override(**world.by("officer"), level="halt", reason="x"))
    assert (status(world).states["halt"], status(world).level) == ("halted", "halt")
    assert [one.key for one in status(world).findings] == ["override"]
    assert owed(world) == [("firm", "rectify")]
    world.put(Rectification(**world.by("firm"), finding="f", cause="c", action="a", evidence="e"))
    assert owed(world) == [("evaluator", "evaluate")]
    world.put(Evaluation(**world.by("evaluator"), passed=True, report="r", results=RESULTS))
    for left in (2, 1):
        assert owed(world) == [("approver", "approve")]
        assert f"({left} more)" in status(world).steps[0].what
        world.put(Approval(**world.by(f"approver-{left}")))
    assert owed(world) == [("officer", "release")]
    world.put(Release(**world.by("officer"), reason="seen on site"))
    assert owed(world) == []
    assert not status(world).findings


def test_a_pending_exit_waits_for_the_stop() -> None:
    """Halted and leaving: the release is still owed, and the exit waits."""
    world = Founded()
    world.put(Override(**world.by("officer"), level="halt", reason="x"))
    world.put(Withdrawal(**world.by("officer"), reason="x"))
    assert status(world).states["pilot"] == "exiting"
    assert ("", "") in owed(world)


def test_the_states_of_a_status_are_those_of_the_machine() -> None:
    """At every step of a walk, as far as records say them."""
    world = Founded()
    for act in (
        Override(**world.by("officer"), level="halt", reason="x"),
        Withdrawal(**world.by("officer"), reason="x"),
    ):
        world.put(act)
        life = world.pilot.life
        assert life_from_words(state_words(life)) == status(world).life


def test_words_of_a_life_are_read_back_and_later_words_are_passed_over() -> None:
    """Signatures are left out."""
    for life in (
        Lifecycle(),
        Lifecycle(State.PAUSED, State.SUSPENDED, State.CHANGE_PROPOSED, hold=State.EVIDENCE_HELD),
        Lifecycle(State.EXITED, State.HALTED, outcome=Outcome.INSUFFICIENT_EVIDENCE),
    ):
        assert life_from_words(state_words(life)) == life
    assert life_from_words("running of_a_later_version outcome=unheard") == Lifecycle(State.RUNNING)


def test_every_state_that_waits_for_somebody_says_for_whom() -> None:
    """States without a step are those in which nothing is owed."""
    quiet = {
        State.DRAFT, State.REFUSED, State.APPLICATION_WITHDRAWN, State.RUNNING, State.PUBLISHED, State.WITHHELD,
        State.TRACKED, State.CLOSED, State.RECALLED, State.NOT_HALTED, State.HALTED, State.SUSPENDED, State.NO_CHANGE,
        State.NO_REQUEST, State.NOT_DUE, State.NO_HOLD,
    }  # fmt: skip
    assert set(STEPS) == set(State) - quiet


def test_the_authorities_are_those_of_the_last_decision_that_names_any() -> None:
    """Those of the founded sandbox; a decision that names none changes nothing."""
    assert status(Founded()).authorities == ("authority", "other")
    told = [decision(1, responsible=("north",)), decision(2, responsible=("north", "south")), decision(3)]
    found = pilot_status(told)
    assert found is not None
    assert found.authorities == ("north", "south")
