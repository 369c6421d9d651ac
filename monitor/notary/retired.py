"""Shards of evidence that were deleted after their time: `retired.jsonl` next to the ledgers. Standard library only.

    {"file": name without `.ledger`, "size": entries, "root": hex, "at": when it was deleted, ISO 8601}

The shard that follows names the same size and root, so what was deleted can still be proved by anyone who has a copy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

NAME = "retired.jsonl"


class Retired(NamedTuple):
    """One deleted shard."""

    file: str
    size: int
    root: str
    at: str


def read_retired(directory: Path) -> list[Retired]:
    """The shards that were deleted; lines that cannot be read are left out. Raises OSError."""
    path = directory / NAME
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            kept = json.loads(line)
            found.append(Retired(str(kept["file"]), int(kept["size"]), str(kept["root"]), str(kept["at"])))
        except (ValueError, KeyError, TypeError):
            continue
    return found
