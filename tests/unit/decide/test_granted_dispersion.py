"""A limit whose counts vary more than the charter grants escalates at most, until a person decides."""

from __future__ import annotations

import msgspec

from monitor.charter.control import Acceptance, Amendment, Override
from monitor.charter.spec import DetectorSpec
from monitor.model.events import Harm
from monitor.model.records import Level, Reason
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import HOUR, RATE, T0, Bench, charter

CLUSTERED = [0, 12, 1, 9, 0, 14, 2, 11, 0, 10, 3]
LONG = 12
CHECKED = msgspec.structs.replace(
    RATE, limit=20, weight=0.5, detectors=(DetectorSpec("limit_e_process", "halt", {"check_dispersion": True}),)
)
PLAIN = msgspec.structs.replace(CHECKED, name="others", detectors=(DetectorSpec("limit_e_process", "halt"),))
KEY = "incidents//limit_e_process"


def feed(bench: Bench, first: int, incidents: list[int]) -> int:
    """Close these periods; returns the index of the next one."""
    for hour, count in enumerate(incidents, first):
        bench.hour(hour, incidents=count)
    bench.time(T0 + (first + len(incidents)) * HOUR + HOUR // 2 + 1)
    return first + len(incidents)


def found() -> tuple[Bench, int]:
    """A pilot within its limit whose dispersion was found exceeded, and its next period."""
    bench = Bench(CHECKED)
    return bench, feed(bench, 0, CLUSTERED * LONG)


def active(bench: Bench) -> dict[str, Level]:
    return {key: a.level for key, a in bench.machine.pilots["p"].standing.active.items()}


def test_dispersion_above_the_granted_one_is_a_watch_once() -> None:
    bench, _ = found()
    said = [d for d in bench.out.decisions if d.reason is Reason.DISPERSION_EXCEEDED]
    assert [(d.level, d.finding_key, d.finding.expected) for d in said] == [(Level.WATCH, f"{KEY}/dispersion", 1.0)]


def test_counts_within_the_grant_are_no_finding() -> None:
    bench = Bench(CHECKED)
    feed(bench, 0, [4, 6, 5, 3, 7, 5, 4, 6] * 12)
    assert Reason.DISPERSION_EXCEEDED not in bench.reasons()


def test_the_limit_then_escalates_at_most_also_on_open_periods() -> None:
    """The same excess halts without the finding. The decision says why it did not halt."""
    bench, at = found()
    feed(bench, at, [90] * 3)
    assert bench.level == Level.ESCALATE
    crossed = [d for d in bench.out.decisions if d.reason is Reason.LIMIT_EXCEEDED]
    assert [d.level for d in crossed] == [Level.ESCALATE]
    assert "escalates at most" in crossed[0].finding.detail
    other = Bench(msgspec.structs.replace(CHECKED, detectors=PLAIN.detectors))
    assert feed(other, feed(other, 0, CLUSTERED * LONG), [90] * 3)
    assert other.level == Level.HALT


def test_hard_rules_and_other_limits_halt_all_the_same() -> None:
    bench, at = found()
    bench.send(bench.emitter.incident(T0 + at * HOUR, harm=Harm.DEATH), at=T0 + at * HOUR)
    assert bench.level == Level.HALT
    two = Bench(CHECKED, PLAIN)
    feed(two, feed(two, 0, CLUSTERED * LONG), [90] * 3)
    assert (active(two)[KEY], active(two)["others//limit_e_process"]) == (Level.ESCALATE, Level.HALT)


def test_an_accepted_dispersion_lets_the_limit_halt_on_the_evidence_it_has() -> None:
    """The act ends the finding at once; the next period halts."""
    bench, at = found()
    at = feed(bench, at, [90] * 3)
    act = Acceptance(id="ok", pilot="p", author="anna", indicator="incidents", reason="seen", dispersion=True)
    bench.act(act, T0 + at * HOUR + 2)
    assert f"{KEY}/dispersion" not in active(bench)
    assert Reason.LEVEL_ACCEPTED in bench.reasons()
    feed(bench, at, [90])
    assert bench.level == Level.HALT


def test_an_amended_grant_ends_the_finding_and_restarts_the_evidence() -> None:
    """What was counted under a refuted assumption is no evidence, so the amendment itself halts no pilot."""
    bench, at = found()
    at = feed(bench, at, [90] * 3)
    amended = msgspec.structs.replace(CHECKED, variance_mean=8.0)
    bench.act(Amendment(id="am", pilot="p", author="anna", charter=charter(amended, version=2)), T0 + at * HOUR + 2)
    assert f"{KEY}/dispersion" not in active(bench)
    at = feed(bench, at, CLUSTERED)
    assert bench.level < Level.HALT
    feed(bench, at, [90] * 6)
    assert bench.level == Level.HALT


def test_a_lowered_level_restarts_the_check() -> None:
    """Who lowers the level below the finding has decided; the check reports again if it finds the same again."""
    bench, at = found()
    bench.act(Override(id="o", pilot="p", author="anna", level="normal", reason="seen"), T0 + at * HOUR + 2)
    feed(bench, at, CLUSTERED * LONG)
    assert bench.reasons().count(Reason.DISPERSION_EXCEEDED) == 2


def test_there_is_nothing_to_accept_without_the_finding() -> None:
    bench = Bench(CHECKED)
    act = Acceptance(id="ok", pilot="p", author="anna", indicator="incidents", reason="seen", dispersion=True)
    out = bench.act(act, T0 + 1)
    assert [(r.field, r.detail) for r in out.rejected] == [
        ("dispersion", "not_active: no limit of incidents was found to vary more than the charter grants")
    ]


def test_a_snapshot_has_the_finding_and_its_check() -> None:
    bench, _ = found()
    pilot = bench.machine.pilots["p"]
    again, _ = restore(snapshot(pilot))
    assert snapshot(again) == snapshot(pilot)
    assert f"{KEY}/dispersion" in again.standing.active
