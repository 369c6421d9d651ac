"""Segments, units and currencies: one form on both sides, and what falls nowhere is said, one rule a test."""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.charter.control import Override
from monitor.charter.spec import Charter, DetectorSpec, ExposureSpec, IndicatorSpec, Users
from monitor.compile.lint import lint
from monitor.compile.plan import plan_of
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Harm, encode
from monitor.model.labels import tidy
from monitor.model.records import Level, Reason, Record
from monitor.state.snapshots import restore, snapshot
from monitor.state.uncounted import REPORTED_LABELS
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, charter, rejected

QUICK = (DetectorSpec("cusum", "watch"),)
NFC, NFD = "Zürich", unicodedata.normalize("NFD", "Zürich")
SHARE = IndicatorSpec(
    name="fpr",
    kind="false_positive_rate",
    period="1h",
    limit=0.2,
    weight=1,
    segments=(NFC, "north"),
    detectors=(DetectorSpec("limit_e_process", "halt"),),
)
MILES = msgspec.structs.replace(RATE, weight=0, detectors=QUICK, exposure=ExposureSpec(unit="miles"))
LABELS = IndicatorSpec(
    name="labels", kind="item_share", period="1h", params={"measure": "labelled"}, segments=("hate",), detectors=()
)
TAKEDOWNS = IndicatorSpec(
    name="takedowns", kind="claim_over_promise", period="1h", params={"claim": "takedown", "promise": "1d"},
    detectors=(),
)  # fmt: skip
COST = IndicatorSpec(name="cost", kind="compliance_cost", period="1h", params={"currency": "EUR"}, detectors=())


def said(bench: Bench) -> list[str]:
    """What is on record of telemetry that counts nowhere."""
    return [d.finding.detail for d in bench.out.decisions if d.reason == Reason.COUNTED_NOWHERE]


@pytest.mark.parametrize("listed", [NFC, NFD])
@pytest.mark.parametrize("sent", [NFC, NFD, f" {NFC}", f"{NFD}\t ", f"{NFC}\u00a0"])
@pytest.mark.parametrize("pack", [1, 40])
def test_a_segment_in_another_unicode_form_or_with_blanks_is_the_same(listed: str, sent: str, pack: int) -> None:
    """Whichever side writes it how, alone and packed: ninety per cent where twenty are allowed halts."""
    bench = Bench(msgspec.structs.replace(SHARE, segments=(listed,)))
    events = [bench.emitter.outcomes(T0 + 1000 + n, tp=1, fp=90, tn=10, fn=1, segment=sent) for n in range(40)]
    send_packed(bench, events, pack, T0 + 2000)
    bench.time(T0 + HOUR + 1)
    assert bench.level == Level.HALT
    assert said(bench) == []


def send_packed(bench: Bench, events: list[Envelope], pack: int, at: int) -> None:
    for start in range(0, len(events), pack):
        value = b"[" + b",".join(encode(event) for event in events[start : start + pack]) + b"]"
        bench._keep(bench.machine.telemetry("telemetry", [Record(bench._telemetry, at, b"p", value)]))
        bench._telemetry += 1


