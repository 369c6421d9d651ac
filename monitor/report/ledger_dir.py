"""The stays in a directory of ledgers: the decisions of each pilot, model or sandbox, over all shards of its ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from monitor.notary import verify as verifier
from monitor.notary.encoding import Entry
from monitor.notary.format import EVIDENCE
from monitor.notary.store import file_name
from monitor.report.stay import Stay


def stays(directory: Path) -> Iterator[Stay]:
    """Every stay, by file name. Raises Damage when a ledger is not sound."""
    files = [path for path in verifier.ledgers(directory) if not _of_evidence(path)]
    first = {path.stem for path in files if not _year(path)}
    for stem in sorted(first):
        yield Stay(_entries(shards(directory, stem)))


def shards(directory: Path, stem: str) -> list[Path]:
    """The files of one ledger of decisions, the first shard first; `stem` is the name of that without `.ledger`."""
    later = [path for path in directory.glob(f"{stem}-*.ledger") if _year(path)]
    return [directory / f"{stem}.ledger", *sorted(later, key=_year)]


def ledger_of(directory: Path, subject: str) -> list[Path]:
    """The files of the ledger of a pilot or another subject; empty when it has none."""
    first = directory / file_name(subject)
    return shards(directory, first.stem) if first.exists() else []


def _entries(files: Iterable[Path]) -> Iterator[Entry]:
    return chain.from_iterable(verifier.entries(path) for path in files)


def _of_evidence(path: Path) -> bool:
    stem = path.stem.removesuffix(f"-{_year(path)}") if _year(path) else path.stem
    return stem.endswith(f"-{EVIDENCE}")


def _year(path: Path) -> int:
    """The year in the name of a later shard, 0 for a first one."""
    last = path.stem.rpartition("-")[2]
    return int(last) if len(last) == 4 and last.isdecimal() else 0
