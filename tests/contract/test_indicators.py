"""The contract of every registered indicator: pure, finite, deterministic, only the segments that the charter lists."""

from __future__ import annotations

import copy
import functools
import math
import random
from typing import Any, get_args

import msgspec
import pytest

from detectors.base import Count, Gap, Gauge, Observation, Proportion
from monitor.asyncapi import example
from monitor.charter.spec import ExposureSpec, IndicatorSpec
from monitor.indicators import INDICATORS, BadSpec, Indicator, Slot
from monitor.indicators.base import OpenPeriod
from monitor.model.events import EVENT_TYPES, Envelope, Event, ExposureTallied, Severity, millis

RECEIVED = 1_772_359_260_000  # a minute after the examples
# What a kind needs before it can be built at all; one without a row is given an exposure unit and nothing else.
RATE: dict[str, Any] = {"exposure": ExposureSpec(unit="decisions")}
NEEDS: dict[str, dict[str, Any]] = {
    "incident_rate": {"exposure": ExposureSpec(unit="decisions")},
    "complaint_rate": {"exposure": ExposureSpec(unit="decisions")},
    "complaint_over_promise": {"params": {"promise": "15d"}},
    "claim_over_promise": {"params": {"claim": "takedown", "promise": "1d"}},
    "claim_rate": {"exposure": ExposureSpec(unit="decisions"), "params": {"claim": "takedown"}},
    "item_share": {"params": {"measure": "labelled"}},
    "compliance_cost": {"params": {"currency": "EUR"}},
    "silence": {"params": {"every": "30s"}},
}
EVERY = pytest.mark.parametrize("kind", INDICATORS)


def spec(kind: str, **changes: Any) -> IndicatorSpec:
    return IndicatorSpec(**{"name": "it", "kind": kind, "limit": 0.5, **NEEDS.get(kind, RATE), **changes})


def built(kind: str, **changes: Any) -> Indicator:
    return INDICATORS[kind](spec(kind, **changes))


def with_segments(kind: str) -> Indicator | None:
    """The indicator with two segments listed, or `None` when it refuses segments."""
    try:
        return built(kind, segments=("under-25", "over-64"))
    except BadSpec as refused:
        return None if refused.field == "segments" else pytest.fail(str(refused))


@functools.cache
def events(segment: str | None = None) -> tuple[Envelope, ...]:
    """One event of each type; `segment` replaces the segment of those that carry one."""
    made: list[Envelope] = []
    for kind in EVENT_TYPES:
        event = msgspec.convert(example(kind), Event)
        if segment is not None and hasattr(event.data, "segment"):
            event = msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, segment=segment))
        made.append(event)
    return tuple(made)


@EVERY
def test_it_says_what_it_reads_and_observes(kind: str) -> None:
    """`reads` names event types, `observes` one kind of observation, a gauge says how it aggregates."""
    it = built(kind)
    assert it.reads
    assert set(it.reads) <= set(EVENT_TYPES.values())
    assert it.observes in get_args(Observation)
    assert it.aggregate in ("sum", "mean")
    assert it.direction in ("above", "below")
    assert it.limit is not None
    assert built(kind, limit=None).limit is None


@EVERY
def test_it_accepts_every_type_it_reads(kind: str) -> None:
    """Every event of `reads` gives a few finite slots, and an indicator that is no silence counts some of them."""
    it = built(kind)
    slots = [slot for event in events() if isinstance(event, it.reads) for slot in it.slots(event, RECEIVED)]
    assert bool(slots) == (it.observes is not Gap)
    assert len(slots) <= 2 * len(it.reads)
    for slot in slots:
        assert isinstance(slot, Slot)
        assert isinstance(slot.at, int)
        assert all(math.isfinite(number) for number in slot[2:])


