"""What arrives late raises the evidence of its period, or is dropped on record: nothing disappears."""

from __future__ import annotations

import msgspec
import pytest

from monitor.charter.control import Override
from monitor.charter.spec import DetectorSpec, IndicatorSpec
from monitor.compile.state_size import WIDEST
from monitor.console.board_json import as_data
from monitor.console.fleet_page import fleet_page
from monitor.console.fleet_view import FleetView
from monitor.console.pilot_page import pilot_page
from monitor.console.report import collect_stories, report
from monitor.detect.late_window import KEPT_WIDE
from monitor.model.events import Severity
from monitor.model.records import Evidence, Level, Reason
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench
from tests.unit.state.test_incidents import release

FAST = pytest.mark.parametrize("fast_path", [True, False], ids=["in batches", "one by one"])
SERIOUS = msgspec.structs.replace(RATE, name="serious", params={"severity": "serious_incident", "by": "classification"})
PROMISES = IndicatorSpec(
    "promises",
    "complaint_over_promise",
    limit=0.3,
    params={"promise": "2h"},
    detectors=(DetectorSpec("cusum", "watch"),),
)
SHARE = IndicatorSpec(
    "late", "late_share", limit=0.1, weight=1, detectors=(DetectorSpec("limit_e_process", "escalate"),)
)


def dropped(bench: Bench) -> list[tuple[str, float, float]]:
    """What is on record as dropped: indicator, events, exposure or trials."""
    return [(e.indicator, e.k, e.m) for e in bench.out.evidence if isinstance(e, Evidence) and e.dropped]


