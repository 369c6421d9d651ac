"""A standby goes by the journals of the owners."""

from __future__ import annotations

from monitor.kafka.standby import JournalGrowth


def test_a_journal_that_does_not_grow_within_the_limit_has_no_working_owner() -> None:
    """One such partition is enough; when it grows again, its owner works again."""
    growth = JournalGrowth(within=10.0)
    assert growth.all_grew({0: 5, 1: 5}, now=0.0), "first seen: no older end is known"
    assert growth.all_grew({0: 6, 1: 5}, now=9.9)
    assert not growth.all_grew({0: 7, 1: 5}, now=10.0)
    assert growth.all_grew({0: 7, 1: 6}, now=11.0)


def test_an_end_that_moves_back_is_a_change() -> None:
    """A recreated topic has a shorter journal, and an owner that writes it."""
    growth = JournalGrowth(within=10.0)
    assert growth.all_grew({0: 500}, now=0.0)
    assert growth.all_grew({0: 1}, now=60.0)
