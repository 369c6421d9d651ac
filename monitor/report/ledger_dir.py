"""The stays in a directory of ledgers: the decisions of each pilot, model or sandbox, over all shards of its ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from monitor.errors import Refused
from monitor.notary import verify as verifier
from monitor.notary.encoding import Entry
from monitor.notary.format import DECISIONS, EVIDENCE, LedgerReader, LogName
from monitor.notary.store import file_name
from monitor.report.stay import Json, Stay


def stays(directory: Path) -> Iterator[Stay]:
    """Every stay, by the name of its subject. Raises Damage when a ledger is not sound."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in verifier.ledgers(directory):
        name = _name_of(path)
        if name.log == DECISIONS:
            found.setdefault(name.subject, []).append((name.year, path))
    for _, files in sorted(found.items()):
        yield Stay(_entries(path for _, path in sorted(files)))


def ledger_of(directory: Path, subject: str) -> list[Path]:
    """The files of the ledger of a pilot or another subject, the first shard first; empty when it has none."""
    first = directory / file_name(subject)
    return [first, *_shards(directory, subject, DECISIONS)] if first.exists() else []


def stay_of(directory: Path, subject: str) -> Stay:
    """The stay of one pilot. Raises Refused when the directory has no ledger of it, and Damage."""
    files = ledger_of(directory, subject)
    if not files:
        raise Refused(f"{directory} holds no ledger of {subject}; give the directory of the notary")
    return Stay(_entries(files))


def closed_periods(directory: Path, pilot: str) -> Iterator[Json]:
    """The closed periods of a pilot as its evidence ledgers have them, over all shards. Raises Damage."""
    first = directory / file_name(LogName(pilot, EVIDENCE))
    files = [*([first] if first.exists() else []), *_shards(directory, pilot, EVIDENCE)]
    for entry in _entries(files):
        yield from entry.record().get("observations", ())


def _shards(directory: Path, subject: str, log: str) -> list[Path]:
    """The later shards of a log, the oldest first."""
    pattern = file_name(LogName(subject, log, 9999)).replace("9999", "[0-9][0-9][0-9][0-9]", 1)
    return sorted(directory.glob(pattern))


def _entries(files: Iterable[Path]) -> Iterator[Entry]:
    return chain.from_iterable(verifier.entries(path) for path in files)


def _name_of(path: Path) -> LogName:
    with path.open("rb") as file:
        return LedgerReader(path, file).name
