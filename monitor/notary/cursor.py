"""The notary's cursor, `cursor.json`: where reading of the logs resumes, and how much each ledger held then.

    {"position": {log: next place}, "epochs": {log: highest epoch}, "entries": {pilot: entries of its ledger}}

A ledger that holds fewer entries than its cursor says was put back from an older copy, or is gone: the records between
the two would never be read again, so nothing may be appended before it is put right. Cursors of older versions have no
`entries`. Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

NAME = "cursor.json"


class CursorBroken(ValueError):
    """`cursor.json` cannot be read."""


class Cursor(NamedTuple):
    """`entries` is `None` in a cursor that an older version wrote: it knows nothing of the ledgers' sizes."""

    position: dict[str, int]
    epochs: dict[str, int]
    entries: dict[str, int] | None

    def line(self) -> bytes:
        """The file's content."""
        return json.dumps(self._asdict(), sort_keys=True).encode() + b"\n"


def empty() -> Cursor:
    """The cursor of a directory in which nothing was entered yet."""
    return Cursor({}, {}, {})


def read_cursor(directory: Path) -> Cursor:
    """The cursor of a directory of ledgers, an empty one where there is none. Raises CursorBroken, OSError."""
    path = directory / NAME
    if not path.exists():
        return empty()
    try:
        kept = json.loads(path.read_bytes())
        numbers = {name: {str(k): int(v) for k, v in kept[name].items()} for name in ("position", "epochs")}
        sizes = kept.get("entries")
        entries = None if sizes is None else {str(k): int(v) for k, v in sizes.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CursorBroken(
            f"{path}: not a cursor ({error}); fix: delete it, the logs are then read again from their beginning "
            "and what the ledgers hold already is skipped"
        ) from None
    return Cursor(numbers["position"], numbers["epochs"], entries)


def too_short(cursor: Cursor, sizes: Mapping[str, int]) -> list[str]:
    """What the ledgers of `sizes` (pilot -> entries) lack of what the cursor says that they held, one sentence for each
    pilot."""
    lacking = []
    for pilot, known in sorted((cursor.entries or {}).items()):
        here = sizes.get(pilot, 0)
        if here < known:
            held = f"holds {here} {'entry' if here == 1 else 'entries'}" if here else "is gone"
            lacking.append(f"the ledger of {pilot} {held}, {NAME} knows {known}")
    if cursor.entries is None and cursor.position and not sizes:
        lacking.append(f"no ledger is here, but {NAME} says that the logs were read up to {cursor.position}")
    return lacking


FIX = (
    "fix: put back the newer copy of the .ledger and .index files, words included; without one, run "
    "`sandbox-monitor ledger rebuild {directory}` and start again: what is missing is entered from the decisions log, "
    "and a log that no longer holds it is reported"
)
"""What to do about ledgers that are older than their cursor; `directory` is theirs."""
