"""Reads the ledger of one pilot, and the plaintexts that are stored next to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from monitor.model.subjects import FIRM
from monitor.notary.plaintexts import PlaintextStore, plaintext_dir
from monitor.notary.store import file_name
from monitor.public_record.ledgers import LedgerFile, Ledgers, Remark
from monitor.public_record.pilot import PilotRecord


def read_pilot(directories: Iterable[Path], pilot: str) -> tuple[PilotRecord, list[LedgerFile], tuple[Remark, ...]]:
    """The record of a pilot, the files that it was read from, and what they lack; no files where it has no ledger.
    Raises Damage when there is no ledger at all."""
    ledgers = Ledgers(directories)
    record = PilotRecord(pilot, (entry for _, _, entry in ledgers.entries(pilot)))
    return record, ledgers.files, tuple(ledgers.remarks)


def annulled_in(directories: Iterable[Path], firm: str) -> frozenset[str]:
    """The ids of the decisions that were annulled in the file of a firm. Raises Damage when there is no ledger."""
    entries = Ledgers(directories).entries(FIRM + firm)
    return annulments(PilotRecord(FIRM + firm, (entry for _, _, entry in entries)))


def annulments(file: PilotRecord) -> frozenset[str]:
    """The ids of the decisions that the file of a firm annuls."""
    return frozenset(str(one["finding"]["content"]["decision"]) for one in file.of("decision_annulled"))


def texts_of(directories: Iterable[Path], pilot: str) -> dict[str, dict[str, str]]:
    """The plaintexts of a pilot that were not erased and may be read: by id of the record and field. Raises
    PlaintextBroken."""
    found: dict[str, dict[str, str]] = {}
    for directory in directories:
        try:
            stored = PlaintextStore(plaintext_dir(directory)).of(Path(file_name(pilot)).stem)
        except OSError:
            continue  # they are not here, or not for this reader
        for (identity, field), text in stored.items():
            found.setdefault(identity, {})[field] = text.text
    return found
