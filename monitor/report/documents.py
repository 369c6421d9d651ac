"""The documents of a stay as JSON and as HTML. What they say comes from the ledger alone."""

from __future__ import annotations

import json
from typing import Any

import htpy as h
import msgspec
from htpy import Node

from monitor.model.records import Reason
from monitor.projections.formats import stamp
from monitor.projections.wording import REASONS
from monitor.report.fields import CONDITIONS, DOCUMENTS, INSTANT, STREAM_FIELDS
from monitor.report.frame import Running, section, table
from monitor.report.frame import document as document_page
from monitor.report.stay import Number, Stay
from monitor.translation import current, tr, trm

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
    ledger, title = made["ledger"], tr(made["title"])
    body: list[Node] = [
        h.h1[title],
        h.p(".lead")[
            trm("Pilot {pilot} of {firm}, charter {charter}. Made from the ledger alone: {n} entries, root {root}.",
                pilot=made["pilot"], firm=made["participant"], charter=h.code[made["charter"]], n=ledger["entries"],
                root=h.code[ledger["root"]]),
        ],
        [_field(field) for field in made["fields"]],
    ]  # fmt: skip
    running = Running(
        subject=tr("Pilot {pilot}", pilot=made["pilot"]),
        checkpoint=tr("Checkpoint: {n} entries, root {root}", n=ledger["entries"], root=f"{ledger['root'][:16]}…"),
    )
    return document_page(tr("{what}: {pilot}", what=title, pilot=made["pilot"]), body, running)


def _field(field: dict[str, Any]) -> Node:
    written = field["title"] == CONDITIONS  # names of conditions are texts of the charter
    rows = [_row(row, written) for row in field["rows"]]
    heads = (tr("What"), tr("Value"), tr("Ledger"))
    return section(
        f"{field['number']}. {tr(field['title'])}",
        h.p(".soft")[tr(field["basis"])],
        table("", heads, rows, (1,)) if rows else h.p[tr("The ledger has nothing about this.")],
    )


def _row(row: dict[str, Any], written: bool) -> tuple[Node, ...]:
    made = msgspec.convert({name: value for name, value in row.items() if name != "name"}, Number)
    name = row["name"] if written else _name(row["name"])
    if made.entry:
        number = tr("entry {n}", n=made.standing)
        where: list[Node] = [f"{number}, ", h.code[made.entry], " ", h.code[made.at]]
    else:
        where = [tr("number of entries: {reasons}", reasons=", ".join(map(_reason, made.reasons)))]
    return name, _value(made), h.span(".soft")[where]


def _name(name: str) -> str:
    """The name of a row: `stream: words`, `lacking 1`, or words."""
    stream, _, words = name.rpartition(": ")
    if stream and words in _STREAM_WORDS:
        return tr("{what}: {words}", what=stream, words=tr(words))
    number = name.removeprefix("lacking ")
    return tr("lacking {n}", n=number) if number != name else tr(name)


def _reason(code: str) -> str:
    """A reason: in English as it is recorded, in other languages in words."""
    return code if current() == "en" or code not in set(Reason) else tr(REASONS[Reason(code)])


_STREAM_WORDS = {words for _, words, *_ in STREAM_FIELDS}


def _value(made: Number) -> str:
    if isinstance(made.value, bool):
        return tr("yes") if made.value else tr("no")
    if isinstance(made.value, int) and made.unit == INSTANT:
        return stamp(made.value)
    if isinstance(made.value, int | float):
        if made.unit == "ms":
            return tr("{n} days", n=f"{made.value / 86_400_000:,.4g}")
        return f"{made.value:,.6g}" + (f" {made.unit}" if made.unit else "")
    return tr("none") if made.value is None else str(made.value)
