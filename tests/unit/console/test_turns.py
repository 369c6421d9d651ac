"""Pages take turns: one at a time, with time for everything else between two, and no reader keeps others waiting."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from monitor.console.turns import REST, WAITING, NoTurn, Turns

PAGE_S = 0.01


def made(readers: list[str]) -> list[tuple[str, float, float]]:
    """Pages that are asked for at once, as they are made: reader, begin and end (s)."""
    found: list[tuple[str, float, float]] = []

    async def one(turns: Turns, reader: str) -> None:
        async with turns.turn(reader):
            began = asyncio.get_running_loop().time()
            time.sleep(PAGE_S)  # a page is computed without waiting
            found.append((reader, began, asyncio.get_running_loop().time()))

    async def run() -> None:
        turns = Turns()
        await asyncio.gather(*(one(turns, reader) for reader in readers))
        assert not turns._queues

    asyncio.run(run())
    return found


def test_after_a_page_the_loop_is_free_for_a_multiple_of_its_time() -> None:
    """Telemetry and halts go on between two pages, however many are asked for."""
    pages = made(["ann", "bob"] * 4)
    for (_, began, ended), (_, following, _) in pairwise(pages):
        assert following - ended >= 0.9 * REST * (ended - began)


def test_a_reader_who_asks_for_many_pages_does_not_keep_others_waiting() -> None:
    order = [reader for reader, _, _ in made(["ann"] * 10 + ["bob"])]
    assert order.index("bob") <= 2


def test_pages_of_one_reader_that_wait_are_bounded() -> None:
    with pytest.raises(NoTurn):
        made(["ann"] * (WAITING + 1))


def test_a_page_that_fails_gives_the_turn_to_the_next() -> None:
    async def run() -> None:
        turns = Turns()
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                async with turns.turn("ann"):
                    _ = 1 / 0

    asyncio.run(run())
