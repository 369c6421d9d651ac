"""Permits: one for each heartbeat of a pilot that may run, and what the end of a lease means."""

from __future__ import annotations

import pytest
from msgspec import structs

from monitor.charter.spec import Responses
from monitor.model.builders import Emitter
from monitor.model.events import encode, instant
from monitor.model.notice import Notice, Rejections
from monitor.model.records import Level, Outputs, Permit, Reason, Record
from monitor.state.snapshots import restore, snapshot
from tests.unit.decide.test_enforcement import SECOND, Halted
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, lift


def permits(out: Outputs) -> list[Permit]:
    return out.permits


def test_each_heartbeat_of_a_pilot_that_may_run_gets_a_permit() -> None:
    """The permit repeats nonce and source, and carries the lease of the charter."""
    bench = Bench()
    beat = bench.emitter.heartbeat(T0, nonce="n-1")
    (answer,) = permits(bench.send(beat, at=T0))
    assert (answer.nonce, answer.source, answer.standing, answer.lease_ms) == ("n-1", "svc/1", 0, 60_000)
    assert not permits(bench.send(beat, at=T0 + 1))


@pytest.mark.parametrize(("tier", "stop"), [("minimal", False), ("limited", False), ("high", True), ("critical", True)])
def test_the_tier_says_what_the_end_of_a_lease_means(tier: str, stop: bool) -> None:
    """High and critical services stop, others go on and say so."""
    bench = Bench(tier=tier)
    assert bench.send(bench.emitter.heartbeat(T0), at=T0).permits[0].stop is stop


def test_a_halted_pilot_gets_no_permit_and_a_released_one_gets_one_of_its_new_standing() -> None:
    """No permit between halt and release; afterwards one whose standing is that of the release."""
    bench = Halted()
    assert not bench.beat(bench.at + SECOND).permits
    lift(bench, T0 + HOUR)
    assert bench.command.action == "release"
    (answer,) = bench.beat(T0 + HOUR + SECOND).permits
    assert answer.standing == bench.command.standing


@pytest.mark.parametrize(("tier", "lapses"), [("high", True), ("limited", False)])
def test_after_unknown_data_for_too_long_the_permits_of_high_tiers_lapse(tier: str, lapses: bool) -> None:
    """Unknown grown old withholds permits until it is known again; that is recorded as lapsed, never as a halt."""
    bench = Bench(RATE, tier=tier)
    bench.send(bench.emitter.incident(T0), at=T0)
    bench.time(T0 + 6 * HOUR)
    assert Reason.UNKNOWN_TOO_LONG in bench.reasons()
    assert (Reason.LAPSED in bench.reasons()) is lapses
    assert bench.level == Level.ESCALATE
    assert bool(bench.send(bench.emitter.heartbeat(T0 + 6 * HOUR), at=T0 + 6 * HOUR).permits) is not lapses
    bench.hour(6)
    bench.send(bench.emitter.heartbeat(T0 + 7 * HOUR + 1), at=T0 + 7 * HOUR + 1)
    bench.time(T0 + 8 * HOUR)
    assert bench.machine.pilots["p"].standing.flag == ""
    assert bench.send(bench.emitter.heartbeat(T0 + 8 * HOUR), at=T0 + 8 * HOUR).permits


def test_of_many_heartbeats_in_one_write_the_newest_of_each_source_gets_a_permit() -> None:
    """An older permit grants no more than a newer one, so it is not written."""
    bench, other = Bench(), Emitter("svc/2", "p")
    beats = [e.heartbeat(T0 + n) for n in range(5) for e in (bench.emitter, other)]
    out = bench.send(*beats, at=T0)
    assert len(out.permits) == 10
    out.newest_permits()
    assert [(p.source, p.nonce) for p in out.permits] == [(b.source, b.data.nonce) for b in beats[-2:]]


def noticed(bench: Bench, at: int) -> Notice | None:
    (permit,) = bench.send(bench.emitter.heartbeat(at), at=at).permits
    return permit.notice


def test_a_permit_says_what_was_rejected() -> None:
    """Counts by reason since the admission, and the newest of each kind with field and fix; nothing while there is
    nothing to say. Another pilot's rejections are not told, and a snapshot keeps them."""
    bench = Bench()
    assert noticed(bench, T0 + 1) is None
    for n in range(4):
        old = structs.replace(bench.emitter.incident(T0 + 2), time=instant(10_000 + n))
        bench.send(old, at=T0 + 2 + n)
    bench.machine.telemetry("telemetry", [Record(99, T0 + 7, b"q", b"{}"), Record(100, T0 + 8, b"p", b"no json")])
    notice = noticed(bench, T0 + 9)
    assert notice is not None
    assert notice.rejected == {"time_before_2000": 4, "not_json": 1}
    assert [(r.received, r.field, r.reason) for r in notice.newest] == [
        (T0 + 5, "time", "time_before_2000"), (T0 + 8, "", "not_json"),
    ]  # fmt: skip
    assert "before 2000" in notice.newest[0].detail
    pilot, _ = restore(snapshot(bench.machine.pilots["p"]))
    assert pilot.rejections == bench.machine.pilots["p"].rejections


