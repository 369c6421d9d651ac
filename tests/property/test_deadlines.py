"""Laws of the clock engine: order, batching, replay, and what was met."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.deadlines.cases import ClockState
from monitor.deadlines.engine import CASES, CLOCKS_BYTES, COMPLAINTS, ClockChange, Clocks, advance, apply, next_due
from monitor.deadlines.facts import COUNTED_APART, Fact, FactKind, IncidentClass
from monitor.deadlines.shipped import example_table
from tests.strength import examples

DAY = 86_400_000
BEGIN = 1_772_000_000_000
TABLE = example_table()
KEEPING = {rule.name for rule in TABLE.rules if rule.keeps}
OF_INCIDENTS = {  # those that concern one incident
    kind
    for kind in FactKind
    if FactKind.SERIOUS_INCIDENT in TABLE.starts_touched_by(kind) and kind is not FactKind.MODEL_CHANGED
}
times = st.integers(BEGIN, BEGIN + 250 * DAY)


@st.composite
def facts(draw: st.DrawFn, kinds: list[FactKind]) -> Fact:
    kind = draw(st.sampled_from(kinds))
    classes = draw(st.lists(st.sampled_from(list(IncidentClass)), max_size=2, unique=True))
    return Fact(
        kind=kind,
        at=draw(times),
        key="" if kind is FactKind.MODEL_CHANGED else draw(st.sampled_from("abc")),
        stated=draw(st.none() | times),
        due=draw(st.none() | times),
        classes=tuple(classes),
    )


histories = st.lists(facts(list(FactKind)), min_size=1, max_size=14)
incident_histories = st.lists(facts(sorted(OF_INCIDENTS)), min_size=1, max_size=5)


def stepped(history: list[Fact], ticks: list[int], end: int) -> tuple[Clocks, list[ClockChange]]:
    """The history with time advanced to each fact, to each tick in between, and to `end`."""
    clocks, changes = Clocks(), list[ClockChange]()
    marks = sorted(
        [*((f.at, 1, n) for n, f in enumerate(history)), *((t, 0, 0) for t in ticks if t <= end), (end, 2, 0)]
    )
    for at, what, n in sorted(marks):
        clocks, found = advance(clocks, TABLE, at)
        changes.extend(found)
        if what == 1:
            clocks, found = apply(clocks, TABLE, history[n])
            changes.extend(found)
    return clocks, changes


def dues(clocks: Clocks) -> dict[tuple[str, str], int | None]:
    return {(key, clock.rule): clock.due for key, case in clocks.cases.items() for clock in case.clocks}


def met_in(clocks: Clocks) -> set[tuple[str, str]]:
    return {(key, c.rule) for key, case in clocks.cases.items() for c in case.clocks if c.state is ClockState.MET}


@settings(max_examples=examples(150, 3000), deadline=None)
@given(history=incident_histories, data=st.data())
def test_the_order_of_facts_does_not_change_a_due_instant(history: list[Fact], data: st.DataObject) -> None:
    """Every order of the same facts gives the same clocks with the same due instants and times of what was done."""
    orders = list(itertools.permutations(history))
    expected = None
    for order in [*data.draw(st.lists(st.sampled_from(orders), min_size=1, max_size=6)), tuple(history)]:
        clocks = Clocks()
        for fact in order:
            clocks = apply(clocks, TABLE, fact).clocks
        done = {(key, c.rule): c.done for key, case in clocks.cases.items() for c in case.clocks}
        found = dues(clocks), done
        expected = expected or found
        assert found == expected


@settings(max_examples=examples(150, 3000), deadline=None)
@given(history=histories, ticks=st.lists(times, max_size=20))
def test_batching_changes_neither_state_nor_what_is_returned(history: list[Fact], ticks: list[int]) -> None:
    """Advancing in many steps or in one gives equal bytes and the same changes with the same times."""
    end = BEGIN + 700 * DAY
    once, changes = stepped(history, [], end)
    often, more = stepped(history, ticks, end)
    assert msgspec.msgpack.encode(once) == msgspec.msgpack.encode(often)
    assert changes == more


@settings(max_examples=examples(100, 2000), deadline=None)
@given(history=histories, cut=times)
def test_a_restored_state_continues_with_equal_bytes(history: list[Fact], cut: int) -> None:
    """A replay, and a state that was written and read at any point, end in equal bytes."""
    end = BEGIN + 700 * DAY
    whole, _ = stepped(history, [], end)
    assert msgspec.msgpack.encode(stepped(history, [], end)[0]) == msgspec.msgpack.encode(whole)
    clocks = Clocks()
    for fact in sorted(history, key=lambda f: f.at):
        clocks, _ = advance(clocks, TABLE, fact.at)
        clocks, _ = apply(clocks, TABLE, fact)
        clocks = msgspec.msgpack.decode(msgspec.msgpack.encode(clocks), type=Clocks)
    clocks, _ = advance(clocks, TABLE, end)
    assert msgspec.msgpack.encode(clocks) == msgspec.msgpack.encode(whole)


@settings(max_examples=examples(150, 3000), deadline=None)
@given(history=histories)
def test_a_met_clock_stays_met(history: list[Fact]) -> None:
    """No fact and no passage of time turns a clock that was met into anything else."""
    clocks, met = Clocks(), set[tuple[str, str]]()
    for fact in sorted(history, key=lambda f: f.at):
        clocks = advance(clocks, TABLE, fact.at).clocks
        clocks = apply(clocks, TABLE, fact).clocks
        assert met <= met_in(clocks)
        met = met_in(clocks)
    assert met <= met_in(advance(clocks, TABLE, 1 << 60).clocks)


@settings(max_examples=examples(150, 3000), deadline=None)
@given(history=histories)
def test_nothing_is_due_after_an_advance_and_no_miss_is_early(history: list[Fact]) -> None:
    """After `advance(now)` the next due instant is after `now`; every miss is dated at or after its due instant, and no
    clock runs whose duty was done in time."""
    clocks, changes = stepped(history, [], BEGIN + 250 * DAY)
    later = next_due(clocks)
    assert later is None or later > BEGIN + 250 * DAY
    for change in changes:
        if change.change == "missed" and change.due is not None and change.rule not in KEEPING:
            assert change.at >= change.due
    for case in clocks.cases.values():
        for clock in case.clocks:
            assert not (clock.running and clock.done is not None and (clock.due is None or clock.done < clock.due))


@settings(max_examples=examples(20, 300), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(FactKind)), st.integers(0, 90), times), min_size=100, max_size=400))
def test_a_flood_of_facts_keeps_to_the_bounds(flood: list[tuple[FactKind, int, int]]) -> None:
    """However many facts come, the clocks stay within their bounds in number and bytes, and refusals are counted."""
    clocks, refused = Clocks(), 0
    for kind, n, at in flood:
        fact = Fact(kind=kind, at=at, key=f"{n:03}" * 30, classes=tuple(IncidentClass))
        clocks, changes = apply(clocks, TABLE, fact)
        refused += len({c.starts for c in changes if c.change == "refused"})
    assert len(clocks.cases) <= CASES + len(COUNTED_APART) * COMPLAINTS
    assert clocks.refused == refused
    assert len(msgspec.msgpack.encode(clocks)) <= CLOCKS_BYTES
