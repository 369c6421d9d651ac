"""Deliveries in turns: all of them end soon once something waits for that, however many topics are flooded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator

import pytest

from monitor.kafka.turns import DRAIN_S, Turns

STEP_S = 0.01


class Story:
    """Topics of partition 0 on a clock that moves with each step of a delivery."""

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = Turns(lambda: self.now)
        self.random = random.Random(1)

    async def delivery(self, steps: int) -> AsyncGenerator[None, None]:
        for _ in range(steps):
            self.now += STEP_S * self.random.uniform(0.5, 1.5)
            yield

    def fetch(self, topics: int, steps: int, due: bool) -> None:
        """Begin a delivery of every topic that may be fetched: each of them is flooded."""
        waiting = self.turns.waiting([0] if due else [])
        for number in range(topics):
            if (name := (f"firm-{number}", 0)) not in waiting:
                self.turns.begin(name, self.delivery(self.random.randint(1, steps)))


@pytest.mark.parametrize("topics", [2, 5, 20])
@pytest.mark.parametrize("steps", [3, 32, 100])
def test_all_deliveries_end_soon_once_something_waits_for_it(topics: int, steps: int) -> None:
    """Each topic ends what it has begun, and begins nothing more once it has taken `DRAIN_S`."""

    async def longest_gap() -> float:
        story = Story()
        ended, longest = 0.0, 0.0
        while story.now < 300:
            story.fetch(topics, steps, due=True)
            await story.turns.round()
            if not story.turns.in_partition(0):
                longest, ended = max(longest, story.now - ended), story.now
        return max(longest, story.now - ended)

    one_delivery = steps * STEP_S * 1.5
    assert asyncio.run(longest_gap()) <= topics * (2 * one_delivery + DRAIN_S)


def test_a_topic_with_little_telemetry_does_not_wait_for_the_end_of_a_flood() -> None:
    """While others are held back, a topic that took less than `DRAIN_S` since then is still fetched."""

    async def story() -> None:
        s = Story()
        s.turns.begin(("flood", 0), s.delivery(200))
        s.turns.waiting([0])
        for _ in range(2):
            s.turns.begin(("little", 0), s.delivery(1))
            await s.turns.round()
            await s.turns.round()
            assert s.turns.open == {("flood", 0)}
            assert ("little", 0) not in s.turns.waiting([0])
        s.turns.begin(("little", 0), s.delivery(20))
        while ("little", 0) in s.turns.open:
            await s.turns.round()
        assert s.turns.waiting([0]) == {("flood", 0), ("little", 0)}
        assert s.turns.waiting([]) == {("flood", 0)}

    asyncio.run(story())


def test_another_partition_is_not_held_back() -> None:
    """What is due in one partition holds back the topics of that partition only."""

    async def story() -> None:
        s = Story()
        s.turns.begin(("flood", 0), s.delivery(200))
        s.turns.begin(("flood", 1), s.delivery(30))
        s.turns.waiting([0])
        while ("flood", 1) in s.turns.open:
            await s.turns.round()
        assert s.turns.waiting([0]) == {("flood", 0)}

    asyncio.run(story())
