"""The sentence that a regulator needs stands where it is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.board_world as w
from monitor.console.charter_page import charter_page
from monitor.console.pilot_page import pilot_page
from monitor.console.report import Story, report
from monitor.translation import speaking

SENTENCE = (
    "A firm that keeps every limit is ever halted by the statistics with probability at most 1 %, however often you"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> w.World:
    return w.world(Path(tmp_path_factory.mktemp("board")), ledger=False)


def test_the_promise_stands_on_the_pages_of_pilot_and_charter(world: w.World) -> None:
    for page in (pilot_page, charter_page):
        assert SENTENCE in str(page(world.board, w.HALTED, world.now))
        with speaking("zh"):
            assert "无论查看多少次" in str(page(world.board, w.HALTED, world.now))


def test_the_promise_stands_in_the_report_of_a_replay(world: w.World) -> None:
    plan = world.board.pilots[w.HALTED].plan
    assert plan is not None
    assert SENTENCE in report("Replay", [Story("p", plan, [], [])])


def test_the_numbers_of_a_halt_and_how_strong_they_are_stand_on_its_page(world: w.World) -> None:
    page = str(pilot_page(world.board, w.HALTED, world.now))
    assert "63 incidents in 1,323 decisions where at most 26.5 are allowed" in page
    assert "A pilot that keeps this limit ever shows evidence this strong with probability at most 1 in 1,600" in page


def test_a_chart_has_its_data_and_its_words_behind_it(world: w.World) -> None:
    page = str(pilot_page(world.board, w.HALTED, world.now))
    assert '<details id="evidence-data">' in page
    assert '<details id="evidence-words">' in page
    assert "All 40 closed periods" in page
