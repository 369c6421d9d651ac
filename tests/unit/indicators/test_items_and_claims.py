"""Shares of items and claims of several kinds: what counts, what is late, and what reaches a limit."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from detectors.base import Count, Proportion
from monitor.charter.spec import DetectorSpec, ExposureSpec, IndicatorSpec
from monitor.compile.lint import lint
from monitor.compile.plan import plan_of
from monitor.indicators import INDICATORS, BadSpec
from monitor.indicators.base import Slot
from monitor.model.builders import Emitter
from monitor.model.records import Level, Reason
from tests.unit.engine.test_machine import HOUR, T0, Bench, charter

DAY = 24 * HOUR
HALT = (DetectorSpec("limit_e_process", "halt"),)
LABELLED = IndicatorSpec(
    name="labels", kind="item_share", period="1d", limit=0.95, direction="below", weight=0.5,
    params={"measure": "labelled"}, detectors=HALT,
)  # fmt: skip
HARMFUL = structs.replace(
    LABELLED, name="harm", limit=0.01, direction="above", params={"measure": "harmful"}, segments=("hate", "violence")
)
TAKEDOWN = IndicatorSpec(
    name="takedowns", kind="claim_over_promise", period="1d", limit=0.1, weight=0.5,
    params={"claim": "takedown", "promise": "2d"}, detectors=HALT,
)  # fmt: skip
RIGHTS = IndicatorSpec(
    name="rights", kind="claim_rate", period="1d", limit=2, per=1000, weight=0.5,
    exposure=ExposureSpec(unit="outputs", cap=10_000), params={"claim": "copyright"}, detectors=HALT,
)  # fmt: skip
EMIT = Emitter("svc/1", "p")


def slots(spec: IndicatorSpec, event: Any, received: int = T0) -> list[Slot]:
    it = INDICATORS[spec.kind](spec)
    return list(it.slots(event, received)) if isinstance(event, it.reads) else []


def test_a_share_of_items_counts_one_measure() -> None:
    """Marked of all that were looked at; another measure and an empty tally count nowhere."""
    assert slots(LABELLED, EMIT.items(T0, 97, 3)) == [Slot(T0, "", 97.0, 100.0)]
    assert slots(LABELLED, EMIT.items(T0, 97, 3, "harmful")) == []
    assert slots(LABELLED, EMIT.items(T0, 0, 0)) == []
    assert slots(LABELLED, EMIT.items(T0, 0, 5)) == [Slot(T0, "", 0.0, 5.0)]
    assert slots(HARMFUL, EMIT.items(T0, 1, 99, "harmful", "hate")) == [Slot(T0, "hate", 1.0, 100.0)]
    assert slots(HARMFUL, EMIT.items(T0, 1, 99, "harmful")) == []
    assert INDICATORS["item_share"](LABELLED).observes is Proportion


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (EMIT.claim(T0, "r"), (1.0, 1.0)),
        (EMIT.claim_closed(T0 + DAY, "r", filed=T0), (-1.0, 0.0)),
        (EMIT.claim_closed(T0 + 2 * DAY, "r", filed=T0), (-1.0, 0.0)),
        (EMIT.claim_closed(T0 + 2 * DAY + 1, "r", filed=T0), None),
        (EMIT.claim_closed(T0 + DAY, "r", filed=T0, withdrawn=True), (-1.0, -1.0)),
        (EMIT.claim_closed(T0 + 3 * DAY, "r", filed=T0, withdrawn=True), None),
        (EMIT.claim(T0, "r", "copyright"), None),
        (EMIT.claim_closed(T0 + DAY, "r", filed=T0, kind="copyright"), None),
    ],
)
def test_each_fate_of_a_claim(event: Any, expected: tuple[float, float] | None) -> None:
    """It is late from its filing on, until it is answered in time; a withdrawal in time removes it; all of it counts in
    the period in which it falls due."""
    wanted = [] if expected is None else [Slot(T0 + 2 * DAY, "", *expected)]
    assert slots(TAKEDOWN, event) == wanted


def test_claims_of_a_kind_are_counted_over_exposure() -> None:
    """A closing takes nothing back; the limit is per exposure."""
    assert slots(RIGHTS, EMIT.claim(T0, "r", "copyright")) == [Slot(T0, "", 1.0, 0.0)]
    assert slots(RIGHTS, EMIT.claim(T0, "r", "portrait")) == []
    several = structs.replace(RIGHTS, params={"claim": ["portrait", "copyright"]})
    assert slots(several, EMIT.claim(T0, "r", "portrait")) == [Slot(T0, "", 1.0, 0.0)]
    assert slots(several, EMIT.claim(T0, "r", "data")) == []
    assert slots(RIGHTS, EMIT.exposure(T0, 50.0, "outputs")) == [Slot(T0, "", 0.0, 50.0)]
    assert slots(RIGHTS, EMIT.claim_closed(T0, "r", filed=T0, kind="copyright")) == []
    it = INDICATORS["claim_rate"](RIGHTS)
    assert it.limit == 0.002
    assert it.observes is Count


@pytest.mark.parametrize("name", ["  ", "\u00a0"])
def test_a_label_of_blanks_is_refused(name: str) -> None:
    """It would select nothing."""
    with pytest.raises(BadSpec, match="selects nothing"):
        INDICATORS["item_share"](structs.replace(LABELLED, params={"measure": name}))


def halted(bench: Bench) -> str:
    """What halted the pilot, and on which indicator."""
    found = [d for d in bench.out.decisions if d.reason == Reason.LIMIT_EXCEEDED]
    return found[-1].finding.indicator if found and bench.level == Level.HALT else ""


def test_labels_below_their_least_share_halt_and_those_above_it_do_not() -> None:
    """Eighty per cent where ninety-five are asked for, and ninety-seven."""
    for marked, expected in ((80, "labels"), (97, "")):
        bench = Bench(LABELLED)
        for day in range(5):
            at = T0 + day * DAY + HOUR
            bench.send(bench.emitter.items(at, marked * 3, (100 - marked) * 3), at=at)
            bench.time(T0 + (day + 1) * DAY)
        assert halted(bench) == expected


def test_harmful_outputs_are_counted_by_category() -> None:
    """Five per cent of one category, where one is allowed in each."""
    bench = Bench(HARMFUL)
    for day in range(5):
        at = T0 + day * DAY + HOUR
        bench.send(
            bench.emitter.items(at, 15, 285, "harmful", "violence"),
            bench.emitter.items(at, 1, 299, "harmful", "hate"),
            at=at,
        )
        bench.time(T0 + (day + 1) * DAY)
    assert halted(bench) == "harm"
    last = [d for d in bench.out.decisions if d.reason == Reason.LIMIT_EXCEEDED][-1]
    assert last.finding.segment == "violence"


@pytest.mark.parametrize("closed_after", [None, HOUR, 3 * DAY])
def test_an_open_takedown_counts_as_late_from_the_day_it_is_due(closed_after: int | None) -> None:
    """What is never taken down, or too late, halts when it is due and not before; what is taken down in time does
    not."""
    bench = Bench(TAKEDOWN)
    for number in range(40):
        bench.send(bench.emitter.claim(T0 + number, f"r-{number}"), at=T0 + 100)
    if closed_after == HOUR:
        for number in range(40):
            closing = bench.emitter.claim_closed(T0 + HOUR, f"r-{number}", filed=T0 + number)
            bench.send(closing, at=T0 + HOUR)
    bench.time(T0 + 2 * DAY - HOUR)
    assert bench.level == Level.NORMAL
    bench.time(T0 + 4 * DAY)
    assert halted(bench) == ("" if closed_after == HOUR else "takedowns")


def test_claims_have_no_legal_deadline_of_complaints() -> None:
    """The promise of claims starts no clock of complaints, and that of complaints none for claims."""
    assert plan_of(charter(TAKEDOWN)).promised == ()
    complaint = structs.replace(TAKEDOWN, name="promises", kind="complaint_over_promise", params={"promise": "2d"})
    assert [w.name for w in plan_of(charter(TAKEDOWN, complaint)).promised] == ["promises"]


def test_a_claim_of_before_the_admission_counts_nowhere() -> None:
    """It was not counted as open, so its closing must not count either."""
    bench = Bench(TAKEDOWN)
    bench.send(bench.emitter.claim_closed(T0 + HOUR, "r", filed=T0 - HOUR), at=T0 + HOUR)
    assert not bench.machine.pilots["p"].streams["takedowns/"].open


def test_segments_can_be_compared() -> None:
    """Shares and rates of the new kinds are compared between groups by `disparity`, on a share of alpha; a claim that
    may be late as well."""
    compared = {"weight": 0.2, "limit": None, "detectors": (DetectorSpec("disparity", "escalate"),)}
    specs = [
        structs.replace(one, segments=("a", "b"), **compared)
        for one in (structs.replace(LABELLED, direction="above"), TAKEDOWN, RIGHTS)
    ]
    assert [one for one in lint(charter(*specs)) if one.severity == "error"] == []
    bench = Bench(structs.replace(LABELLED, segments=("a", "b"), direction="above", **compared))
    for day in range(10):
        at = T0 + day * DAY + HOUR
        bench.send(
            bench.emitter.exposure(at), bench.emitter.items(at, 30, 270, segment="a"),
            bench.emitter.items(at, 90, 210, segment="b"), bench.emitter.heartbeat(T0 + (day + 1) * DAY - 1), at=at,
        )  # fmt: skip
        bench.time(T0 + (day + 1) * DAY)
    assert Reason.LIMIT_EXCEEDED in bench.reasons()
