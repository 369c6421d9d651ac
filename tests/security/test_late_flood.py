"""A firm that sends nothing but events too late to count: what is written about them is bounded by what it sent."""

from __future__ import annotations

import msgspec

from monitor.model.events import encode
from monitor.model.records import Evidence
from tests.security.goals import Goal
from tests.unit.detect.test_late_flood import MANY
from tests.unit.engine.test_machine import HOUR, T0, Bench


def test_a_flood_of_late_events_is_not_amplified(goal: Goal) -> None:
    """Single records, five each hour for two days, under a charter with sixteen indicators of these events in two
    segments: all outputs about the late events against the bytes sent (without the evidence of periods that would have
    closed anyway)."""
    bench = Bench(*MANY)
    sent = 0
    for hour in range(56):
        if hour >= 8:
            for n in range(5):
                at = T0 + hour * HOUR + n
                event = bench.emitter.incident(T0 + n)
                sent += len(encode(event))
                bench.send(event, at=at)
        bench.send(bench.emitter.exposure(T0 + hour * HOUR + 9), at=T0 + hour * HOUR + 9)
        bench.time(T0 + (hour + 1) * HOUR + HOUR // 2 + 1)
    late = [e for e in bench.out.evidence if isinstance(e, Evidence) and e.dropped]
    written = sum(len(msgspec.json.encode(each)) for each in (*late, *bench.out.decisions))
    assert {sum(e.k for e in late if e.indicator == spec.name) for spec in MANY} == {240.0}
    goal("late-flood-bytes", written / sent, 8, note="written per byte sent; 5 events a period, 16 indicators")