@pytest.mark.parametrize(
    ("event", "field", "names"),
    [
        (lambda e: e.outcomes(T0, segment="zürich"), "segment", "'zürich' counts nowhere; did you mean 'Zürich'?"),
        (lambda e: e.outcomes(T0, segment="nroth"), "segment", "'nroth' counts nowhere; did you mean 'north'?"),
        (
            lambda e: e.outcomes(T0, segment="no\u200brth"),
            "segment",
            "'no\\u200brth' counts nowhere; did you mean 'north'",
        ),
        (
            lambda e: e.outcomes(T0, segment="a\nb"),
            "segment",
            "'a\\nb' counts nowhere; the charter knows 'Zürich', 'north'",
        ),
        (lambda e: e.outcomes(T0), "segment", "'' counts nowhere; the charter knows 'Zürich', 'north'"),
        (lambda e: e.exposure(T0, unit="Decisions"), "unit", "'Decisions' counts nowhere; did you mean 'decisions'?"),
        (
            lambda e: e.exposure(T0, unit="hours"),
            "unit",
            "'hours' counts nowhere; the charter knows 'decisions', 'miles'",
        ),
        (lambda e: e.items(T0, measure="labeled"), "measure", "'labeled' counts nowhere; did you mean 'labelled'?"),
        (lambda e: e.items(T0, segment="x"), "segment", "'x' counts nowhere; the charter knows 'hate'"),
        (lambda e: e.claim(T0, kind="portrait"), "kind", "'portrait' counts nowhere; the charter knows 'takedown'"),
        (lambda e: e.claim_closed(T0, "r", T0, "Takedown"), "kind", "'Takedown' counts nowhere; did you mean 'take"),
        (lambda e: e.cost(T0, currency="USD"), "currency", "'USD' counts nowhere; the charter knows 'EUR'"),
    ],
)
def test_what_counts_nowhere_is_named_with_what_was_probably_meant(event: Any, field: str, names: str) -> None:
    """Field, value and the nearest known value are on record, the pilot is watched, and the event is counted by
    kind."""
    bench = Bench(RATE_0, SHARE, msgspec.structs.replace(MILES, name="by-mile"), COST, LABELS, TAKEDOWNS)
    bench.send(event(bench.emitter), at=T0 + 1)
    (detail,) = said(bench)
    assert detail.startswith(f"data.{field} {names}")
    assert bench.level == Level.WATCH
    assert bench.out.uncounted == {field: 1}


RATE_0 = msgspec.structs.replace(RATE, weight=0, detectors=QUICK)


def test_what_the_charter_does_not_select_by_counts() -> None:
    """Segments where none is listed, an indicator without segments besides, users under a cap, events that no indicator
    for."""
    catch_all = msgspec.structs.replace(SHARE, name="all", segments=(), weight=0, detectors=QUICK)
    bench = Bench(RATE_0, SHARE, catch_all, users=Users(cap=100))
    e = bench.emitter
    bench.send(
        e.exposure(T0, segment="south"), e.incident(T0, segment="south"), e.outcomes(T0, segment="south"), at=T0 + 1
    )
    bench.send(e.exposure(T0, 5.0, unit="users"), e.cost(T0, currency="USD"), e.gain(T0), e.heartbeat(T0), at=T0 + 2)
    bench.send(e.complaint(T0, segment="x"), at=T0 + 3)
    assert bench.reasons() == [Reason.ADMITTED]
    assert not bench.out.uncounted


def test_a_segment_that_differs_in_case_alone_is_said_even_if_it_counts_elsewhere() -> None:
    """The listed segment that was meant is the one with a separate limit."""
    catch_all = msgspec.structs.replace(SHARE, name="all", segments=(), weight=0, detectors=QUICK)
    bench = Bench(SHARE, catch_all)
    bench.send(bench.emitter.outcomes(T0, segment="NORTH"), at=T0 + 1)
    (detail,) = said(bench)
    assert "does not count in the segment that it resembles; did you mean 'north'?" in detail


@pytest.mark.parametrize("pack", [1, 50])
def test_each_value_is_said_once_and_stays_a_finding_for_as_long_as_it_comes(pack: int) -> None:
    """A thousand events of one value are one record; a second value is one more; quiet periods clear it, its return is
    said."""
    bench = Bench(SHARE)
    for hour in range(5):
        events: list[Envelope] = [bench.emitter.outcomes(T0 + hour * HOUR + n, segment="south") for n in range(200)]
        send_packed(bench, events, pack, T0 + hour * HOUR + 500)
        bench.time(T0 + hour * HOUR + 1000)
    assert len(said(bench)) == 1
    assert bench.out.uncounted == {"segment": 1000}
    assert (bench.machine.drain_uncounted(), bench.machine.drain_uncounted()) == ({"segment": 1000}, {})
    bench.send(bench.emitter.outcomes(T0 + 4 * HOUR, segment="east"), at=T0 + 4 * HOUR + 2000)
    assert len(said(bench)) == 2
    assert bench.level == Level.WATCH
    bench.time(T0 + 7 * HOUR + 1)
    assert bench.level == Level.NORMAL
    bench.send(bench.emitter.outcomes(T0 + 7 * HOUR, segment="south"), at=T0 + 7 * HOUR + 2)
    assert (len(said(bench)), bench.level) == (3, Level.WATCH)


