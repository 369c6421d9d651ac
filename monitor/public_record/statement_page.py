"""A statement of reasons as one printable page."""

from __future__ import annotations

import json
from html import escape

import msgspec

from monitor.projections.formats import stamp
from monitor.public_record.statement import Row, Statement
from monitor.public_record.statement_words import PARTS, ROWS
from monitor.report.page import head

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
    link = f"<p class=back><a href='{escape(back)}'>{escape(made.pilot)}</a></p>" if back else ""
    state = "The halt is in force." if made.in_force else "The halt is no longer in force."
    parts = [
        head(title, more=CSS),
        f"{link}<h1>{escape(title)}</h1><p class=lead>Participant {escape(made.participant)}, halted "
        f"{stamp(made.at)}; {TITLES[made.version]}. {state} A halt is a technical effect; a suspension is the legal "
        "act of an authority. Made from the ledger alone; each line ends with the number of the decision that "
        "says it.</p>",
    ]
    tables = (f"<h2>{PARTS[p.id]}</h2><table><tbody>{''.join(map(_row, p.rows))}</tbody></table>" for p in made.parts)
    parts.append(f"<div class=parts>{''.join(tables)}</div>")
    parts.append(_references(made))
    return "\n".join(parts) + "\n"


def _row(row: Row) -> str:
    name, entry = escape(ROWS.get(row.name, row.name)), str(row.entry) if row.entry else ""
    said = " class=said" if row.name in IN_THE_FINDING else ""
    return f"<tr{said}><th scope=row>{name}<td>{_code(row.text)}<td class='e soft'>{entry}</tr>"


def _code(text: str) -> str:
    """Text with `commands` marked."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _references(made: Statement) -> str:
    withheld = ", ".join(made.withheld) or "nothing"
    return (
        f"<p class=soft>Ledger <code>{escape(made.ledger)}</code>, {made.entries} entries, root "
        f"<code>{escape(made.root)}</code>. Not shown in this version, of the charter: {escape(withheld)}.</p>"
    )
