"""The sums over onsets: plain numbers, continued as logarithms before they overflow, and back."""

from __future__ import annotations

import math

import pytest

from detectors import build
from detectors.base import Count, Design
from detectors.likelihood import count_line
from detectors.mixture import NOTHING, advance, flattened, log_value

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0)


def in_logs(stream: list[tuple[float, float]], ratios: tuple[float, ...]) -> float:
    """The same recursion, in logarithms throughout."""
    a = [NOTHING] * len(ratios)
    for k, x in stream:
        for i, r in enumerate(ratios):
            slope, cost = count_line(r, 1.0)
            top = max(a[i], 0.0)
            a[i] = slope * k + cost * x + top + math.log(math.exp(a[i] - top) + math.exp(-top))
    top = max(a)
    return top + math.log(sum(math.exp(v - top) for v in a) / len(a))


@pytest.mark.parametrize("ratios", [RATIOS, (1.25, 1.5, 2.0, 3.0), (*RATIOS, 7.0, 9.0, 11.0)], ids=["5", "4", "8"])
def test_sums_carry_on_beyond_what_a_float_holds_and_come_back(ratios: tuple[float, ...]) -> None:
    """A thousand-fold burst, then a long time without events: at every step equal to logarithms throughout."""
    stream = [(3.0, 2.0)] * 5 + [(900.0, 1.0)] * 4 + [(0.0, 30.0)] * 200
    lines, a, logs = flattened(count_line(r, 1.0) for r in ratios), [0.0] * len(ratios), False
    seen = []
    for t, (k, x) in enumerate(stream, 1):
        a, logs, _ = advance(a, logs, lines, k, x, [1 / len(ratios)] * len(ratios))
        seen.append(logs)
        if t < 12 or t % 40 == 0:
            assert log_value(a, logs, 0.0) == pytest.approx(in_logs(stream[:t], ratios), rel=1e-9, abs=1e-9)
    assert any(seen)
    assert not seen[-1]


def test_an_update_and_a_peek_give_the_same_bits() -> None:
    """`update` and `peek` give bit-equal results, also after overflow."""
    seen, peeked = (build("limit_e_process", Design(limit=1.0, alpha=0.01)) for _ in range(2))
    best = 0.0
    for k in (0.0, 3.0, 2.0, 7.0, 500.0, 500.0, 0.0, 1.0):
        glimpse = peeked.peek((Count(k=k, m=1.3),))  # type: ignore[attr-defined]
        peeked.update(Count(k=k, m=1.3))
        score = seen.update(Count(k=k, m=1.3))
        assert score is not None
        assert glimpse.statistic == max(best, score.statistic)
        best = score.statistic


def test_evidence_of_nothing_is_finite() -> None:
    """All sums underflown and no weight left: a very small number, not minus infinity."""
    assert log_value([0.0, 0.0], False, 0.0) == NOTHING
