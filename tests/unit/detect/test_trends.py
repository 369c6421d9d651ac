"""Trend reports of non-serious incidents: one record for each window, by the charter's method, and a report from the
ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from msgspec import structs

from detectors.trend import rise
from monitor.__main__ import cli
from monitor.charter.control import Amendment
from monitor.charter.spec import DetectorSpec, ExposureSpec, IndicatorSpec, TrendSpec, charter_hash
from monitor.compile.lint import lint
from monitor.model.events import Severity
from monitor.model.records import Decision, Level, Reason
from monitor.notary.notary import Notary
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, charter

DAY = 24 * HOUR
NEAR = IndicatorSpec(
    name="near-misses", kind="incident_rate", period="1d", limit=1000, per=1000,
    params={"severity": "near_miss", "most": "incident"}, exposure=ExposureSpec(unit="decisions", complete="on_close"),
    detectors=(DetectorSpec("cusum", "watch"),),
)  # fmt: skip
TREND = TrendSpec("near-misses", "2d", events=10.0, exposure=10_000.0, significance=0.01)
FIRST = T0 - T0 % DAY


def bench(*trends: TrendSpec, **changes: Any) -> Bench:
    return Bench(NEAR, trends=trends or (TREND,), tier="limited", **changes)


def day(b: Bench, number: int, incidents: int, severity: Severity = Severity.NEAR_MISS) -> None:
    at = FIRST + number * DAY + HOUR
    sent = (b.emitter.incident(at, severity=severity) for _ in range(incidents))
    b.send(*sent, b.emitter.exposure(at, 1000.0), at=at)


def windows(b: Bench) -> list[Decision]:
    return [d for d in b.out.decisions if d.reason in (Reason.TREND_RISING, Reason.TREND_STEADY)]


def test_each_window_is_a_record_and_a_significant_rise_watches() -> None:
    """Counts, exposure, expectation and p-value are those of the test; a later window without a rise clears it."""
    b = bench()
    numbers = [0, 2, 1, 6, 9, 8, 1, 1, 2]
    for number, incidents in enumerate(numbers):
        day(b, number, incidents)
    b.time(FIRST + 12 * DAY)
    found = windows(b)
    days = [sum(numbers[i] for i in pair if i < len(numbers)) for pair in _pairs(len(numbers))]
    assert [d.finding.observed for d in found] == days
    for decision in found:
        assert decision.finding.observed is not None
        assert decision.finding.exposure is not None
        expected = rise(decision.finding.observed, decision.finding.exposure, 10.0, 10_000.0)
        assert decision.finding.content
        assert decision.finding.content["p_value"] == float(f"{expected.p_value:.4g}")
        assert (decision.reason is Reason.TREND_RISING) == (expected.p_value <= 0.01)
    rising = [d.reason for d in found].index(Reason.TREND_RISING)
    assert (found[rising].finding_key, found[rising].finding_level) == ("trend/near-misses", Level.WATCH)
    assert "trend/near-misses" not in b.machine.pilots["p"].standing.active
    assert Reason.CLEARED in b.reasons()


def _pairs(count: int) -> list[tuple[int, int]]:
    """The days of each window of two days, from the day of the admission on."""
    shift = (FIRST // DAY) % 2
    pairs = [(start, start + 1) for start in range(-shift, count, 2)]
    return [(max(a, 0), b) if a >= 0 else (b, b + 10**6) for a, b in pairs]


def test_serious_incidents_are_not_part_of_it() -> None:
    """They have rules and deadlines; a report of non-serious ones counts none of them."""
    b = bench()
    day(b, 0, 30, Severity.SERIOUS_INCIDENT)
    for number in range(1, 5):
        day(b, number, 0)
    b.time(FIRST + 6 * DAY)
    assert {d.finding.observed for d in windows(b)} == {0.0}


def test_a_window_goes_on_over_a_restart_and_ends_at_an_amendment_that_drops_it() -> None:
    """The open window is in the snapshot; a trend that is no longer declared is forgotten."""
    b, plain = bench(), bench()
    for number in range(4):
        for one in (b, plain):
            day(one, number, 5)
        b.machine.restore({"p": snapshot(b.machine.pilots["p"])})
    for one in (b, plain):
        one.time(FIRST + 6 * DAY)
    assert [d.finding for d in windows(b)] == [d.finding for d in windows(plain)]
    new = structs.replace(b.machine.pilots["p"].charter, trends=(), version=2)
    b.act(Amendment(id="a", pilot="p", author="anna", charter=new), FIRST + 6 * DAY)
    assert restore(snapshot(b.machine.pilots["p"]))[0].running.trends == {}


def test_windows_without_telemetry_are_no_evidence() -> None:
    """Nothing was observed, so nothing is recorded, however long."""
    b = bench()
    b.time(FIRST + 400 * DAY)
    assert windows(b) == []


def test_what_a_charter_may_declare() -> None:
    """An indicator of non-serious incidents, once, with a window of whole periods from a day to a year."""
    good = charter(NEAR, RATE, trends=(TREND,))
    assert [p for p in lint(good) if p.field.startswith("trends")] == []
    for trends, field in (
        ((structs.replace(TREND, indicator="none"),), "trends[0].indicator"),
        ((structs.replace(TREND, indicator="incidents"),), "trends[0].indicator"),
        ((TREND, TREND), "trends[1].indicator"),
        ((structs.replace(TREND, window="36h"),), "trends[0].window"),
        ((structs.replace(TREND, window="2h"),), "trends[0].window"),
        ((structs.replace(TREND, window="400d"),), "trends[0].window"),
    ):
        assert field in {p.field for p in lint(charter(NEAR, RATE, trends=trends)) if p.severity == "error"}
    assert charter_hash(charter(NEAR)) == charter_hash(charter(NEAR, trends=()))


def test_the_report_is_read_from_the_ledger(tmp_path: Path) -> None:
    """One line for each window with its entry; the exit code says whether one rose."""
    b = bench()
    for number, incidents in enumerate((0, 0, 9, 9, 0, 0)):
        day(b, number, incidents)
    b.time(FIRST + 9 * DAY)
    notary = Notary(tmp_path / "ledger")
    notary.record(b.out.decisions)
    (file,) = (tmp_path / "ledger").glob("*.ledger")
    result = CliRunner().invoke(cli, ["trend", str(file), "--json"])
    assert result.exit_code == 5, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["events"] for row in rows] == [d.finding.observed for d in windows(b)]
    assert any(row["rising"] for row in rows)
    text = CliRunner().invoke(cli, ["trend", str(file), "--indicator", "near-misses"])
    assert "RISING" in text.stdout
    none = CliRunner().invoke(cli, ["trend", str(file), "--indicator", "other"])
    assert (none.exit_code, none.stdout) == (1, "")
