"""The evaluation of a pilot: who can never be found fit to scale, and what the pack says."""

from __future__ import annotations

from math import inf

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from monitor.assess.evaluate import OUTCOMES, advised, limits_kept, power_reached
from monitor.assess.pack import assess, size_of
from monitor.charter.control import Admission
from monitor.charter.spec import Exit, ExitCheck, IndicatorSpec, PowerSpec
from monitor.deadlines.cases import Case, Clock, ClockState
from monitor.deadlines.engine import Clocks
from monitor.deadlines.facts import FactKind
from monitor.decide.control_acts import admit
from monitor.lifecycle.names import Outcome
from monitor.model.assessment import ASSESSMENT_BYTES, Lack
from monitor.model.records import Level, Reason
from monitor.model.rectification_window import RectificationWindow
from monitor.model.signing import Proved
from monitor.state.pilot import PilotState
from monitor.state.review import Review
from monitor.state.running import Duty, Running
from monitor.state.standing import Active
from monitor.state.tally import Tally
from tests.strength import examples
from tests.unit.engine.test_machine import HOUR, RATE, T0, charter

DAY = 24 * HOUR
DAILY = structs.replace(RATE, period="1d", power=PowerSpec(exposure=1000))
LATER = T0 + 200 * DAY


def pilot_with(tally: Tally | None, spec: IndicatorSpec = DAILY, **changes: object) -> PilotState:
    """An admitted pilot whose stream counted this since its admission."""
    act = Admission(id="a", pilot="p", author="anna", charter=charter(spec, **changes))
    pilot = admit(act, T0, Proved(), True)
    for stream in pilot.streams.values():
        stream.tally, stream.next = tally, stream.next + 100
    return pilot


