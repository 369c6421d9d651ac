"""The page on a published ledger: a test types its commands, in order, as authority, firm and expert."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.testing.ports import free_port
from monitor.testing.wait import Until

from .walked_page import Walk

PAGE = Path(__file__).parents[2] / "monitor" / "publication" / "stranger.md"
WITNESS_PORT = "8324"
until = Until(120.0, every=0.1)


class WalkOfLedger(Walk):
    """A walk whose monitor publishes its ledgers; commands on the publication wait until it shows all of them."""

    ledger = "city/monitor/ledger"
    no_pilots = frozenset({"sandbox", "model-label-reader"})

    def one(self, command: str) -> tuple[int, str]:
        """See `Walk.one`."""
        if self.servers and any(word in command for word in ("/publication", "/latest/", "city/pub ", "mine.ledger")):
            until(self.caught_up)
            until(self.published)
        if "model bom" in command:  # the notary follows the decisions
            until(lambda: any((self.home / self.ledger).glob("model-label-reader-*.ledger")))
        return super().one(command)

    def published(self) -> bool:
        """Whether the visible checkpoint of each log counts all entries of its ledger."""
        for index in (self.home / self.ledger).glob("*.index"):
            visible = self.home / "city" / "pub" / index.stem / "checkpoint"
            if not visible.exists() or int(visible.read_text("utf-8").split("\n")[1]) < index.stat().st_size // 44:
                return False
        return True


@pytest.mark.parametrize(
    "processes", [pytest.param(False, id="usual"), pytest.param(True, id="processes", marks=pytest.mark.long)]
)
def test_a_stranger_checks_a_ledger_as_the_page_says(
    processes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From keys to a bundle that an expert verifies: every command has the exit code and the output of the page."""
    walk = WalkOfLedger(PAGE, tmp_path, free_port(), monkeypatch, processes=processes)
    walk.names = {WITNESS_PORT: str(free_port())}
    walk.through()
    print(walk.report())
