"""Checkpoint pacing: state is written often enough, and writing it takes at most a fifth of the time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.checkpoint_pacing import LONGEST_MS, SHARE, CheckpointPacer


@given(costs=st.lists(st.integers(0, LONGEST_MS // SHARE), min_size=1, max_size=50), every=st.integers(1, 10_000))
def test_writing_takes_at_most_a_fifth_of_the_time(costs: list[int], every: int) -> None:
    """Whatever checkpoints take, after each one at least four times as long passes before the next."""
    pacer, now, spent = CheckpointPacer(every), 0, 0
    pacer.start(now)
    for cost in costs:
        while not pacer.due(now):
            now += max(1, pacer.wait // 7)
        began, now = now, now + cost
        pacer.took(began, now)
        spent += cost
        assert not pacer.due(now + min(pacer.wait, (SHARE - 1) * cost) - 1)
    while not pacer.due(now):
        now += max(1, pacer.wait // 7)
    assert spent <= now / SHARE


@given(cost=st.integers(0, 10**9), every=st.integers(1, 10_000))
def test_state_is_always_written_again(cost: int, every: int) -> None:
    """After a checkpoint of any length the next one comes within a minute, and never sooner than `every`."""
    pacer = CheckpointPacer(every)
    pacer.took(0, cost)
    assert not pacer.due(cost + every - 1)
    assert pacer.due(cost + max(every, LONGEST_MS))
