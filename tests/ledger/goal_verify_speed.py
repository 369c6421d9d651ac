"""Goal: leaf hashes and structure of a ledger are verified at 100,000 entries a second and more (processor time)."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from monitor.notary.encoding import Entry, EntryType, encode
from monitor.notary.entries import entry_of
from monitor.testing.records import decision
from monitor.verifier.anchors import Anchors
from monitor.verifier.report import Verdict
from monitor.verifier.run import verify_all
from tests.ledger.goal import QUICK, Goal
from tests.ledger.tampering import PILOT, ledger_files

ENTRIES = 10_000 if QUICK else 500_000
LIMIT = 100_000
QUICK_LIMIT = 5_000  # a small machine under load must not fail the suite


def run() -> Iterator[Goal]:
    """The goal, with every check that needs no JSON."""
    body = entry_of(decision(1), b"")[0].body
    entries = [
        encode(Entry(EntryType.DECISION, f"{number:064x}", PILOT, number, number, 1, body))
        for number in range(1, ENTRIES + 1)
    ]
    limit = QUICK_LIMIT if QUICK else LIMIT
    with tempfile.TemporaryDirectory() as name:
        for path, data in ledger_files("one", entries).items():
            (Path(name) / "one").mkdir(exist_ok=True)
            (Path(name) / path).write_bytes(data)
        began = time.process_time()
        report = verify_all([f"{name}/one"], Anchors(structure=True))
        rate = ENTRIES / (time.process_time() - began)
    sound = report.verdict is Verdict.VERIFIED
    yield Goal("verify_entries_per_second", f"{rate:.0f}", f">={limit}", sound and rate >= limit)
