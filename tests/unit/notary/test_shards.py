"""Yearly shards of evidence: frozen, cross-checked, the same after a crash and after a rebuild."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from monitor.errors import LedgerBroken
from monitor.files.durable import RealDisk
from monitor.model.records import Evidence
from monitor.notary.evidence_entries import EvidenceGatherer, EvidenceGroup, Gathered
from monitor.notary.format import EVIDENCE, LogName
from monitor.notary.notary import Notary
from monitor.notary.rebuild import rebuild
from monitor.notary.retention import note_retired
from monitor.notary.retired import Retired
from monitor.notary.store import file_name
from monitor.notary.verify import entries, verify
from monitor.testing.records import evidence
from monitor.verifier.anchors import Anchors
from monitor.verifier.checks import Outcome
from monitor.verifier.ledger_files import check_directory
from monitor.verifier.report import Report

YEARS = (2026, 2027, 2028)


def ending(year: int, month: int = 1, day: int = 1, late: bool = False) -> Evidence:
    """An hour that ends at midnight before this day."""
    end = int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)
    return msgspec.structs.replace(evidence(0), start=end - 3_600_000, end=end, late=late, k=float(year))


STORY = [ending(2026, 6), ending(2027), ending(2027, 1, 2), ending(2026, 7, late=True), ending(2028, 3)]


def groups(rows: list[Evidence]) -> list[EvidenceGroup]:
    return [EvidenceGroup(place, [row]) for place, row in enumerate(rows)]


def path(directory: Path, year: int) -> Path:
    return directory / file_name(LogName("p-1", EVIDENCE, year))


def outcome(directory: Path) -> set[Outcome]:
    report = Report()
    check_directory(directory, Anchors(), report)
    assert not report.failures or {one.check for one in report.failures} == {"ledger.shard"}, report.failures
    return {one.outcome for one in report.results if one.check == "ledger.shard"}


def content(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.glob("*.ledger")}


def test_a_year_is_a_file_that_names_the_one_before(tmp_path: Path) -> None:
    """The first entry of a shard has size and root of the one before; midnight of New Year belongs to the old year, and
    what is late to the year that is written."""
    notary = Notary(tmp_path)
    assert notary.record_evidence(groups(STORY)) == len(STORY)
    held = {year: list(entries(path(tmp_path, year))) for year in (0, 2027, 2028)}
    assert {year: [entry.type.name for entry in found] for year, found in held.items()} == {
        0: ["EVIDENCE", "EVIDENCE"],
        2027: ["SHARD", "EVIDENCE", "EVIDENCE"],
        2028: ["SHARD", "EVIDENCE"],
    }
    said, before = held[2028][0].record(), verify(path(tmp_path, 2027))
    assert (said["file"], said["size"], said["root"]) == (path(tmp_path, 2027).stem, before.entries, before.root)
    assert outcome(tmp_path) == {Outcome.PASS}


@pytest.mark.parametrize("stop", range(len(STORY) + 1))
def test_shards_are_the_same_after_a_restart_and_a_rebuild(tmp_path: Path, stop: int) -> None:
    """Wherever the notary ends, and if it reads everything again, the files are those of one run."""
    whole = Notary(tmp_path / "whole")
    whole.record_evidence(groups(STORY))
    first = Notary(tmp_path / "cut")
    first.record_evidence(groups(STORY)[:stop], log="evidence", gathered=Gathered(stop))
    first.close()
    assert list(rebuild(tmp_path / "cut"))
    again = Notary(tmp_path / "cut")
    assert again.record_evidence(groups(STORY)) == len(STORY) - stop
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert again.logs == whole.logs


def test_a_crash_between_two_shards_loses_nothing(tmp_path: Path) -> None:
    """The older shard is durable before the next one begins: without the next one the log is continued alike."""
    Notary(tmp_path / "whole").record_evidence(groups(STORY))
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for suffix in (".ledger", ".index"):
        path(tmp_path / "cut", 2028).with_suffix(suffix).unlink()
    Notary(tmp_path / "cut").record_evidence(groups(STORY))
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


def test_a_shard_of_another_history_is_refused(tmp_path: Path) -> None:
    """An older shard that was exchanged for a sound one of other evidence is found by the notary and the verifier."""
    mine = Notary(tmp_path / "mine")
    mine.record_evidence(groups(STORY))
    mine.close()
    Notary(tmp_path / "other").record_evidence(groups([ending(2026, 5), *STORY[1:]]))
    for suffix in (".ledger", ".index"):
        shutil.copy(path(tmp_path / "other", 0).with_suffix(suffix), tmp_path / "mine")
    assert outcome(tmp_path / "mine") == {Outcome.FAIL, Outcome.PASS}
    with pytest.raises(LedgerBroken, match="it follows"):
        Notary(tmp_path / "mine")


def test_a_shard_that_was_deleted_after_its_time_is_not_missed(tmp_path: Path) -> None:
    """The notary starts without it, enters none of its evidence again, and the verifier names it."""
    notary = Notary(tmp_path)
    notary.record_evidence(groups(STORY), log="evidence", gathered=Gathered(9))
    head = notary.logs[LogName("p-1", EVIDENCE)]
    notary.close()
    gone = path(tmp_path, 0)
    for suffix in (".ledger", ".index"):
        gone.with_suffix(suffix).unlink()
    with pytest.raises(LedgerBroken, match="is missing"):
        Notary(tmp_path)
    note_retired(tmp_path, Retired(gone.stem, *head, "2037-01-01T00:00:00Z"))
    again = Notary(tmp_path)
    before = content(tmp_path)
    assert again.record_evidence(groups(STORY)) == 0
    assert content(tmp_path) == before
    assert outcome(tmp_path) == {Outcome.WARN, Outcome.PASS}


def test_gathered_evidence_goes_to_its_shard(tmp_path: Path) -> None:
    """Several period ends of one read are split over the shards in their order."""
    gatherer = EvidenceGatherer()
    found = [group for place, row in enumerate(STORY) for group in gatherer.take(place, row)]
    assert Notary(tmp_path, RealDisk()).record_evidence(found) == len(STORY) - 1  # the last one may go on
