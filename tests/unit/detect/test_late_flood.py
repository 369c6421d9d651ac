"""A flood of events that are too late to count writes no more than the periods that close, and none of them
disappears."""

from __future__ import annotations

import msgspec
import pytest

from monitor.charter.control import Admission, Withdrawal
from monitor.charter.spec import DetectorSpec, IndicatorSpec
from monitor.engine.machine import Machine
from monitor.model.events import Severity, encode
from monitor.model.records import Evidence, Reason
from monitor.state.late import LATE_KEY
from monitor.state.snapshots import restore, snapshot
from tests.unit.detect.test_late import FAST, dropped, now, run
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, charter

MANY = tuple(
    msgspec.structs.replace(RATE, name=f"incidents-{n}", weight=0.05, segments=("", "north")) for n in range(16)
)


def late(bench: Bench) -> list[Evidence]:
    """What is on record as too late to count."""
    return [e for e in bench.out.evidence if isinstance(e, Evidence) and e.dropped]


@FAST
def test_what_a_flood_writes_is_a_small_multiple_of_what_it_sends(fast_path: bool) -> None:
    """A thousand late events under a charter with sixteen indicators: less is written about them than they hold, and
    every indicator counts all."""
    bench = Bench(*MANY)
    bench.machine.fast_path = fast_path
    run(bench, 0, 8)
    events = [bench.emitter.incident(T0 + n) for n in range(1000)]
    sent = sum(len(encode(event)) for event in events)
    bench.send(*events, at=now(8))
    bench.send(bench.emitter.exposure(T0 + 8 * HOUR + 1), at=now(8))
    run(bench, 8, 10)
    assert sum(len(msgspec.json.encode(e)) for e in late(bench)) < sent / 10
    assert {spec.name: sum(e.k for e in late(bench) if e.indicator == spec.name) for spec in MANY} == {
        spec.name: 1000.0 for spec in MANY
    }
    assert bench.out.uncounted == {"late": 1000}
    assert max(e.dropped for e in late(bench) if isinstance(e.dropped, int)) == 1000


def test_what_is_held_is_one_record_from_the_first_to_the_last_period() -> None:
    """Its period is the range in which the events happened; the first event of each closed period of the stream is on
    record at once."""
    bench = Bench(RATE)
    run(bench, 0, 12)
    for hour in (3, 1, 2):
        bench.send(bench.emitter.incident(T0 + hour * HOUR), at=now(12))
    run(bench, 12, 13)
    bench.send(bench.emitter.incident(T0), at=now(13))
    start = [(e.start - T0) // HOUR for e in late(bench)]
    assert list(zip(start, [(e.end - T0) // HOUR for e in late(bench)], dropped(bench), strict=True)) == [
        (3, 4, ("incidents", 1, 0)),
        (1, 3, ("incidents", 2, 0)),
        (0, 1, ("incidents", 1, 0)),
    ]


def test_a_snapshot_keeps_what_is_held() -> None:
    """A machine that goes on from a snapshot writes the same record; a state without any has the bytes of before."""
    bench = Bench(RATE)
    run(bench, 0, 12)
    before = len(msgspec.msgpack.decode(snapshot(bench.machine.pilots["p"])))
    bench.send(*(bench.emitter.incident(T0 + n) for n in range(5)), at=now(12))
    pilot = bench.machine.pilots["p"]
    assert len(msgspec.msgpack.decode(snapshot(pilot))) > before
    again, _ = restore(snapshot(pilot))
    assert again.late_held == pilot.late_held
    assert snapshot(again) == snapshot(pilot)
    run(bench, 12, 13)
    assert not pilot.late_held
    assert len(msgspec.msgpack.decode(snapshot(pilot))) == before + 2
    assert dropped(bench) == [("incidents", 1, 0), ("incidents", 4, 0)]


def test_an_exit_writes_what_is_held() -> None:
    """No period closes after an exit."""
    bench = Bench(RATE)
    run(bench, 0, 12)
    bench.send(*(bench.emitter.incident(T0 + n) for n in range(5)), at=now(12))
    bench.act(Withdrawal(id="x", pilot="p", author="anna", reason="over"), now(12))
    stopped = bench.emitter.heartbeat(now(12) + 1, serving=False)
    bench.send(stopped, at=now(12) + 1)
    for n in range(2, 6):
        bench.send(bench.emitter.heartbeat(now(12) + n * 1000, serving=False), at=now(12) + n * 1000)
    assert bench.machine.pilots["p"].exited
    assert sum(k for _, k, _ in dropped(bench)) == 5


@pytest.mark.parametrize("evidence", [True, False], ids=["with evidence", "without"])
def test_a_leap_over_empty_periods_writes_what_is_held(evidence: bool) -> None:
    """Late events that an outage excuses raise no finding; the next close has them all the same."""
    bench = Bench(RATE)
    bench.machine = Machine(journalled=False, evidence=evidence)

    bench.act(Admission(id="again", pilot="p", author="anna", charter=charter(RATE)), T0)
    run(bench, 0, 12)
    bench.send(*(bench.emitter.incident(T0 + n) for n in range(5)), at=now(12))
    pilot = bench.machine.pilots["p"]
    pilot.standing.active.pop(LATE_KEY, None)
    bench.time(now(12) + 500 * HOUR)
    assert not pilot.late_held
    assert dropped(bench) == [("incidents", 1, 0), ("incidents", 4, 0)]


def test_the_finding_does_not_wait() -> None:
    """A person is told at the first event, whatever is held."""
    bench = Bench(RATE, IndicatorSpec("hazards", "incident_rate", params={"severity": "hazard"}, exposure=RATE.exposure,
                                      per=1000, detectors=(DetectorSpec("cusum", "watch"),)))  # fmt: skip
    run(bench, 0, 8)
    bench.send(bench.emitter.incident(T0, severity=Severity.HAZARD), at=now(8))
    assert bench.reasons()[-1] == Reason.LATE_DROPPED
