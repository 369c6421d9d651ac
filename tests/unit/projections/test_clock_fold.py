"""The fold of legal deadlines: what it counts is what its records say."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.records import Finding
from monitor.projections import clock_board
from monitor.projections.clock_board import ClockFold, asks
from monitor.testing.records import decision

RECORDS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(ClockState), st.booleans()), max_size=40)


@given(RECORDS)
def test_what_asks_and_the_counts_follow_from_the_records(given_records: list[tuple[int, ClockState, bool]]) -> None:
    """After every decision, also when the oldest records are forgotten."""
    most, clock_board.MOST = clock_board.MOST, 4
    try:
        fold = ClockFold()
        for standing, (key, state, done) in enumerate(given_records, 1):
            record = ClockRecord(
                change=Change.STARTED, at=standing, rule="r", title="t", starts="serious_incident", key=str(key),
                owed_by=Owes.FIRM, basis="b", on_miss=OnMiss.RECORD, state=state, done=1 if done else None,
            )  # fmt: skip
            fold.add(decision(standing, finding=Finding(rule="r", clock=record)))
            assert len(fold.records) <= 4
            assert fold.asking == {name: one for name, one in fold.records.items() if asks(one)}
            assert +fold.states == Counter(one.state for one in fold.records.values())
    finally:
        clock_board.MOST = most
