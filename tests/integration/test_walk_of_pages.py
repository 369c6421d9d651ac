"""The pages for a firm and for a regulator: a test types their commands, in order, on a real monitor."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.testing.ports import free_port

from .walked_on_kafka import WalkOnKafka
from .walked_page import Walk

PAGES = Path(__file__).parents[2] / "monitor" / "lifecycle"
NAMES = ["for_firms.md", "for_regulators.md"]
HOW = [pytest.param(False, id="usual"), pytest.param(True, id="processes", marks=pytest.mark.long)]


@pytest.mark.parametrize("processes", HOW)
@pytest.mark.parametrize("page", NAMES)
def test_the_commands_of_the_page_print_what_the_page_says(
    page: str, processes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the page has the exit code and the output of the page."""
    walk = Walk(PAGES / page, tmp_path, free_port(), monkeypatch, processes=processes)
    walk.through()
    print(walk.report())


@pytest.mark.kafka
@pytest.mark.long
@pytest.mark.parametrize("page", NAMES)
def test_the_commands_of_the_page_print_the_same_on_kafka(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the address differs: every command has the exit code and the output of the page on a real broker too."""
    walk = WalkOnKafka(PAGES / page, tmp_path, free_port(), monkeypatch, processes=True)
    walk.through()
    print(walk.report())
