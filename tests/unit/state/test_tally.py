"""Totals of a stream: what counts, and that skipped periods count as if they had been closed one by one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.base import Count, Gauge, Proportion
from monitor.state.tally import Tally
from tests.strength import examples


@settings(max_examples=examples(60, 600), deadline=None)
@given(st.floats(0, 1e6), st.booleans(), st.integers(0, 300), st.integers(0, 20), st.floats(0, 1e6), st.integers(0, 20))
def test_skipped_periods_count_as_if_closed_one_by_one(
    m: float, partial: bool, count: int, index: int, before: float, first: int
) -> None:
    """Bit by bit, also for exposures that are no whole numbers, and for periods before the first."""
    fast, slow = Tally(first, m=before), Tally(first, m=before)
    fast.add_empty(index, Count(0.0, m), partial, count)
    for number in range(index, index + count):
        slow.add(number, Count(0.0, m), partial)
    assert fast == slow


def test_an_incomplete_period_counts_with_its_events_and_without_its_exposure() -> None:
    """So an upper bound of the rate is never too low."""
    tally = Tally(10)
    tally.add(10, Count(2.0, 50.0), partial=False)
    tally.add(11, Count(3.0, 99.0), partial=True)
    tally.add_late(10, 4.0)
    assert tally == Tally(10, 1, 1, 2.0, 50.0, 7.0)


def test_what_was_before_the_first_period_does_not_count() -> None:
    """The old statistics have looked at it."""
    tally = Tally(10)
    tally.add(9, Proportion(2.0, 50.0), partial=False)
    tally.add_late(9, 4.0)
    assert tally == Tally(10)


def test_a_value_counts_as_a_period_only() -> None:
    """It has no likelihood."""
    tally = Tally(0)
    tally.add(0, Gauge(5.0), partial=False)
    assert tally == Tally(0, 1)