@EVERY
def test_the_same_event_gives_the_same_slots(kind: str) -> None:
    """Nothing is remembered: order and repetition make no difference, and the event is not changed."""
    it, other = built(kind), built(kind)
    stream = [event for event in events() if isinstance(event, it.reads)]
    before = copy.deepcopy(stream)
    forward = [tuple(it.slots(event, RECEIVED)) for event in stream]
    backward = [tuple(it.slots(event, RECEIVED)) for event in reversed(stream)]
    assert forward == backward[::-1] == [tuple(other.slots(event, RECEIVED)) for event in stream]
    assert stream == before


@EVERY
@pytest.mark.parametrize("segment", ["", "under-25", "elsewhere"])
def test_only_listed_segments_are_counted(kind: str, segment: str) -> None:
    """Without a list all goes under "", with one only what it lists, and a segment out of it counts nowhere."""
    for it, allowed in ((built(kind), {""}), (with_segments(kind), {"under-25"} if segment == "under-25" else set())):
        if it is None:
            continue
        slots = [s for e in events(segment) if isinstance(e, it.reads) for s in it.slots(e, RECEIVED)]
        assert {slot.segment for slot in slots} == (allowed if it.observes is not Gap else set())


@EVERY
def test_the_sums_of_a_period_make_an_observation(kind: str) -> None:
    """What a pilot's events add up to is one the detectors accept: k and m not below 0, and k within m for a share."""
    it = built(kind)
    filed_twice = [*events(), events()[0]]  # one complaint for the resolution, one for the withdrawal
    slots = [slot for event in filed_twice if isinstance(event, it.reads) for slot in it.slots(event, RECEIVED)]
    k, m = sum(s.k for s in slots), sum(s.m for s in slots)
    if it.observes is Count:
        assert k >= 0
        assert m >= 0
    elif it.observes is Proportion:
        assert 0 <= k <= m
    elif it.observes is Gauge:
        assert m > 0


@EVERY
@pytest.mark.parametrize(
    "params", [{"no_such": 1}, {"promise": "soon"}, {"every": "1mo"}, {"severity": "awful"}, {"currency": "eur"}]
)
def test_wrong_parameters_are_refused_with_field_and_fix(kind: str, params: dict[str, Any]) -> None:
    """A parameter that is not known, or has no sense, is named."""
    with pytest.raises(BadSpec) as refused:
        built(kind, params={**NEEDS.get(kind, {}).get("params", {}), **params})
    assert refused.value.field.startswith("params.")
    assert refused.value.problem
    assert refused.value.fix


def test_every_row_of_needs_is_an_indicator() -> None:
    """The table above names nothing that is gone."""
    assert set(NEEDS) <= set(INDICATORS)


# ---- what may be had besides, for speed


FOLDING = pytest.mark.parametrize("kind", [kind for kind in INDICATORS if hasattr(built(kind), "fold")])
AWKWARD = (0.1, 1e-9, 3.3, 1e9, 0.0, 7.0)


class Periods(dict[str, OpenPeriod]):
    """Open periods of listed segments, made at the first touch; an unlisted one is an error."""

    def __init__(self, listed: tuple[str, ...]) -> None:
        super().__init__()
        self.listed = listed

    def __missing__(self, segment: str) -> OpenPeriod:
        assert segment in self.listed
        return self.setdefault(segment, OpenPeriod())


@functools.cache
def many(seed: int) -> tuple[Envelope, ...]:
    """Events of every type within one minute of the examples' hour, with awkward numbers and segments in and out of the
    list."""
    rng = random.Random(seed)
    made: list[Envelope] = []
    for _ in range(400):
        event = rng.choice(events(rng.choice(["", "under-25", "over-64", "elsewhere"])))
        data = event.data  # type: ignore[attr-defined]
        changes: dict[str, Any] = {
            "amount": rng.choice(AWKWARD),
            "unit": rng.choice(["decisions", "users"]),
            "fp": rng.choice([0, 0, 3]),
            "tn": rng.choice([0, 0, 9]),
            "measure": rng.choice(["labelled", "labelled", "harmful"]),
            "kind": rng.choice(["takedown", "takedown", "copyright"]),
            "withdrawn": rng.choice([False, False, True]),
            "marked": rng.choice([0, 0, 3]),
            "unmarked": rng.choice([0, 0, 9]),
            "severity": rng.choice(list(Severity)),
            "was": rng.choice(list(Severity)),
        }
        changes = {name: value for name, value in changes.items() if hasattr(data, name)}
        made.append(msgspec.structs.replace(event, data=msgspec.structs.replace(data, **changes)))
    return tuple(made)


