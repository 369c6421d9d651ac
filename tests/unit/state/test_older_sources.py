"""States of before version 6, in which each missing number stood by itself, are read, bounded, and go on."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.model.bounds import STATE_BYTES
from monitor.model.builders import Emitter
from monitor.model.records import Reason
from monitor.state.missing import RANGES, RANGES_OF_ALL
from monitor.state.pilot import PilotState
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import HOUR, T0, Bench, rejected


def with_sources(pilot: PilotState, sources: dict[str, list[Any]]) -> bytes:
    """The bytes that version 5 wrote of a pilot with these sources."""
    fields = msgspec.msgpack.decode(snapshot(pilot))
    return msgspec.msgpack.encode([5, *fields[1:8], sources, *fields[9:18]])


def source(high: int, missing: dict[int, int]) -> list[Any]:
    return [high, missing, T0, 0.0, 0.0, [], T0, False]


def test_a_state_as_large_as_any_record_is_read_and_bounded() -> None:
    """512 sources with long names and a thousand missing numbers each: nine million bytes become a few hundred
    thousand, and what is missing is still found."""
    bench, high = Bench(), 1_790_000_000_000_000
    missing = dict.fromkeys(range(high - 1023, high), T0)
    raw = with_sources(
        bench.machine.pilots["p"], {f"{n:03d}{'x' * 190}": source(high + n, missing) for n in range(512)}
    )
    assert len(raw) > 8_000_000
    bench.machine.restore({"p": raw})
    assert len(bench.machine.pilots.raw("p")) < STATE_BYTES
    bench.send(Emitter(f"{'y' * 200}", "p").heartbeat(T0 + 1), at=T0 + 1)
    bench.time(T0 + 2 * HOUR)
    assert Reason.SEQUENCE_GAP in bench.reasons()
    gap = next(d for d in bench.out.decisions if d.reason is Reason.SEQUENCE_GAP)
    assert gap.finding.observed == 512 * 1023


def test_scattered_missing_numbers_are_bounded_and_none_is_forgotten() -> None:
    """Every second number missing of every source: more ranges than are kept. The rest counts as lost."""
    pilot = Bench().machine.pilots["p"]
    missing = {number: T0 + number for number in range(2, 1024, 2)}
    read, _ = restore(with_sources(pilot, {f"s{n}": source(1025, missing) for n in range(100)}))
    ranges = [len(s.missing.ranges) for s in read.sources.values()]
    assert max(ranges) <= RANGES
    assert sum(ranges) <= RANGES_OF_ALL
    assert sum(ranges) + sum(count for _, count in read.lost) == 100 * 511


def test_numbers_seen_before_there_were_digests_are_repeats_unless_they_tell_of_later() -> None:
    """What version 5 had seen is not told apart by content: a resend stays silent, a restart at 1 is a conflict."""
    bench = Bench()
    events = [bench.emitter.heartbeat(T0 + n) for n in range(20)]
    bench.send(*events, at=T0 + 20)
    pilot = bench.machine.pilots["p"]
    bench.machine.restore({"p": with_sources(pilot, {"svc/1": source(20, {7: T0})})})
    assert rejected(bench.send(*events[:6], at=T0 + 21)) == []
    bench.send(bench.emitter.heartbeat(T0 + 22), at=T0 + 22)
    assert bench.send(events[6], at=T0 + 23).rejected == []
    assert rejected(bench.send(Emitter("svc/1", "p").heartbeat(T0 + HOUR), at=T0 + HOUR)) == [
        ("sequence", "source_conflict")
    ]