def tally_of(k: float, m: float, complete: int, partial: int = 0, extra: float = 0.0) -> Tally:
    return Tally(T0 // DAY, complete, partial, k, m, extra)


GOOD = tally_of(50.0, 100_000.0, 100)  # a tenth of the limit


def test_a_good_pilot_with_enough_evidence_may_scale() -> None:
    """Nothing is lacking."""
    found = assess(pilot_with(GOOD), LATER)
    assert found.lacks == ()
    assert found.advised == Outcome.SCALE
    row = found.streams[0]
    assert (row.events, row.exposure, row.complete, row.keeps) == (50.0, 100_000.0, 100, True)
    assert row.high is not None
    assert row.limit is not None
    assert row.high < row.limit
    assert row.power is not None
    assert row.power >= 0.8


@settings(max_examples=examples(100, 600), deadline=None)
@given(
    st.floats(0, 1e5), st.sampled_from([0.0, 1e-320, 1e18]) | st.floats(0, 1e5),
    st.integers(0, 400), st.integers(0, 50), st.floats(0, 50),
    st.sampled_from(["above", "below"]), st.integers(1, 3),
)  # fmt: skip
def test_an_underpowered_pilot_never_gets_scale(
    k: float, m: float, complete: int, partial: int, extra: float, direction: str, restart: int
) -> None:
    """Whatever was counted: below the declared power, or with a bound on the wrong side, the outcome is another one."""
    spec = structs.replace(DAILY, direction=direction, power=PowerSpec(ratio=1.5))
    pilot = pilot_with(tally_of(k, m if complete else 0.0, complete, partial, extra), spec, tier="limited")
    pilot.standing = structs.replace(pilot.standing, restart=restart)
    found = assess(pilot, LATER)
    row = found.streams[0]
    assert row.power is not None
    assert row.asked == 0.8
    bound = (row.low or 0.0) if direction == "below" else (inf if row.high is None else row.high)
    assert row.limit is not None
    wrong = bound <= row.limit if direction == "below" else bound >= row.limit
    if row.power < 0.8:
        assert not power_reached(found.lacks)
    if wrong:
        assert not limits_kept(found.lacks)
    if row.power < 0.8 or wrong or found.lacks:
        assert found.advised != Outcome.SCALE
    if found.advised == Outcome.SCALE:
        assert (found.lacks, row.keeps) == ((), True)


def test_a_pilot_without_a_limit_never_gets_scale() -> None:
    """There is nothing that its statistics could show to be kept."""
    spec = structs.replace(DAILY, limit=None, detectors=(), weight=0.0, power=PowerSpec())
    found = assess(pilot_with(GOOD, spec, tier="limited"), LATER)
    assert Lack.NO_LIMIT in found.lacks
    assert found.advised == Outcome.INSUFFICIENT_EVIDENCE


def lacking(pilot: PilotState, answers: dict[int, bool] | None = None) -> list[Lack]:
    return list(assess(pilot, LATER, answers).lacks)


def test_each_lack_keeps_a_good_pilot_from_scale() -> None:
    """One at a time."""
    halted = pilot_with(GOOD)
    halted.standing = structs.replace(halted.standing, halted=True, level=Level.HALT)
    assert lacking(halted) == [Lack.HALTED, Lack.QUIET_TOO_SHORT]
    active = pilot_with(GOOD)
    grave = {"x": Active(Level.ESCALATE, Reason.HARD_RULE, T0)}
    active.standing = structs.replace(active.standing, active=grave)
    assert lacking(active) == [Lack.FINDING_ACTIVE, Lack.QUIET_TOO_SHORT]
    window = pilot_with(GOOD)
    window.window = RectificationWindow(opened=T0, through=T0, due=LATER, keys=("incidents//limit_e_process",))
    assert lacking(window) == [Lack.RECTIFICATION_OPEN]
    assert lacking(pilot_with(tally_of(50.0, 1e5, 100, partial=10))) == [Lack.PERIODS_INCOMPLETE]
    assert lacking(pilot_with(tally_of(500.0, 1e5, 100))) == [Lack.LIMIT_NOT_SHOWN]
    assert lacking(pilot_with(tally_of(900.0, 1e5, 100))) == [Lack.LIMIT_EXCEEDED]
    assert lacking(pilot_with(tally_of(50.0, 1e5, 100, extra=500.0))) == [Lack.LIMIT_NOT_SHOWN]
    assert lacking(pilot_with(tally_of(0.0, 900.0, 100), tier="limited")) == [
        Lack.LIMIT_NOT_SHOWN, Lack.POWER_NOT_REACHED,
    ]  # fmt: skip
    loud = pilot_with(GOOD)
    loud.review = Review(loud=LATER - DAY)
    assert lacking(loud) == [Lack.QUIET_TOO_SHORT]
    owing = pilot_with(GOOD)
    owing.running = Running(duties={"inspection/i/a": Duty(LATER), "inspection/i/b": Duty(LATER, rectified=T0)})
    assert lacking(owing) == [Lack.RECTIFICATION_OPEN]
    late = pilot_with(GOOD)
    clock = Clock("initial", due=T0, changed=T0, state=ClockState.MISSED)
    late.clocks = Clocks({"serious_incident/i": Case(FactKind.SERIOUS_INCIDENT, "i", clocks=(clock,))})
    assert lacking(late) == [Lack.CLOCK_MISSED]


def test_a_condition_in_words_is_answered_by_a_person_and_a_check_by_the_monitor() -> None:
    """Open, unmet and met conditions differ."""
    checks = (
        ExitCheck("rate", most=0.001),
        ExitCheck("power", least=0.99, indicator="incidents"),
        ExitCheck("halts", most=0),
        ExitCheck("events", least=1_000, indicator="incidents"),
    )
    leave = Exit(conditions=("users were told",), checks=checks)
    pilot = pilot_with(GOOD, exit=leave)
    results = assess(pilot, LATER).conditions
    assert [r.met for r in results] == [None, True, True, True, False]
    assert results[1].value == 0.0005
    assert lacking(pilot) == [Lack.CONDITION_OPEN, Lack.CONDITION_UNMET]
    good = pilot_with(GOOD, exit=structs.replace(leave, checks=checks[:3]))
    assert lacking(good, answers={1: True}) == []
    assert lacking(good, answers={1: False}) == [Lack.CONDITION_UNMET]


def test_the_gravest_lack_decides_on_the_outcome() -> None:
    """Stop before remediate, before insufficient evidence, before extend."""
    assert set(OUTCOMES) == set(Lack)
    assert advised(list(Lack)) == Outcome.STOP
    assert advised([Lack.QUIET_TOO_SHORT, Lack.POWER_NOT_REACHED]) == Outcome.INSUFFICIENT_EVIDENCE
    assert advised([Lack.POWER_NOT_REACHED, Lack.HALTED]) == Outcome.REMEDIATE
    assert advised([Lack.CONDITION_UNMET]) == Outcome.EXTEND


@pytest.mark.parametrize("segments", [1, 90])
def test_the_pack_is_bounded_in_bytes_and_shows_first_what_stands_in_the_way(segments: int) -> None:
    """However many segments a charter has, an entry of the ledger has space for it."""
    names = tuple(f"segment-with-a-rather-long-name-{number:04d}" for number in range(segments))
    spec = structs.replace(DAILY, segments=names, late_window=0)
    pilot = pilot_with(GOOD, spec, tier="limited")
    last = next(reversed(pilot.streams.values()))
    last.tally = tally_of(900.0, 1e5, 100)
    found = assess(pilot, LATER)
    assert size_of(found) <= ASSESSMENT_BYTES
    assert found.omitted == segments - len(found.streams)
    assert found.streams[0].segment == names[-1]
    assert found.streams[0].keeps is False
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
