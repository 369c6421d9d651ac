"""Random hostile requests never make an HTTP server fail: a share of what `make fuzz` sends."""

from __future__ import annotations

from tests.security.goals import Goal
from tests.security.http_fuzz import fuzz
from tests.security.http_grammar import made
from tests.strength import examples

SEED = 20_260_101


def test_random_requests_meet_no_error_and_no_hang(goal: Goal) -> None:
    """No status of 500 or more, no hang, no unhandled exception in the log of ingress, board and pages."""
    print(f"seed {SEED}")
    report = fuzz(range(examples(3_000, 100_000)), SEED)
    assert not report.failed, report.failed
    goal("http_fuzz_failed", len(report.failed), 0, note=f"{report.sent} requests")
    assert len(report.statuses) > 6


def test_a_request_of_a_seed_is_always_the_same() -> None:
    """A failure can be repeated from its seed and number."""
    assert [made(1, number) for number in range(50)] == [made(1, number) for number in range(50)]
    assert {made(seed, 7).raw for seed in range(20)} != {made(1, 7).raw}
