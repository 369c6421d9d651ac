"""The documents of a stay as JSON and as HTML. What they say comes from the ledger alone."""

from __future__ import annotations

import json
from html import escape
from typing import Any

import msgspec

from monitor.projections.formats import stamp
from monitor.report.fields import DOCUMENTS, INSTANT
from monitor.report.page import head
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
    parts = [
        head(f"{made['title']}: {made['pilot']}"),
        f"<h1>{escape(made['title'])}</h1><p class=lead>Pilot {escape(made['pilot'])} of "
        f"{escape(made['participant'])}, charter <code>{escape(made['charter'])}</code>. Made from the ledger alone: "
        f"{made['ledger']['entries']} entries, root <code>{escape(made['ledger']['root'])}</code>.</p>",
    ]
    for field in made["fields"]:
        parts.append(f"<h2>{escape(field['number'])}. {escape(field['title'])}</h2>")
        parts.append(f"<p class=soft>{escape(field['basis'])}</p>")
        if not field["rows"]:
            parts.append("<p>The ledger has nothing about this.</p>")
            continue
        parts.append("<table><thead><tr><th>What<th class=n>Value<th>Ledger</tr></thead><tbody>")
        parts += [_row(row) for row in field["rows"]]
        parts.append("</tbody></table>")
    return "\n".join(parts) + "\n"


def _row(row: dict[str, Any]) -> str:
    made = msgspec.convert({name: value for name, value in row.items() if name != "name"}, Number)
    if made.entry:
        where = f"entry {made.standing}, <code>{escape(made.entry)}</code> <code>{escape(made.at)}</code>"
    else:
        where = f"number of entries: {escape(', '.join(made.reasons))}"
    return f"<tr><td>{escape(row['name'])}<td class=n>{escape(_value(made))}<td class=soft>{where}</tr>"


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
