"""The notary's cursor, `cursor.json`: where reading of the logs resumes, and how many entries each ledger held then.

    {"position": {log: next place}, "epochs": {log: highest epoch}, "entries": {pilot: entries of its ledger},
     "logs": {file name without `.ledger`: entries},
     "pending": {log of evidence: {pilot: place of the first observation of a record that was not complete}}}

`entries` has the first shard of the decisions of each pilot, `logs` every other ledger file, where there is one.

A ledger with fewer entries than its cursor says was restored from an older copy or is missing. The records in between
would never be read again, so nothing may be appended until this is repaired. Cursors of older versions have no
`entries`. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from monitor.notary.format import LogName

NAME = "cursor.json"


class CursorBroken(ValueError):
    """`cursor.json` cannot be read."""


class Cursor(NamedTuple):
    """`entries` is `None` in a cursor that an older version wrote."""

    position: dict[str, int]
    epochs: dict[str, int]
    entries: dict[str, int] | None
    logs: dict[str, int] = {}  # noqa: RUF012  # of a NamedTuple: never changed
    pending: dict[str, dict[str, int]] = {}  # noqa: RUF012

    def line(self) -> bytes:
        """The content of the file."""
        fields = self._asdict()
        for name in ("logs", "pending"):  # left out, as in cursors of older versions
            if not fields[name]:
                del fields[name]
        return json.dumps(fields, sort_keys=True).encode() + b"\n"


def empty() -> Cursor:
    """The cursor of a directory without entries."""
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
        logs = {str(k): int(v) for k, v in kept.get("logs", {}).items()}
        pending = {
            str(log): {str(k): int(v) for k, v in places.items()} for log, places in kept.get("pending", {}).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CursorBroken(
            f"{path}: not a cursor ({error}); fix: delete it, the logs are then read again from their beginning "
            "and what the ledgers hold already is skipped"
        ) from None
    return Cursor(numbers["position"], numbers["epochs"], entries, logs, pending)


class Sizes(NamedTuple):
    """How many entries the ledgers in a directory hold; named as in `Cursor`."""

    entries: dict[str, int]
    logs: dict[str, int]

    @classmethod
    def of(cls, files: Iterable[tuple[LogName, Path, int]]) -> Sizes:
        """The sizes of these ledger files: name, path, entries."""
        found = cls({}, {})
        for name, path, entries in files:
            found.put(name, path, entries)
        return found

    def put(self, name: LogName, path: Path, entries: int) -> None:
        """Set the size of one ledger file."""
        if name == LogName(name.subject):
            self.entries[name.subject] = entries
        else:
            self.logs[path.stem] = entries


def too_short(cursor: Cursor, sizes: Sizes) -> list[str]:
    """One sentence for each ledger that has fewer entries than the cursor says."""
    lacking = []
    named = [(f"of {pilot}", known, sizes.entries.get(pilot, 0)) for pilot, known in (cursor.entries or {}).items()]
    named += [(f"{stem}.ledger", known, sizes.logs.get(stem, 0)) for stem, known in cursor.logs.items()]
    for name, known, here in sorted(named):
        if here < known:
            held = f"holds {here} {'entry' if here == 1 else 'entries'}" if here else "is missing"
            lacking.append(f"the ledger {name} {held}, {NAME} knows {known}")
    if cursor.entries is None and cursor.position and not any(sizes):
        lacking.append(f"no ledger is here, but {NAME} says that the logs were read up to {cursor.position}")
    return lacking


FIX = (
    "fix: restore the newer copy of the .ledger and .index files and of the plaintexts; without one, run "
    "`sandbox-monitor ledger rebuild {directory}` and restart: missing entries are entered from the decisions log, "
    "and a log that no longer holds them is reported"
)
"""What to do about ledgers in `directory` that are older than their cursor."""