def test_a_firm_that_invents_labels_fills_no_memory_and_no_ledger() -> None:
    """So many values are named, the last with the remark that further ones are only counted."""
    bench = Bench(SHARE)
    empty = len(snapshot(bench.machine.pilots["p"]))
    events: list[Envelope] = [bench.emitter.outcomes(T0 + n, segment=f"{n:0>200}") for n in range(500)]
    send_packed(bench, events, 100, T0 + 1000)
    assert len(said(bench)) == REPORTED_LABELS
    assert ["only counted" in detail for detail in said(bench)] == [False] * (REPORTED_LABELS - 1) + [True]
    assert bench.out.uncounted == {"segment": 500}
    assert max(map(len, said(bench))) < 200
    pilot = bench.machine.pilots["p"]
    assert len(snapshot(pilot)) - empty < 10 * REPORTED_LABELS + 1500
    assert restore(snapshot(pilot))[0].uncounted == pilot.uncounted


def test_no_label_hides_a_harm() -> None:
    """A death in an unknown segment, with a line break in it, halts all the same."""
    bench = Bench(msgspec.structs.replace(RATE_0, segments=("north",)))
    bench.send(bench.emitter.incident(T0, harm=Harm.DEATH, segment="x\ny"), at=T0 + 1)
    assert bench.level == Level.HALT
    assert len(said(bench)) == 1


def test_a_lowered_finding_is_said_again_with_the_next_event() -> None:
    """A regulator's act ends a finding, not the fault."""
    bench = Bench(SHARE)
    bench.send(bench.emitter.outcomes(T0, segment="south"), at=T0 + 1)
    bench.act(Override(id="o", pilot="p", author="anna", level="normal", reason="r"), T0 + 2)
    events: list[Envelope] = [bench.emitter.outcomes(T0 + n, segment="south") for n in range(40)]
    send_packed(bench, events, 40, T0 + 3)
    assert (bench.level, len(said(bench))) == (Level.WATCH, 2)


@pytest.mark.parametrize(("first", "then"), [(40, 1), (1, 40)])
def test_a_repeat_of_an_event_is_one_however_it_is_spelt_and_packed(first: int, then: int) -> None:
    """What an event is recognised by are its own bytes, not the form in which its labels are compared."""
    bench = Bench(SHARE)
    events: list[Envelope] = [bench.emitter.outcomes(T0 + n, segment=f"{NFD} ") for n in range(40)]
    for pack, at in ((first, 1000), (then, 2000)):
        send_packed(bench, events, pack, T0 + at)
    assert bench.reasons() == [Reason.ADMITTED]
    assert not bench.out.rejected