def test_what_a_permit_says_does_not_depend_on_batching() -> None:
    """The permit for a heartbeat between rejections states those before it, in any packing of the records."""
    bench = Bench()
    beats = [bench.emitter.heartbeat(T0 + 1 + n, nonce=f"n{n}") for n in range(3)]
    values = [encode(beats[0]), b"bad", encode(beats[1]), b"bad", b"{}", encode(beats[2])]
    records = [Record(n, T0 + 10 + n, b"p", value) for n, value in enumerate(values)]
    at_once, one_by_one = Bench(), Bench()
    whole = at_once.machine.telemetry("telemetry", records).permits
    single = [p for record in records for p in one_by_one.machine.telemetry("telemetry", [record]).permits]
    assert whole == single
    assert [sum(p.notice.rejected.values()) if p.notice else 0 for p in whole] == [0, 1, 3]
    assert at_once.machine.snapshots(["p"]) == one_by_one.machine.snapshots(["p"])


def test_a_permit_names_active_findings_and_the_due_date() -> None:
    """A tolerated crossing: the key of its finding, and by when it is to be rectified."""
    bench = Bench(tier="limited", responses=Responses(tolerate_first=True))
    while not bench.machine.pilots["p"].window.waiting:
        bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
    notice = noticed(bench, T0 + 3)
    assert notice is not None
    assert "incidents//limit_e_process/tolerated" in notice.findings
    assert notice.rectify_by == bench.machine.pilots["p"].window.due


def test_a_permit_says_that_telemetry_counts_nowhere() -> None:
    """A unit that the charter does not know is accepted, and the firm is told by the key of the finding."""
    bench = Bench()
    bench.send(bench.emitter.exposure(T0 + 1, 5.0, unit="miles"), at=T0 + 2)
    notice = noticed(bench, T0 + 3)
    assert notice is not None
    assert notice.findings == ("counted_nowhere",)
    assert (notice.rejected, notice.uncounted) == ({}, {"counted_nowhere": 1})
    assert [(one.reason, one.field) for one in notice.newest] == [("counted_nowhere", "data.unit")]
    assert notice.newest[0].detail == "data.unit 'miles' counts nowhere; the charter knows 'decisions'"


def test_what_a_permit_says_of_uncounted_telemetry_does_not_depend_on_batching() -> None:
    """The permit for a heartbeat between events that count nowhere states those before it, in any packing."""
    packed, single = Bench(), Bench()
    make = packed.emitter
    first = make.exposure(T0 + 1, 5.0, unit="miles")
    for bench in (packed, single):
        bench.machine.telemetry("telemetry", [Record(0, T0 + 9, b"p", encode(first))])
    events = [
        *(make.exposure(T0 + 1, 5.0, unit="miles") for _ in range(3)),
        make.heartbeat(T0 + 2, nonce="n1"),
        *(make.exposure(T0 + 3, 5.0, unit="miles") for _ in range(2)),
    ]
    records = [Record(1 + n, T0 + 10, b"p", encode(event)) for n, event in enumerate(events)]
    whole = packed.machine.telemetry("telemetry", records).permits
    parts = [p for record in records for p in single.machine.telemetry("telemetry", [record]).permits]
    assert whole == parts
    assert [p.notice.uncounted if p.notice else {} for p in whole] == [{"counted_nowhere": 4}]
    assert packed.machine.pilots["p"].rejections.uncounted == {"counted_nowhere": 6}
    assert packed.machine.snapshots(["p"]) == single.machine.snapshots(["p"])


def test_a_permit_says_that_telemetry_came_too_late_to_count() -> None:
    """An event of a closed period that no indicator accepts any more is named to the firm with how late it was."""
    bench = Bench()
    for hour in range(1, 30):
        bench.send(bench.emitter.exposure(T0 + hour * HOUR, 5.0), at=T0 + hour * HOUR)
    bench.send(bench.emitter.exposure(T0 + 1, 5.0), at=T0 + 29 * HOUR + 1)
    notice = noticed(bench, T0 + 29 * HOUR + 2)
    assert notice is not None
    assert notice.uncounted == {"late_dropped": 1}
    assert [(one.reason, one.field) for one in notice.newest] == [("late_dropped", "time")]
    assert "days after the period had closed" in notice.newest[0].detail


def test_a_flood_of_one_mistake_hides_no_other_one() -> None:
    """Of rejections with equal reason and field the newest is listed once, with its count."""
    seen = Rejections()
    seen = seen.after(1, "data.amount", "out_of_range", "write 0 or more")
    for at in range(2, 100):
        seen = seen.after(at, "time", "bad_time", "write an offset")
    assert [(one.field, one.received) for one in seen.newest] == [("data.amount", 1), ("time", 99)]
    assert seen.rejected == {"out_of_range": 1, "bad_time": 98}
