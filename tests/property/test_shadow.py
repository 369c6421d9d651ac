"""A shadow charter changes nothing of its pilot, and is compared exactly, over random histories."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from monitor.charter.control import Admission, Amendment
from monitor.charter.shadow_acts import ShadowStart
from monitor.charter.spec import Charter
from monitor.engine.machine import Machine
from monitor.model.events import instant
from monitor.model.records import Outputs, Record
from monitor.model.shadow_records import ShadowSummary
from monitor.model.subjects import SHADOW
from tests.property.test_fold import SlowPath, Step, encoded, script, taken
from tests.strength import examples

HOUR = 3_600_000
ACTED = 1_000_000  # offsets of the acts that are added


def with_shadows(steps: Sequence[Step], rng: Random, tighter: float | None) -> list[Step]:
    """The history with the start of a shadow charter on every pilot, at a random place: the charter in force, or one
    whose limits are `tighter` times as high."""
    charters: dict[str, Charter] = {}
    found: list[Step] = []
    at = acts = 0
    for kind, what in steps:
        found.append((kind, what))
        at = what if kind == "time" else what.received
        if kind != "control":
            if charters and rng.random() < 0.01:
                pilot = rng.choice(sorted(charters))
                found.append(("control", _start(charters[pilot], at, rng, tighter, acts)))
                acts += 1
            continue
        act = msgspec.json.decode(what.value)
        if act["type"].endswith(("admission", "amendment")):
            kind_of = Admission if act["type"].endswith("admission") else Amendment
            charter = msgspec.json.decode(what.value, type=kind_of).charter
            charters[charter.pilot] = charter
            if kind_of is Admission:
                found.append(("control", _start(charter, at, rng, tighter, acts)))
                acts += 1
    return found


def _start(charter: Charter, at: int, rng: Random, tighter: float | None, number: int) -> Record:
    if tighter is not None:
        indicators = tuple(
            one if one.limit is None else structs.replace(one, limit=one.limit * tighter) for one in charter.indicators
        )
        charter = structs.replace(charter, version=charter.version + 1, indicators=indicators)
    act = ShadowStart(
        id=f"shadow-{number}", pilot=charter.pilot, author="regulator-1", charter=charter,
        until=instant(at + rng.choice([2, 4, 8, 24]) * HOUR), every="1h", reason="r",
    )  # fmt: skip
    return Record(ACTED + number, at, charter.pilot.encode(), msgspec.json.encode(act))


@functools.lru_cache(maxsize=32)
def history(seed: int, volume: int, pack: int, tighter: float | None) -> tuple[list[Step], Outputs]:
    """A history with shadow charters, and what a machine on the slow path emits over it."""
    steps = with_shadows(script(seed, volume, pack)[0], Random(f"shadow/{seed}/{volume}/{pack}"), tighter)
    return steps, taken(SlowPath(journalled=False), steps)


def stepped(
    machine: Machine, steps: Sequence[Step], cuts: Sequence[int], restart: bool = False
) -> tuple[Outputs, Machine]:
    """All outputs, taken in pieces of these lengths; with `restart` each piece by a machine that was restored from the
    snapshots of the one before."""
    out, start, turn = Outputs(), 0, 0
    while start < len(steps):
        stop = start + cuts[turn % len(cuts)]
        out.extend(taken(machine, steps[start:stop]))
        start, turn = stop, turn + 1
        if restart:
            names = [*machine.pilots, *(SHADOW + name for name in machine.shadows.runs)]
            states = {name: raw for name, raw in machine.snapshots(names).items() if raw is not None}
            machine = type(machine)(journalled=False)
            machine.restore(states)
    return out, machine


def live(out: Outputs, machine: Machine) -> list[bytes]:
    """Everything but what the shadows emitted, and the state of every pilot."""
    out.newest_permits()
    rows = [encoded(row) for row in (out.rejected, out.decisions, out.commands, out.permits, out.evidence)]
    return [*rows, encoded(out.participants), encoded(sorted(machine.snapshots(machine.pilots).items()))]


def of_shadows(out: Outputs) -> dict[str, list[bytes]]:
    """What the shadows emitted, by pilot."""
    found: dict[str, list[bytes]] = {}
    for one in out.shadows:
        found.setdefault(one.pilot, []).append(encoded(one))
    return found


SEEDS, PACKS, VOLUMES = st.integers(0, 5), st.sampled_from([1, 40]), st.sampled_from([100, 2_000])
CUTS = st.lists(st.integers(1, 300), min_size=1, max_size=20)
TIGHTER = st.sampled_from([None, 0.3, 0.8, 2.0])


@settings(max_examples=examples(6, 24), deadline=None)
@given(seed=SEEDS, volume=VOLUMES, pack=PACKS, tighter=TIGHTER, cuts=CUTS)
def test_a_shadow_changes_no_output_and_no_state_of_its_pilot(
    seed: int, volume: int, pack: int, tighter: float | None, cuts: list[int]
) -> None:
    """With shadow charters stepped or not: the same bytes of every output and of every pilot's state."""
    steps, _ = history(seed, volume, pack, tighter)
    with_them, without = Machine(journalled=False), Machine(journalled=False, shadows=False)
    first, _ = stepped(with_them, steps, cuts)
    second, _ = stepped(without, steps, cuts)
    assert first.shadows
    assert not second.shadows
    assert live(first, with_them) == live(second, without)


@settings(max_examples=examples(6, 24), deadline=None)
@given(seed=SEEDS, volume=VOLUMES, pack=PACKS)
def test_the_charter_in_force_as_its_own_shadow_shows_no_difference(seed: int, volume: int, pack: int) -> None:
    """With a candidate that is the charter in force: no summary has a difference, and as many periods close."""
    _, out = history(seed, volume, pack, None)
    summaries = [one for one in out.shadows if isinstance(one, ShadowSummary)]
    assert any(one.ended for one in summaries)
    for one in summaries:
        assert not one.different, one
        assert (one.not_comparable, one.dropped, one.not_applied) == (0, 0, 0)
        assert one.periods_live == one.periods_shadow
        assert one.alpha_live == one.alpha_shadow


@settings(max_examples=examples(6, 24), deadline=None)
@given(seed=SEEDS, pack=PACKS, tighter=TIGHTER, cuts=CUTS, restart=st.booleans())
def test_what_a_shadow_emits_depends_on_no_cut_and_on_no_restart(
    seed: int, pack: int, tighter: float | None, cuts: list[int], restart: bool
) -> None:
    """On the fast path, however records are cut, with restarts from snapshots in between: the same outputs."""
    steps, expected = history(seed, 100, pack, tighter)
    out, _ = stepped(Machine(journalled=False), steps, cuts, restart)
    assert of_shadows(out) == of_shadows(expected)
    out.newest_permits()
    assert encoded(out.decisions) == encoded(expected.decisions)


def test_a_tighter_limit_halts_in_the_shadow_alone() -> None:
    """The histories above have halts that only the shadow decides, and differences in time."""
    sides, halts = set[str](), 0
    for seed in range(6):
        _, out = history(seed, 2_000, 40, 0.3)
        for one in out.shadows:
            if isinstance(one, ShadowSummary):
                sides |= {difference.side for difference in one.differences}
                halts += one.first_halt is not None
    assert "only_shadow" in sides
    assert halts
