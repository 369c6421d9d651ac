"""What was seen under a number is kept cheaply until it is asked for: as records, as bytes, then as digests, always the
same."""

from __future__ import annotations

import msgspec
import pytest

from monitor.engine.machine import Machine
from monitor.model.records import Record
from monitor.state.pilot import Source
from monitor.state.seen import PENDING_BYTES, RecentSources, SequenceDigests, digest_of
from monitor.validate.runs import EventRun, as_batch, runs
from tests.bench.stream.load import Load

HOUR = 3_600_000
START = 1_767_571_200_000
KEEP = 128


def machine_of(pilots: int, *, packed: bool, fast_path: bool = True, hot: int = 1000, turns: int = 4) -> Machine:
    """A machine that has stepped `turns` times 100 events of each pilot."""
    machine = Machine(hot=hot)
    machine.fast_path = fast_path
    load = Load(pilots, period_ms=HOUR, start=START, per_period=2000)
    for i, act in enumerate(load.admissions()):
        machine.control(Record(i, START, act.pilot.encode(), msgspec.json.encode(act)))
    offset = 0
    for turn in range(turns):
        at = START + turn * 60_000
        for pilot in load.pilots:
            values = [load.packed(pilot, at, 100)] if packed else load.events(pilot, at, 100)
            records = [Record(offset + i, at + 50, pilot.encode(), value) for i, value in enumerate(values)]
            offset += len(records)
            machine.telemetry("t", records)
    return machine


def only(machine: Machine) -> Source:
    """The one source of the one pilot."""
    (pilot,) = machine.pilots.resident.values()
    (source,) = pilot.sources.values()
    return source


@pytest.mark.parametrize("packed", [True, False])
def test_events_read_again_from_their_records_have_the_digests_of_the_events(packed: bool) -> None:
    """A source that is heard often has its records held; its state is the one of events that were stepped one by
    one."""
    fast, slow = machine_of(1, packed=packed), machine_of(1, packed=packed, fast_path=False)
    assert fast.fast_path_events >= 300
    assert any(not isinstance(held, bytes) for _, _, held in only(fast).seen._waiting)
    assert only(fast).seen.raw() == only(slow).seen.raw()
    assert fast.snapshots(fast.pilots) == slow.snapshots(slow.pilots)


def test_records_are_held_for_the_sources_heard_last_only() -> None:
    """Of more sources than that, the records of the one heard longest ago are packed, with the same digests."""
    load = Load(1, period_ms=HOUR, start=START, per_period=2000)
    value = load.packed(load.pilots[0], START, 100)
    (run,) = runs([Record(0, START + 50, load.pilots[0].encode(), value)])
    assert isinstance(run, EventRun)
    batch = as_batch(run, 0, 100)
    assert batch is not None
    recent, sources = RecentSources(2), [SequenceDigests(), SequenceDigests(), SequenceDigests()]
    for seen in (*sources[:2], *sources):
        often = recent.heard(seen)
        seen.add(batch.events, KEEP, batch.later(KEEP) if often else None)
    kinds = [isinstance(seen._waiting[-1][2], bytes) for seen in sources]
    assert kinds == [True, False, True]
    assert len({seen.raw()[-200:] for seen in sources}) == 1
    assert sources[0].at(0) == digest_of(batch.events[-1])


def test_a_later_reading_holds_no_more_than_its_records() -> None:
    """The bytes that are held are those of the records of the last events, each record once."""
    load = Load(1, period_ms=HOUR, start=START, per_period=2000)
    values = [load.packed(load.pilots[0], START, 100) for _ in range(3)]
    (run,) = runs([Record(i, START + 50, load.pilots[0].encode(), value) for i, value in enumerate(values)])
    assert isinstance(run, EventRun)
    batch = as_batch(run, 0, 300)
    assert batch is not None
    later = batch.later(KEEP)
    assert later.size == len(values[1]) + len(values[2])
    assert later() == batch.events[-KEEP:]
    part = as_batch(run, 50, 150)
    assert part is not None
    assert part.later(KEEP)() == batch.events[50:150]


def test_large_records_are_not_held() -> None:
    """Records of more than `WAITING` bytes are read at once, and only digests stay."""
    load = Load(1, period_ms=HOUR, start=START, per_period=2000)
    value = load.packed(load.pilots[0], START, 100)
    (run,) = runs([Record(0, START + 50, load.pilots[0].encode(), value[:-1] + b" " * PENDING_BYTES + b"]")])
    assert isinstance(run, EventRun)
    batch = as_batch(run, 0, 100)
    assert batch is not None
    seen = SequenceDigests()
    seen.add(batch.events, KEEP, batch.later(KEEP))
    assert seen._waiting == []
    assert seen.at(99) == digest_of(batch.events[0])


def test_a_pilot_that_is_put_away_keeps_digests_only() -> None:
    """Bytes of events that are held for speed are not held for evicted pilots."""
    machine = machine_of(5, packed=True, hot=2)
    sources = [source for pilot in machine.pilots.resident.values() for source in pilot.sources.values()]
    assert sum(bool(source.seen._waiting) for source in sources) <= 2
    others = machine_of(5, packed=True)
    assert machine.snapshots(machine.pilots) == others.snapshots(others.pilots)
