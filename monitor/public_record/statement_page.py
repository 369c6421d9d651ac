"""A statement of reasons as one printable page."""

from __future__ import annotations

import json

import htpy as h
import msgspec
from htpy import Node

from monitor.projections.formats import stamp
from monitor.public_record.statement import Row, Statement
from monitor.public_record.statement_words import PARTS, ROWS
from monitor.report.frame import Running, document, marked

CSS = """
body{max-width:820px;font-size:15px}h1{margin-top:.5rem}h2{margin:1.1rem 0 .2rem;font-size:1.02rem}
table{font-size:.9rem}th{width:11rem;font-weight:600;overflow-wrap:break-word}td{overflow-wrap:anywhere}
td.e{width:4.5rem;text-align:right;white-space:nowrap}
@media (max-width:600px){body{margin:1rem auto}th,td{display:block;width:auto;border:0;padding:0}
tr{display:block;border-bottom:1px solid var(--rule);padding:.3rem 0}td.e{width:auto;text-align:left}
td.e:not(:empty)::before{content:"decision "}}
@page{margin:9mm}@media print{body{margin:0;padding:0;max-width:none;font-size:7.4pt;line-height:1.22}h1{font-size:12pt;
margin:0}p.lead,p.soft{margin:.2rem 0}.parts{columns:2;column-gap:6mm}h2{font-size:8.4pt;margin:.35rem 0 .05rem;
break-after:avoid}table{font-size:7.2pt}th{width:6.2rem}th,td{padding:.04rem .3rem .04rem 0}td.e{width:1.6rem}
tr{break-inside:avoid}a{color:inherit;text-decoration:none}.back,.said{display:none}}
"""
IN_THE_FINDING = ("events", "exposure", "observed", "expected", "ratio")  # the sentence before them says them too
TITLES = {"firm": "for the firm", "public": "public version"}


def as_json(made: Statement) -> str:
    """A statement as text: sorted keys, two spaces, a line break at the end."""
    return json.dumps(msgspec.to_builtins(made), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def as_html(made: Statement, back: str = "") -> str:
    """A page without scripts or external resources; `back` is the address of the page of the pilot."""
    title = f"Statement of reasons: halt {made.number} of {made.pilot}"
    state = "The halt is in force." if made.in_force else "The halt is no longer in force."
    body = [
        h.p(".back")[h.a(href=back)[made.pilot]] if back else None,
        h.h1[title],
        h.p(".lead")[
            f"Participant {made.participant}, halted {stamp(made.at)}; {TITLES[made.version]}. {state} A halt is a "
            "technical effect; a suspension is the legal act of an authority. Made from the ledger alone; each line "
            "ends with the number of the decision that says it."
        ],
        h.div(".parts")[[[h.h2[PARTS[part.id]], h.table[h.tbody[list(map(_row, part.rows))]]] for part in made.parts]],
        _references(made),
    ]
    running = Running(subject=f"Pilot {made.pilot}", checkpoint=f"{made.entries} entries, root {made.root[:16]}…")
    return document(title, body, running, CSS)


def _row(row: Row) -> Node:
    said = {"class": "said"} if row.name in IN_THE_FINDING else {}
    return h.tr(said)[
        h.th(scope="row")[ROWS.get(row.name, row.name)],
        h.td[marked(row.text)],
        h.td(".e.soft")[str(row.entry) if row.entry else ""],
    ]


def _references(made: Statement) -> Node:
    withheld = ", ".join(made.withheld) or "nothing"
    return h.p(".soft")[
        "Ledger ", h.code[made.ledger], f", {made.entries} entries, root ", h.code[made.root],
        f". Not shown in this version, of the charter: {withheld}.",
    ]  # fmt: skip
