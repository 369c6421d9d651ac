"""Many pilots in little memory: which are resident, which are hot, and what stays packed until it is used."""

from __future__ import annotations

import msgspec
import pytest

from monitor.engine.machine import Machine
from monitor.engine.partition import STALE_TIMERS
from monitor.errors import LogBroken
from monitor.indicators.base import OpenPeriod
from monitor.kafka import state_keys
from monitor.model.events import Harm
from monitor.model.records import Position, Record
from monitor.state.pilot import PilotState
from monitor.state.snapshots import restore, snapshot
from tests.bench.stream.load import Load
from tests.unit.engine.test_machine import T0, Bench

START = 1_767_571_200_000
HOUR = 3_600_000


def fleet(pilots: int, *, resident: int = 1000, hot: int = 1000) -> Machine:
    """A machine with pilots after three hours of telemetry."""
    machine = Machine(resident=resident, hot=hot)
    load = Load(pilots, period_ms=HOUR, start=START, per_period=200)
    for i, act in enumerate(load.admissions()):
        machine.control(Record(i, START, act.pilot.encode(), msgspec.json.encode(act)))
    for turn in range(6):
        at = START + turn * HOUR // 2
        machine.telemetry("t", [Record(turn, at + 50, p.encode(), load.packed(p, at, 100)) for p in load.pilots])
    return machine


def unpacked(pilot: PilotState) -> bool:
    """Whether any detector of the pilot is an object."""
    return any(isinstance(stream.held, list) for stream in pilot.streams.values())


def test_only_hot_pilots_have_unpacked_detectors() -> None:
    """However many pilots are stepped, the detectors of at most `hot` of them are objects."""
    machine = fleet(7, hot=3)
    assert 0 < sum(map(unpacked, machine.pilots.resident.values())) <= 3
    assert sum(map(unpacked, fleet(7).pilots.resident.values())) == 7


def test_iterating_over_all_pilots_loads_none() -> None:
    """Evicted pilots are shown as they are, and stay evicted."""
    machine, others = fleet(7, resident=3), fleet(7)
    before = set(machine.pilots.resident)
    shown = {pilot.id: snapshot(pilot) for pilot in machine.pilots.values()}
    assert set(machine.pilots.resident) == before
    assert 0 < len(before) <= 3
    assert shown == {name: others.pilots.raw(name) for name in others.pilots}


def test_a_restored_pilot_is_written_as_the_same_bytes_before_and_after_its_detectors_are_unpacked() -> None:
    """Packed detectors are written as they were read, also after they were unpacked and packed again."""
    pilot = next(iter(fleet(1).pilots.values()))
    raw = snapshot(pilot)
    again, _ = restore(raw)
    assert not unpacked(again)
    assert snapshot(again) == raw
    names = [type(detector).__name__ for stream in again.streams.values() for detector in stream.detectors]
    assert names == [type(detector).__name__ for stream in pilot.streams.values() for detector in stream.detectors]
    assert unpacked(again)
    assert snapshot(again) == raw
    again.pack_detectors()
    assert not unpacked(again)
    assert snapshot(again) == raw


def test_the_order_in_which_periods_were_touched_is_no_part_of_the_state() -> None:
    """Open periods are written by their index, whichever was touched first."""
    one, other = (next(iter(fleet(1).pilots.values())) for _ in range(2))
    for pilot, order in ((one, (1, 2, 3)), (other, (3, 1, 2))):
        stream = next(iter(pilot.streams.values()))
        stream.open = {stream.next + ahead: OpenPeriod(k=float(ahead)) for ahead in order}
    assert snapshot(one) == snapshot(other)


def test_pilots_under_one_charter_share_it() -> None:
    """The charter in two snapshots is the same bytes, and is read once."""
    one, other = list(fleet(16).pilots.values())[0::15]  # one of each fifteen has the same charter
    (first, _), (second, _) = restore(snapshot(one)), restore(snapshot(other))
    assert first.plan is second.plan
    assert first.charter.indicators is second.charter.indicators
    assert (first.charter.pilot, second.charter.pilot) == (one.id, other.id)


def test_detectors_that_cannot_be_read_stop_the_process() -> None:
    """Detector bytes that cannot be read raise LogBroken when they are first used."""
    fields = msgspec.msgpack.decode(snapshot(next(iter(fleet(1).pilots.values()))))
    fields[16] = fields[16][:-9]  # the detectors
    broken, _ = restore(msgspec.msgpack.encode(fields))
    with pytest.raises(LogBroken):
        next(iter(broken.streams.values())).detectors  # noqa: B018


def test_a_state_topic_that_was_read_leaves_only_its_keys() -> None:
    """After recovery no value is kept, neither read nor written, and older keys are still known."""
    position = Position()
    old, new, late, newest = (
        state_keys.encode(state_keys.Snapshot(position, state)) for state in (b"old", b"new", b"late", b"newest")
    )
    live = state_keys.LiveKeys()
    assert live.feed(state_keys.key(state_keys.SNAPSHOT, 3, "p"), old)
    assert live.feed(state_keys.key(state_keys.SNAPSHOT, 4, "p"), new)
    assert live.feed(state_keys.key(state_keys.SNAPSHOT, 3, "p"), late)
    assert live.values == {(state_keys.SNAPSHOT, "p"): new}
    live.drop_values()
    assert live.feed(state_keys.key(state_keys.SNAPSHOT, 5, "p"), newest)
    assert live.values == {}
    assert live.others(state_keys.SNAPSHOT, 5, "p") == [b"snapshot/3/p", b"snapshot/4/p"]
    live.feed(state_keys.key(state_keys.SNAPSHOT, 3, "p"), None)
    assert live.alive(state_keys.SNAPSHOT, "p") == [b"snapshot/4/p", b"snapshot/5/p"]


def test_the_queue_of_timers_does_not_grow_with_events() -> None:
    """Ten thousand recorded events, each of which sets timers again, leave a bounded number of entries."""
    bench = Bench()
    for n in range(100):
        deaths = [bench.emitter.incident(T0 + n, harm=Harm.DEATH) for _ in range(100)]
        bench.send(*deaths, at=T0 + n)
    assert bench.machine.queued_timers <= 2 * len(bench.machine.pilots) + STALE_TIMERS
