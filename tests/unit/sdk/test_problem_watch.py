"""What a firm is told of telemetry without effect: each mistake once, without delaying the service."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from monitor.model.notice import Notice, Rejection
from monitor.sdk import Pilot, TelemetryProblem
from monitor.sdk.problem_watch import AGAIN_S, KNOWN, WAITING, ProblemHooks, ProblemWatch
from monitor.testing.memory_link import MemoryLink
from monitor.testing.wait import Until

until = Until(10.0, every=0.005)
MILES = Rejection(5, "data.unit", "counted_nowhere", "data.unit 'miles' counts nowhere; the charter knows 'km'")


def notice(rejected: int, uncounted: int = 0) -> Notice:
    newest = [Rejection(3, "time", "time_in_future", "set the clock")] * bool(rejected) + [MILES] * bool(uncounted)
    return Notice(
        rejected={"time_in_future": rejected} if rejected else {},
        uncounted={"counted_nowhere": uncounted} if uncounted else {},
        newest=tuple(newest),
    )


def test_each_problem_is_told_once_and_again_after_an_hour_if_it_still_occurs() -> None:
    """Counts that rise within the hour, or that do not rise, tell nothing."""
    now = 0.0
    watch = ProblemWatch(None, lambda: now)
    told = []
    for at, rejected in ((0.0, 1), (10.0, 5), (AGAIN_S - 1, 6), (AGAIN_S + 1, 6), (AGAIN_S + 2, 7)):
        now = at
        told.append([(one.reason, one.events) for one in watch.fresh(notice(rejected))])
    assert told == [[("time_in_future", 1)], [], [], [], [("time_in_future", 7)]]


def test_what_was_known_before_the_start_is_not_repeated() -> None:
    """A restarted service hears of new events only; a readmission, which sets the counts back, hides nothing."""
    watch = ProblemWatch(notice(3), lambda: 0.0)
    assert watch.fresh(notice(3)) == []
    (problem,) = watch.fresh(notice(3, uncounted=2))
    assert (problem.kind, problem.field, problem.events) == ("counts_nowhere", "data.unit", 2)
    assert "charter knows 'km'" in problem.detail
    assert watch.fresh(Notice()) == []
    assert [one.events for one in watch.fresh(notice(1))] == [1]


def test_what_is_remembered_is_bounded() -> None:
    """However many different mistakes a firm makes."""
    watch = ProblemWatch(None, lambda: 0.0)
    for n in range(2 * KNOWN):
        newest = (Rejection(n, f"data.{n}", "wrong_type", "write a number"),)
        assert len(watch.fresh(Notice(rejected={"wrong_type": n + 1}, newest=newest))) == 1
    assert len(watch._told) == KNOWN


def test_a_callback_that_blocks_or_fails_delays_and_ends_nothing() -> None:
    """Handing problems over never blocks; the oldest of too many are dropped, and later ones still arrive."""
    hooks, gate, seen = ProblemHooks("p"), threading.Event(), []

    def slow(problem: TelemetryProblem) -> None:
        gate.wait(30)
        seen.append(problem.events)
        raise RuntimeError("a fault of the firm's code")

    hooks.add(slow)
    hooks.tell([TelemetryProblem(kind="rejected", reason="bad_time", events=n) for n in range(10 * WAITING)])
    assert not seen
    gate.set()
    until(lambda: 10 * WAITING - 1 in seen)
    assert len(seen) <= WAITING + 1
    hooks.stop()


@pytest.mark.parametrize("permits", ["off", "required"])
def test_a_firm_hears_of_rejected_telemetry_and_of_telemetry_that_counts_nowhere(tmp_path: Path, permits: str) -> None:
    """The callback and the status name reason, field and fix; a callback that is added later hears of it too."""
    link = MemoryLink(lease_ms=60_000, notice=notice(2, uncounted=1))
    more: dict[str, Any] = {"permits": permits, "heartbeat_s": 0.05, "pack_ms": 0}
    with Pilot("p-1", participant="firm", to=link, spool_dir=tmp_path, **more) as pilot:
        until(lambda: pilot.status().notice is not None)
        heard: list[TelemetryProblem] = []
        pilot.on_rejected(heard.append)
        until(lambda: len(heard) == 2)
        assert {one.reason for one in heard} == {"time_in_future", "counted_nowhere"}
        newest, older = pilot.status().problems
        assert (newest.field, older.field) == ("data.unit", "time")
        assert "Set the clock" in older.fix
        assert "a label that the charter knows" in newest.fix
    with (
        Pilot("p-2", participant="firm", to=link, spool_dir=tmp_path, follow=False) as silent,
        pytest.raises(ValueError, match="follow=False"),
    ):
        silent.on_rejected(print)
