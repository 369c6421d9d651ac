"""Responsible authorities and addressees stand in the ledger; both verifiers accept entries with and without them."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec import structs

from monitor.model.records import Decision, Reason
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.notary.verify import entries, verify
from monitor.testing.records import decision
from monitor.verifier.main import main

WITHOUT = decision(1, pilot="p-1", reason=Reason.ADMITTED, kind="act", cause="control:a")
WITH = structs.replace(
    decision(2, pilot="p-1", reason=Reason.AMENDED, kind="act", cause="control:b"),
    responsible=("north", "health.n"),
    addressed=("authority:north", "authority:health.n", "firm:firm-1", "role:officer"),
)


def bodies(directory: Path, *decisions: Decision) -> list[dict[str, object]]:
    notary = Notary(directory)
    try:
        notary.record(list(decisions), [])
    finally:
        notary.close()
    return [json.loads(entry.body) for entry in entries(directory / file_name("p-1"))]


def test_an_entry_holds_them_in_the_clear_and_an_older_one_has_neither(tmp_path: Path) -> None:
    older, newer = bodies(tmp_path, WITHOUT, WITH)
    assert not {"responsible", "addressed"} & set(older)
    assert newer["responsible"] == ["north", "health.n"]
    assert newer["addressed"] == ["authority:north", "authority:health.n", "firm:firm-1", "role:officer"]


def test_both_verifiers_accept_it(tmp_path: Path) -> None:
    bodies(tmp_path, WITHOUT, WITH)
    verify(tmp_path / file_name("p-1"))
    assert main([str(tmp_path)]) == 0
