"""The documents of a stay as JSON and as HTML. What they say comes from the ledger alone."""

from __future__ import annotations

import json
from typing import Any

import htpy as h
import msgspec
from htpy import Node

from monitor.projections.formats import stamp
from monitor.report.fields import DOCUMENTS, INSTANT
from monitor.report.frame import Running, section, table
from monitor.report.frame import document as document_page
from monitor.report.stay import Number, Stay

SCHEMA = "sandbox-exit-report/1"


def document(stay: Stay, name: str) -> dict[str, Any]:
    """One document as values of JSON. Raises KeyError for a name that is not in `DOCUMENTS`."""
    title, fields = DOCUMENTS[name]
    last = stay.records[-1]
    return {
        "schema": SCHEMA,
        "document": name,
        "title": title,
        "pilot": stay.pilot,
        "participant": last["participant"],
        "charter": last["charter"],
        "ledger": {"entries": stay.size, "root": stay.root},
        "fields": [
            {
                "number": field.number,
                "title": field.title,
                "basis": field.basis,
                "rows": [{"name": words, **msgspec.to_builtins(row)} for words, row in field.rows(stay)],
            }
            for field in fields
        ],
    }


def as_json(made: dict[str, Any]) -> str:
    """The bytes whose SHA-256 `issue-report` records, as text: sorted keys, two spaces, a line break at the end."""
    return json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def as_html(made: dict[str, Any]) -> str:
    """A page without scripts or external resources: a table for each field, each number with its ledger entry."""
    ledger = made["ledger"]
    body: list[Node] = [
        h.h1[made["title"]],
        h.p(".lead")[
            f"Pilot {made['pilot']} of {made['participant']}, charter ", h.code[made["charter"]],
            f". Made from the ledger alone: {ledger['entries']} entries, root ", h.code[ledger["root"]], ".",
        ],
        [_field(field) for field in made["fields"]],
    ]  # fmt: skip
    running = Running(
        subject=f"Pilot {made['pilot']}",
        checkpoint=f"Checkpoint: {ledger['entries']} entries, root {ledger['root'][:16]}…",
    )
    return document_page(f"{made['title']}: {made['pilot']}", body, running)


def _field(field: dict[str, Any]) -> Node:
    rows = [_row(row) for row in field["rows"]]
    return section(
        f"{field['number']}. {field['title']}",
        h.p(".soft")[field["basis"]],
        table("", ("What", "Value", "Ledger"), rows, (1,)) if rows else h.p["The ledger has nothing about this."],
    )


def _row(row: dict[str, Any]) -> tuple[Node, ...]:
    made = msgspec.convert({name: value for name, value in row.items() if name != "name"}, Number)
    if made.entry:
        where = [f"entry {made.standing}, ", h.code[made.entry], " ", h.code[made.at]]
    else:
        where = [f"number of entries: {', '.join(made.reasons)}"]
    return row["name"], _value(made), h.span(".soft")[where]


def _value(made: Number) -> str:
    if isinstance(made.value, bool):
        return "yes" if made.value else "no"
    if isinstance(made.value, int) and made.unit == INSTANT:
        return stamp(made.value)
    if isinstance(made.value, int | float):
        if made.unit == "ms":
            return f"{made.value / 86_400_000:,.4g} days"
        return f"{made.value:,.6g}" + (f" {made.unit}" if made.unit else "")
    return "none" if made.value is None else str(made.value)
