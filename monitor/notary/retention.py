"""How long each kind of record is kept, and what is due to be erased or deleted at a time.

Entries of the log `decisions` are never removed: they are the proof of a stay, and hold no text of people. What may go
is what the ledger only commits to (plaintext and salt; no root changes) and yearly shards of evidence that are complete
(the next one names size and root). A pilot that is held as evidence keeps everything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from monitor.files.durable import append_synced, sync_directory
from monitor.notary.commitment import WITHHELD
from monitor.notary.encoding import Entry
from monitor.notary.evidence_log import year_of
from monitor.notary.format import EVIDENCE
from monitor.notary.holds import Hold, hold_of
from monitor.notary.ownership import own
from monitor.notary.plaintexts import PlaintextStore, plaintext_dir
from monitor.notary.retired import NAME, Retired
from monitor.notary.verify import Verified, entries, ledgers, verify

DAY_MS = 86_400_000


class RetentionClass(NamedTuple):
    """One kind of record: `days` are counted from the entry, or from the end of the year of a shard; `None`: for
    ever."""

    name: str
    what: str
    days: int | None
    why: str


CLASSES = (
    RetentionClass("decisions", "entries of decisions, acts, commands and charters", None, "the proof of the stay"),
    RetentionClass("evidence", "complete yearly shards of evidence", 3653, "ten years, as EU AI Act Art. 18(1)"),
    RetentionClass("author", "texts: who acted", 3653, "ten years, as EU AI Act Art. 18(1)"),
    RetentionClass("detail", "texts: what people wrote in an act", 3653, "ten years, as EU AI Act Art. 18(1)"),
    RetentionClass("withheld", "texts: parts of a charter that are withheld", 3653, "ten years, as Art. 18(1)"),
)
"""The defaults. Personal data may have to go earlier (EU AI Act Art. 59(1)(g)); `ledger retention --keep` sets that."""


class Due(NamedTuple):
    """What has reached the end of its time: a text (`entry` and `field`), or a shard of evidence (both empty). `held`
    is the hold that keeps it."""

    kind: str
    pilot: str
    file: Path
    until: int
    entry: str = ""
    field: str = ""
    held: Hold | None = None


def due(directory: Path, now: int, days: Mapping[str, int | None]) -> list[Due]:
    """What is due at `now` (ms) in a directory of ledgers, under these days by class. Raises Damage, PlaintextBroken,
    OSError."""
    files = [verify(path) for path in ledgers(directory)]
    found: list[Due] = []
    holds: dict[str, Hold | None] = {}
    for sound in files:
        if sound.log == EVIDENCE:
            continue
        whole = list(entries(sound.file))
        holds[sound.subject] = hold_of(whole)
        found += _texts(directory, sound, whole, now, days)
    found += _shards(files, now, days)
    return [one._replace(held=holds.get(one.pilot)) for one in found]


def apply(directory: Path, found: list[Due], now: int) -> Iterator[str]:
    """Erase and delete what is due and not held. Yields a line for each, once it is durable. Raises LedgerBroken when a
    shard is due while a notary has the directory open; PlaintextBroken, OSError."""
    free = [one for one in found if one.held is None]
    store = PlaintextStore(plaintext_dir(directory.resolve()))
    texts: dict[Path, list[Due]] = {}
    for one in free:
        if one.entry:
            texts.setdefault(one.file, []).append(one)
    for file, mine in texts.items():
        erased = store.erase_all(file.stem, {(one.entry, one.field) for one in mine})
        yield f"{file}: {erased} texts erased"
    shards = [one for one in free if not one.entry]
    if shards:
        lock = own(directory)
        try:
            for one in shards:
                _delete(directory, one.file, now)
                yield f"{one.file}: deleted; {one.file.stem} is listed in retired.jsonl"
        finally:
            os.close(lock)


def note_retired(directory: Path, row: Retired) -> None:
    """List a deleted shard; it is durable when this returns. Raises OSError, having listed nothing."""
    path = directory / NAME
    cut = path.exists() and not path.read_bytes().endswith(b"\n")  # by a crash: left out by `read_retired`
    append_synced(path, b"\n" * cut + json.dumps(row._asdict(), sort_keys=True).encode() + b"\n")
    sync_directory(directory)  # of a new file


def class_of(field: str) -> str:
    """The class of a text."""
    if field.startswith(WITHHELD):
        return "withheld"
    return "author" if field == "author" else "detail"


def _texts(
    directory: Path, sound: Verified, whole: list[Entry], now: int, days: Mapping[str, int | None]
) -> Iterator[Due]:
    at = {entry.id: entry.at for entry in whole}
    for identity, field in PlaintextStore(plaintext_dir(directory.resolve())).of(sound.file.stem):
        kind = class_of(field)
        until = _until(at.get(identity, now), days.get(kind))
        if until is not None and until <= now:
            yield Due(kind, sound.subject, sound.file, until, identity, field)


def _shards(files: list[Verified], now: int, days: Mapping[str, int | None]) -> Iterator[Due]:
    shards: dict[str, list[Verified]] = {}
    for sound in files:
        if sound.log == EVIDENCE:
            shards.setdefault(sound.subject, []).append(sound)
    for pilot, mine in shards.items():
        for sound in sorted(mine, key=lambda one: one.year)[:-1]:  # the last one is written
            last = max(year_of(entry.at) for entry in entries(sound.file))
            end = int(datetime(last + 1, 1, 1, tzinfo=UTC).timestamp() * 1000)
            until = _until(end, days.get("evidence"))
            if until is None or until > now:
                break  # shards go in their order, so that those that stay follow each other
            yield Due("evidence", pilot, sound.file, until)


def _until(since: int, days: int | None) -> int | None:
    return None if days is None else since + days * DAY_MS


def _delete(directory: Path, file: Path, now: int) -> None:
    sound = verify(file)
    at = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    # Listed first: a crash in between leaves a shard that is listed and here, which is sound.
    note_retired(directory, Retired(file.stem, sound.entries, sound.root, at))
    file.with_suffix(".index").unlink(missing_ok=True)  # an index without its ledger is damage
    file.unlink()
    sync_directory(directory)
