"""`ledger show`: what each entry says, for people and as JSON, under the number that every command gives it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.model.records import Finding, Reason
from monitor.notary.entry_text import facts
from monitor.notary.evidence_entries import EvidenceGroup
from monitor.notary.format import EVIDENCE, LogName
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.notary.verify import entries
from monitor.testing.records import command, decision, halted
from tests.unit.notary.test_shards import STORY, groups
from tests.unit.notary.typed_records import amended, charter, key, period, puts

LIMIT = Finding(
    indicator="incidents", segment="sector=retail", rule="e_process_count", statistic=5.4, bar=5.1, observed=15.0,
    expected=6.2, events=15.0, exposure=3_100.0, unit="decisions", alpha=0.006,
)  # fmt: skip
RULE = Finding(rule="any-harm", observed=1.0, expected=0.0, detail="critical, injury, inc-7")


def recorded(directory: Path) -> Path:
    """A charter, an amendment, a hard rule, a halt with its command, and an act that names an incident."""
    notary = Notary(directory)
    about = Finding(rule="report", content={"incident": "inc-8"})
    told = [
        puts(1, charter()),
        puts(2, amended(), Reason.AMENDED),
        decision(3, reason=Reason.HARD_RULE, finding=RULE),
        halted(4, finding=LIMIT),
        decision(5, kind="act", cause="control:a", reason=Reason.INCIDENT_REPORT_RECEIVED, finding=about),
    ]
    notary.record(told, [command(4)], charters={key(1, charter()): charter(), key(2, amended()): amended()})
    notary.record_evidence([EvidenceGroup(0, period(0))])
    notary.record_evidence(groups(STORY[:1]))
    notary.close()
    return directory / file_name("p-1")


def shown(path: Path, *more: str) -> str:
    done = CliRunner().invoke(ledger, ["show", str(path), *more])
    assert done.exit_code == 0, done.output
    return done.stdout


def as_json(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in shown(path, "--json").splitlines()]


def test_a_limit_is_shown_with_its_counts(tmp_path: Path) -> None:
    """Rule, k of n, expected, limit, statistic and threshold, and the sentence of the board."""
    rows = as_json(recorded(tmp_path))
    (row,) = [one for one in rows if one["record"].get("reason") == "limit_exceeded" and "rests_on" in one]
    assert row["rests_on"] == {
        "rule": "e_process_count", "indicator": "incidents", "segment": "sector=retail", "events": 15, "exposure": 3100,
        "unit": "decisions", "observed": 15, "expected": 6.2, "limit": 0.002, "statistic": 5.4, "threshold": 5.1,
        "sentence": row["rests_on"]["sentence"],
    }  # fmt: skip
    assert row["rests_on"]["sentence"].startswith("Charter limit exceeded")
    text = shown(tmp_path / file_name("p-1"))
    for part in ("rule e_process_count", "events 15", "exposure 3100", "expected 6.2", "limit 0.002", "threshold 5.1"):
        assert part in text


def test_an_incident_is_named_by_its_id(tmp_path: Path) -> None:
    """Of a hard rule and of an act about an incident."""
    rows = as_json(recorded(tmp_path))
    assert [row["rests_on"]["incident"] for row in rows if "incident" in row.get("rests_on", {})] == ["inc-7", "inc-8"]


def test_a_charter_is_shown_with_what_changed_and_what_is_withheld(tmp_path: Path) -> None:
    """The difference of an amendment in words; of a withheld part its commitment, and its value where it is stored."""
    text = shown(recorded(tmp_path / "ledger"))
    assert "version: 1 -> 2" in text
    assert "users: changed (withheld)" in text
    assert '"patients of ward 8"' in text  # its plaintext lies next to this ledger
    for words in (tmp_path / "ledger-words").glob("*.words"):
        words.unlink()
    assert "ward 8" not in shown(tmp_path / "ledger" / file_name("p-1"))
    assert "withheld users: commitment " in shown(tmp_path / "ledger" / file_name("p-1"))


def test_evidence_is_shown_with_its_scores(tmp_path: Path) -> None:
    """Each observation on a line: events of exposure, what the limit allows, each detector with its threshold."""
    recorded(tmp_path)
    text = shown(tmp_path / file_name(LogName("p-1", EVIDENCE)))
    assert "2 observations" in text
    assert "indicator-1 from " in text
    assert "3 of 1000; allowed 6.2; e_process_count 0 (threshold 5.1)" in text


def test_entry_numbers_agree(tmp_path: Path) -> None:
    """`show` numbers the entries from 0 in their order, as `verify` and `prove` do."""
    path = recorded(tmp_path)
    assert [row["number"] for row in as_json(path)] == list(range(8))
    assert [row["record"]["id"] for row in as_json(path)] == [entry.id for entry in entries(path)]


def test_a_decision_says_to_whom_it_is_addressed(tmp_path: Path) -> None:
    """Authority, firm and duty, below what was decided."""
    notary = Notary(tmp_path)
    notary.record([halted(1, finding=LIMIT, addressed=("authority:north", "firm:f-1"))], [])
    notary.close()
    assert "        addressed to authority:north, firm:f-1\n" in shown(tmp_path / file_name("p-1"))


def test_facts_of_an_unknown_record_are_empty() -> None:
    """A record of a later version is printed as it is."""
    assert facts({"reason": "new"}) == {}
    assert facts({"reason": "limit_exceeded", "finding": {"expected": "x", "exposure": 0}}) == {
        "expected": "x", "exposure": 0,
    }  # fmt: skip
