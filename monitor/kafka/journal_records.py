"""Reads records of the journal topic: entries of owners, and what else is there.

Only owners write to the journal, but in open mode anybody can. A record that no owner can have written is skipped and
reported. One that a newer version of this package may have written ends the process: to skip it would give another
order than its owner had.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from monitor.engine.log import Journalled
from monitor.errors import LogBroken
from monitor.kafka.bounded_records import UnreadableRange
from monitor.model.output_records import HIGHEST_EPOCH
from monitor.model.records import Claim, JournalEntry

TAIL = 100  # offsets before an end among which its last entries are looked for: markers take half of them
_entry = msgspec.json.Decoder(JournalEntry)


class _Any(msgspec.Struct):
    """What every version's entries have."""

    type: str
    epoch: int


_any = msgspec.json.Decoder(_Any)


def journal_entry(raw: Any) -> Journalled | None:
    """The entry in a consumer record; `None` where it is none of an owner's. Raises LogBroken for an entry of a newer
    version."""
    if isinstance(raw, UnreadableRange) or raw.value is None or dict(raw.headers).get("type") != b"journal":
        return None
    try:
        entry: JournalEntry = _entry.decode(raw.value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        if _of_newer_version(raw.value):
            raise LogBroken(
                f"{raw.topic}/{raw.partition}/{raw.offset}: a newer version of the monitor wrote this entry; fix: run "
                "that version, or, if the monitor did not write it, start the worker once with "
                f"--skip {raw.topic}/{raw.partition}/{raw.offset} (runbook, SandboxWorkerCrashLoop)"
            ) from None
        return None
    return Journalled(raw.offset, raw.timestamp, entry) if 0 <= entry.epoch <= HIGHEST_EPOCH else None


def _of_newer_version(value: bytes) -> bool:
    try:
        found = _any.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return False
    return found.type not in ("claim", "control", "time", "skipped") and 0 <= found.epoch <= HIGHEST_EPOCH


def fruitless_claims(rows: Iterable[Journalled]) -> int:
    """How many processes in a row, the last one included, claimed the partition and wrote no entry after it.

    A claim alone is no sign of life: a worker that crashes at a record claims its partition again and again. Claims of
    one process, as in a rebalance, count once.
    """
    return len(claims_at_end(rows))


def claims_at_end(rows: Iterable[Journalled]) -> list[Journalled]:
    """The claims after the last entry of another kind, one of each process in a row."""
    found: list[Journalled] = []
    for row in rows:
        if not isinstance(row.entry, Claim):
            found = []
        elif found and _process(row) and _process(found[-1]) == _process(row):
            found[-1] = row
        else:
            found.append(row)
    return found


def _process(row: Journalled) -> str:
    return row.entry.start.process if isinstance(row.entry, Claim) and row.entry.start else ""