LABEL = st.sampled_from(["north", "north ", NFC, NFD, "Zürich ", "NORTH", "south", "", "x\ny", "no\u200brth"])


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.tuples(LABEL, st.sampled_from(["decisions", "Decisions", " miles"])), min_size=1, max_size=60),
    pack=st.integers(1, 60),
)
def test_labels_mean_the_same_one_by_one_and_packed(labels: list[tuple[str, str]], pack: int) -> None:
    """The same state, the same records, the same counts, however events are packed; each counts in the segment it
    names."""
    results: list[Any] = []
    for fast_path in (False, True):
        bench, desk = Bench(RATE_0, MILES_BY_REGION, SHARE), Emitter("desk", "p")
        bench.machine.fast_path = fast_path
        events: list[Envelope] = []
        for n, (segment, unit) in enumerate(labels):
            events.append(bench.emitter.outcomes(T0 + n, segment=segment))
            events.append(bench.emitter.exposure(T0 + n, 1.0, unit=unit, segment=segment))
            events.append(desk.incident(T0 + n, incident=f"i-{n}", segment=segment))
        send_packed(bench, events, pack, T0 + 1000)
        results.append((snapshot(bench.machine.pilots["p"]), bench.out))
    assert results[0] == results[1]
    streams = bench.machine.pilots["p"].streams
    for segment in (NFC, "north"):
        found = sum(opened.m for opened in streams[f"fpr/{segment}"].open.values())
        assert found == sum(55 for other, _ in labels if tidy(other) == segment)


MILES_BY_REGION = msgspec.structs.replace(MILES, name="by-mile", segments=(NFC, "north"))


# Charters
# ----------------------------------------------------------------------------------------------------------------


def linted(*indicators: IndicatorSpec) -> list[tuple[str, str]]:
    return [(p.severity, p.field) for p in lint(charter(*indicators)) if "segments" in p.field or "unit" in p.field]


def test_segments_that_cannot_be_told_apart_are_an_error_and_case_twins_a_warning() -> None:
    """Of two that are the same once compared, the second would never count."""
    catch_all = msgspec.structs.replace(SHARE, name="all", segments=(), weight=0)
    assert linted(catch_all, msgspec.structs.replace(SHARE, segments=(NFC, NFD))) == [
        ("error", "indicators[1].segments[1]")
    ]
    assert linted(catch_all, msgspec.structs.replace(SHARE, segments=("North", "north"))) == [
        ("warning", "indicators[1].segments[1]")
    ]
    assert linted(catch_all, SHARE) == []


def test_units_that_differ_in_case_are_a_warning() -> None:
    """Two indicators that mean one unit must spell it alike."""
    other = msgspec.structs.replace(MILES, name="by-mile", exposure=ExposureSpec(unit="Decisions"))
    assert linted(RATE, other) == [("warning", "indicators[1].exposure.unit")]


def test_the_limit_of_a_gain_is_a_share() -> None:
    """Twenty is two thousand per cent."""
    gain = IndicatorSpec(
        name="gain", kind="efficiency_gain", limit=20, detectors=(DetectorSpec("gauge_limit", "watch"),)
    )
    assert [p.field for p in lint(charter(RATE, gain)) if "share" in p.fix] == ["indicators[1].limit"]


@pytest.mark.parametrize("share", [20.0, 1.01, -10.5])
def test_a_gain_in_per_cent_is_rejected_with_the_fix(share: float) -> None:
    """No event saves more than all effort, so 20 must have been meant as 20 %."""
    bench = Bench()
    bench.send(bench.emitter.gain(T0, share), at=T0 + 1)
    assert rejected(bench.out) == [("data.share", "out_of_range")]
    assert "0.2 for 20 %" in bench.out.rejected[0].detail


def test_a_charter_with_twins_from_before_still_runs() -> None:
    """What was admitted once is read for ever: the first spelling counts."""
    old: Charter = charter(msgspec.structs.replace(SHARE, segments=(NFC, NFD)))
    assert plan_of(old).indicators[0].keys == {NFC: f"fpr/{NFC}"}


def test_long_lists_of_long_labels_are_not_searched() -> None:
    """A firm that invents labels slows down nothing: the nearest known one is looked for only where that takes
    milliseconds."""
    names = tuple(f"{n:04d}{'abcdefghij' * 9}" for n in range(60))
    bench = Bench(msgspec.structs.replace(RATE_0, segments=names))
    bench.send(bench.emitter.incident(T0, segment=f"9999{'abcdefghij' * 9}"), at=T0 + 1)
    assert "the charter knows '0000abc" in said(bench)[0]