def run(bench: Bench, first: int, last: int) -> None:
    """Ordinary hours from `first` up to `last` (excluded), each closed half an hour after its end."""
    for hour in range(first, last):
        bench.hour(hour)
        bench.send(bench.emitter.heartbeat(T0 + (hour + 1) * HOUR), at=T0 + (hour + 1) * HOUR)
        bench.time(T0 + (hour + 1) * HOUR + HOUR // 2 + 1)


def now(hours: int) -> int:
    """A moment after `run` up to this hour."""
    return T0 + hours * HOUR + HOUR // 2 + 2


@FAST
def test_events_that_are_too_late_to_count_are_a_finding_and_a_number(fast_path: bool) -> None:
    """Events, exposure and outcomes beyond the late window are WATCH, evidence marked as dropped, and counted once: the
    first at once, those that follow when the next period closes."""
    bench = Bench(RATE)
    bench.machine.fast_path = fast_path
    run(bench, 0, 8)
    bench.send(bench.emitter.incident(T0), at=now(8))
    bench.send(bench.emitter.exposure(T0, 7), at=now(8))
    assert dropped(bench) == [("incidents", 1, 0)]
    assert bench.out.uncounted == {"late": 2}
    assert (bench.level, bench.reasons()[-1]) == (Level.WATCH, Reason.LATE_DROPPED)
    assert "1 event of 2026-01-05T00:00" in bench.out.decisions[-1].finding.detail
    run(bench, 8, 9)
    assert dropped(bench) == [("incidents", 1, 0), ("incidents", 0, 7)]


def test_the_number_is_on_every_page() -> None:
    """Board, its data, and report say how many events came too late to count; a record that is read again adds none."""
    bench, board = Bench(RATE), FleetView()
    run(bench, 0, 8)
    bench.send(*(bench.emitter.incident(T0 + n) for n in range(3)), at=now(8))
    run(bench, 8, 9)
    board.learn(bench.machine.pilots["p"].charter)
    board.apply(bench.out)
    board.apply(bench.out)
    assert "3 events too late to count" in fleet_page(board)
    assert "<dt>Too late to count</dt><dd>3 events</dd>" in str(pilot_page(board, "p"))
    assert as_data(board)["pilots"][0]["late_events"] == 3  # type: ignore[index]
    stories, _ = collect_stories([bench.machine.pilots["p"].charter], [bench.out])
    assert "Too late to count: 3 events." in report("r", list(stories.values()))
    assert not any(record.dropped for record in stories["p"].evidence)


def test_the_finding_clears_after_quiet_periods() -> None:
    """It stays while such events come, and clears after the quiet periods that the charter asks for."""
    bench = Bench(RATE)
    run(bench, 0, 8)
    for hour in range(8, 12):
        bench.send(bench.emitter.exposure(T0, 7), at=now(hour))
        run(bench, hour, hour + 1)
        assert bench.level == Level.WATCH
    run(bench, 12, 15)
    assert (bench.level, bench.reasons()[-1]) == (Level.NORMAL, Reason.CLEARED)


@FAST
def test_a_resolution_that_is_reported_late_is_on_record(fast_path: bool) -> None:
    """A complaint that was resolved in time stays broken if that is reported too late, and the firm is told."""
    bench = Bench(PROMISES)
    bench.machine.fast_path = fast_path
    bench.send(bench.emitter.complaint(T0, complaint="c"), at=T0)
    bench.time(T0 + 5 * HOUR)
    bench.send(bench.emitter.complaint_resolved(T0 + HOUR, "c", filed=T0), at=T0 + 5 * HOUR)
    bench.send(bench.emitter.complaint_resolved(T0 + 4 * HOUR, "d", filed=T0), at=T0 + 5 * HOUR)  # after its promise
    assert dropped(bench) == [("promises", -1, 0)]
    assert bench.out.uncounted == {"late": 1}


def test_what_is_older_than_the_pilot_is_not_late() -> None:
    """Statistics begin with the admission: what happened before it is no lost evidence."""
    bench = Bench(RATE)
    bench.send(bench.emitter.incident(T0 - 30 * HOUR), at=T0 + 1)
    assert (dropped(bench), bench.level) == ([], Level.NORMAL)


def test_late_events_widen_the_window_of_their_stream() -> None:
    """The first event beyond the charter's window is dropped; as long as such events come, the evidence is that of a
    charter with the widest window."""
    benches = Bench(RATE), Bench(msgspec.structs.replace(RATE, late_window=WIDEST))
    for bench in benches:
        run(bench, 0, 6)
        bench.send(bench.emitter.incident(T0), at=now(6))
        for hour in range(6, 40):
            run(bench, hour, hour + 1)
            if hour >= 26:
                bench.send(bench.emitter.incident(T0 + (hour - 20) * HOUR), at=now(hour + 1))
    narrow, wide = (bench.machine.pilots["p"].streams["incidents/"].detectors[0] for bench in benches)
    assert dropped(benches[0]) == [("incidents", 1, 0)]
    assert not dropped(benches[1])
    events = [[period[0] for period in detector.recent] for detector in (narrow, wide)]  # type: ignore[attr-defined]
    assert events[0] == events[1][-len(events[0]) :]
    seen = [[e.start for e in b.out.evidence if isinstance(e, Evidence) and e.late and not e.dropped] for b in benches]
    assert seen[0] == seen[1][1:]
    assert len(seen[0]) == 14


def test_a_window_is_narrow_again_when_late_events_end() -> None:
    """A stream whose events are on time does not keep the memory."""
    bench = Bench(RATE)
    run(bench, 0, 6)
    bench.send(bench.emitter.incident(T0), at=now(6))
    run(bench, 6, 80)
    stream = bench.machine.pilots["p"].streams["incidents/"]
    assert (len(stream.seen), len(stream.detectors[0].recent)) == (WIDEST, WIDEST)  # type: ignore[attr-defined]
    again = restore(snapshot(bench.machine.pilots["p"]))[0]
    assert (again.streams["incidents/"].wide, again.late_dropped) == (
        stream.wide,
        bench.machine.pilots["p"].late_dropped,
    )
    run(bench, 80, 8 + KEPT_WIDE)
    assert (len(stream.seen), len(stream.detectors[0].recent), stream.wide) == (4, 4, 0)  # type: ignore[attr-defined]


def test_a_charter_without_a_late_window_has_none() -> None:
    """`late_window: 0` is the charter's word: late events are on record and raise nothing."""
    bench = Bench(msgspec.structs.replace(RATE, late_window=0))
    run(bench, 0, 3)
    for hour in (0, 1, 2):
        bench.send(bench.emitter.incident(T0 + hour * HOUR), at=now(3))
    run(bench, 3, 4)
    assert dropped(bench) == [("incidents", 1, 0), ("incidents", 2, 0)]
    assert bench.machine.pilots["p"].streams["incidents/"].wide == 0


def test_a_window_stays_narrow_where_a_state_has_no_space() -> None:
    """The state of a pilot is bounded: a charter with very many streams keeps the window that it asks for."""
    many = msgspec.structs.replace(RATE, segments=tuple(f"s{n}" for n in range(60)), reporting_delay="0s")
    bench = Bench(many)
    for hour in range(8):
        bench.send(bench.emitter.exposure(T0 + hour * HOUR + 1, segment="s1"), at=T0 + hour * HOUR + 1)
    bench.time(T0 + 8 * HOUR)
    bench.send(bench.emitter.incident(T0, segment="s1"), at=T0 + 8 * HOUR)
    assert len(dropped(bench)) == 1
    assert bench.machine.pilots["p"].streams["incidents/s1"].wide == 0


def test_a_regraded_incident_is_no_late_telemetry() -> None:
    """An honest update states when the incident occurred, long ago; it is not in `late_share`."""
    bench = Bench(SHARE)
    bench.send(bench.emitter.incident(T0, incident="i"), at=T0)
    bench.time(T0 + 30 * HOUR)
    bench.send(*(bench.emitter.incident_update(T0, "i") for _ in range(9)), at=T0 + 30 * HOUR)
    periods = bench.machine.pilots["p"].streams["late/"].open.values()
    assert sum(period.m for period in periods) == 0


@FAST
def test_by_classification_an_incident_counts_when_it_is_regraded(fast_path: bool) -> None:
    """An update that reaches the machine after the period of the incident counts in the period of the update, once; a
    report in time counts when the incident occurred."""
    bench = Bench(SERIOUS)
    bench.machine.fast_path = fast_path
    bench.send(bench.emitter.incident(T0, incident="i"), at=T0)
    bench.send(bench.emitter.incident(T0 + 1, incident="j", severity=Severity.SERIOUS_INCIDENT), at=T0 + HOUR + 1)
    opened = bench.machine.pilots["p"].streams["serious/"].open
    assert [period.k for period in opened.values()] == [1]
    run(bench, 0, 30)
    bench.send(*(bench.emitter.incident_update(T0, "i") for _ in range(3)), at=now(30))
    assert [period.k for period in opened.values()] == [1]
    assert not dropped(bench)


def test_by_classification_what_an_outage_delayed_counts_when_it_occurred() -> None:
    """All that came in after an outage of the monitor would else fall into one period."""
    bench = Bench(SERIOUS, journalled=True)
    bench.hour(0)
    bench.time(T0 + HOUR)
    bench.time(T0 + 30 * HOUR)  # an outage
    when = T0 + 2 * HOUR
    events = [bench.emitter.incident(when + n, severity=Severity.SERIOUS_INCIDENT) for n in range(4)]
    bench.send(*events, at=T0 + 30 * HOUR + 1)
    stream = bench.machine.pilots["p"].streams["serious/"]
    assert sum(period.k for index, period in stream.open.items() if index > RATE.grid().index(when)) == 0


def test_late_events_after_a_release_are_on_record() -> None:
    """The statistics that they belong to have ended: they count nowhere, and that is on record."""
    bench = Bench(RATE)
    run(bench, 0, 3)
    bench.act(Override(id="o", pilot="p", author="anna", level="watch", reason="r"), now(3))
    bench.send(bench.emitter.incident(T0 + 2 * HOUR), at=now(3))
    assert not dropped(bench)
    bench.machine.pilots["p"].streams["incidents/"].seen = ()  # as a release leaves it
    bench.send(bench.emitter.incident(T0 + 2 * HOUR), at=now(3))
    assert dropped(bench) == [("incidents", 1, 0)]


def test_the_period_of_a_release_keeps_all_its_events_on_record() -> None:
    """The statistics that restart do not use what the old ones may have used; the record has it all the same."""
    bench = Bench(RATE)
    run(bench, 0, 2)
    bench.hour(2, incidents=2)
    bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="r"), T0 + 2 * HOUR + 2000)
    release(bench, T0 + 2 * HOUR + 3000)
    bench.send(bench.emitter.incident(T0 + 2 * HOUR + 4000), at=T0 + 2 * HOUR + 4000)
    bench.send(bench.emitter.heartbeat(T0 + 3 * HOUR), at=T0 + 3 * HOUR)
    bench.time(T0 + 3 * HOUR + HOUR // 2 + 1)
    last = bench.out.evidence[-2]
    assert isinstance(last, Evidence)
    assert (last.start, last.k, last.m) == (T0 + 2 * HOUR, 3, 1000)
    assert bench.machine.pilots["p"].streams["incidents/"].detectors[0].seen == 1  # type: ignore[attr-defined]


def test_batches_and_single_events_drop_the_same() -> None:
    """The same bytes, whichever path the events take."""
    states = []
    for fast_path in (True, False):
        bench = Bench(*(msgspec.structs.replace(spec, weight=0.25) for spec in (RATE, PROMISES, SERIOUS, SHARE)))
        bench.machine.fast_path = fast_path
        for hour in range(60):
            at = T0 + hour * HOUR + 1000
            old = max(T0, at - hour % 13 * HOUR)
            events = [bench.emitter.exposure(at), bench.emitter.complaint(old), bench.emitter.exposure(old, 3)]
            events += [bench.emitter.incident(old), bench.emitter.complaint_resolved(at, "c", filed=old)]
            bench.send(*events, at=at)
        states.append((snapshot(bench.machine.pilots["p"]), bench.out.uncounted, bench.out.evidence))
    assert states[0] == states[1]
    assert states[0][1]["late"] > 20
