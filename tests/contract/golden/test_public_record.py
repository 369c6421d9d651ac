"""What is told to the public and to other authorities keeps its form: other programs read it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from monitor.public_record.annual import annual_report
from monitor.public_record.annual import as_json as annual_json
from monitor.public_record.documents.fleet import fleet_report
from monitor.public_record.documents.halt import halt_report
from monitor.public_record.documents.pilot import pilot_report
from monitor.public_record.documents.source import read_source
from monitor.public_record.reading import read_pilot, texts_of
from monitor.public_record.register import as_json, read_register
from monitor.public_record.register_pages import site
from monitor.public_record.statement import statements
from tests.unit.public_record.canaries import PILOT, write
from tests.unit.public_record.made import YEAR

from .pins import pinned

RULE = "The documents of a ledger keep their fields and their words."
FREE = ("root", "commitment", "definition", "title")
"""Depends on the key of the commitments, which is drawn at random for each directory, or explains to people."""


def fixed(value: Any) -> Any:
    """Values of JSON without what may change."""
    if isinstance(value, dict):
        return {name: fixed(one) for name, one in value.items() if name not in FREE}
    return [fixed(one) for one in value] if isinstance(value, list) else value


def test_the_documents_of_a_ledger_are_the_same(tmp_path: Path) -> None:
    """Annual report, an entry of the register, feed, and both versions of the statements of reasons."""
    home = tmp_path / "ledger"
    write(home, ("users", "vendor"), consent=True)
    record, files, _ = read_pilot([home], PILOT)
    listed, remarks = read_register([home])
    report = json.loads(annual_json(annual_report([home], YEAR)))
    found = {
        "annual": {key: value for key, value in report.items() if key != "sections"},
        "measures": {one["id"]: one for section in report["sections"] for one in section["measures"]},
        "register": json.loads(as_json(listed[0].entry)),
        "files": sorted(name for name, _ in site(listed, remarks)),
        "feed": json.loads(dict(site(listed, remarks))["feed.json"]),
        "public": [json.loads(as_json(one)) for one in statements(record, files[0], "public")],
        "firm": [json.loads(as_json(one)) for one in statements(record, files[0], "firm", texts_of([home], PILOT))],
    }
    pinned("public_record", RULE, fixed(found))


def test_the_facts_of_the_reports_are_the_same(tmp_path: Path) -> None:
    """Of each halt, of the pilot and of the fleet; what `--json` prints, without hashes of entries."""
    home = tmp_path / "ledger"
    write(home, ("users", "vendor"), consent=True)
    source = read_source([home], PILOT)
    found = {
        "halts": [msgspec.to_builtins(halt_report(source, entry)) for entry in (2, 6, 8)],
        "pilot": msgspec.to_builtins(pilot_report(source)),
        "fleet": msgspec.to_builtins(fleet_report([home], 30)),
    }
    pinned("reports", RULE, without_hashes(fixed(found)))


def without_hashes(value: Any) -> Any:
    """Values without hashes of entries and roots, which depend on the key of the commitments."""
    if isinstance(value, dict):
        return {name: without_hashes(one) for name, one in value.items() if name != "hash"}
    if isinstance(value, list | tuple):
        return [without_hashes(one) for one in value]
    return "…" if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else value
