"""A promise about the ledger, with its figure: what a goal of `make test-ledger` returns."""

from __future__ import annotations

import os
from typing import NamedTuple

QUICK = os.environ.get("QUICK", "") not in ("", "0")


class Goal(NamedTuple):
    """One line `GOAL name value limit ok|missed|skipped`. `skipped` says why it could not run; it is not a failure."""

    name: str
    value: str
    limit: str
    ok: bool
    skipped: str = ""

    @property
    def line(self) -> str:
        """The line that `make test-ledger` prints."""
        if self.skipped:
            return f"GOAL {self.name} - {self.limit} skipped: {self.skipped}"
        return f"GOAL {self.name} {self.value} {self.limit} {'ok' if self.ok else 'missed'}"


def none_of(name: str, failures: int, tried: int) -> Goal:
    """The goal that none of `tried` things fails. Nothing tried is a failure too."""
    return Goal(name, f"{failures}/{tried}", f"0/{tried}", tried > 0 and failures == 0)