class Places(dict[tuple[str, int], OpenPeriod | None]):
    """The same by segment and index, closed below an index."""

    def __init__(self, listed: tuple[str, ...], closed: int) -> None:
        super().__init__()
        self.listed, self.closed = listed, closed

    def __missing__(self, place: tuple[str, int]) -> OpenPeriod | None:
        assert place[0] in self.listed
        return None if place[1] < self.closed else self.setdefault(place, OpenPeriod())


@FOLDING
@pytest.mark.parametrize("segments", [(), ("under-25", "over-64")])
@pytest.mark.parametrize("late_by", [0, 40 * 86_400_000])
@pytest.mark.parametrize("seed", range(5))
def test_a_fold_is_the_sum_of_the_slots(kind: str, segments: tuple[str, ...], late_by: int, seed: int) -> None:
    """Type by type and run by run, a fold leaves bit for bit what the slots add up to one by one, and touches no
    more."""
    try:
        it: Any = built(kind, segments=segments)
    except BadSpec:
        pytest.skip("takes no segments")
    received = RECEIVED + late_by
    stream = [event for event in many(seed) if isinstance(event, it.reads)]
    grid = IndicatorSpec(name="rule", kind=kind).grid()
    now = grid.index(RECEIVED)
    listed = segments or ("",)
    one_by_one: Any = Places(listed, now) if it.placed_by == "due" else Periods(listed)
    folded: Any = Places(listed, now) if it.placed_by == "due" else Periods(listed)
    for event in stream:
        for slot in it.slots(event, received):
            if it.placed_by == "due":
                assert it.observes is not Count
                period = one_by_one[slot.segment, grid.index(slot.at)]
            else:
                assert slot.at == (millis(event.time) if it.placed_by == "time" else received)
                period = one_by_one[slot.segment]
            if it.observes is Count and isinstance(event, ExposureTallied):
                assert slot.k == 0
                assert slot.m <= event.data.amount
                assert event.data.unit == "decisions"
            elif it.observes is Count:
                assert slot.k <= 1
                assert slot.m == 0
            if period is None:
                continue
            period.k += slot.k
            period.m += slot.m
            period.stock += slot.stock
            period.held += slot.stock * (grid.start(grid.index(slot.at) + 1) - slot.at)
            period.tallies += not slot.k and not slot.stock
    oldest = min(millis(event.time) for event in stream)
    calm = it.placed_by == "received" and received < it.steady(oldest)
    for type_ in it.reads:
        run = [event for event in stream if type(event) is type_]
        for part in (run[:1], run[1:]):
            if part:
                it.fold(part, [event.data for event in part], received, calm, folded)
    assert msgspec.msgpack.encode(sorted(folded.items())) == msgspec.msgpack.encode(sorted(one_by_one.items()))
    assert folded


@pytest.mark.parametrize("kind", [kind for kind in INDICATORS if hasattr(built(kind), "steady")])
def test_until_it_is_steady_a_fold_does_not_care_when_within_its_period_it_was_received(kind: str) -> None:
    """One millisecond before, all slots are as they are now; at it, the oldest event's are not."""
    it: Any = built(kind)
    stream = sorted((event for event in many(1) if isinstance(event, it.reads)), key=lambda event: event.time)
    edge = it.steady(millis(stream[0].time))
    for event in stream:
        assert [slot.k for slot in it.slots(event, edge - 1)] == [slot.k for slot in it.slots(event, RECEIVED)]
    assert [slot.k for slot in it.slots(stream[0], edge)] != [slot.k for slot in it.slots(stream[0], RECEIVED)]
