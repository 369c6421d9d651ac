"""The frame of every document that is kept and printed: one self-contained page, without scripts or external parts.

On A4 each page has a header (subject and checkpoint) and a footer (title and page number) in margin boxes of CSS paged
media; rows of tables and figures are never cut, and heads of tables are repeated. The same content gives the same
bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import htpy as h
from htpy import Node
from markupsafe import Markup
from msgspec import Struct

from monitor.translation import current, tr
from monitor.translation.catalogue import TAGS

STYLE = """
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5a6675;--paper:#fff;--rule:#dfe4ea;--link:#1f5fa8}
@media (prefers-color-scheme:dark){:root{--ink:#e8edf3;--soft:#a3afbd;--paper:#141a21;--rule:#313c49;--link:#7db3f0}}
body{font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans CJK SC",
"WenQuanYi Zen Hei","Microsoft YaHei",sans-serif;color:var(--ink);background:var(--paper);max-width:960px;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{margin-top:2rem;font-size:1.15rem}h3{font-size:1rem;margin:1.2rem 0 .2rem}
a{color:var(--link)}p.lead,.soft{color:var(--soft)}table{border-collapse:collapse;width:100%;font-size:.92rem}
caption{text-align:left;font-weight:600;padding:.6rem 0 .2rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--rule);
overflow-wrap:break-word}
td.id{overflow-wrap:anywhere}.t{white-space:nowrap}th[scope=row]{font-weight:600}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}code{font-size:.85em;overflow-wrap:anywhere}
table.facts th{width:30%}table.facts td{overflow-wrap:anywhere}
td.refs,th.refs{width:5.5rem;text-align:right}td.refs{font-size:.92em}
td,th{min-width:2.6em}table ul{margin:0;padding-left:1.1em}
.wide{overflow-x:auto}figure{margin:1rem 0;overflow-x:auto}pre{white-space:pre-wrap;overflow-wrap:anywhere;
border:1px solid var(--rule);padding:.6rem;font-size:.82rem}
.warn{border-left:4px solid #b45309;padding:.3rem 0 .3rem .8rem}.box{border:1px solid var(--rule);padding:.6rem 1rem}
.gist{font-size:1.1em;border-left:4px solid var(--link);padding:.2rem 0 .2rem .8rem}
@media (max-width:600px){body{margin:1rem auto}td,th{padding-right:.4rem}table.facts th,table.facts td{display:block;
width:auto;border:0;padding:0}table.facts tr{display:block;border-bottom:1px solid var(--rule);padding:.3rem 0}
table.facts td.refs{text-align:left}}
@page{size:A4;margin:20mm 16mm 18mm}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--rule:#bbb;--link:#000}
body{margin:0;padding:0;max-width:none;font-size:9.5pt;line-height:1.35}h1{font-size:15pt;margin-top:0}
h2{font-size:11.5pt;margin:1.1em 0 .3em}h3{font-size:10pt}h2,h3,caption{break-after:avoid}
table{font-size:8.6pt}td,th{padding:.18rem .45rem .18rem 0}tr,figure,.warn,.box,li{break-inside:avoid}
tbody tr:first-child{break-before:avoid}
thead{display:table-header-group}p{orphans:3;widows:3}a{text-decoration:none}.wide,figure{overflow:visible}
figure svg{max-width:100%;max-height:225mm;height:auto}nav,.screen{display:none}}
"""


class Running(Struct, frozen=True, kw_only=True):
    """What stands at the edge of each printed page: the subject and the checkpoint above."""

    subject: str = ""
    checkpoint: str = ""


def document(
    title: str, body: Node, running: Running = Running(), css: str = "", head: Node = None  # noqa: B008 - frozen
) -> str:  # fmt: skip
    """A whole page as HTML, in the language that is spoken. `css` follows the style of every document, `head` is more
    for the head of the page."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    page = h.html(lang=TAGS[current()])[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width,initial-scale=1"),
            h.meta(http_equiv="Content-Security-Policy", content=policy),
            h.title[title],
            h.style[Markup(STYLE + css + _margins(title, running))],
            head,
        ],
        h.body[h.main[body]],
    ]
    return f"{page}\n"


def _margins(title: str, running: Running) -> str:
    """Header and footer of printed pages."""
    style = "font:7.5pt sans-serif;color:#444"
    boxes = {
        "top-left": css_text(running.subject),
        "top-right": css_text(running.checkpoint),
        "bottom-left": css_text(title),
        "bottom-right": _page_number(tr("Page {page} of {pages}", page="\0", pages="\1")),
    }
    return "@page{" + "".join(f"@{place}{{content:{text};{style}}}" for place, text in boxes.items()) + "}"


def _page_number(text: str) -> str:
    before, _, rest = text.partition("\0")
    between, _, after = rest.partition("\1")
    return f"{css_text(before)} counter(page) {css_text(between)} counter(pages) {css_text(after)}"


def css_text(text: str) -> str:
    """A string of CSS; whatever is neither a letter nor a digit of ASCII is escaped, so that no text ends the string.

    >>> css_text('a"</style>')
    '"a\\\\22 \\\\3c \\\\2f style\\\\3e "'
    """
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text) + '"'


def facts(rows: Iterable[tuple[Node, Node, Node]]) -> Node:
    """A table of names, what is said of each, and the ledger entries behind it."""
    made = [h.tr[h.th(scope="row")[name], h.td[said], h.td(".refs")[refs]] for name, said, refs in rows]
    return h.table(".facts")[h.tbody[made]] if made else None


def table(caption: Node, names: Sequence[str], rows: Iterable[Sequence[Node]], numeric: Iterable[int] = ()) -> Node:
    """A table with a caption; the columns `numeric` (from 0) are aligned to the right."""
    right = set(numeric)

    def css(place: int) -> dict[str, str]:
        return {"class": "n"} if place in right else {}

    heads = [h.th(css(place), scope="col")[name] for place, name in enumerate(names)]
    made = [h.tr[[h.td(css(place))[cell] for place, cell in enumerate(row)]] for row in rows]
    head = h.caption[caption] if caption else None
    return h.div(".wide")[h.table[head, h.thead[h.tr[heads]], h.tbody[made]]]


def section(title: str, *parts: Node, id_: str = "") -> Node:
    """A heading with what stands below it."""
    more: dict[str, Any] = {"id": id_} if id_ else {}
    return h.section[h.h2(more)[title], parts]


def svg(name: str, **attributes: Any) -> h.Element:
    """An element of SVG, whose attributes keep their case; `_` stands for a hyphen."""
    known = {key.rstrip("_").replace("_", "-"): str(value) for key, value in attributes.items()}
    return h.Element(name)(known)


def commands(*lines: str) -> Node:
    """Commands to copy, a line each."""
    return h.pre(tabindex="0")["\n".join(lines)]


def marked(text: str) -> Node:
    """Text with `names` marked as code."""
    return [h.code[part] if place % 2 else part for place, part in enumerate(text.split("`"))]
