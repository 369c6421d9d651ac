"""Decisions that were read and could not be entered: `not-entered.jsonl` next to the ledgers.

A decision is entered only where it follows the last one of its pilot. One that does not is either none of the monitor's
or follows a decision that could not be read, and the file tells the two apart later: as long as a ledger ends before
such a decision, `ledger verify` of the directory fails. Standard library only.

    {"pilot": ..., "standing": ..., "id": ..., "why": ..., "where": "topic/partition/offset"}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

NAME = "not-entered.jsonl"
LINES = 10_000  # further decisions are counted by the notary, and not listed
FIX = (
    "fix: where the decisions log still holds what precedes it, stop the notary, run `sandbox-monitor ledger rebuild "
    "{directory}` and start it; where the monitor did not write that record, find out who may write to the topic, and "
    "move {name} to another place"
)


class NotEntered(NamedTuple):
    """One decision, why it is in no ledger, and its place in the log."""

    pilot: str
    standing: int
    id: str
    why: str
    where: str

    def line(self) -> bytes:
        """Its line in the file."""
        return json.dumps(self._asdict(), sort_keys=True).encode() + b"\n"


def read_not_entered(directory: Path) -> list[NotEntered]:
    """The decisions in the file of a directory of ledgers, oldest first. A line that a crash cut short is left out.
    Raises OSError."""
    path = directory / NAME
    if not path.exists():
        return []
    found = []
    for raw in path.read_bytes().splitlines()[:LINES]:
        try:
            fields = json.loads(raw)
            found.append(NotEntered(*(fields[name] for name in NotEntered._fields)))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def append(directory: Path, row: NotEntered) -> None:
    """Add a line; it is durable when this returns. Raises OSError."""
    path = directory / NAME
    cut = path.exists() and not path.read_bytes().endswith(b"\n")  # a line that a crash cut short
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, b"\n" * cut + row.line())
        os.fsync(handle)
    finally:
        os.close(handle)


def beyond(rows: Iterable[NotEntered], last: Mapping[str, int]) -> dict[str, list[NotEntered]]:
    """Those that the ledgers end before, by pilot. `last`: the standing at which each ledger ends."""
    found: dict[str, list[NotEntered]] = {}
    for row in rows:
        if row.standing > last.get(row.pilot, 0):
            found.setdefault(row.pilot, []).append(row)
    return found


def problems(directory: Path, last: Mapping[str, int]) -> list[str]:
    """One sentence for each ledger that ends before a decision that was not entered. Raises OSError."""
    fix = FIX.format(directory=directory, name=directory / NAME)
    return [
        f"{directory}: the ledger of {pilot} ends at standing {last.get(pilot, 0)}, but a decision of standing "
        f"{rows[0].standing} was read at {rows[0].where} and not entered ({rows[0].why}); {fix}"
        for pilot, rows in sorted(beyond(read_not_entered(directory), last).items())
    ]
