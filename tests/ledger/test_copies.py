"""Two copies of a log: the same, one extends the other, or a fork with the first entry that differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.notary.encoding import encode
from monitor.notary.format import header
from monitor.publication.log_key import log_name
from tests.ledger.made_log import published
from tests.ledger.tampering import PILOT, ledger_files, record, replaced

LOG = log_name(PILOT)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Copies of one log by what they are: whole, shorter, another version of entry 4; each also as checkpoint."""
    folder, raw = tmp_path_factory.mktemp("copies"), [encode(entry) for entry in record()[0]]
    versions = {"whole": raw, "shorter": raw[:6], "other": replaced(raw, 4, b'"observed":15', b'"observed":14')}
    found: dict[str, str] = {}
    for name, entries in versions.items():
        files = {
            **ledger_files(name, entries),
            **{f"{name}-pub/{p}": d for p, d in published({PILOT: entries}).files.items()},
        }
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        found[name] = str(folder / name / f"{LOG}.ledger")
        found[f"{name} published"] = str(folder / f"{name}-pub" / LOG)
        found[f"{name} checkpoint"] = str(folder / f"{name}-pub" / LOG / "checkpoint")
    return found


@pytest.mark.parametrize(
    ("first", "second", "status", "said"),
    [
        ("whole", "whole published", 0, "same: both have the same 9 entries"),
        ("whole", "whole checkpoint", 0, "same"),
        ("whole", "shorter", 0, "the first extends the second"),
        ("shorter published", "whole", 0, "the second extends the first"),
        ("whole published", "shorter checkpoint", 0, "the first extends the second"),
        ("whole", "other", 1, "fork: entry 4 is the first that differs"),
        ("shorter published", "other published", 1, "fork: entry 4"),
        ("whole", "other checkpoint", 1, "fork: they differ within the first 9 entries"),
        ("whole checkpoint", "other checkpoint", 1, "fork"),
        ("shorter checkpoint", "whole checkpoint", 2, "unknown: of the longer copy only a checkpoint"),
    ],
)
def test_copies_are_compared(copies: dict[str, str], first: str, second: str, status: int, said: str) -> None:
    """A fork is exit code 1, a copy that is only behind is 0, and where a proof is missing there is no verdict."""
    done = CliRunner().invoke(ledger, ["compare", copies[first], copies[second]])
    assert done.exit_code == status, done.output
    assert said in done.output


def test_copies_of_two_logs_are_not_compared(copies: dict[str, str], tmp_path: Path) -> None:
    """Their difference means nothing."""
    other = tmp_path / "other.ledger"
    other.write_bytes(header("p-2"))
    done = CliRunner().invoke(ledger, ["compare", copies["whole"], str(other)])
    assert done.exit_code == 2
    assert "of p-2" in done.output
