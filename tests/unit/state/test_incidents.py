"""An incident id counts once, however often, by whom and in which version it is reported; one rule a test."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.charter.control import Approval, Evaluation, Rectification, Release
from monitor.charter.spec import DetectorSpec, HardRule
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, Severity, encode
from monitor.model.records import Evidence, Level, Record
from monitor.state.incidents import INCIDENTS
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench

QUICK = msgspec.structs.replace(RATE, weight=0, detectors=(DetectorSpec("cusum", "watch"),))
SERIOUS = msgspec.structs.replace(QUICK, name="serious", params={"severity": "serious_incident"})
BY_REGION = msgspec.structs.replace(QUICK, name="by-region", segments=("north", "south"))
DEATH: dict[str, Any] = {"severity": Severity.SERIOUS_INCIDENT, "harm": Harm.DEATH}


def counted(bench: Bench, name: str = "incidents", segment: str = "") -> float:
    """Events in the open periods of one stream."""
    return sum(opened.k for opened in bench.machine.pilots["p"].streams[f"{name}/{segment}"].open.values())


def release(bench: Bench, at: int, number: int = 0) -> None:
    """All acts that lift a halt."""
    common: dict[str, Any] = {"pilot": "p", "author": "anna"}
    bench.act(Rectification(id=f"r{number}", finding="f", cause="c", action="a", evidence="e", **common), at)
    bench.act(Evaluation(id=f"e{number}", passed=True, report="r", **common), at)
    for author in ("anna", "ben"):
        bench.act(Approval(id=f"a{number}{author}", pilot="p", author=author), at)
    bench.act(Release(id=f"l{number}", reason="seen on site", **common), at)
    assert bench.level == Level.NORMAL


def test_one_incident_reported_by_two_systems_in_five_versions_counts_once() -> None:
    """Sources, times and versions of a report differ; the incident is the same, and its repeats are counted apart."""
    bench, other = Bench(), Emitter("another/system", "p")
    for version in range(5):
        emitter = (bench.emitter, other)[version % 2]
        bench.send(emitter.incident(T0 + version * 60_000, incident="i-1"), at=T0 + version * 60_000)
    assert counted(bench) == 1
    assert bench.out.uncounted["incident_repeat"] == 4


def test_an_update_of_the_same_grade_counts_nowhere_and_a_graver_one_in_the_graver_class() -> None:
    """A regrading moves the incident into the class that it reached, once; the class that counted it keeps it."""
    bench = Bench(RATE, SERIOUS)
    bench.send(bench.emitter.incident(T0 + 1, incident="i-1"), at=T0 + 1)
    same = bench.emitter.incident_update(
        T0 + 1, "i-1", was=Severity.INCIDENT, severity=Severity.INCIDENT, harm=Harm.NONE
    )
    bench.send(same, at=T0 + 2)
    assert (counted(bench), counted(bench, "serious")) == (1, 0)
    for at in (3, 4):
        bench.send(bench.emitter.incident_update(T0 + 1, "i-1"), at=T0 + at)
    assert (counted(bench), counted(bench, "serious")) == (1, 1)


def test_an_incident_regraded_down_and_up_again_counts_once() -> None:
    """What counted is not taken back, so it must not count a second time."""
    bench = Bench(SERIOUS)
    grades = (Severity.SERIOUS_INCIDENT, Severity.HAZARD, Severity.SERIOUS_INCIDENT)
    bench.send(bench.emitter.incident(T0, severity=grades[0], incident="i-1"), at=T0)
    for was, severity in itertools.pairwise(grades):
        bench.send(bench.emitter.incident_update(T0, "i-1", was=was, severity=severity, harm=Harm.NONE), at=T0 + 1)
    assert counted(bench, "serious") == 1


def test_an_update_without_a_report_counts() -> None:
    """A firm that only ever sends updates hides nothing: an id that is not known counts, whatever it is said to have
    been."""
    bench = Bench(SERIOUS)
    update = bench.emitter.incident_update(T0, "i-1", was=Severity.SERIOUS_INCIDENT, severity=Severity.SERIOUS_INCIDENT)
    bench.send(update, at=T0 + 1)
    assert counted(bench, "serious") == 1


def test_a_report_that_gives_the_segment_counts_in_it() -> None:
    """An incident that counted nowhere for want of a segment counts when a later report names a listed one, and only
    then."""
    bench = Bench(RATE, BY_REGION)
    bench.send(bench.emitter.incident(T0, incident="i-1"), at=T0)
    assert (counted(bench), counted(bench, "by-region", "north")) == (1, 0)
    for segment in ("north", "south"):
        bench.send(bench.emitter.incident(T0, incident="i-1", segment=segment), at=T0 + 1)
    assert (counted(bench), counted(bench, "by-region", "north"), counted(bench, "by-region", "south")) == (1, 1, 0)


def test_a_rule_does_not_act_again_on_an_incident_that_was_dealt_with() -> None:
    """After the release neither an update that adds the segment nor a report of another source halts again; a new
    incident does."""
    bench, other = Bench(), Emitter("another/system", "p")
    bench.send(bench.emitter.incident(T0, incident="i-1", **DEATH), at=T0)
    assert bench.level == Level.HALT
    release(bench, T0 + 10)
    update = bench.emitter.incident_update(T0, "i-1", was=DEATH["severity"], segment="north", **DEATH)
    bench.send(update, other.incident(T0, incident="i-1", **DEATH), at=T0 + 20)
    assert bench.level == Level.NORMAL
    bench.send(other.incident(T0 + 5, incident="i-2", **DEATH), at=T0 + 30)
    assert bench.level == Level.HALT


def test_a_rule_acts_again_on_an_incident_that_became_graver() -> None:
    """An injury that was dealt with becomes a death: the rule on deaths halts, and one on severity alone acts on graver
    harm."""
    rules = (
        HardRule("death", "halt", harm=(Harm.DEATH,)),
        HardRule("serious", "halt", severity=(Severity.SERIOUS_INCIDENT,)),
    )
    for first, then in ((Harm.SERIOUS_INJURY, Harm.DEATH), (Harm.NONE, Harm.PROPERTY)):
        bench = Bench(hard_rules=rules)
        bench.send(bench.emitter.incident(T0, Severity.SERIOUS_INCIDENT, first, "i-1"), at=T0)
        release(bench, T0 + 10)
        grade: dict[str, Any] = {"was": Severity.SERIOUS_INCIDENT, "severity": Severity.SERIOUS_INCIDENT}
        bench.send(bench.emitter.incident_update(T0, "i-1", harm=first, **grade), at=T0 + 20)
        assert bench.level == Level.NORMAL
        bench.send(bench.emitter.incident_update(T0, "i-1", harm=then, **grade), at=T0 + 30)
        assert bench.level == Level.HALT


def test_a_repeat_of_a_halting_incident_is_on_record_once() -> None:
    """While the halt is in force, further reports of its cause add no records; another incident does."""
    bench, other = Bench(), Emitter("another/system", "p")
    reports = [emitter.incident(T0, incident="i-1", **DEATH) for emitter in (bench.emitter, other) for _ in range(3)]
    bench.send(*reports, at=T0)
    deaths = [d for d in bench.out.decisions if d.finding.rule == "death"]
    assert len(deaths) == 1
    bench.send(other.incident(T0, incident="i-2", **DEATH), at=T0 + 1)
    assert len([d for d in bench.out.decisions if d.finding.rule == "death"]) == 2


def test_the_memory_is_bounded_and_says_when_it_is_full() -> None:
    """The id reported longest ago is dropped, which is counted, and from then on an update counts by what it was."""
    bench = Bench(SERIOUS)
    emitter, grave = bench.emitter, {"severity": Severity.HAZARD, "harm": Harm.MINOR_INJURY}
    many = [emitter.incident(T0, incident=f"i-{n}", **grave) for n in range(INCIDENTS)]
    bench.send(*many, at=T0)
    assert "incident_forgotten" not in bench.out.uncounted
    extra = [emitter.incident(T0, incident=f"j-{n}", **grave) for n in range(9)]
    bench.send(*extra, at=T0 + 1)
    assert bench.out.uncounted["incident_forgotten"] == 9
    assert len(bench.machine.pilots["p"].incidents.known) == INCIDENTS
    bench.send(emitter.incident_update(T0, "i-0", was=DEATH["severity"], severity=DEATH["severity"]), at=T0 + 2)
    assert counted(bench, "serious") == 0
    bench.send(emitter.incident_update(T0, "i-1", was=Severity.HAZARD, severity=DEATH["severity"]), at=T0 + 3)
    assert counted(bench, "serious") == 1


def test_harmless_incidents_displace_no_other_and_hide_no_update() -> None:
    """After any number of near misses a dealt-with death halts no second time, and updates without a report count all
    the same."""
    bench = Bench(SERIOUS)
    emitter = bench.emitter
    bench.send(emitter.incident(T0, incident="i-1", **DEATH), at=T0)
    release(bench, T0 + 1)
    before = counted(bench, "serious")
    flood = [emitter.incident(T0, Severity.NEAR_MISS, incident=f"n-{n}") for n in range(INCIDENTS + 9)]
    bench.send(*flood, at=T0 + 2)
    assert bench.out.uncounted["incident_forgotten"] == 10
    bench.send(emitter.incident(T0, incident="i-1", **DEATH), at=T0 + 3)
    assert bench.level == Level.NORMAL
    grade: dict[str, Any] = {"was": Severity.SERIOUS_INCIDENT, "severity": Severity.SERIOUS_INCIDENT}
    bench.send(*(emitter.incident_update(T0, f"u-{n}", harm=Harm.NONE, **grade) for n in range(3)), at=T0 + 4)
    assert counted(bench, "serious") == before + 3


def test_the_memory_takes_no_more_bytes_than_stated() -> None:
    """18 bytes for each id, and it survives a snapshot."""
    bench = Bench()
    empty = len(snapshot(bench.machine.pilots["p"]))
    for n in range(0, INCIDENTS + 100, 50):
        bench.send(*(bench.emitter.incident(T0, incident=f"i-{n + i}") for i in range(50)), at=T0 + n)
    pilot = bench.machine.pilots["p"]
    assert len(msgspec.msgpack.encode(pilot.incidents)) <= INCIDENTS * 18 + 64
    assert len(snapshot(pilot)) - empty <= INCIDENTS * 18 + 2048  # one source is in it
    again, _ = restore(snapshot(pilot))
    assert again.incidents == pilot.incidents
    assert list(again.incidents.known) == list(pilot.incidents.known)  # the order in which ids are dropped


GRADE = st.tuples(st.sampled_from(Severity), st.sampled_from(Harm))
REPORT = st.tuples(st.integers(0, 3), GRADE, st.sampled_from(["", "north", "south", "west"]), st.integers(0, 1))


@settings(max_examples=60, deadline=None)
@given(reports=st.lists(REPORT, min_size=1, max_size=40), pack=st.integers(1, 40))
def test_every_incident_counts_at_most_once_in_every_indicator(reports: list[Any], pack: int) -> None:
    """Whatever is reported in whatever order: as many as there are distinct ids that ever had the grade, alone and
    packed."""
    results = []
    for fast_path in (False, True):
        bench = Bench(QUICK, SERIOUS, BY_REGION, hard_rules=())
        bench.machine.fast_path = fast_path
        emitters = bench.emitter, Emitter("another/system", "p")
        at, events = T0 + 1, list[Envelope]()
        for incident, (severity, harm), segment, source in reports:
            events.append(emitters[source].incident(at, severity, harm, f"i-{incident}", segment))
        for start in range(0, len(events), pack):
            value = b"[" + b",".join(encode(event) for event in events[start : start + pack]) + b"]"
            bench.machine.telemetry("telemetry", [Record(bench.machine.events, at, b"p", value)])
        results.append(snapshot(bench.machine.pilots["p"]))
    least = list(Severity).index(Severity.INCIDENT)
    graded = {i for i, (severity, _), _, _ in reports if list(Severity).index(severity) >= least}
    listed = {
        i for i, (s, _), segment, _ in reports if list(Severity).index(s) >= least and segment in ("north", "south")
    }
    serious = {i for i, (severity, _), _, _ in reports if severity is Severity.SERIOUS_INCIDENT}
    assert counted(bench) == len(graded)
    assert counted(bench, "serious") == len(serious)
    assert counted(bench, "by-region", "north") + counted(bench, "by-region", "south") == len(listed)
    assert results[0] == results[1]


@pytest.mark.parametrize("late", [False, True])
def test_an_incident_that_came_too_late_to_count_may_count_when_its_time_is_corrected(late: bool) -> None:
    """An id counts when it counted: a report of a time that is closed for good uses nothing up."""
    bench = Bench()
    for hour in range(8):
        bench.hour(hour)
        bench.send(bench.emitter.heartbeat(T0 + (hour + 1) * HOUR), at=T0 + (hour + 1) * HOUR)
    bench.time(T0 + 9 * HOUR)
    if late:
        bench.send(bench.emitter.incident(T0, incident="i-1"), at=T0 + 9 * HOUR + 1)
        assert not [e for e in bench.out.evidence if isinstance(e, Evidence) and e.late and not e.dropped]
    bench.send(bench.emitter.incident(T0 + 9 * HOUR, incident="i-1"), at=T0 + 9 * HOUR + 2)
    assert counted(bench) == 1
